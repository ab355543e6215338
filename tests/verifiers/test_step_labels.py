"""Labels of steps by Monte Carlo: counted by hand, agreement, what does not fit, the command line."""

import json

import pytest

from swr1.errors import DataError
from swr1.steps import StepRule
from swr1.verifiers.steps.labelling import Continued
from tests.conftest import load

TEXT = "<think>one\ntwo\nthree</think> 3"
STARTS = [7, 11, 15, 20]  # of the three steps, and the end of the last
LINE = StepRule("line")


def original(labels=("right", "right", "wrong")):
    steps = [
        {"start": a, "end": b, "label": label}
        for a, b, label in zip(STARTS, STARTS[1:], labels, strict=False)
    ]
    detail = {"rule": "line", "steps": steps}
    verdict = {"score": 0.5, "label": "wrong", "by": "steps@1", "detail": detail}
    return {
        "id": "a",
        "sample": 1,
        "prompt": [{"role": "user", "content": "Count."}],
        "completion": TEXT,
        "verdicts": {"steps": verdict},
    }


def continuation(step, k, right, safe=1.0, characters=None):
    prefix = {"of": "a", "sample": 1, "epoch": 0, "step": step}
    prefix["characters"] = STARTS[step] if characters is None else characters
    return {
        "id": f"c{step}",
        "sample": k,
        "completion": TEXT[: STARTS[step]] + "x",
        "info": {"prefix": prefix},
        "verdicts": {"right": {"score": right}, "safe": {"score": safe}},
    }


MORE = [continuation(s, k, r) for s, row in enumerate(["11", "110", "10", "00"]) for k, r in
        enumerate(map(float, row))]  # fmt: skip


def values(verdict, dimension="correctness"):
    return [step["values"][dimension] for step in verdict["detail"]["steps"]]


def test_a_step_is_worth_the_share_of_right_continuations_behind_it():
    continued = Continued({"correctness": "right", "safety": "safe"}).read(MORE)
    verdict = continued.label(original(), LINE)
    assert values(verdict) == [2 / 3, 1 / 2, 0]
    assert values(verdict, "safety") == [1, 1, 1]
    assert [step["n"]["correctness"] for step in verdict["detail"]["steps"]] == [3, 2, 2]
    places = [(s["start"], s["end"]) for s in verdict["detail"]["steps"]]
    assert [TEXT[a:b] for a, b in places] == ["one\n", "two\n", "three"]
    assert verdict["score"] == 0 and verdict["detail"]["rule"] == "line"
    assert continued.label(original() | {"id": "other"}, LINE) is None


def test_what_could_not_be_judged_is_counted_and_no_zero():
    some = [continuation(1, 0, None), continuation(1, 1, 1.0), continuation(2, 0, None)]
    continued = Continued({"correctness": "right"}).read(some)
    assert values(continued.label(original(), LINE)) == [1, None, None]
    assert continued.counts["correctness: continuations that could not be judged"] == 2
    assert continued.counts["correctness: steps with too few continuations"] == 2
    few = Continued({"correctness": "right"}, at_least=2).read(some)
    verdict = few.label(original(), LINE)
    assert verdict["score"] is None and "no step has a label" in verdict["error"]


def test_a_label_is_kept_where_the_judge_agrees_or_says_nothing():
    agree = {"correctness": "steps"}
    continued = Continued({"correctness": "right", "safety": "safe"}, agree).read(MORE)
    verdict = continued.label(original(("right", "wrong", "wrong")), LINE)
    assert values(verdict) == [2 / 3, None, 0] and values(verdict, "safety") == [1, 1, 1]
    assert continued.counts["correctness: steps whose judge does not agree"] == 1
    assert values(continued.label(original(("unread", "right", "right")), LINE)) == [
        2 / 3,
        0.5,
        None,
    ]
    strict = Continued({"correctness": "right"}, agree, right_above=0.5).read(MORE)
    assert values(strict.label(original(), LINE)) == [2 / 3, None, 0]
    bare = original()
    del bare["verdicts"]
    with pytest.raises(DataError, match="no verdict 'steps' to agree with"):
        continued.label(bare, LINE)


def test_prefixes_of_another_rule_or_that_are_none_are_refused():
    with pytest.raises(DataError, match="is no continuation behind a step"):
        Continued({"correctness": "right"}).read([{"id": "x", "info": {}}])
    with pytest.raises(DataError, match="no verdict 'knights'"):
        Continued({"correctness": "knights"}).read(MORE)
    with pytest.raises(DataError, match="from 0 to 1"):
        Continued({"correctness": "right"}).read([continuation(1, 0, 7.0)])
    odd = Continued({"correctness": "right"}).read([continuation(1, 0, 1.0, characters=9)])
    with pytest.raises(DataError, match=r"9 characters.*would have 11.*--rule"):
        odd.label(original(), LINE)


def test_the_command_line_joins_them(tmp_path, swr1):
    (tmp_path / "judged.jsonl").write_text(json.dumps(original()) + "\n")
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(r) + "\n" for r in MORE))
    line = "label-steps judged.jsonl --continued more.jsonl --by correctness=right --by safe"
    done = swr1(*line.split(), "-o", "out.jsonl", cwd=tmp_path, check=True)
    assert "correctness: steps labelled: 3" in done.stderr
    [record] = load(tmp_path / "out.jsonl")
    assert values(record["verdicts"]["values"]) == [2 / 3, 1 / 2, 0]
    refused = swr1(*line.split(), "--agree", "value=steps", cwd=tmp_path)
    assert refused.returncode == 2 and "no --by has this dimension" in refused.stderr
