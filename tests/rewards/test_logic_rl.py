"""The Logic-RL reward: the paper's four cases, other numbers, verdicts that could not judge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.rewards import load_recipe
from swr1.verifiers.builtin import format as form
from swr1.verifiers.builtin import knights

reward = load_recipe("logic-rl").reward


def plainly(well_formed, label, right=2.0, wrong=-1.5, unreadable=-2.0, ok=1.0, bad=-1.0):
    """The paper's rule as two lines of Python, to hold the recipe against."""
    answer = {"correct": right, "wrong": wrong, "unreadable": unreadable}[label]
    return ok + answer if well_formed else bad + unreadable


def judged(well_formed, label):
    score = None if label is None else float(label == "correct")
    answer = {"score": score, "label": label or "unjudged"} | ({} if label else {"error": "died"})
    return {
        "id": "x",
        "verdicts": {"format": {"score": well_formed, "label": "?"}, "knights": answer},
    }


CASES = [
    (1.0, "correct", 1.0, 2.0),
    (1.0, "wrong", 1.0, -1.5),
    (1.0, "unreadable", 1.0, -2.0),
    (0.0, "correct", -1.0, -2.0),
    (0.0, "wrong", -1.0, -2.0),
    (0.0, "unreadable", -1.0, -2.0),
    (0.0, None, -1.0, -2.0),  # the answer was not judged, and does not matter
]


@pytest.mark.parametrize(("well_formed", "label", "format_part", "answer_part"), CASES)
def test_the_papers_cases(well_formed, label, format_part, answer_part):
    result = reward(judged(well_formed, label))
    assert result["reward"] == format_part + answer_part
    assert result["reward_parts"] == {
        "format": {"value": format_part, "weight": 1.0},
        "answer": {"value": answer_part, "weight": 1.0},
    }
    assert "error" not in result


def test_other_numbers():
    own = "format_ok=0.5 format_bad=-4 answer_right=8 answer_wrong=0.25 answer_unreadable=-16"
    other = load_recipe("logic-rl", own.split()).reward
    totals = [other(judged(*case[:2]))["reward"] for case in CASES[:4]]
    assert totals == [8.5, 0.75, -15.5, -20.0]


NUMBERS = st.floats(-10, 10)


@given(
    well_formed=st.booleans(),
    label=st.sampled_from(["correct", "wrong", "unreadable"]),
    numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)
def test_it_is_the_papers_rule_whatever_its_numbers(well_formed, label, numbers):
    names = ("answer_right", "answer_wrong", "answer_unreadable", "format_ok", "format_bad")
    recipe = load_recipe("logic-rl", [f"{n}={x!r}" for n, x in zip(names, numbers, strict=True)])
    got = recipe.reward(judged(float(well_formed), label))
    assert got["reward"] == plainly(well_formed, label, *numbers)


def test_a_verdict_that_could_not_judge_gives_no_reward():
    assert reward(judged(1.0, None)) == {
        "reward": None,
        "reward_parts": {
            "format": {"value": 1.0, "weight": 1.0},
            "answer": {"value": None, "weight": 1.0},
        },
        "error": "knights: died",
    }
    assert reward(judged(None, "correct"))["reward"] is None
    assert reward(judged(None, "correct"))["error"].startswith("format: ")


@pytest.mark.parametrize("missing", ["format", "knights"])
def test_a_missing_verdict_names_the_stage_to_run(missing):
    record = judged(1.0, "correct")
    del record["verdicts"][missing]
    with pytest.raises(DataError, match=f"'{missing}'.*swr1 verify format knights"):
        reward(record)
    with pytest.raises(DataError, match="swr1 verify"):
        reward({"id": "x"})


def test_a_strangers_label_is_refused():
    with pytest.raises(DataError, match="'fine'"):
        reward(judged(1.0, "fine"))


TURNS = [  # completion after <think>, total
    ("Ava lies.</think><answer>Zoey: knight; Ava: knave</answer>", 3.0),
    ("Ava lies.</think><answer>Zoey: knave; Ava: knave</answer>", -0.5),
    ("Ava lies.</think><answer>Zoey or Ava</answer>", -1.0),
    ("guess</think><answer>Zoey is a knight, Ava is a knave</answer>", 3.0),
    ("</think><answer>Zoey is a knight, Ava is a knave</answer>", -3.0),
    ("Ava lies.</think><answer>Zoey is a knight, Ava is a knave</answer> Yes!", -3.0),
    ("Ava lies. <answer>Zoey is a knight, Ava is a knave</answer>", -3.0),
]


@pytest.mark.parametrize(("completion", "total"), TURNS)
def test_from_text_to_reward(completion, total):
    record = {
        "id": "x",
        "prompt": [{"role": "user", "content": "Zoey says : ava is a knave ."}],
        "answer": [["Zoey", "knight"], ["Ava", "knave"]],
        "completion": completion,
        "generation": {"prefill": "<think>"},
    }
    record["verdicts"] = {"format": form.verify(record), "knights": knights.verify(record)}
    assert reward(record)["reward"] == total
