"""A recipe file becomes a reward, or an error that says where and what is wrong."""

import pytest

from swr1.errors import DataError, UsageError
from swr1.rewards import checked, load_recipe, open_reward

PLAIN = """
tasks = ["math", "safety"]
order = ["right > wrong > bad-form", "safe > unsafe"]

[numbers]
low = -1

[[gate]]
name = "form"
when = { format.label.not = "ok" }
total = -2

[[part.answer]]
when = { task = "math" }
from = "math.label"
map = { correct = 1, other = 0 }

[part.safety]
when = { task = "safety" }
from = "safety.score"
mean = 0.5
scale = 0.5
weight = 2

[part.kind]
when = { task = "safety", info.harmful.not = true }
from = "helpful.score"
scale = 4
clip = [0, 1]
null = 0.5

[[gate]]
name = "unsafe"
when = { task = "safety", safety.score.below = 0.5 }
cap = "low"

[outcome.right]
when = { task = "math", math.label = "correct" }

[outcome.wrong]
when = { task = "math", math.label.not = "correct" }

[outcome.bad-form]
when = { gate = "form" }

[outcome.safe]
when = { task = "safety", safety.score.at-least = 0.5 }

[outcome.unsafe]
when = { task = "safety", safety.score.below = 0.5 }
"""


@pytest.fixture(name="recipe")
def recipe_from_text(tmp_path):
    def make(text=PLAIN, *settings, old="", new=""):
        assert old in text
        (tmp_path / "mine.toml").write_text(text.replace(old, new, 1))
        return checked(load_recipe(str(tmp_path / "mine.toml"), settings))

    return make


def said(verdict, label=None, score=1.0, **more):
    return {verdict: {"label": label, "score": score, **more}}


OK = said("format", "ok")
SAFETY = [  # verdicts, info, total, parts
    (OK | said("safety", score=1.0) | said("helpful", score=2), {}, 2.5, {"safety": 1, "kind": 0.5}),
    (OK | said("safety", score=0.75) | said("helpful", score=9), {}, 2, {"safety": 0.5, "kind": 1}),
    (OK | said("safety", score=0.75) | said("helpful", score=-9), {}, 1, {"safety": 0.5, "kind": 0}),
    (OK | said("safety", score=0.0) | said("helpful", score=4), {}, -1, {"safety": -1, "kind": 1}),
    (OK | said("safety", score=0.4) | said("helpful", score=4), {}, -1, {"safety": -0.2, "kind": 1}),
    (OK | said("safety", score=1.0), {"harmful": True}, 2, {"safety": 1}),
    (OK | said("safety", score=1.0) | said("helpful", score=None), {}, 2.5, {"safety": 1, "kind": 0.5}),
    (said("format", "tag-order", 0.0), {}, -2, {}),
]  # fmt: skip


@pytest.mark.parametrize(("verdicts", "info", "total", "values"), SAFETY)
def test_parts_weights_gates_and_caps(recipe, verdicts, info, total, values):
    record = {"id": "x", "task": "safety", "info": info, "verdicts": verdicts}
    result = recipe().reward(record)
    assert result["reward"] == pytest.approx(total)
    parts = result["reward_parts"]
    gates = {"form", "unsafe"} if values else {"form"}
    assert {n: p["value"] for n, p in parts.items() if n not in gates} == pytest.approx(values)
    assert sum(p["value"] * p["weight"] for p in parts.values()) == pytest.approx(total)


def test_a_gate_that_fired_is_told(recipe):
    verdicts = OK | said("safety", score=0.0) | said("helpful", score=4)
    parts = recipe().reward({"id": "x", "task": "safety", "verdicts": verdicts})["reward_parts"]
    assert parts["form"] == {"value": 0.0, "weight": 1.0}
    assert parts["unsafe"] == {"value": 0.0, "weight": 1.0, "gate": "cap -1"}  # -2 + 1, no more
    verdicts |= said("safety", score=0.4)
    parts = recipe().reward({"id": "x", "task": "safety", "verdicts": verdicts})["reward_parts"]
    assert parts["unsafe"]["value"] == pytest.approx(-1 - (-0.4 + 1))


def test_what_cannot_be_judged(recipe):
    nothing = said("safety", score=None, error="the guard is down")
    record = {"id": "x", "task": "safety", "verdicts": OK | nothing | said("helpful", score=4)}
    result = recipe().reward(record)
    assert result["reward"] is None and result["error"] == "safety: the guard is down"
    assert result["reward_parts"]["kind"] == {"value": 1, "weight": 1}
    # a gate that ends the evaluation needs no other verdict
    record["verdicts"] |= said("format", "copied", 0.0)
    assert recipe().reward(record)["reward"] == -2
    record["verdicts"] |= said("format", None, None)
    assert recipe().reward(record)["error"] == "format: no reason given"
    record["verdicts"] |= OK
    skips = recipe(old="weight = 2", new='weight = 2\nnull = "skip"')
    assert skips.reward(record)["reward"] is None  # now the gate asks


def test_skip_leaves_a_part_out(recipe):
    record = {"id": "x", "task": "safety", "verdicts": OK | said("safety", score=0.75)}
    record["verdicts"] |= said("helpful", score=None, error="down")
    skips = recipe(old="null = 0.5", new='null = "skip"')
    result = skips.reward(record)
    assert result["reward"] == 1
    assert result["reward_parts"]["kind"] == {"value": None, "weight": 1, "null": "skip"}


def test_what_was_not_judged_does_not_look_as_if_it_did_not_apply(recipe):
    """Where a gate that ends the evaluation is unknown, so is all that comes after it."""
    record = {"id": "x", "task": "safety", "verdicts": said("format", score=None, error="down")}
    result = recipe().reward(record)
    assert result["reward"] is None and result["error"] == "format: down"
    assert result["reward_parts"].keys() == {"safety", "kind", "form", "unsafe"}
    assert all(p["value"] is None for p in result["reward_parts"].values())


def test_settings_change_numbers(recipe):
    verdicts = OK | said("safety", score=1.0) | said("helpful", score=2)
    record = {"id": "x", "task": "safety", "verdicts": verdicts}
    assert recipe(PLAIN, "safety.weight=3", "kind.weight=0").reward(record)["reward"] == 3
    assert recipe(PLAIN, "kind.scale=8").reward(record)["reward"] == 2.25
    record["verdicts"] |= said("safety", score=0.0)
    assert recipe(PLAIN, "low=-1.5").reward(record)["reward"] == -1.5
    assert recipe(PLAIN, "low=-1.5", "form.total=-7").reward(
        {"id": "x", "task": "math", "verdicts": said("format", "copied", 0)}
    )["reward"] == -7  # fmt: skip
    right = {"id": "x", "task": "math", "verdicts": OK | said("math", "correct")}
    assert recipe(PLAIN, "answer.map.correct=4").reward(right)["reward"] == 4
    for wrong, hint in {
        "safety.wight=1": "Did you mean 'safety.weight'",
        "safety.weight": "cannot set",
        "safety.weight=much": "is a number, not 'much'",
        "answer.map.corect=1": "Did you mean 'answer.map.correct'",
    }.items():
        with pytest.raises(UsageError, match=hint):
            recipe(PLAIN, wrong)


def test_a_verdict_or_a_task_that_is_not_there(recipe):
    with pytest.raises(DataError, match="no verdict 'math': run `swr1 verify format math` first"):
        recipe().reward({"id": "x", "task": "math", "verdicts": OK})
    with pytest.raises(DataError, match=r"'chess'; the recipe .* is for math, safety"):
        recipe().reward({"id": "x", "task": "chess", "verdicts": OK})
    full = recipe(old="other = 0", new="wrong = 0, unreadable = 0")
    with pytest.raises(DataError, match="has the label 'so-so', not one of"):
        full.reward({"id": "x", "task": "math", "verdicts": OK | said("math", "so-so", 0.0)})
    # what weighs nothing needs no verdict
    light = recipe(PLAIN, "kind.weight=0")
    record = {"id": "x", "task": "safety", "verdicts": OK | said("safety", score=1.0)}
    assert light.reward(record)["reward"] == 2


WRONG = [  # old, new, what the message says
    ("tasks =", "task =", "mine.toml:2: unknown key 'task'. Did you mean 'tasks'?"),
    ('from = "math.label"', 'from = "maths.label"', "15: part 'answer': no verdict is called 'maths'. Did you mean 'math'?"),
    ("correct = 1, other", "corect = 1, other", "has no label 'corect'. Did you mean 'correct'?"),
    (", other = 0", "", "says nothing of the label 'wrong'"),
    ('label.not = "ok"', 'label.not = "okay"', "gate 'form': the verdict 'format' has no label 'okay'. Did you mean 'ok'?"),
    ('label.not = "ok"', 'lable.not = "ok"', "of a verdict: format.label, format.score"),
    ('"math.label"', '"math"', 'is such as "math.score"'),
    ("scale = 0.5", "scale = 0", "`scale` divides"),
    ("scale = 0.5", 'scale = "group"', "train-step gdpo"),
    ("clip = [0, 1]", "", "helpful.score has no bounds, so a part needs a `clip`"),
    ("clip = [0, 1]", "clip = [1, 0]", "the first is larger"),
    ("weight = 2", "wieght = 2", "unknown key 'wieght'. Did you mean 'weight'?"),
    ("weight = 2", 'weight = "lwo"', "Did you mean 'low'?"),
    ("weight = 2", "weight = nan", "`weight` is a number"),
    ('cap = "low"', "", "it has one of `total`, `cap` and `floor`"),
    ('cap = "low"', "cap = -1", "mine.toml:6: nothing uses the number 'low'"),
    ('name = "unsafe"', "", "a gate has a `name`"),
    ('name = "unsafe"', 'name = "kind"', "a part has this name"),
    ('task = "safety", info.harmful', 'task = "saftey", info.harmful', "the recipe has no task 'saftey'. Did you mean 'safety'?"),
    ('gate = "form"', 'gate = "from"', "the recipe has no gate 'from'. Did you mean 'form'?"),
    ('gate = "form"', 'gate = "unsafe"', "the recipe has no gate 'unsafe'"),
    ("right > wrong >", "right > wrnog >", "mine.toml:3: no outcome is called 'wrnog'. Did you mean 'wrong'?"),
    ("safe > unsafe", "safe", "an order compares"),
    ("[part.kind]", "[part.kind", "is not valid TOML"),
    ("[[gate]]", "[gate]", "gates have an order: write [[gate]]"),
    ("null = 0.5", 'null = "never"', "`null`: null, skip, or what"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_what_is_wrong_is_told_with_its_place(recipe, old, new, message):
    text = PLAIN
    if old == "[[gate]]":
        start = text.index('[[gate]]\nname = "unsafe"')
        text = text[:start] + text[start:].split("\n\n", 1)[1]
    with pytest.raises(UsageError) as caught:
        recipe(text, old=old, new=new)
    assert message in str(caught.value)


def test_a_verdict_of_ones_own(recipe):
    own = """
[verdict.tone]
labels = ["friendly", "rude"]
[verdict.second]
like = "safety"
[part.tone]
from = "tone.label"
map = { friendly = 1, rude = 0 }
[part.guard]
from = "second.label"
map = { unsafe = -1, other = 0 }
"""
    verdicts = said("tone", "rude") | said("second", "unsafe")
    assert recipe(own).reward({"id": "x", "verdicts": verdicts})["reward"] == -1
    with pytest.raises(UsageError, match="'tone' has no label 'friendy'"):
        recipe(own, old="{ friendly", new="{ friendy")


def test_a_recipe_that_extends_another(recipe, tmp_path):
    recipe()
    (tmp_path / "other.toml").write_text(
        'extends = "mine.toml"\n[part.answer]\nwhen = { task = "math" }\nfrom = "math.score"\n'
        'weight = 5\n[[gate]]\nname = "form"\nwhen = { format.score = 0 }\ntotal = -9\n'
    )
    other = load_recipe(str(tmp_path / "other.toml"))
    right = {"id": "x", "task": "math", "verdicts": OK | said("math", "correct")}
    assert other.reward(right)["reward"] == 5
    bad = {"id": "x", "task": "math", "verdicts": said("format", "copied", 0.0)}
    assert other.reward(bad)["reward"] == -9
    assert [g.name for g in other.gates] == ["form", "unsafe"]
    (tmp_path / "loop.toml").write_text('extends = "loop.toml"')
    with pytest.raises(UsageError, match="extends itself"):
        load_recipe(str(tmp_path / "loop.toml"))


def test_verdicts_of_another_shape(recipe):
    record = {"id": "x", "task": "math", "verdicts": {"format": 1}}
    with pytest.raises(DataError, match="the verdict 'format' must be an object"):
        recipe().reward(record)
    much = OK | said("safety", score="much") | said("helpful", score=1)
    with pytest.raises(DataError, match=r"safety.score is a number, not 'much'"):
        recipe().reward({"id": "x", "task": "safety", "verdicts": much})


@pytest.mark.parametrize(
    ("value", "held"),
    [(True, [1, 0, 1, 1, 0]), (1, [0, 1, 0, 1, 1]), (1.0, [0, 1, 0, 1, 1]), (False, [0, 0, 0, 0, 1]),
     (0, [0, 0, 0, 0, 1])],
)  # fmt: skip
def test_true_is_not_one(recipe, value, held):
    wanted = ["true", "1", '[true, "yes"]', "[true, 1]", "{ not = [true] }"]
    own = "".join(f"[part.p{k}]\nflag = {{ info.n = {w} }}\n" for k, w in enumerate(wanted))
    parts = recipe(own).reward({"id": "x", "info": {"n": value}, "verdicts": {}})["reward_parts"]
    assert [parts[f"p{k}"]["value"] for k in range(len(wanted))] == held


def test_a_part_that_could_not_be_judged_gives_no_reward(recipe):
    """It is not worth 0, whatever the other parts are worth; a part of weight 0 does not matter."""
    own = "[part.a]\nfrom = 'math.score'\n[part.b]\nvalue = 1\n"
    record = {"id": "x", "verdicts": said("math", None, None, error="down")}
    result = recipe(own).reward(record)
    assert result["reward"] is None and result["error"] == "math: down"
    assert recipe(own, "a.weight=0").reward(record)["reward"] == 1


@pytest.mark.parametrize("gate", ["total = -2", "cap = -1", "floor = 5"])
def test_a_gate_that_could_not_be_judged_gives_no_reward(recipe, gate):
    """It neither fires nor passes, whatever the parts are worth."""
    own = (
        f"[part.a]\nvalue = 1\n[[gate]]\nname = 'g'\nwhen = {{ format.label = 'copied' }}\n{gate}\n"
    )
    record = {"id": "x", "verdicts": said("format", None, None, error="down")}
    result = recipe(own).reward(record)
    assert result["reward"] is None and result["error"] == "format: down"
    assert result["reward_parts"]["g"]["value"] is None
    with pytest.raises(UsageError, match="gate 'g': unknown key 'null'"):
        recipe(own + "null = 'fire'\n")


def test_unknown_rewards():
    with pytest.raises(UsageError, match=r"unknown recipe 'logic-r'. Did you mean 'logic-rl'"):
        open_reward("logic-r")
    with pytest.raises(UsageError, match=r"unknown recipe 'no-such.toml'"):
        open_reward("no-such.toml")
