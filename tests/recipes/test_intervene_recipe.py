"""The recipe of guidance and corrections: its lines parse, and a missing policy is one line."""

import shlex

import pytest

from tests.pages import parse
from tests.recipes.conftest import RECIPES

RECIPE = RECIPES / "intervene.sh"


@pytest.mark.parametrize("profile", ["laptop", "smoke"])
@pytest.mark.parametrize("worlds", ["puzzles", "village", "puzzles village"])
def test_every_line_parses(fake, profile, worlds):
    (fake.folder / "mine").mkdir()
    (fake.folder / "ladder/stage2").mkdir(parents=True)
    run = fake.folder / f"runs/intervene-{profile}-0"
    run.mkdir(parents=True)
    for read in ("puzzles-held-out", "sft", "dpo"):  # by the shell itself
        (run / f"{read}.jsonl").write_text("")
    done = fake(RECIPE, profile, START="mine", LADDER="ladder", WORLDS=worlds)
    calls = fake.calls()
    for call in calls:
        parse(shlex.split(call)[1:])
    for world, policy in {"puzzles": "mine", "village": "ladder/stage2"}.items():
        mine = [c for c in calls if f"completions-{world}-" in c and "rollout" in c]
        assert bool(mine) == (world in worlds)
        assert all(f"--policy {fake.folder}/{policy} " in c for c in mine)
    # the judge that measures labels one sample for a guard, and else nothing that is learned from
    assert not any(
        "verify" in c
        and "village" in c.split()
        and "sample" not in c
        and "completions-village-" not in c
        for c in calls
    )
    assert ("village.txt" in done.stdout) == ("village" in worlds)


@pytest.mark.parametrize(
    ("worlds", "missing", "make", "name"),
    [
        ("puzzles", "logic-rl-laptop-3/start", "logic-rl", "START"),
        ("village", "safeladder-laptop-3/stage2", "safeladder", "LADDER"),
    ],
)
def test_without_a_policy_it_says_who_makes_one(fake, worlds, missing, make, name):
    done = fake(RECIPE, "laptop", check=False, SEED="3", WORLDS=worlds)
    assert done.returncode == 2 and not fake.calls()
    assert done.stderr == (
        f"intervene.sh: runs/{missing} is missing: make {make} PROFILE=laptop SEED=3 makes it, or say"
        f" where it is with {name}=\n"
    )


def test_an_unknown_world_is_one_line(fake):
    done = fake(RECIPE, "laptop", check=False, WORLDS="sea")
    assert done.returncode == 2
    assert done.stderr == "intervene.sh: unknown world sea: puzzles, village\n"
