"""The rollout stage: which prompts are completed, in what order, at whose pace, by which engine.

    job = Rollout("runs/kk", engine="hf", samples=8, sampling=Sampling(max_tokens=512), max_lag=1)
    with Stage("rollout", job.facts(), inputs=["puzzles.jsonl"], block=job.batch) as stage:
        job.run(stage)

stage.py puts the parts together; prompt_stream.py and curriculum.py choose the prompts, follower.py
decides when they may start and with which version of the policy, blocks.py completes them, and
writer.py hands whole groups on.
"""

from swr1.rollout.stage import Rollout

__all__ = ["Rollout"]
