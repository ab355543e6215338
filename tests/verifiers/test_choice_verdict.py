"""The verdict on multiple choice: one letter, or one option's text; two are none."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.verifiers.choice import verify

CITIES = ["Rome", "Berlin", "Paris", "The Hague"]


def judge(completion, answer="C", choices=CITIES, **options):
    record = {"id": "x", "task": "choice", "answer": answer, "completion": completion}
    return verify(record | {"info": {"choices": choices}}, **options)


RIGHT = [
    "C",
    "c",
    "(C)",
    "[C]",
    "C.",
    "**C**",
    "`C`",
    "$C$",
    r"\text{C}",
    "C. Paris",
    "C) Paris",
    "(C) Paris",
    "C: Paris",
    "C、巴黎",
    "C, the capital of France",
    "Option C",
    "option (C)",
    "Choice C.",
    "选C",
    "选项C",
    "选择 C。",
    "答案是C",
    "答案：C",
    "（C）",
    "Paris",
    "paris",
    "Paris.",
    "**Paris**",
    "The answer is C",
    "The answer is Paris",
    "Answer: C",
]
WRONG = [  # text, reason
    ("A", None),
    ("Rome", None),
    ("A or C", "several"),
    ("C or A", "several"),
    ("C and A", "several"),
    ("A, C", "several"),
    ("C, A", "several"),
    ("A/C", "several"),
    ("C; A", "several"),
    ("A, B, C, D", "several"),
    ("A. B. C. D.", "several"),
    ("C (or A)", "several"),
    ("B (not C)", "several"),
    ("Rome or Paris", "no-option"),
    ("Rome, Berlin, Paris, The Hague", "no-option"),
    ("C. Rome", "mismatch"),
    ("C, or perhaps Rome", "mismatch"),
    ("A. Paris", "mismatch"),
    ("E", "no-option"),
    ("AC", "no-option"),
    ("Lyon", "no-option"),
    ("Paris, France", "no-option"),
    ("all of them", "no-option"),
    ("?", "no-option"),
    ("C or 甲", "no-option"),
]


@pytest.mark.parametrize("said", RIGHT)
def test_what_chooses_the_right_option(said):
    assert judge(f"<think>A?</think><answer>{said}</answer>")["label"] == "correct"
    assert judge(f"\\boxed{{{said}}}")["label"] == "correct"


@pytest.mark.parametrize(("said", "reason"), WRONG)
def test_what_does_not(said, reason):
    verdict = judge(f"<answer>{said}</answer>")
    assert (verdict["score"], verdict["label"]) == (0.0, "wrong")
    assert verdict["detail"]["reason"] == reason


PROSE = [
    ("So the answer is C.", "correct"),
    ("The answer is: **C**", "correct"),
    ("The answer is C because A is in Italy.", "correct"),
    ("The answer is C, since Rome is in Italy", "correct"),
    ("The answer is A. No. The answer is C.", "correct"),
    ("The answer is Paris.", "correct"),
    ("综上，故选C。", "correct"),
    ("所以答案是 C，因为A不对", "correct"),
    ("因此选（C）", "correct"),
    ("The answer is A or C.", "wrong"),
    ("The answer is A, C.", "wrong"),
    ("The answer is C. The answer is A.", "wrong"),
    ("答案是A或C", "wrong"),
    ("C", "unreadable"),
    ("I like C.", "unreadable"),
    ("", "unreadable"),
    ("<think>The answer is C", "unreadable"),
    ("<think>The answer is C</think>", "unreadable"),
    ("<answer>C", "unreadable"),
    ("<answer>A</answer><answer>C</answer>", "wrong"),
    (r"<answer>C</answer> \boxed{C}", "correct"),
    (r"<answer>A</answer> \boxed{C}", "wrong"),
]


@pytest.mark.parametrize(("completion", "label"), PROSE)
def test_where_the_choice_is_read(completion, label):
    assert judge(completion)["label"] == label


def test_the_announcement_can_be_left_unread():
    assert judge("The answer is C", announced=False)["label"] == "unreadable"


def test_options_that_differ_in_a_sign():
    numbers = ["5", "-5", "0.5", "50"]
    for letter, text in zip("ABCD", numbers, strict=True):
        assert judge(f"<answer>{text}</answer>", letter, numbers)["label"] == "correct"
    assert judge("<answer>5</answer>", "B", numbers)["label"] == "wrong"


def test_the_text_of_two_options_is_no_choice():
    assert judge("<answer>Paris</answer>", "A", ["Paris", "paris!", "Rome"])["label"] == "correct"
    assert (
        judge("<answer>PARIS</answer>", "A", ["Paris", "paris!"])["detail"]["reason"] == "several"
    )


def test_an_option_may_hold_letters():
    options = ["Vitamin A", "Vitamin D", "Plan B"]
    assert judge("<answer>B. Vitamin D</answer>", "B", options)["label"] == "correct"
    assert judge("<answer>B. It is Vitamin D</answer>", "B", options)["label"] == "correct"


@given(st.sampled_from(CITIES), st.sampled_from("ABCD"))
def test_a_letter_with_a_text_is_right_only_if_they_belong_together(city, letter):
    right = judge(f"<answer>{letter}. {city}</answer>", letter)["label"] == "correct"
    assert right == (CITIES[string.ascii_uppercase.index(letter)] == city)


@given(st.text(max_size=40))
def test_any_text_is_judged(text):
    assert judge(f"<answer>{text}</answer>")["label"] in ("correct", "wrong", "unreadable")


@pytest.mark.parametrize(
    ("fields", "reason"), [({"answer": None}, "no answer"), ({"task": "math"}, "task is 'math'")]
)
def test_what_cannot_be_judged_is_null(fields, reason):
    verdict = verify({"id": "x", "task": "choice", "answer": "C", "completion": "C"} | fields)
    assert verdict["score"] is None
    assert verdict["label"] is None
    assert reason in verdict["error"]


@pytest.mark.parametrize("answer", ["Paris", "E", 3, ["C"]])
def test_a_gold_that_is_no_letter_is_bad_data(answer):
    with pytest.raises(DataError, match="letter"):
        judge("C", answer)
