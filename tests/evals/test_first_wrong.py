"""Who finds the first wrong step: against planted faults and another verdict, by hand."""

import json

import pytest

from swr1.errors import UsageError
from swr1.evals.first_wrong import FirstWrong


def verdict(labels, scores=None):
    steps = [{"start": k, "end": k + 1, "label": label} for k, label in enumerate(labels)]
    for step, score in zip(steps, scores or (), strict=False):
        step["score"] = score
    first = labels.index("wrong") if "wrong" in labels else None
    return {"score": 0.5, "label": "x", "by": "y", "detail": {"steps": steps, "first_wrong": first}}


def record(i, fault, **verdicts):
    return {
        "id": f"p{i}",
        "prompt": [],
        "completion": "abc",
        "info": {"trace_fault": fault},
        "verdicts": verdicts,
    }


R, W = "right", "wrong"
RECORDS = [
    record(0, {"kind": "replaced", "step": 1}, rule=verdict([R, W, W]), prm=verdict([R, W, R])),
    record(1, {"kind": "early", "step": 2}, rule=verdict([R, R, W]), prm=verdict([R, W, W])),
    record(2, {"kind": "answer", "step": 3}, rule=verdict([R, R, R]), prm=verdict([R, R, R])),
    record(3, None, rule=verdict([R, R, R]), prm=verdict([W, R, R])),
]


def test_against_planted_faults_by_hand():
    found = FirstWrong("planted")
    for r in RECORDS:
        found.add(r)
    numbers = found.figures()
    assert (numbers["rule"]["f1"], numbers["prm"]["f1"]) == (1, 0.5)
    assert numbers["prm"]["wrong"] == numbers["prm"]["right"] == 0.5
    assert numbers["prm"]["n_wrong"] == numbers["prm"]["n_right"] == 2
    low, high = numbers["prm"]["interval"]
    assert 0 <= low < 0.5 < high <= 1 and numbers["rule"]["interval"] == [1, 1]


def test_against_a_verdict_single_steps_count_too():
    """Steps right with .9 .2, wrong with .4 and .6: bins of one, |1 - .9| .8 .4 .6, mean .475."""
    truth, told = (
        verdict([R, R, W, W, "unread"]),
        verdict([R, W, W, R, R], [0.9, 0.2, 0.4, 0.6, 0.5]),
    )
    found = FirstWrong("rule")
    found.add(record(0, None, rule=truth, prm=told, other={"score": 1, "detail": {"steps": 3}}))
    [(name, numbers)] = found.figures().items()
    assert name == "prm" and numbers["steps"]["n"] == 4
    assert numbers["steps"]["accuracy"] == 0.5 and numbers["steps"]["auroc"] == 0.5
    assert numbers["steps"]["ece"] == pytest.approx(0.475)
    assert numbers["steps"]["brier"] == pytest.approx((0.01 + 0.64 + 0.16 + 0.36) / 4)


def test_the_truth_may_be_a_verdict_of_trace():
    found = FirstWrong("trace")
    for wrong, prm in ((1, [R, W, R]), (2, [R, W, R]), (None, [R, R, R])):
        truth = {"score": 0.5, "detail": {"steps": 3, "wrong_step": wrong}}
        found.add(record(0, None, trace=truth, prm=verdict(prm)))
    numbers = found.figures()["prm"]
    assert (numbers["n_wrong"], numbers["n_right"]) == (2, 1)
    assert (numbers["wrong"], numbers["right"]) == (0.5, 1)


def test_what_is_missing_is_said():
    other = {"score": 1, "detail": {"right": 2}}
    with pytest.raises(UsageError, match="names no first wrong step"):
        FirstWrong("rule").add(record(0, None, rule=other))
    with pytest.raises(UsageError, match="no verdict 'rule'"):
        FirstWrong("rule").add(record(0, None))
    with pytest.raises(UsageError, match=r"no info.trace_fault"):
        FirstWrong("planted").add({"id": "x", "completion": "", "verdicts": {}})
    with pytest.raises(UsageError, match="verify steps"):
        FirstWrong("planted").figures()
    null = {
        "score": None,
        "label": None,
        "error": "why",
        "detail": {"steps": [{"start": 0, "end": 1}], "first_wrong": None},
    }
    found = FirstWrong("planted")
    for r in [record(9, None, rule=null), RECORDS[3]]:
        found.add(r)
    assert found.figures()["rule"]["unjudged"] == 1


def test_the_command_line_shows_a_row_per_verdict(tmp_path, swr1):
    (tmp_path / "j.jsonl").write_text("".join(json.dumps(r) + "\n" for r in RECORDS))
    done = swr1("eval", "j.jsonl", "--first-wrong", "planted", cwd=tmp_path, check=True)
    assert "50.0 of 2" in done.stdout and "100.0" in done.stdout and "prm" in done.stdout
    line = ("eval", "j.jsonl", "--first-wrong", "rule", "--json")
    made = json.loads(swr1(*line, cwd=tmp_path, check=True).stdout)
    [run] = made.values()
    assert run["prm"]["steps"]["n"] == 12
