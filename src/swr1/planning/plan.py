"""From options, or a run that was made, to a plan: every number with its source, then figures.

The figures of time, lag and idleness are a simulation of the first steps, continued at its pace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from swr1.errors import UsageError
from swr1.planning import machines
from swr1.planning.config import PlanConfig
from swr1.planning.estimate import Sizes, sizes_of, step_seconds
from swr1.planning.knobs import COMPARED, FEWEST_STEPS, alternatives
from swr1.planning.ledger import Ledger
from swr1.planning.lengths import from_records, read_completions, summary
from swr1.planning.machines import Memory, Split
from swr1.planning.measured import read_run
from swr1.planning.setting import Basis, setting_of, steps_of
from swr1.planning.shape import Shape
from swr1.planning.simulation import Outcome, Setting, simulate

SEQUENCES = 60_000  # that are simulated at most, beyond the fewest steps
MOST_STEPS = 60
MOST_SPLITS = 6  # that are simulated; the formula ranks the others


def make_plan(config: PlanConfig, records: list[dict] | None = None) -> dict[str, Any]:
    """The plan as plain data: `fits`, `split`, `run`, `time`, `tokens`, `sides`, `memory`, `splits`,
    `alternatives`, `facts`.

    Where what was asked for does not fit into the GPUs' memory, `fits` is false, `misfit` says why,
    and all figures are of the nearest that does fit, if there is one (`shown`).

    Args:
        records: completions whose lengths are taken, those of `config.lengths` by default. If they
            are of the run in `config.from_run`, they show more of its engine's speed.

    Raises UsageError for what cannot be, DataError for files without what they should hold.
    """
    w, ledger = config, Ledger()
    if records is None and w.lengths:
        records = read_completions(w.lengths)
    shape = Shape.of(w.model) if w.model else None
    seen = from_records(records) if records else None
    run = None
    if w.from_run:
        run = read_run(w.from_run, records, (seen and seen.prompt) or 0.0)
    basis = Basis(w, shape, seen, run)
    chosen = _choose(basis)
    split = chosen.split
    setting = setting_of(basis, split, ledger)
    steps = steps_of(w, ledger, setting.batch)
    if chosen.tried and w.gpus is None and chosen.misfit is None:
        ledger.default("GPUs", split.gpus, "", "a node")
    setting = replace(setting, steps=_simulated(setting, steps))
    outcome = simulate(setting)
    seconds = outcome.seconds + (steps - setting.steps) * outcome.step_seconds
    lengths = summary(setting.lengths)
    completions = steps * setting.batch * setting.samples
    hours = seconds * split.gpus / 3600
    return {
        "fits": chosen.misfit is None,
        "misfit": chosen.misfit,
        "shown": split.options(),
        "splits": chosen.tried,
        "run": {
            "steps": steps,
            "batch": setting.batch,
            "samples": setting.samples,
            "completions": completions,
            "max_lag": setting.max_lag,
            "gpus": split.gpus,
            "rollout_gpus": split.rollout,
            "train_gpus": split.train,
            "gpus_per_replica": split.per_replica,
            "fsdp": split.fsdp,
            "gradient_checkpointing": split.checkpointing,
            "lengths": lengths,
        },
        "time": {
            "seconds": seconds,
            "step_seconds": outcome.step_seconds,
            "saving_seconds": setting.publish / setting.publish_every
            + setting.checkpoint / setting.checkpoint_every,
            "simulated_steps": setting.steps,
            "gpu_hours": hours,
            "price": None if w.price is None else hours * w.price,
            "failures": outcome.failures * steps / setting.steps,
        },
        "tokens": {
            "completions": completions * lengths["mean"],
            "per_second": outcome.trained / outcome.seconds,
            "useful_share": outcome.useful,
        },
        "sides": _sides(outcome, setting),
        "memory": _memory(basis, ledger, split, setting, lengths),
        "alternatives": alternatives(setting, split, steps, seconds),
        "facts": ledger.rows(),
    }


@dataclass(frozen=True)
class _Chosen:
    """misfit: why what was asked for does not fit. tried: rows of the splits that do, best first."""

    split: Split
    misfit: str | None
    tried: list[dict[str, Any]]


def _choose(basis: Basis) -> _Chosen:
    """The split that was asked for, or else the fastest of those that fit.

    Raises UsageError where no engine, or nothing at all, would fit.
    """
    w = basis.config
    memory = Memory(w, basis.shape, basis.tokens)
    split = machines.asked(w)
    if split is None:
        gpus = w.gpus or machines.NODE
        if tried := _fastest(basis, memory, gpus):
            return _Chosen(tried[0][0], None, [row for _, row in tried])
        misfit = f"no split of {gpus} GPUs holds {w.model} with these options"
    else:
        gpus, misfit = split.gpus, memory.misfit(split) or ""
        if not misfit:
            return _Chosen(split, None, [])
    freed = replace(w, fsdp=None, gradient_checkpointing=None)
    if split:
        ways = list(machines.trainings(freed, split, memory))
        if ways:
            seconds = _seconds_of_training(basis)
            return _Chosen(min(ways, key=seconds), misfit, [])
    free = replace(freed, gpus_per_replica=None)
    for count in (gpus, *machines.larger(gpus)):
        other = Basis(free, basis.shape, basis.seen, basis.run)
        if tried := _fastest(other, memory, count):
            return _Chosen(tried[0][0], misfit, [row for _, row in tried])
    raise UsageError(f"{misfit}; nor do up to {machines.MOST} of them hold it")


def _fastest(basis: Basis, memory: Memory, gpus: int) -> list[tuple[Split, dict[str, Any]]]:
    """The splits of `gpus` that fit, fastest first: by the formula, the best by simulation."""
    ranked: list[tuple[float, Split, Setting]] = []
    sizes: Sizes | None = None
    for split in machines.splits(basis.config, gpus, memory, _seconds_of_training(basis)):
        setting = setting_of(basis, split, Ledger())
        sizes = sizes or sizes_of(setting)
        ranked.append((step_seconds(setting, sizes), split, setting))
    ranked.sort(key=lambda one: one[0])
    rows = []
    for number, (seconds, split, setting) in enumerate(ranked):
        steps = FEWEST_STEPS + setting.max_lag
        cost = steps * setting.batch * setting.samples
        played = number < min(MOST_SPLITS, COMPARED // cost)
        if played:
            seconds = simulate(replace(setting, steps=steps)).step_seconds
        row = {
            "options": split.options(),
            "rollout_gpus": split.rollout,
            "train_gpus": split.train,
            "gpus_per_replica": split.per_replica,
            "fsdp": split.fsdp,
            "gradient_checkpointing": split.checkpointing,
            "step_seconds": seconds,
            "simulated": played,
        }
        rows.append((not played, seconds, split, row))
    rows.sort(key=lambda one: (one[0], one[1], one[2].per_replica))
    return [(split, row) for _, _, split, row in rows]


def _seconds_of_training(basis: Basis) -> Callable[[Split], float]:
    """Seconds of a training step by split; a full micro-batch is preferred to a smaller one."""

    def seconds(split: Split) -> float:
        setting = setting_of(basis, split, Ledger())
        return setting.train.seconds(setting.batch * setting.samples * basis.tokens)

    return seconds


def _simulated(setting: Setting, steps: int) -> int:
    enough = max(FEWEST_STEPS, SEQUENCES // (setting.batch * setting.samples))
    return max(1, min(steps, MOST_STEPS, enough + setting.max_lag))


def _sides(outcome: Outcome, setting: Setting) -> dict[str, Any]:
    return {
        "rollout_idle": outcome.rollout_idle,
        "train_idle": outcome.train_idle,
        "in_flight": outcome.in_flight,
        "lag_mean": fmean(outcome.lags[-max(1, len(outcome.lags) // 2) :]),
        "lag_max": outcome.lag_max,
        "binds": binding(outcome, setting),
    }


def binding(outcome: Outcome, setting: Setting) -> str:
    """What holds the run up: "turns", "longest" (completion), "rollout" or "train"."""
    if setting.max_lag == 0:
        return "turns"
    if min(outcome.rollout_idle, outcome.train_idle) > 0.05:
        return "longest"
    return "rollout" if outcome.train_idle > outcome.rollout_idle else "train"


def _memory(
    basis: Basis, ledger: Ledger, split: Split, setting: Setting, lengths: dict[str, float]
) -> dict[str, Any] | None:
    w, shape = basis.config, basis.shape
    if shape is None:
        return None
    ledger.pick("training products", w.dtype, "bfloat16", "", "as in recipes/gpus.sh (--dtype)")
    if w.optimizer is None:
        ledger.default("optimizer", "adamw", "", "train-step's")
    else:
        ledger.given("optimizer", w.optimizer)
    memory = Memory(w, shape, basis.tokens)
    share = setting.batch * setting.samples * (setting.max_lag + 1) / setting.replicas
    flying = min(setting.decode.most, max(1, round(share)))
    return {
        "parameters": shape.parameters,
        "gpu": memory.device and memory.device.memory,
        "training": memory.training(split),
        "rollout": {
            "weights": 2.0 * shape.parameters,
            "cache_per_token": shape.kv_bytes(),
            "cache": shape.kv_bytes() * flying * (setting.prompt + lengths["mean"]),
            "in_flight": flying,
        },
    }
