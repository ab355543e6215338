"""The same run with one option changed: what each knob would save or cost.

By simulation, or by the formula of estimate.py where a step has so many sequences that simulating
every knob would take long; the rows say which.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from swr1.planning.estimate import sizes_of, step_seconds
from swr1.planning.lengths import Empirical, Lengths, Lognormal
from swr1.planning.machines import Split
from swr1.planning.simulation import Setting, simulate

FEWEST_STEPS = 6
COMPARED = 20_000  # sequences, over the settings that are compared
LAGS = (0, 1, 2, 4)
EVERY = (1, 10, 50)


def alternatives(
    setting: Setting, split: Split, steps: int, seconds: float
) -> list[dict[str, Any]]:
    """A row for each knob: `knob`, `seconds` of the whole run, `ratio`, `gpu_hours`, `simulated`.

    Args:
        steps, seconds: of the run as planned.
    """
    rows = []
    sizes = sizes_of(setting)
    base = step_seconds(setting, sizes)
    for label, other, gpus in _turns(setting, split):
        played = 2 * (FEWEST_STEPS + other.max_lag) * setting.batch * setting.samples <= COMPARED
        if played:
            most = max(FEWEST_STEPS, COMPARED // (setting.batch * setting.samples))
            other = replace(other, steps=min(steps, setting.steps, most + other.max_lag))
            outcome = simulate(other)
            whole = outcome.seconds + (steps - other.steps) * outcome.step_seconds
        else:
            whole = seconds * step_seconds(other, sizes_of(other)) / base
        rows.append(
            {
                "knob": label,
                "seconds": whole,
                "ratio": whole / seconds,
                "gpu_hours": whole * gpus / 3600,
                "simulated": played,
            }
        )
    return rows


def _turns(setting: Setting, split: Split) -> Iterator[tuple[str, Setting, int]]:
    """(what is turned, the setting then, its GPUs)."""
    s, gpus, train = setting, split.gpus, setting.train
    for k in LAGS:
        if k != s.max_lag and k + 1 >= s.publish_every:
            yield f"--max-lag {k}", replace(s, max_lag=k), gpus
    if s.checkpoint:
        for n in EVERY:
            if n != s.checkpoint_every:
                yield f"--checkpoint-every {n}", replace(s, checkpoint_every=n), gpus
    if s.publish:
        lag = max(1, s.max_lag)
        for n in {1, lag + 1} - {s.publish_every}:
            label = f"--publish-every {n}" + ("" if s.max_lag else " --max-lag 1")
            yield label, replace(s, publish_every=n, max_lag=lag), gpus
    half = s.lengths.max_tokens // 2
    if half:
        yield f"--max-tokens {half}", replace(s, lengths=_cut(s.lengths, half)), gpus
    more = 2 * s.replicas
    yield "rollout GPUs x 2", replace(s, replicas=more), gpus + split.rollout
    twice = replace(s, train=replace(train, ranks=2 * train.ranks))
    yield "train GPUs x 2", twice, gpus + split.train


def _cut(lengths: Lengths, limit: int) -> Lengths:
    if isinstance(lengths, Empirical):
        return Empirical([group.tolist() for group in lengths.groups], limit)
    assert isinstance(lengths, Lognormal)
    return Lognormal(lengths.mean, lengths.spread, limit)
