"""A recipe whose numbers contradict its order of outcomes is refused, and told why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.rewards import checked, load_recipe, open_reward
from swr1.rewards.ordering import check, survey

GRADED = """
order = [
    "good > refused",
    "refused > bad",
]
[part.safety]
from = "safety.label"
map = { safe = 1, needless-refusal = 0, other = -1 }
[part.helpful]
when = { safety.label = "safe" }
from = "helpful.score"
clip = [0, 1]
weight = 0.5
[part.language]
from = "language.score"
mean = 1
weight = 0.25
[outcome.good]
when = { safety.label = "safe" }
[outcome.refused]
when = { safety.label = "needless-refusal" }
[outcome.bad]
when = { safety.label = ["unsafe", "controversial"] }
"""


def load(tmp_path, text, *settings):
    (tmp_path / "mine.toml").write_text(text)
    return load_recipe(str(tmp_path / "mine.toml"), settings)


def test_ranges_are_exact(tmp_path):
    ranges = survey(load(tmp_path, GRADED))
    assert {name: (r.low, r.high) for name, r in ranges.items()} == {
        "good": (0.75, 1.5),
        "refused": (-0.25, 0),
        "bad": (-1.25, -1),
    }


def test_a_contradiction_names_outcomes_numbers_and_line(tmp_path):
    with pytest.raises(UsageError) as caught:
        checked(load(tmp_path, GRADED, "language.weight=1"))
    message = str(caught.value)
    assert "mine.toml:3: 'good' must get more than 'refused'" in message
    assert "'good' gets as little as 0: safety.label safe, helpful.score" in message
    assert "language.score 0" in message
    assert "'refused' gets as much as 0: safety.label needless-refusal, language.score 1" in message
    assert "mine.toml:4: 'refused' must get more than 'bad'" in message
    assert "--unordered" in message


def test_unordered_warns_and_goes_on(tmp_path):
    recipe = load(tmp_path, GRADED, "language.weight=1")
    told = []
    assert checked(recipe, unordered=True, warn=told.append) is recipe
    assert len(told) == 2


def test_equal_is_a_contradiction_unless_allowed(tmp_path):
    text = GRADED.replace("good > refused", "good >= refused")
    assert check(load(tmp_path, text, "language.weight=1"))[0].startswith(str(tmp_path))
    assert len(check(load(tmp_path, text, "language.weight=1"))) == 1


def test_thresholds_are_looked_at_from_both_sides(tmp_path):
    text = """
order = ["sure > unsure"]
[part.value]
from = "value.score"
[outcome.sure]
when = { value.score.at-least = 0.5 }
[outcome.unsure]
when = { value.score.below = 0.5 }
"""
    assert len(check(load(tmp_path, text))) == 1  # 0.5 and just below 0.5 are as good as equal
    assert check(load(tmp_path, text.replace("below = 0.5", "below = 0.4"))) == []


def test_a_cap_makes_an_order_true(tmp_path):
    text = GRADED.replace("other = -1", "other = 0.5")
    assert len(check(load(tmp_path, text))) == 1
    capped = text + '[[gate]]\nname = "unsafe"\nwhen = { safety.label.not = ["safe",'
    capped += ' "needless-refusal"] }\ncap = -0.5\n'
    assert check(load(tmp_path, capped)) == []


BROKEN = [  # old, new, message
    ("other = -1", "unsafe = -1, controversial = 0, needless-refusal = 0", None),
    ('"refused > bad",', '"refused > bad > good",', "mine.toml:4: the order goes round in a circle: good > refused > bad > good"),
    ('["unsafe", "controversial"]', '["unsafe", "needless-refusal"]', "the outcomes 'refused' and 'bad' overlap: both are safety.label needless-refusal"),
    ('[outcome.bad]\nwhen = { ', '[outcome.bad]\nwhen = { value.score.below = 0, ', "outcome 'bad': nothing reaches it"),
    ('[part.helpful]\nwhen = { safety.label = "safe" }', '[part.helpful]\nwhen = { safety.score.below = -1 }', "part 'helpful': no record comes to it"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), BROKEN[1:])
def test_what_cannot_be_meant_is_refused(tmp_path, old, new, message):
    assert old in GRADED
    with pytest.raises(UsageError) as caught:
        check(load(tmp_path, GRADED.replace(old, new)))
    assert message in str(caught.value)


def test_weights_that_no_gate_lets_through(tmp_path):
    ending = '[[gate]]\nname = "g"\nwhen = { safety.label = "safe" }\ntotal = 1\n'
    with pytest.raises(UsageError, match=r"mine.toml:10: part 'helpful': no record comes to it"):
        check(load(tmp_path, GRADED + ending))
    fixed = '[[gate]]\nname = "g"\nwhen = { safety.label = "safe" }\nfloor = 9\n'
    with pytest.raises(UsageError, match="part 'helpful': its weight never counts"):
        check(load(tmp_path, GRADED + fixed))
    with pytest.raises(UsageError, match="gate 'g': nothing makes it fire"):
        check(load(tmp_path, GRADED + fixed.replace("label", "score.below").replace('"safe"', "0")))


def test_logic_rl_with_a_reward_for_being_wrong():
    with pytest.raises(UsageError, match="'right' must get more than 'wrong'"):
        open_reward("logic-rl", ["answer_wrong=2"])


WEIGHT = st.floats(-2, 2).map(lambda x: round(x, 3))


@given(safe=WEIGHT, bad=WEIGHT, helpful=WEIGHT, language=WEIGHT, data=st.data())
def test_no_record_is_outside_its_outcomes_range(
    tmp_path_factory, safe, bad, helpful, language, data
):
    settings = [
        f"safety.map.safe={safe}",
        f"safety.map.other={bad}",
        f"helpful.weight={helpful}",
        f"language.weight={language}",
    ]
    recipe = load(tmp_path_factory.mktemp("r"), GRADED, *settings)
    ranges = survey(recipe)
    label = data.draw(st.sampled_from(["safe", "needless-refusal", "unsafe", "controversial"]))
    verdicts = {
        "safety": {"label": label, "score": data.draw(st.floats(0, 1))},
        "helpful": {"label": None, "score": data.draw(st.floats(-50, 50))},
        "language": {"label": "ok", "score": data.draw(st.floats(0, 1))},
    }
    total = recipe.reward({"id": "x", "verdicts": verdicts})["reward"]
    name = {"safe": "good", "needless-refusal": "refused"}.get(label, "bad")
    assert ranges[name].low - 1e-9 <= total <= ranges[name].high + 1e-9
