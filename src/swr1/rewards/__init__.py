"""Rewards: verdicts become one number and its parts.

A reward is a module with `reward(record, **options) -> {"reward", "reward_parts"}`; its file name
(with - for _) is its name.
"""
