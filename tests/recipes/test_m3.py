"""M3-RL with pictures: every line of every profile parses, and variables reach their stages."""

import shlex

import pytest

from tests.pages import parse
from tests.recipes.conftest import RECIPES

RECIPE = RECIPES / "m3.sh"


def parsed(fake) -> list[str]:
    """The calls, each read by the real parser."""
    calls = [call for call in fake.calls() if "--dry-run" not in call]
    for call in calls:
        words = shlex.split(call)
        parse(words[1:] if words[0] == "swr1" else words[words.index("-m") + 2 :])
    return calls


def of(calls, *words):
    return [call for call in calls if all(word in call.split() for word in words)]


@pytest.mark.parametrize("profile", ["laptop", "smoke", "gpu"])
def test_every_line_parses(fake, profile):
    fake(RECIPE, profile)
    calls = parsed(fake)
    (rl,) = of(calls, "rollout", "--max-lag")
    assert "--temperature 1" in rl
    assert len(of(calls, "sft")) == (0 if profile == "gpu" else 3)
    assert of(calls, "eval", "--by") and of(calls, "blind", "--swap")
    assert bool(of(calls, "init-policy", "--vision")) == (profile != "gpu")
    assert bool(of(calls, "--suite", "safety")) == (profile != "gpu")


def test_held_out_pictures_are_of_the_other_split(fake):
    fake(RECIPE, "smoke", KINDS="count,bars")
    calls = parsed(fake)
    for call in of(calls, "gen-pictures"):
        held_out = " -o pictures.jsonl" in call or " -o harm.jsonl" in call
        assert ("--split test" in call) == held_out, call
        assert "--kinds count,bars" in call or "--kinds harm" in call


def test_the_blind_twin_never_sees_a_picture(fake):
    fake(RECIPE, "smoke")
    before = len(fake.calls())
    fake(RECIPE, "smoke", BLIND="1", CONTROL="1")
    calls = fake.calls()[before:]
    (rl,) = of(calls, "rollout", "--max-lag")
    base = f"{fake.folder}/runs/m3-smoke-0"
    assert rl.startswith(
        f"swr1 rollout train-pictures.jsonl train-harm.jsonl {base}/train-text.jsonl"
    )
    for file in ("pictures", "harm"):
        assert f"swr1 blind {base}/train-{file}.jsonl -o train-{file}.jsonl" in calls
    tested = [call.split()[2] for call in calls if "completions-rl-" in call and "rollout" in call]
    assert tested == [f"{base}/grey.jsonl", f"{base}/text.jsonl"]
    assert of(calls, "--shuffle-rewards")
