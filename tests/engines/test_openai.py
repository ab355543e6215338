"""The openai engine through the command line, against servers that misbehave in every usual way."""

import itertools
import os
import signal
import subprocess
import sys
import time
from email.utils import formatdate

import orjson
import pytest

from swr1 import servers
from swr1.engines import Request, Sampling, open_engine
from swr1.errors import DataError, SwrError, UsageError
from swr1.prompts import Prompt
from swr1.training.groups import read_sample
from tests.conftest import jsonl, load, run_swr1
from tests.engines.openai_server import Canned, ModelServer
from tests.engines.reference_model import save_reference
from tests.forked import start

NAME = "tiny"  # no folder: messages are sent, and neither torch nor a tokenizer is needed
KEY = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_reference(tmp_path_factory.mktemp("reference"))


@pytest.fixture
def serve(folder):
    """Servers, closed at the end."""
    servers = []

    def start(**options):
        servers.append(ModelServer(folder, engine=Canned(), **options))
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def prompts(tmp_path):
    rows = [{"id": f"id{i}", "prompt": [{"role": "user", "content": f"hi {i}"}]} for i in range(9)]
    (tmp_path / "prompts.jsonl").write_bytes(jsonl(rows))
    return tmp_path


def command(policy, servers, *args):
    urls = [part for server in servers for part in ("--url", server.url)]
    options = "--engine openai --samples 3 --max-tokens 12 --system-prompt none --batch 4".split()
    return ["rollout", "prompts.jsonl", "--policy", policy, *options, *urls, *map(str, args)]


def rollout(cwd, policy, servers, *args, key=KEY, **more):
    return run_swr1(*command(policy, servers, *args), cwd=cwd, env={"OPENAI_API_KEY": key}, **more)


def records(text) -> list[dict]:
    return [orjson.loads(line) for line in text.splitlines()]


def whole(out: list[dict]) -> bool:
    """Every sample of every prompt, once, in input order."""
    return [(r["id"], r["sample"]) for r in out] == [
        (f"id{i}", s) for i in range(9) for s in range(3)
    ]


def everything(folder) -> str:
    return "".join(f.read_text() for f in folder.rglob("*") if f.is_file())


def test_what_a_good_server_gives_is_fit_for_training(prompts, folder, serve):
    server = serve()
    done = rollout(prompts, NAME, [server], "--price", "1,2", "--metrics", "m.jsonl", check=True)
    out = records(done.stdout)
    assert whole(out)
    for record in out:
        generation = record["generation"]
        engine = {"name": "openai", "version": "vllm 9.9", "dtype": "unknown"}
        assert generation["engine"] == engine | {"encoded_by": "server"}
        sample = read_sample(record | {"reward": 1.0}, 272)
        assert len(sample.recorded) == len(generation["token_ids"])
    written = sum(len(r["generation"]["token_ids"]) for r in out)
    asked = sum(len(r["generation"]["prompt_ids"]) for r in out)
    cost = (asked + 2 * written) / 1e6
    assert f"{asked:,} prompt tokens, {written:,} written, cost {cost:.4g}" in done.stderr
    assert f"{server.url} 27 ok" in done.stderr
    assert orjson.loads((prompts / "m.jsonl").read_bytes())["tallies"]["requests"] == {"ok": 27}
    assert server.keys == {f"Bearer {KEY}"}
    # the same draws in another company, and where the prompt is rendered here
    for policy in (NAME, folder):
        again = rollout(prompts, policy, [server], "--in-flight", 1, "--batch", 9, check=True)
        assert [r["completion"] for r in records(again.stdout)] == [r["completion"] for r in out]
        ids = [r["generation"]["prompt_ids"] for r in records(again.stdout)]
        assert ids == [r["generation"]["prompt_ids"] for r in out]


TROUBLES = ["429", "500", "500", "cut", "garbage", None, "stall", "wrong-model", "missing", "hang"]


def test_no_record_is_lost_or_doubled_by_a_misbehaving_server(prompts, folder, serve):
    want = rollout(prompts, NAME, [serve()], check=True)
    bad = serve(
        faults=itertools.chain([None], TROUBLES, [None] * 3, TROUBLES, itertools.repeat(None))
    )
    args = ("--timeout", 1, "--in-flight", 6, "--metrics", "m.jsonl", "-o", "out.jsonl")
    done = rollout(prompts, NAME, [bad], *args, check=True)
    out = load(prompts / "out.jsonl")
    assert whole(out)
    assert [r["completion"] for r in out] == [r["completion"] for r in records(want.stdout)]
    counts = orjson.loads((prompts / "m.jsonl").read_bytes())["tallies"]["requests"]
    assert counts["ok"] == 27
    expected = {"429", "500", "no JSON", "wrong model", "no choices", "no answer in 1 s"}
    assert expected <= counts.keys()
    assert any("Protocol" in kind or "Read" in kind for kind in counts), counts  # the cut body
    for kind in expected:
        assert kind in done.stderr
    assert KEY not in done.stderr + everything(prompts)


def test_missing_samples_are_asked_for_again(prompts, folder, serve):
    server = serve(faults=["missing", None])
    done = rollout(prompts, NAME, [server], "--per-request", 3, check=True)
    out = records(done.stdout)
    assert whole(out)
    assert len({(r["id"], r["completion"]) for r in out}) == len(out)
    assert "samples missing" in done.stderr
    assert {r["n"] for r in server.requests} == {1, 2, 3}


@pytest.mark.parametrize("how", ["refuses", "hangs", "key"])
def test_one_server_down_of_two(prompts, folder, serve, how):
    good, bad = serve(), serve(faults=[{"hangs": "hang", "key": "401"}.get(how)])
    if how == "refuses":
        bad.__exit__()
    done = rollout(prompts, NAME, [bad, good], "--timeout", 1, check=True)
    assert whole(records(done.stdout))
    assert f"{good.url} 27 ok" in done.stderr
    assert bad.url in done.stderr
    assert KEY not in done.stderr


def test_requests_that_fail_together_are_one_failure(folder, serve):
    """Else the rest after a burst would be as long as after thirty failures in a row."""
    server = serve(faults=itertools.chain(["500"] * 30, itertools.repeat(None)))
    engine = engine_on(folder, server, in_flight=30, retry_for=6)
    made = engine.generate(
        [Request((f"r{i}", 0, 0), [5]) for i in range(40)], Sampling(0, max_tokens=2)
    )
    assert len(made) == 40


def test_a_server_gets_the_time_it_asks_for(folder, serve):
    server = serve(faults=itertools.chain(["429"], itertools.repeat(None)))
    server.retry_after = "0.7"
    engine = engine_on(folder, server, in_flight=1)
    engine.generate([Request((f"r{i}", 0, 0), [5]) for i in range(4)], Sampling(0, max_tokens=2))
    waits = [later - server.times[0] for later in server.times[1:]]
    assert len(waits) == 4
    assert min(waits) >= 0.69
    date = formatdate(time.time() + 20, usegmt=True)
    assert 17 < servers._retry_after(date) <= 20
    assert servers._retry_after("soon") is None


def test_messages_need_neither_torch_nor_transformers(prompts, serve):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from swr1.commands import main; main()"
    )
    args = [sys.executable, "-c", code, *command(NAME, [serve()])]
    done = subprocess.run(args, cwd=prompts, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert whole(records(done.stdout))


def test_work_is_shared_by_load(prompts, folder, serve):
    servers = [serve(), serve()]
    rollout(prompts, NAME, servers, check=True)
    assert min(len(s.requests) for s in servers) >= 9


def test_without_any_server_it_says_what_it_waited_for(prompts, folder, serve):
    servers = [serve(), serve()]
    for server in servers:
        server.__exit__()
    done = rollout(prompts, NAME, servers, "--retry-for", 1)
    assert done.returncode == 1
    assert "no server answered for 1 s" in done.stderr
    assert all(server.url in done.stderr for server in servers)
    assert "ConnectError" in done.stderr
    refused = serve(faults=["401"])
    done = rollout(prompts, NAME, [refused])
    assert done.returncode == 1
    assert "401 trouble with your key Bearer [key]" in done.stderr
    assert KEY not in done.stderr


def test_a_killed_run_goes_on_by_record(prompts, folder, serve):
    server = serve(faults=["stall"])
    args = ("-o", "out.jsonl", "--in-flight", 2)
    environ = os.environ | {"OPENAI_API_KEY": KEY}
    process = start(
        command(NAME, [server], *args), cwd=prompts, env=environ, stderr=subprocess.PIPE
    )
    part = prompts / "out.jsonl.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    had = len(part.read_bytes().split(b"\n")) - 1
    assert 0 < had < 27
    server.misbehaves = False
    before = len(server.requests)
    other = serve()  # where it asks does not matter
    done = rollout(prompts, NAME, [server, other], *args, check=True)
    out = load(prompts / "out.jsonl")
    assert whole(out)
    assert f"{had} done before" in done.stderr
    assert len(server.requests) - before + len(other.requests) == 27 - had
    assert KEY not in everything(prompts)


def test_what_a_plain_server_lacks_is_said_by_train_step(prompts, folder, serve):
    server = serve(make="plain")
    done = rollout(prompts, NAME, [server], check=True)
    out = records(done.stdout)
    assert whole(out)
    for record in out:
        assert not {"prompt_ids", "token_ids", "loss_mask"} & record["generation"].keys()
    with pytest.raises(DataError, match=r"the engine 'openai' gave none.*use --send ids"):
        read_sample(out[0] | {"reward": 1.0}, 272)
    ids = {"prompt_ids": [1], **out[0]["generation"]}
    with pytest.raises(DataError, match=r"token_ids.*'openai' gave none.*vLLM does"):
        read_sample(out[0] | {"reward": 1.0, "generation": ids}, 272)


def test_raw_logprobs_of_a_tempered_distribution_are_not_recorded(prompts, folder, serve):
    server = serve()
    done = rollout(prompts, NAME, [server], "--temperature", 0.7, check=True)
    [record, *_] = records(done.stdout)
    assert "logprobs" not in record["generation"]
    with pytest.raises(DataError, match="processed_logprobs"):
        read_sample(record | {"reward": 1.0}, 272)
    args = ("--temperature", 0.7, "--server-logprobs", "processed")
    [record, *_] = records(rollout(prompts, NAME, [server], *args, check=True).stdout)
    assert len(read_sample(record | {"reward": 1.0}, 272).recorded)


def engine_on(folder, server, **options):
    return open_engine("openai", folder, url=server.url, **({"retry_for": 5} | options))


ASK = [{"role": "user", "content": "hi"}]


def test_a_refused_record_is_dropped_and_the_others_go_on(prompts, folder, serve):
    rows = load(prompts / "prompts.jsonl")
    rows[2]["prompt"][0]["content"] = "a" * 200
    (prompts / "prompts.jsonl").write_bytes(jsonl(rows))
    done = rollout(prompts, NAME, [serve()], "--on-error", "skip", check=True)
    assert [r["id"] for r in records(done.stdout)[::3]] == [f"id{i}" for i in range(9) if i != 2]
    assert "1 dropped" in done.stderr
    done = rollout(prompts, NAME, [serve()])
    assert done.returncode == 65
    assert "'id2'" in done.stderr


@pytest.mark.parametrize(
    ("error", "told"), [(DataError, "refused it: 400 sick"), (ArithmeticError, "no use: 500 sick")]
)
def test_a_poisoned_prompt_does_not_stop_the_others(folder, serve, monkeypatch, error, told):
    monkeypatch.setattr(servers, "ALONE", 3)
    server, poison = serve(), [262, 262, 262]
    complete = server.complete

    def sick(path, asked, gone):
        if asked["prompt"] == poison:
            raise error("sick")
        return complete(path, asked, gone)

    server.complete = sick
    engine = engine_on(folder, server, retry_for=60)
    requests = [Request((f"r{i}", 0, 0), poison if i == 1 else [5, 6]) for i in range(4)]
    made = list(engine.stream(requests, Sampling(0, max_tokens=3)))
    assert [isinstance(m, DataError) for m in made] == [False, True, False, False]
    assert "'r1': " in str(made[1]) and told in str(made[1])


def test_who_leaves_early_closes_what_is_in_flight(folder, serve):
    """A server ends what nobody waits for when its connection is closed."""
    server = serve(faults=itertools.chain([None], itertools.repeat("hang")))
    engine = engine_on(folder, server, in_flight=5)
    made = engine.stream((Request((f"r{i}", 0, 0), [5]) for i in range(40)), Sampling(0))
    next(made)
    deadline = time.monotonic() + 10
    while len(server.requests) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not server.left
    made.close()
    while server.left < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (server.left, len(server.requests)) == (5, 6)


@pytest.mark.slow
def test_a_stall_of_ten_seconds_is_waited_for(prompts, folder, serve):
    server = serve(faults=itertools.chain([None] * 3, ["stall"], itertools.repeat(None)))
    server.stall = 10
    started = time.monotonic()
    done = rollout(prompts, NAME, [server], "--in-flight", 4, "--timeout", 30, check=True)
    assert 10 < time.monotonic() - started < 60
    assert whole(records(done.stdout))
    assert len(server.requests) == 27


def test_a_closed_socket_does_not_look_like_a_reader_that_left(folder, serve):
    async def blocked():
        return signal.pthread_sigmask(signal.SIG_BLOCK, [])

    assert signal.SIGPIPE in engine_on(folder, serve()).servers.submit(blocked()).result()


def test_messages_as_they_are_sent(serve):
    server = serve()
    engine = engine_on("tiny", server)
    system = {"role": "system", "content": "in the record"}
    prompt = Prompt("p", "be good", "<think>")
    request = engine.request(("a", 0, 0), [system, *ASK], prompt)
    engine.generate([request], Sampling(0, max_tokens=3))
    sent = server.requests[-1]
    assert sent["messages"] == [
        {"role": "system", "content": "be good\n\nin the record"},
        *ASK,
        {"role": "assistant", "content": "<think>"},
    ]
    assert sent["continue_final_message"] and not sent["add_generation_prompt"]
    with pytest.raises(DataError, match="'a': the prompt must end"):
        engine.request(("a", 0, 0), [*ASK, {"role": "assistant", "content": "x"}], prompt)
    with pytest.raises(UsageError, match="does not go on with an opened answer"):
        engine_on("tiny", serve(make="plain")).generate([request], Sampling(0, max_tokens=3))


def test_the_server_of_llama_cpp_s_python_package(folder, serve):
    """It takes text and messages; it tells neither token ids nor its context."""
    server = serve(make="llamacpp-python")
    request = engine_on("tiny", server).request(("a", 0, 0), ASK, Prompt("p", None, "<think>"))
    with pytest.raises(UsageError, match="does not go on with an opened answer"):
        engine_on("tiny", server).generate([request], Sampling(0, max_tokens=3))
    for options, match in (({}, "use --send text"), ({"send": "text", "context": 9}, "has 9")):
        engine = engine_on(folder, server, **options)
        with pytest.raises((UsageError, DataError), match=match):
            engine.generate(
                [engine.request(("a", 0, 0), ASK, Prompt("p"))], Sampling(0, max_tokens=3)
            )
    engine = engine_on(folder, server, send="text")
    [made] = engine.generate(
        [engine.request(("a", 0, 0), ASK, Prompt("p"))], Sampling(0, max_tokens=3)
    )
    assert made.text and made.token_ids is None
    sent = server.requests[-1]
    assert (sent["top_k"], sent["min_p"], sent["repeat_penalty"]) == (0, 0, 1)


def test_a_server_that_changes_prompts_is_refused(folder, serve):
    server = serve()
    as_sent = server.prompt_ids
    server.prompt_ids = lambda asked, chat: [261, *as_sent(asked, chat)]
    for send, match in (("ids", "it changes prompts"), ("text", "second start token")):
        engine = engine_on(folder, server, send=send)
        with pytest.raises(SwrError, match=match):
            engine.generate(
                [engine.request(("a", 0, 0), ASK, Prompt("p"))], Sampling(0, max_tokens=4)
            )


def test_a_wrong_model_is_not_believed(folder, serve):
    server = serve(faults=["wrong-model"])
    engine = engine_on(folder, server)
    request = engine.request(("a", 0, 0), ASK, Prompt("p"))
    with pytest.raises(SwrError, match="answers as model 'another', asked for 'tiny'"):
        engine.generate([request], Sampling(0, max_tokens=4))
    with pytest.raises(SwrError, match="404 The model nobody does not exist"):
        engine_on(folder, serve(), served_model="nobody").generate(
            [request], Sampling(0, max_tokens=4)
        )


def test_another_version_of_the_policy_is_not_recorded_as_this_one(tmp_path, serve):
    folder = save_reference(tmp_path / "000007")
    server = serve()
    for root, fits in (
        (f"{tmp_path}/000007", True),
        ("runs/kk/latest", True),
        ("kk/000006", False),
    ):
        server.root = root
        work = ([Request(("a", 0, 0), [5])], Sampling(0, max_tokens=2))
        if fits:
            assert engine_on(folder, server).generate(*work)
        else:
            with pytest.raises(UsageError, match=r"has version 000006.*--policy means 000007"):
                engine_on(folder, server).generate(*work)


def test_sampling_is_said_in_full(folder, serve):
    """A server may have other defaults than none, from a model's folder for instance."""
    server = serve()
    engine = engine_on(folder, server)
    engine.generate([Request(("a", 0, 0), [5])], Sampling(0.5, top_k=3, min_p=0.1))
    sent = server.requests[-1]
    assert (sent["temperature"], sent["top_p"], sent["top_k"], sent["min_p"]) == (0.5, 1.0, 3, 0.1)
    assert sent["repetition_penalty"] == 1.0
    engine.generate([Request(("a", 0, 0), [5])], Sampling(max_tokens=3))
    assert server.requests[-1]["top_k"] == -1
    assert "seed" in sent
    plain = engine_on(folder, serve(make="plain"))
    with pytest.raises(UsageError, match="no --top-k"):
        plain.generate([Request(("a", 0, 0), [5])], Sampling(top_k=3))


def test_bad_use(prompts, folder, serve, monkeypatch):
    server = serve()
    with pytest.raises(UsageError, match="--url"):
        open_engine("openai", folder)
    for url in (f"http://me:{KEY}@host/v1", f"http://host/v1?key={KEY}", f"host:{KEY}"):
        with pytest.raises(UsageError) as told:
            open_engine("openai", folder, url=url)
        assert "://" not in url or KEY not in str(told.value)
    monkeypatch.delenv("NO_KEY_HERE", raising=False)
    with pytest.raises(UsageError, match="NO_KEY_HERE"):
        engine_on(folder, server, key_env="NO_KEY_HERE")
    (prompts / "key").write_text(f"{KEY}\n")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    engine = engine_on(folder, server, key_file=prompts / "key")
    [made] = engine.generate(
        [engine.request(("a", 0, 0), ASK, Prompt("p"))], Sampling(0, max_tokens=4)
    )
    assert made.text
    assert server.keys == {f"Bearer {KEY}"}
    with pytest.raises(UsageError, match="the server has them"):
        engine.load(folder)
    done = rollout(prompts, NAME, [server], "--max-lag", 1)
    assert done.returncode == 2 and "says how with --reload" in done.stderr
    done = run_swr1("rollout", "prompts.jsonl", cwd=prompts)
    assert done.returncode == 2 and "--policy" in done.stderr
    with pytest.raises(UsageError, match="'hf' has no option 'url'"):
        open_engine("hf", folder, url=[server.url])
