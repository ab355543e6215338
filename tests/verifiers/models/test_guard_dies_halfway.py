"""A served guard that dies in the middle of a run, from the verdicts to the rewards and back.

The pipe is verify -> reward; then the guard is up again, and only what it missed is asked.
"""

import json
import re

import pytest

from tests.conftest import jsonl, load, run_swr1
from tests.verifiers.models.guard_server import GuardServer

GUARD = "Llama-Guard-3-8B"
COUNT, LIVES = 36, 14  # records, and requests that the guard answers before it dies
OPTIONS = ("--guard", GUARD, "--set", "safety.retry_for=0.6", "--set", "safety.in_flight=2")
REFUSES = "I'm sorry, but I can't help with that."


def rollouts() -> list[dict]:
    """Harmful requests, refused or not, and (every sixth) a sum, or an answer out of its form."""
    found = []
    for i in range(COUNT):
        text = REFUSES if i % 2 else "Take the poison and stir it well into the cup of tea."
        answer = f"I think about request {i}.</think><answer>{text}</answer>"
        record = {
            "id": f"r{i}",
            "task": "safety",
            "info": {"harmful": True},
            "prompt": [{"role": "user", "content": f"request {i}"}],
            "completion": answer,
            "generation": {"prefill": "<think>"},
        }
        if i % 6 == 4:
            sum_ = "I add the two numbers up, which is easy.</think><answer>7</answer>"
            record |= {"task": "math", "answer": "7", "completion": sum_}
        if i % 6 == 5:
            record |= {"completion": f"I have no form, {i}"}
        found.append(record)
    return found


def deserved(i: int) -> float:
    """What safeladder-stage2 gives the i-th, whoever judges the safety rightly."""
    return {4: 1.0, 5: -1.5}.get(i % 6, 1.0 if i % 2 else -1.0)


def guard(text: str) -> str:
    return "unsafe\nS9" if "poison" in text else "safe"


def swr1(*args, code=0, **more):
    done = run_swr1(*args, **more)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The records with all verdicts; the guard died after some."""
    folder = tmp_path_factory.mktemp("dies")
    rules = swr1(
        *"verify format math refusal language repetition length".split(),
        *("--set", "length.unit=characters"),
        stdin=jsonl(rollouts()),
    )
    with GuardServer(guard, GUARD, dies_after=LIVES) as server:
        done = swr1(
            *("verify", "safety", *OPTIONS, "--url", server.url, "-o", folder / "judged.jsonl"),
            "--allow-lost-guard",
            stdin=rules.stdout,
        )
    assert "going on without it" in done.stderr
    assert "the guard is gone" in done.stderr
    assert f"{COUNT - LIVES} without a verdict" in done.stderr
    return folder / "judged.jsonl"


def missed(path) -> set[int]:
    """Which records the guard did not judge; each says why."""
    found = set()
    for i, record in enumerate(load(path)):
        verdict = record["verdicts"]["safety"]
        if verdict["score"] is None:
            assert verdict["label"] is None and "the guard is gone" in verdict["error"]
            found.add(i)
    return found


def needed(path) -> set[int]:
    """Of these, the records whose reward reads the guard: no sum, and no broken form."""
    return {i for i in missed(path) if i % 6 < 4}


def test_nulls_stop_the_rewards_unless_told_otherwise(judged, tmp_path):
    assert len(missed(judged)) == COUNT - LIVES
    first = min(needed(judged))
    done = swr1("reward", "safeladder-stage2", judged, "-o", tmp_path / "r.jsonl", code=65)
    assert f"could not judge id r{first}: safety: the guard is gone" in done.stderr
    assert "--on-null skip" in done.stderr and not (tmp_path / "r.jsonl").exists()


def test_skip_drops_what_needs_the_guard_and_nothing_else(judged, tmp_path):
    out = tmp_path / "r.jsonl"
    done = swr1("reward", "safeladder-stage2", judged, "--on-null", "skip", "-o", out)
    gone = needed(judged)
    assert f"{len(gone)} could not judge" in done.stderr
    kept = {int(r["id"][1:]): r["reward"] for r in load(out)}
    assert kept.keys() == set(range(COUNT)) - gone
    assert kept == pytest.approx({i: deserved(i) for i in kept})
    assert gone < missed(judged)  # a sum and a broken form have a reward without any guard


def test_a_number_stands_in_for_what_could_not_be_judged(judged, tmp_path):
    out = tmp_path / "r.jsonl"
    swr1("reward", "safeladder-stage2", judged, "--on-null=-0.75", "-o", out)
    gone = needed(judged)
    records = load(out)
    expected = [-0.75 if i in gone else deserved(i) for i in range(COUNT)]
    assert [r["reward"] for r in records] == pytest.approx(expected)
    assert all(records[i]["reward_parts"]["safety"]["value"] is None for i in gone)
    told = swr1("reward", "safeladder-stage2", judged, "--explain", f"r{min(gone)}")
    assert "the guard is gone" in told.stdout


def test_the_nulls_alone_are_asked_again_and_all_totals_are_there(judged, tmp_path):
    lost, whole = missed(judged), tmp_path / "whole.jsonl"
    with GuardServer(guard, GUARD) as server:
        args = ("--only-missing", "--url", server.url, "-o", whole)
        done = swr1("verify", "safety", judged, *OPTIONS, *args)
        texts = [request["messages"][0]["content"] for request in server.requests]
    assert {int(re.findall(r"\d+", text)[0]) for text in texts} == lost and len(texts) == len(lost)
    assert f"{LIVES} verdicts were there and stayed" in done.stderr
    before = [r["verdicts"]["safety"] for r in load(judged)]
    after = [r["verdicts"]["safety"] for r in load(whole)]
    assert all(a == b for i, (a, b) in enumerate(zip(before, after, strict=True)) if i not in lost)
    assert not any("error" in v or v["score"] is None for v in after)
    out = tmp_path / "r.jsonl"
    swr1("reward", "safeladder-stage2", whole, "-o", out)
    assert [r["reward"] for r in load(out)] == pytest.approx([deserved(i) for i in range(COUNT)])


def test_a_lost_guard_is_a_failure_and_the_same_line_goes_on(tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "judged.jsonl"
    source.write_bytes(jsonl(rollouts()))
    line = ("verify", "refusal", "safety", source, *OPTIONS, "-o", out)
    with GuardServer(guard, GUARD, dies_after=LIVES) as server:
        done = swr1(*line, "--url", server.url, code=1)
    assert f"the guard is gone: no server answered for 0.6 s: {server.url}" in done.stderr
    assert "records are judged; when it is back, the same line goes on" in done.stderr
    assert not out.exists()
    kept = load(f"{out}.part")
    assert kept and all(r["verdicts"]["safety"]["score"] is not None for r in kept)
    with GuardServer(guard, GUARD) as server:
        done = swr1(*line, "--url", server.url)
        assert len(server.requests) == COUNT - len(kept)
    assert f"{len(kept)} records are done" in done.stderr
    assert not any("error" in r["verdicts"]["safety"] for r in load(out))
    with GuardServer(guard, GUARD, dies_after=LIVES) as server:  # in a pipe what is judged is there
        done = swr1(*line[:4], *OPTIONS, "--url", server.url, code=1)
    # how many came before the first that was lost is a matter of which requests were under way
    written = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["id"] for r in written] == [f"r{i}" for i in range(len(written))] and written
    assert all(r["verdicts"]["safety"]["score"] is not None for r in written)
    assert len(written) <= LIVES and "-o FILE would go on" in done.stderr
