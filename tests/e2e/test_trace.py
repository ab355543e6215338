"""`swr1 trace` through the real command line, and its texts through the verifiers."""

import json

from tests.conftest import jsonl, load


def test_traces_are_added_and_verified(swr1, tmp_path):
    puzzles = swr1("gen-puzzles", "-n", 12, "--people", "2-4", check=True).stdout
    traced = tmp_path / "traced.jsonl"
    line = ("trace", "--style", "propagate", "--steps", "--completion", "-o", traced)
    swr1(*line, stdin=puzzles, check=True)
    records = load(traced)
    assert [r["id"] for r in records] == [json.loads(line)["id"] for line in puzzles.splitlines()]
    for record in records:
        info = record["info"]
        assert info["trace_fault"] is None
        assert info["trace_answer"] == record["answer"]
        assert all(step["ok"] for step in info["steps"])
    completions = jsonl(records)
    judged = swr1("verify", "format", "knights", "trace", stdin=completions, check=True).stdout
    labels = [
        {name: v["label"] for name, v in json.loads(line)["verdicts"].items()}
        for line in judged.splitlines()
    ]
    assert labels == [{"format": "ok", "knights": "correct", "trace": "sound"}] * 12


def test_wrong_ones_and_pairs(swr1, tmp_path):
    puzzles = swr1("gen-puzzles", "-n", 20, "--people", "3", check=True).stdout
    done = swr1("trace", "--wrong", "any", stdin=puzzles, check=True)
    infos = [json.loads(line)["info"] for line in done.stdout.splitlines()]
    kinds = {info["trace_fault"]["kind"] for info in infos}
    assert kinds == {"answer", "shuffled", "replaced", "early"}
    assert "steps" not in infos[0]
    again = swr1("trace", "--wrong", "any", stdin=puzzles, check=True)
    assert again.stdout == done.stdout

    assert '"completion"' not in done.stdout
    refused = swr1("trace", "--pairs", "--completion", stdin=puzzles)
    assert refused.returncode == 2 and "leave out --completion" in refused.stderr
    done = swr1("trace", "--pairs", "--wrong", "replaced", "--style", "cases", stdin=puzzles)
    for line in done.stdout.splitlines():
        info = json.loads(line)["info"]
        pair = info["pair"]
        assert info["trace_fault"] is None
        assert pair["chosen"] == info["trace"]
        assert pair["rejected"] != pair["chosen"]
        assert pair["fault"]["kind"] == "replaced"


def test_wrong_use_and_bad_records(swr1):
    done = swr1("trace", "--style", "propagation")
    assert done.returncode == 2
    assert "Did you mean 'propagate'" in done.stderr
    record = {"v": 1, "id": "a", "task": "math", "prompt": [], "answer": "4", "info": {}}
    paradox = record | {
        "id": "b",
        "task": "knights",
        "answer": [["Ava", "knight"]],
        "info": {"statements": [["knave", 0]], "roles": ["knight", "knave"]},
    }
    done = swr1("trace", stdin=jsonl([record, paradox]))
    assert done.returncode == 65
    assert "not a puzzle" in done.stderr
    done = swr1("trace", stdin=jsonl([paradox]))
    assert done.returncode == 65
    assert "no world fits" in done.stderr
