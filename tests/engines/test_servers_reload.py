"""Servers that get new weights while they work: in place as vLLM does it, or by a command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from swr1.engines import Request, Sampling, open_engine
from swr1.errors import SwrError, UsageError
from swr1.prompts import Prompt
from tests.conftest import SWR1, jsonl, load, run_swr1
from tests.engines.conformance import CHECKS, Subject
from tests.engines.openai_server import ModelServer
from tests.engines.reference_model import save_reference

SAMPLING = Sampling(1.0, max_tokens=12)
CALLS = ["/pause", "/collective_rpc", "/reset_prefix_cache", "/update_weight_version", "/resume"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = {}

    def reference(seed=0, template="chatml"):
        if (seed, template) not in made:
            path = tmp_path_factory.mktemp("reference") / f"00000{seed}"
            made[seed, template] = save_reference(path, seed, template)
        return made[seed, template]

    return reference


def engine_on(folder, *servers, **options):
    urls = [server.url for server in servers]
    return open_engine("openai", folder, url=urls, **({"retry_for": 5, "reload": "vllm"} | options))


def texts(engine):
    requests = [Request(("r", 0, i), [5, 6, 7]) for i in range(8)]
    return [c.text for c in engine.generate(requests, SAMPLING)]


def served(folder):
    """What a server that was started with this folder gives."""
    with ModelServer(folder) as server:
        return texts(engine_on(folder, server, reload=None))


def test_the_servers_take_the_weights_that_are_loaded(folder):
    with ModelServer(folder(), dev=True) as one, ModelServer(folder(), dev=True) as two:
        engine = engine_on(folder(), one, two)
        before = texts(engine)
        engine.load(folder(1))
        assert texts(engine) == served(folder(1)) != before
        engine.load(folder())
        assert texts(engine) == before
        for server in (one, two):
            assert server.given == [folder(), folder(1), folder()]
            assert server.calls == CALLS * 3, "not one after the other"
        assert "6 reloads" in engine.summary()


def test_the_suites_check_of_other_weights(folder):
    with ModelServer(folder(), dev=True) as one, ModelServer(folder(1), dev=True) as two:
        servers = {folder(): one, folder(1): two}
        subject = Subject(lambda path: engine_on(path, servers[path]), folder)
        CHECKS["other_weights_are_taken"][0](subject)


def test_weights_come_while_servers_write(folder):
    """What each has is given up and gone on with: every completion once, whose version is whose known."""
    with ModelServer(folder(), dev=True) as one, ModelServer(folder(), dev=True) as two:
        one.pace = two.pace = 0.01
        options = {"server_logprobs": "processed", "in_flight": 32}
        subject = Subject(lambda path: engine_on(path, one, two, **options), folder)
        CHECKS["weights_are_taken_in_flight"][0](subject)
        cut = [r for r in one.requests + two.requests if len(r["prompt"]) > 40]
        assert cut, "nothing was gone on with"


def test_without_token_ids_what_is_under_way_ends_under_the_old_weights(folder):
    with ModelServer(folder(), dev=True) as server:
        server.pace = 0.003
        engine = engine_on(folder(), server, send="text", in_flight=32)
        flow = engine.flow(SAMPLING, 0, False)
        message = [{"role": "user", "content": "hi"}]
        old, new = (engine.request((n, 0, 0), message, Prompt("none")) for n in ("old", "new"))
        flow.begin([old])
        flow.step()
        flow.take(folder(1), 1)
        flow.begin([new])
        made = {}
        while len(made) < 2:
            made |= {request.key[0]: completion for request, completion in flow.step()}
        assert [made[n].facts["versions"][0][0] for n in ("old", "new")] == [0, 1]
        assert server.aborts == 0


def test_a_server_that_was_started_again_gets_the_weights_again(folder):
    """It has those of its command line then, under the same URL."""
    with ModelServer(folder(), dev=True) as server:
        engine = engine_on(folder(), server, in_flight=1)
        engine.load(folder(1))
        new = texts(engine)
        server.engine.load(folder())
        server.weights, server.faults = "default", iter(["cut", *[None] * 20])
        assert texts(engine) == new
        assert server.given == [folder(1), folder(1)]
        # and an engine that cannot give them does not take one version for another
        server.weights = folder()
        with pytest.raises(UsageError, match=r"has version 000000.*means 000001"):
            texts(engine_on(folder(1), server, reload=None))


def test_a_server_that_cannot_take_them_is_not_used(folder, tmp_path):
    with ModelServer(folder(), dev=True) as good, ModelServer(folder(), dev=True) as bad:
        engine = engine_on(folder(), good, bad)
        texts(engine)
        bad.engine.load = lambda path: 1 / 0
        asked = len(bad.requests)
        engine.load(folder(1))
        assert texts(engine) == served(folder(1))
        assert len(bad.requests) == asked
        assert "cannot load" in engine.summary() and "division by zero" in engine.summary()
        assert bad.calls[-1] == "/resume"
        with pytest.raises(SwrError, match=r"no server is left.*cannot load"):
            texts(engine_on(folder(1), bad))
    with (
        ModelServer(folder()) as other,
        pytest.raises(UsageError, match="VLLM_SERVER_DEV_MODE=1"),
    ):
        texts(engine_on(folder(), other))


def test_tied_weights_are_not_given_in_place(folder, tmp_path):
    """A vLLM server says that it has them, and goes on with the old output layer."""
    tied = tmp_path / "000002"
    shutil.copytree(folder(), tied)
    config = (tied / "config.json").read_text()
    (tied / "config.json").write_text(
        config.replace('"tie_word_embeddings": false', '"tie_word_embeddings": true')
    )
    with ModelServer(folder(), dev=True) as server:
        engine = engine_on(folder(), server)
        engine.load(str(tied))
        with pytest.raises(UsageError, match="ties the output layer"):
            texts(engine)
        assert not server.given[1:]


def test_a_command_brings_them(folder, tmp_path):
    """Once for each server and version; the server may be down before and after."""
    log, flag = tmp_path / "log", tmp_path / "fail"
    way = f"echo {{folder}} {{url}} >> {log}; test ! -e {flag}"
    with ModelServer(folder(), make="llamacpp") as server:
        engine = engine_on(folder(), server, reload=way, send="ids", in_flight=4)
        texts(engine)
        server.faults = iter(["cut", *[None] * 30])
        texts(engine)
        engine.load(folder(1))
        texts(engine)
        assert log.read_text().split() == [folder(), server.url, folder(1), server.url]
        flag.touch()
        engine.load(folder())
        with pytest.raises(SwrError, match=r"no server is left.*ended with 1"):
            texts(engine)
        assert len(log.read_text().splitlines()) == 3
    with pytest.raises(UsageError, match=r"with \{folder\}"):
        engine_on(folder(), server, reload="restart it")


@pytest.mark.slow
def test_a_run_of_reinforcement_learning(folder, tmp_path):
    """By the command line: each record names the version that the server had."""
    run_swr1("init-policy", "rl", "--from", folder(), cwd=tmp_path, check=True)
    rows = [{"id": f"id{i}", "prompt": [{"role": "user", "content": "hi"}]} for i in range(5)]
    rows.append({"id": "long", "prompt": [{"role": "user", "content": "a" * 200}]})
    (tmp_path / "prompts.jsonl").write_bytes(jsonl(rows))
    (tmp_path / "rule.py").write_text(
        "def check(record):\n"
        "    return {'score': len(record['completion']), 'label': 'x', 'detail': {}}\n"
        "def reward(record):\n    return {'reward': 0.1 * len(record['completion']), 'reward_parts': {}}\n"
    )
    with ModelServer(folder(), dev=True) as server:
        pipe = (
            f"{SWR1} rollout prompts.jsonl --policy rl --max-lag 0 --epochs 9 --samples 4 --batch 2"
            f" --system-prompt none --max-tokens 12 --engine openai --reload vllm"
            f" --url {server.url} --on-error skip | tee made.jsonl"
            f" | {SWR1} verify ./rule.py:check | {SWR1} reward ./rule.py:reward"
            f" | {SWR1} train-step grpo --policy rl --batch 2 --steps 3 --lr 1e-3"
        )
        subprocess.run(
            ["bash", "-o", "pipefail", "-c", pipe], cwd=tmp_path, check=True, env=os.environ
        )
    made = load(tmp_path / "made.jsonl")
    versions = [r["generation"]["policy"]["version"] for r in made]
    assert versions[:24] == [0] * 8 + [1] * 8 + [2] * 8
    assert [int(Path(path).name) for path in server.given[:3]] == [0, 1, 2]
    assert "long" not in {r["id"] for r in made}
