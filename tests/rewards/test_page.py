"""What docs/rewards.md shows is what the recipes do."""

import re
from pathlib import Path

import pytest

from swr1.errors import UsageError
from swr1.rewards import checked, load_recipe, recipe_names
from swr1.rewards.explain import explain
from swr1.rewards.ordering import survey

PAGE = (Path(__file__).parent.parent.parent / "docs" / "rewards.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
LADDER = ["safeladder-stage2", "safe-efficient", "safe-efficient-plain"]


def told(ranges):
    return f"{ranges.low:.4g}" + (f" to {ranges.high:.4g}" if ranges.high > ranges.low else "")


def test_the_example_is_built_up_as_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two, gated, order, outcomes, whole = BLOCKS[:6]
    for text in (one, two, gated, whole):
        Path("helpdesk.toml").write_text(text)
        checked(load_recipe("helpdesk.toml"))
    Path("helpdesk.toml").write_text(f"{order}\n{gated}\n{outcomes}")
    with pytest.raises(UsageError) as caught:
        checked(load_recipe("helpdesk.toml"))
    assert f"swr1 reward: error: {caught.value}\n" in PAGE
    Path("helpdesk.toml").write_text(whole)
    said = {"format": ("ok", 1), "safety": ("safe", 0.9), "refusal": ("refusal", 1)}
    verdicts = {name: {"label": label, "score": score} for name, (label, score) in said.items()}
    verdicts["helpful"] = {"label": None, "score": 5}
    record = {"id": "a1", "task": "desk", "verdicts": verdicts}
    assert f"```text\n{explain(load_recipe('helpdesk.toml'), record)}\n```" in PAGE


@pytest.mark.parametrize("name", ["logic-rl", "safeladder-stage1"])
def test_ranges_in_the_page(name):
    for outcome, ranges in survey(load_recipe(name)).items():
        assert f"| {outcome} | {told(ranges)} |" in PAGE


def test_ranges_of_the_ladder_in_the_page():
    surveys = [survey(load_recipe(name)) for name in LADDER]
    for outcome in surveys[0]:
        row = " | ".join(told(ranges[outcome]) for ranges in surveys)
        assert f"| {outcome} | {row} |" in PAGE


def test_every_recipe_is_in_the_page():
    for name in recipe_names():
        assert f"| `{name}` |" in PAGE and f"**{name}**" in PAGE
