"""A recipe remembers its results by what it looks at; nothing else may shine through."""

from itertools import product

import pytest

from swr1.rewards import load_recipe


def record(form, knights, **more):
    verdicts = {
        "format": {"score": form, "label": "ok" if form == 1 else "missing-tag"},
        "knights": {"score": 1.0 if knights == "correct" else 0.0, "label": knights},
    }
    return {"id": "a", "task": "knights", "verdicts": verdicts} | more


def test_a_remembered_result_is_the_evaluated_one():
    recipe = load_recipe("logic-rl")
    cases = [*product((0.0, 1.0, 1, 0, 0.5), ("correct", "wrong", "unreadable"))] * 3
    for form, knights in cases:
        one = record(form, knights)
        assert recipe.reward(one) == recipe._made(one) == load_recipe("logic-rl").reward(one)


def test_true_is_not_one(tmp_path):
    (tmp_path / "r.toml").write_text(
        "tasks = ['knights']\n"
        "[[part.answer]]\nwhen = { info.sure = 1 }\nvalue = 2.0\n"
        "[[part.answer]]\nfrom = 'knights.score'\n"
    )
    recipe = load_recipe(str(tmp_path / "r.toml"))
    values = [
        recipe.reward(record(1.0, "wrong", info={"sure": sure}))["reward"]
        for sure in (1, True, 1.0, [1], None)
    ]
    assert values == [2.0, 0.0, 2.0, 0.0, 0.0]


def test_who_changes_a_result_changes_no_other():
    recipe = load_recipe("logic-rl")
    first = recipe.reward(record(1.0, "correct"))
    first["reward_parts"]["answer"]["value"] = 99
    first["reward_parts"]["mine"] = {}
    assert recipe.reward(record(1.0, "correct"))["reward_parts"].keys() == {"format", "answer"}
    assert recipe.reward(record(1.0, "correct"))["reward"] == 3.0
    assert recipe.reward(record(1.0, "correct"))["reward_parts"]["answer"]["value"] == 2.0


@pytest.mark.parametrize("spoil", [{"score": None, "error": "late"}, None])
def test_what_is_not_judged_is_asked_anew(spoil):
    recipe = load_recipe("logic-rl")
    for number in range(2):
        one = record(1.0, "correct")
        one["verdicts"]["knights"] = spoil and spoil | {"error": f"late {number}"}
        if spoil is None:
            with pytest.raises(Exception, match="no verdict 'knights'"):
                recipe.reward(one)
        else:
            assert recipe.reward(one)["error"] == f"knights: late {number}"
