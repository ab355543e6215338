"""The replay engine through the command line: what was recorded comes back, what was not is named."""

import sys

import orjson
import pytest

from swr1.engines import Request, Sampling, open_engine
from swr1.errors import DataError, UsageError
from swr1.prompts import Prompt
from swr1.rollout.blocks import rollout
from swr1.rollout.requests import Requests
from tests.conftest import jsonl, load, run_swr1


def recorded(name: str, sample: int, epoch: int = 0, **changes) -> dict:
    generation = {
        "epoch": epoch,
        "group": 3,
        "prefill": "<think>",
        "policy": {"name": "runs/kk", "version": 7},
        "engine": {"name": "hf", "version": "5", "dtype": "float32"},
        "sampling": {"temperature": 0.5, "logprobs": "processed"},
        "prompt_ids": [1, 2],
        "token_ids": [3, 4 + sample],
        "logprobs": [-0.1, -2.5],
        "loss_mask": [1, 0],
        "finish_reason": "length",
    }
    return {
        "id": name,
        "prompt": [{"role": "user", "content": name}],
        "sample": sample,
        "completion": f"{name} {epoch} {sample}",
        "generation": generation | changes,
        "verdicts": {"format": {"score": 1}},
    }


@pytest.fixture
def tape(tmp_path):
    rows = [recorded(n, s, e) for n in "ab" for e in range(2) for s in range(3)]
    (tmp_path / "tape.jsonl").write_bytes(jsonl(rows))
    prompts = [{"id": n, "prompt": rows[0]["prompt"], "info": {"kept": 1}} for n in "ba"]
    (tmp_path / "prompts.jsonl").write_bytes(jsonl(prompts))
    return tmp_path


def replay(folder, *args, **more):
    options = ("--engine", "replay", "--recorded", "tape.jsonl", *args)
    return run_swr1("rollout", "prompts.jsonl", *options, cwd=folder, **more)


def test_a_replay_says_what_was_recorded_and_by_whom(tape):
    done = replay(tape, "--samples", 2, "--epochs", 2, check=True)
    out = [orjson.loads(line) for line in done.stdout.splitlines()]
    want = [f"{n} {e} {s}" for e in range(2) for n in "ba" for s in range(2)]
    assert [r["completion"] for r in out] == want
    for record in out:
        assert record["info"] == {"kept": 1} and "verdicts" not in record
        was = recorded(record["id"], record["sample"], record["generation"]["epoch"])["generation"]
        got = record["generation"]
        assert got.pop("group") == 2 and was.pop("group") == 3  # of the replay's own group
        engine = got.pop("engine")
        assert engine["name"] == "replay" and engine["recorded"] == was.pop("engine")
        assert got == was


def test_a_missing_completion_is_named(tape):
    done = replay(tape, "--samples", 4)
    assert done.returncode == 65
    assert "'b', epoch 0, sample 3 is not in tape.jsonl" in done.stderr
    rows = load(tape / "tape.jsonl")
    (tape / "tape.jsonl").write_bytes(jsonl(r for r in rows if r["id"] != "b" or r["sample"] != 1))
    done = replay(tape, "--samples", 3, "--on-error", "skip", check=True)
    assert [orjson.loads(x)["id"] for x in done.stdout.splitlines()] == ["a"] * 3
    assert "1 dropped" in done.stderr


def test_a_replay_goes_on_where_it_was_stopped(tape):
    replay(tape, "--samples", 3, "-o", "whole.jsonl", check=True)
    replay(tape, "--samples", 3, "-o", "part.jsonl", check=True)
    whole = (tape / "whole.jsonl").read_bytes()
    meta = orjson.loads((tape / "part.jsonl.meta.json").read_bytes())
    (tape / "part.jsonl").unlink()
    (tape / "part.jsonl.meta.json").unlink()
    (tape / "part.jsonl.part").write_bytes(b"".join(whole.splitlines(True)[:4]) + b'{"torn')
    (tape / "part.jsonl.part.meta.json").write_bytes(orjson.dumps(meta))
    done = replay(tape, "--samples", 3, "-o", "part.jsonl")
    assert done.returncode == 0, done.stderr
    assert (tape / "part.jsonl").read_bytes() == whole
    assert "4 done before" in done.stderr


def test_a_replay_needs_no_torch_and_no_policy(tape):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from swr1.commands import main; main()"
    )
    import subprocess

    args = ["rollout", "prompts.jsonl", "--engine", "replay", "--recorded", "tape.jsonl"]
    done = subprocess.run([sys.executable, "-c", code, *args], cwd=tape, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_bad_use(tape):
    with pytest.raises(UsageError, match="--recorded"):
        open_engine("replay", "")
    done = run_swr1("rollout", "prompts.jsonl", "--engine", "replay", cwd=tape)
    assert done.returncode == 2 and "--recorded" in done.stderr
    done = replay(tape, "--device", "cuda")
    assert done.returncode == 2 and "no option 'device'" in done.stderr
    (tape / "tape.jsonl").write_bytes(jsonl([{"id": "a", "prompt": []}]))
    with pytest.raises(DataError, match="'completion' is missing"):
        open_engine("replay", "", recorded=str(tape / "tape.jsonl"))


def test_no_prompt_waits_for_company(tape):
    """An engine that streams is asked prompt by prompt, and a group goes out when it is whole."""
    engine = open_engine("replay", "", recorded=[str(tape / "tape.jsonl")])
    taken = []

    def feed():
        for record in load(tape / "prompts.jsonl"):
            taken.append(record["id"])
            yield record

    make = Requests(engine, Prompt("none"), 2, Sampling(), "p")
    out = rollout(feed(), make, refresh=lambda: None)
    assert [next(out)["sample"], next(out)["sample"]] == [0, 1]
    assert taken == ["b"]


def test_records_without_token_ids_are_replayed_without(tape):
    (tape / "tape.jsonl").write_bytes(jsonl([{"id": "a", "completion": "yes"}]))
    engine = open_engine("replay", "", recorded=[str(tape / "tape.jsonl")])
    [got] = engine.generate([Request(("a", 0, 0), [])], Sampling())
    assert (got.text, got.token_ids, got.logprobs) == ("yes", None, None)
