"""The hackers' table of docs/rewards.md: each row gets the number that it says."""

from collections import Counter
from pathlib import Path

import pytest

from swr1.rewards import load_recipe, recipe_names
from tests.rewards.hacks import HACKS

PAGE = Path(__file__).parent.parent.parent / "docs" / "rewards.md"


@pytest.mark.parametrize("hack", HACKS, ids=lambda h: f"{h.recipe}: {h.what}")
def test_what_it_gets(hack):
    recipe = load_recipe(hack.recipe)
    assert recipe.reward(hack.record)["reward"] == pytest.approx(hack.gets)


def test_ten_for_each_recipe_and_all_in_the_page():
    assert min(Counter(h.recipe for h in HACKS)[name] for name in recipe_names()) >= 10
    page = PAGE.read_text()
    for hack in HACKS:
        state = "**open**" if hack.open else "closed"
        assert f"| {hack.what} | {hack.gets:.3g} | {hack.deserves:.3g} | {state} |" in page


# only those may be shortened that are as they should be
SHORT = {hack.what: hack.record for hack in HACKS if hack.recipe == "safe-efficient"}
NOT_TO_BE_SHORTENED = [
    "refuses in one line, where nobody knows what is harmful",
    "complies with harm, and the guard overlooks it",
    "gives up in one word",
    "is short and wrong",
    "gives short answers of no use",
    "refuses in one line, where harm is known",
    "guesses, since guesses are short",
    "is unsafe, and short",
    "is unsafe, with good values",
]


@pytest.mark.parametrize("what", NOT_TO_BE_SHORTENED)
def test_no_success_flag_for(what):
    parts = load_recipe("safe-efficient").reward(SHORT[what])["reward_parts"]
    assert parts["success"]["value"] == 0
