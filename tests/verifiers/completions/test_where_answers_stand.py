"""Where a completion says its answer is one matter for all verifiers that compare one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.verifiers.builtin import choice, exact, knights, math
from swr1.verifiers.completions.answers import final_text, tagged

VERIFIERS = {  # the verifier, its gold, what says it
    "math": (math.verify, "5", "5"),
    "choice": (choice.verify, "C", "C"),
    "exact": (exact.verify, "Paris", "paris"),
    "knights": (knights.verify, [["Zoey", "knight"]], "Zoey is a knight"),
}

PLACES = [
    ("<answer>{}</answer>", "correct"),
    ("<Answer>{}</Answer>", "correct"),
    ("<ANSWER>{}</ANSWER>", "correct"),
    ("<answer>{}</ANSWER >", "correct"),
    ("< answer >{}</ answer\n>", "correct"),
    ("<think>a</think><answer>{}</answer>", "correct"),
    ("<think>a</think><answer>{}</answer></think>", "correct"),
    ("<think>a</think>b</think><answer>{}</answer>", "correct"),
    ("a</think><answer>{}</answer>", "correct"),
    ("<THINK>I use <answer>!</answer></ THINK><answer>{}</answer>", "correct"),
    ("<think>a</think><answer>{}</answer> I used <think> and <answer>.", "correct"),
    ("<think>a <answer>{}</answer>", "unreadable"),
    ("<Think>a <answer>{}</answer>", "unreadable"),
    ("<answer>{}</answer></think>", "unreadable"),
    ("<think><answer>{}</answer></THINK>", "unreadable"),
    ("<think>a</think> wait <think>b <answer>{}</answer>", "unreadable"),
    ("<think>a</think><answer>{}", "unreadable"),
    ("{}</answer>", "unreadable"),
]


@pytest.mark.parametrize("name", VERIFIERS)
@pytest.mark.parametrize(("form", "label"), PLACES)
def test_a_tagged_answer_counts_after_the_thinking(name, form, label):
    verify, gold, said = VERIFIERS[name]
    record = {"id": "x", "answer": gold, "completion": form.replace("{}", said)}
    assert verify(record)["label"] == label


pieces = st.sampled_from(
    ["<think>", "</think>", "<Think >", "<answer>", "</answer>", "</ANSWER>", "a", " ", "\n", "<"]
)


@given(st.lists(pieces, max_size=30).map("".join))
@settings(max_examples=300)
def test_any_tags_are_read(text):
    final = final_text(text)
    assert final is None or final in text
    for part in tagged(text):
        assert "<answer>" not in part and part in text


@pytest.mark.parametrize("piece", ["</think>", "<think>", "<answer>", "<answer></answer>", "<  "])
def test_many_tags_take_linear_time(piece):
    text = piece * 100_000  # quadratic time would not end within the suite's patience
    tagged(final_text(text) or text)
