"""A reward by its name: a recipe, checked against its order, or a Python function."""

from collections.abc import Callable, Iterable
from typing import Any

from swr1.errors import UsageError
from swr1.records import Record
from swr1.rewards.explain import explain, outcomes
from swr1.rewards.isolated import REGISTRY, IsolatedReward
from swr1.rewards.ordering import check
from swr1.rewards.recipe import Recipe
from swr1.rewards.source import recipe_names
from swr1.rewards.tables import load_recipe

Reward = Callable[[Record], dict[str, Any]]


def open_reward(
    name: str,
    settings: Iterable[str] = (),
    *,
    unordered: bool = False,
    warn: Callable[[str], None] = lambda message: None,
    timeout: float = 10.0,
) -> Recipe | IsolatedReward:
    """The reward of that name, its numbers changed by "NAME=NUMBER" settings.

    Args:
        name: a shipped recipe, FILE.toml, ./mine.py:reward, or a plugin's name.
        unordered: a recipe whose numbers contradict its order is no error; `warn` gets the contradictions.
        timeout: seconds that a Python reward may take for one record; `close` ends its process.

    Raises UsageError for an unknown name or setting, and for a recipe that is wrong.
    """
    if name in recipe_names() or name.endswith(".toml"):
        return checked(load_recipe(name, settings), unordered=unordered, warn=warn)
    if not REGISTRY.is_foreign(name):
        load_recipe(name)  # raises, with a suggestion
    return IsolatedReward(name, settings, timeout)


def checked(
    recipe: Recipe, *, unordered: bool = False, warn: Callable[[str], None] = lambda message: None
) -> Recipe:
    """The recipe itself. Raises UsageError where its numbers contradict its order."""
    problems = check(recipe)
    if problems and not unordered:
        raise UsageError(
            "\n".join([*problems, "Change numbers, gates or the order; --unordered goes on so."])
        )
    for problem in problems:
        warn(problem)
    return recipe


def explain_one(reward: Recipe | Reward, target: str, records: Iterable[Record | None]) -> str:
    """How the first record that `target` ("ID" or "ID/SAMPLE") names got its number.

    Raises UsageError for a Python reward, which only its author can explain, and where no record
    has that id.
    """
    recipe = _recipe(reward, "--explain")
    name, slash, sample = target.rpartition("/")
    if not slash or not (sample.isascii() and sample.isdigit() and len(sample) < 20):
        name, sample = target, ""
    for record in records:
        if record is None or record["id"] != name:
            continue
        if not sample or record.get("sample", 0) == int(sample):
            return explain(recipe, record)
    raise UsageError(f"no record {target!r} in the input: --explain takes ID or ID/SAMPLE")


def describe_outcomes(reward: Recipe | Reward) -> str:
    """The lowest and highest total of each outcome. Raises UsageError for a Python reward."""
    return outcomes(_recipe(reward, "--outcomes"))


def _recipe(reward: Recipe | Reward, option: str) -> Recipe:
    if not isinstance(reward, Recipe):
        raise UsageError(f"{option} is for recipes: a Python reward is not made of known steps")
    return reward
