"""Recipes are checked against what verifiers declare, whoever wrote them."""

import pytest

from swr1.errors import UsageError
from swr1.rewards import checked, load_recipe
from swr1.verifiers.declared import REGISTRY, declaration

RECIPE = """
[verdict.short]
like = "{like}"
[part.brief]
from = "short.label"
map = {{ {labels} }}
"""


@pytest.fixture(name="recipe")
def recipe_beside_a_verifier(tmp_path):
    def make(labels, like="mine.py:short", declared='LABELS = {"ok": 1, "long": (0, 0.5)}'):
        (tmp_path / "mine.py").write_text(f"raise SystemExit\n{declared}\ndef short(record): ...\n")
        (tmp_path / "mine.toml").write_text(RECIPE.format(like=like, labels=labels))
        declaration.cache_clear()
        return checked(load_recipe(str(tmp_path / "mine.toml")))

    return make


def test_a_file_beside_the_recipe_declares_a_verdict(recipe):
    record = {"id": "a", "verdicts": {"short": {"score": 1.0, "label": "ok"}}}
    assert recipe("ok = 2, long = -1").reward(record)["reward"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": "ok = 1, lng = 0"}, r"mine.toml:4: .*'short' has no label 'lng'. Did you mean"),
        ({"labels": "ok = 1"}, "the map says nothing of the label 'long'"),
        (
            {"labels": "ok = 1", "declared": ""},
            r"mine.toml:2: .*does not say which labels it gives",
        ),
        ({"labels": "ok = 1", "declared": "LABELS = 3"}, r"mine.py:2: LABELS is such as"),
        ({"labels": "ok = 1", "like": "./no.py:short"}, r"no file './no.py' for `like`"),
        (
            {"labels": "ok = 1", "like": "maths"},
            "no verdict is called 'maths'. Did you mean 'math'",
        ),
    ],
)
def test_what_it_does_not_declare_is_refused(recipe, arguments, message):
    with pytest.raises(UsageError, match=message):
        recipe(**arguments)


@pytest.mark.parametrize("name", REGISTRY.names())
def test_a_misspelt_label_of_a_verifier_is_refused(name, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(f"[part.a]\nflag = {{ {name}.label = 'no-such-label' }}\n")
    if declaration(name).vocabulary.open:
        assert load_recipe(str(file))
        return
    with pytest.raises(UsageError, match=f"the verdict '{name}' has no label 'no-such-label'"):
        load_recipe(str(file))
