"""Rewards: verdicts become one number and its parts.

A reward is a recipe (a TOML file; those in data/rewards have names), or a Python function
`reward(record, **options) -> {"reward", "reward_parts"}`, a number or None, from an entry point or a
file.

    reward = open_reward("safeladder-stage2", ["helpful.weight=0.2"])
    reward(record)                       # {"reward": 1.2, "reward_parts": {...}}

    as_reward_function("logic-rl", ["format", "knights"])    # for TRL's trainers
"""

from swr1.rewards.opening import Reward, checked, describe_outcomes, explain_one, open_reward
from swr1.rewards.recipe import Recipe
from swr1.rewards.source import recipe_names
from swr1.rewards.tables import load_recipe
from swr1.rewards.trl import as_reward_function

__all__ = [
    "Recipe",
    "Reward",
    "as_reward_function",
    "checked",
    "describe_outcomes",
    "explain_one",
    "load_recipe",
    "open_reward",
    "recipe_names",
]
