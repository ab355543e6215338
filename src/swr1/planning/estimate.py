"""Seconds a step by a formula: to rank many settings, where a simulation of each would take long.

It is the formula of docs/scaling.md with one more bound, the engines' tokens/s. A test holds it
against the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

from swr1.planning.simulation import Setting


@dataclass(frozen=True)
class Sizes:
    """Tokens of a completion: the mean, and the expected longest one of a step."""

    mean: float
    longest: float


def sizes_of(setting: Setting) -> Sizes:
    """By drawing a few steps of completions."""
    import numpy as np

    rng = np.random.default_rng(setting.seed)
    prompts = min(setting.batch, 2000)
    steps = [setting.lengths.draw(rng, prompts, setting.samples) for _ in range(5)]
    return Sizes(
        float(np.mean([step.mean() for step in steps])),
        float(np.mean([step.max() for step in steps])),
    )


def step_seconds(setting: Setting, sizes: Sizes) -> float:
    """Seconds of one step, when the pipe is full."""
    s = setting
    number = s.batch * s.samples
    saving = s.publish / s.publish_every + s.checkpoint / s.checkpoint_every
    train = s.train.seconds(number * sizes.mean + s.batch * s.prompt) * s.contention[1] + saving
    in_flight = min(s.decode.most, max(1.0, number * (s.max_lag + 1) / s.replicas))
    context = s.prompt + sizes.mean / 2
    prefill = s.batch * s.prompt * s.decode.prefill / s.replicas
    engines = number * sizes.mean / (s.replicas * s.decode.speed(round(in_flight), context))
    engines = (engines + prefill) * s.contention[0]
    # At K=0 the longest one is alone in the end; with K of 1 and more others take the places that
    # become free. It may be among the last for which there was a place.
    alone = sizes.mean / sizes.longest
    share = max(alone, s.max_lag / (s.max_lag + 1))
    beside = max(1, round(in_flight * share))
    longest = s.decode.seconds(beside, beside * s.prompt, sizes.longest) * s.contention[0]
    waves = number / (s.replicas * s.decode.most)
    longest += engines * max(0.0, 1 - 1 / waves)
    if s.max_lag == 0:
        return max(engines, longest) + train + s.swap
    pipe = number * sizes.mean * s.pipe_per_token
    return max(engines, train, pipe, (longest + train + s.swap) / (s.max_lag + 1))
