"""The recipe of guidance and corrections: its lines parse, and a missing policy is one line."""

import shlex

import pytest

from tests.pages import parse
from tests.recipes.conftest import RECIPES

RECIPE = RECIPES / "intervene.sh"


@pytest.mark.parametrize("profile", ["laptop", "smoke"])
def test_every_line_parses(fake, profile):
    (fake.folder / "mine").mkdir()
    run = fake.folder / f"runs/intervene-{profile}-0"
    run.mkdir(parents=True)
    (run / "mended-judged.jsonl").write_text("")  # what the shell itself reads
    done = fake(RECIPE, profile, START="mine")
    calls = fake.calls()
    for call in calls:
        parse(shlex.split(call)[1:])
    assert any("--guide value.toml --guide-method vote" in c for c in calls)
    assert any("--continue steps --samples 4" in c for c in calls)
    assert all(f"--policy {fake.folder}/mine" in c for c in calls if "--guide" in c)
    assert "guidance.txt, edits.txt" in done.stdout


def test_without_a_policy_it_says_who_makes_one(fake):
    done = fake(RECIPE, "laptop", check=False, SEED="3")
    assert done.returncode == 2 and not fake.calls()
    assert done.stderr == (
        "runs/logic-rl-laptop-3/start is missing: make logic-rl PROFILE=laptop SEED=3 makes it, or name a"
        " policy with START=\n"
    )
