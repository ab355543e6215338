"""The policies of the engines' tests, for the rollout stage."""

from tests.engines.conftest import engine, one_thread, other_policy, policy, tokenizer

__all__ = ["engine", "one_thread", "other_policy", "policy", "tokenizer"]
