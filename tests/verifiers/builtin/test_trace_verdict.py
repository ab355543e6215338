"""The verdict on reasoning: sound, unsound and why, or unread."""

from random import Random

import pytest

from swr1.errors import DataError
from swr1.puzzles.corruptions import WRONG
from swr1.puzzles.generator import generate
from swr1.puzzles.item import puzzle_of
from swr1.puzzles.traces import trace_fields
from swr1.verifiers.builtin.trace import verify

RECORDS = [{"id": "x", **r} for r in generate(30, people=(2, 5), seed=9)]
STYLES = ["search", "propagate", "cases"]


def judge(record, completion, **options):
    generation = options.pop("generation", {})
    return verify({**record, "completion": completion, "generation": generation}, **options)


def turn(record, style, wrong=None, seed=0):
    return trace_fields(puzzle_of(record), style, Random(seed), wrong)


@pytest.mark.parametrize("style", STYLES)
def test_right_reasoning_is_sound(style):
    for record in RECORDS:
        verdict = judge(record, turn(record, style)["trace"], strict=True)
        assert (verdict["score"], verdict["label"]) == (1.0, "sound")
        assert verdict["detail"]["right"] == 1.0
        assert verdict["detail"]["unread"] == 0


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("style", STYLES)
def test_wrong_reasoning_is_unsound_from_its_fault_on(style, wrong):
    for seed, record in enumerate(RECORDS):
        fields = turn(record, style, wrong, seed)
        verdict = judge(record, fields["trace"])
        detail = verdict["detail"]
        assert (verdict["score"], verdict["label"]) == (0.0, "unsound")
        if wrong == "answer":
            assert (detail["wrong_step"], detail["reason"]) == (None, "answer")
            assert detail["right"] == 1.0
        else:
            assert detail["wrong_step"] == fields["trace_fault"]["step"]
            assert detail["right"] < 1.0
            assert detail["message"].startswith(("'", '"'))


def test_reasoning_that_stops_has_no_conclusion():
    record = RECORDS[3]
    text = turn(record, "propagate")["trace"]
    lines = text.partition(" </think>")[0].splitlines()
    verdict = judge(record, "\n".join(lines[:-1]), generation={"finish_reason": "length"})
    assert verdict["label"] == "unsound"
    assert verdict["detail"]["reason"] == "no-conclusion"
    assert verdict["detail"]["truncated"]


def test_a_prefill_counts_as_part_of_the_turn():
    record = RECORDS[0]
    text = turn(record, "search")["trace"]
    rest = text.removeprefix("<think>")
    assert judge(record, rest, generation={"prefill": "<think>"})["label"] == "sound"
    assert judge(record, rest)["label"] == "sound"


def test_other_lines_are_left_out_of_account_unless_strict():
    record = RECORDS[0]
    text = turn(record, "propagate")["trace"].replace("<think> ", "<think> Hmm, let me see.\n")
    verdict = judge(record, text)
    assert verdict["label"] == "sound"
    assert verdict["detail"]["unread"] == 1
    strict = judge(record, text, strict=True)
    assert strict["label"] == "unsound"
    assert strict["detail"]["wrong_step"] == 0
    assert strict["detail"]["reason"] == "unread"


@pytest.mark.parametrize("reasoning", ["", "It is clear who is who.", "\n\n"])
def test_nothing_to_read_is_null_and_says_why(reasoning):
    answer = turn(RECORDS[0], "search")["trace"].partition("</think>")[2]
    verdict = judge(RECORDS[0], f"<think>{reasoning}</think>{answer}")
    assert (verdict["score"], verdict["label"]) == (None, "unread")
    assert "no line" in verdict["error"]


def test_a_guess_is_unsound():
    verdict = judge(RECORDS[0], turn(RECORDS[0], "propagate")["trace"].partition("<answer>")[2])
    assert verdict["label"] == "unread"
    verdict = judge(RECORDS[0], "<think> guess </think>\n<answer>(1) ...</answer>")
    assert (verdict["label"], verdict["detail"]["reason"]) == ("unsound", "guess")


def test_records_without_a_puzzle_are_bad_data():
    with pytest.raises(DataError, match=r"info\.statements"):
        verify({"id": "y", "task": "knights", "answer": [["A", "knight"]], "completion": "so"})
    with pytest.raises(DataError, match="completion"):
        verify({k: v for k, v in RECORDS[0].items() if k != "completion"})
