"""The rollout stage: which prompts are completed, in what order, at whose pace, by which engine.

    config = RolloutConfig(policy="runs/kk", samples=8, max_lag=1)
    job = Rollout(config, Sampling(max_tokens=512), {"threads": 1})
    with Stage("rollout", job.facts(), inputs=["puzzles.jsonl"], block=config.batch) as stage:
        job.run(stage)

stage.py puts the parts together; prompt_stream.py and curriculum.py choose the prompts, follower.py
decides when they may start and with which version of the policy, blocks.py completes them, and
writer.py hands whole groups on.
"""

from swr1.rollout.config import RolloutConfig
from swr1.rollout.stage import Rollout

__all__ = ["Rollout", "RolloutConfig"]
