"""Confidence against right and wrong, and the form of a completion with tools."""

import pytest

from swr1.errors import UsageError
from swr1.verifiers.builtin import format as form
from swr1.verifiers.builtin import reliability
from tests.timing import ends_soon


def record(completion, right=None, name="exact"):
    verdicts = {} if right is None else {name: {"score": float(right), "label": "x"}}
    prompt = [{"role": "user", "content": "who?"}]
    return {"id": "a", "prompt": prompt, "completion": completion, "verdicts": verdicts}


def said(confidence):
    return f"<think>hm</think><confidence>{confidence}</confidence><answer>x</answer>"


@pytest.mark.parametrize(
    ("confidence", "right", "label", "score"),
    [
        ("9", True, "right-sure", 1),
        ("9", False, "wrong-sure", 0),
        ("5", True, "right-unsure", 0),  # beyond the threshold, not at it
        ("5.1", True, "right-sure", 1),
        (" 0 ", False, "wrong-unsure", 1),
        ("11", True, "unstated", 0),
        ("high", False, "unstated", 0),
    ],
)
def test_labels(confidence, right, label, score):
    verdict = reliability.verify(record(said(confidence), right))
    assert (verdict["label"], verdict["score"]) == (label, score)
    assert reliability.LABELS[label] == score


def test_the_last_confidence_counts_and_right_comes_from_a_verdict():
    text = "<confidence>9</confidence><think>but no</think><confidence>2</confidence><answer>x</answer>"
    assert reliability.verify(record(text, True))["confidence"] == 0.2
    assert reliability.verify(record(text))["score"] is None
    assert reliability.verify(record(text, True, "math"), right="math")["score"] == 0
    assert reliability.verify(record(text, True, "math"), right="exact")["score"] is None
    with pytest.raises(UsageError):
        reliability.verify(record(text, True), threshold=10)


def test_what_a_sure_answer_needs():
    """A verdict that does not hold takes the certainty away, a null one does not, nor does one that holds."""
    for score, label, confidence in (
        (0.0, "wrong-unsure", 0.5),
        (1.0, "wrong-sure", 0.9),
        (None, "wrong-sure", 0.9),
    ):
        one = record(said("9"), False)
        one["verdicts"]["support"] = {"score": score, "label": None}
        verdict = reliability.verify(one, needs="support")
        assert (verdict["label"], verdict["confidence"]) == (label, confidence)
        assert reliability.verify(one)["label"] == "wrong-sure"
        with pytest.raises(UsageError, match="no verdict 'injection'"):
            reliability.verify(one, needs="support,injection")


GOOD = "<think>I look it up</think><search>radium</search><think>there</think>"
END = "<confidence>9</confidence><answer>Curie</answer>"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (GOOD + END, []),
        (f" {GOOD}\n{END}\n", []),
        (GOOD + "<answer>Curie</answer>", ["no-confidence"]),
        (GOOD + "well " + END, ["outside-text"]),
        (GOOD + "<answer>a</answer>" + END, ["repeated-tag"]),
        ("<answer>Curie</answer>" + GOOD + "<confidence>1</confidence>", ["tag-order"]),
        (GOOD + "<think>x <search>y</search></think>" + END, ["tag-order"]),
        ("<think>I look</think>", ["missing-tag", "no-confidence"]),
        (GOOD + "<search>radium" + END, ["missing-tag"]),
        (END, ["missing-tag", "no-reasoning"]),
        (GOOD + "<confidence>9</confidence><answer> </answer>", ["empty-answer"]),
        (GOOD + "<b>bold</b>" + END, ["outside-text"]),
        ("<think>a <b>bold</b> guess</think>" + END, []),
    ],
)
def test_form(text, faults):
    verdict = form.verify(record(text), grader="tools")
    assert verdict["detail"]["reasons"] == faults
    assert all(fault in form.LABELS for fault in faults)


@pytest.mark.parametrize("text", ["<think>" * 20_000, "<think></search>" * 10_000 + "<answer>"])
def test_form_is_quick_on_many_open_tags(text):
    assert ends_soon(lambda: form.verify(record(text), grader="tools"))
