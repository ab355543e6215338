"""Speeds from a run that was made: its metrics.jsonl, its records, rollout's --metrics.

A training step's seconds are fitted as fixed + per_token * tokens over the steps of the run. At K=0
the trainer waits while the engine works, so its waiting is the rollout's time; with records of that
run (their versions say which step used them) it is fitted as swap + base * (decode steps) +
per_sequence * tokens, and without them as swap + per_sequence * tokens. With K above 0 the engine's
speed is seen only where the trainer waited for it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from swr1.errors import DataError
from swr1.planning.lengths import completion_length
from swr1.streams.metrics import read_metrics

FEWEST_STEPS = 4  # beyond the first, which includes starting up
WIDE = 2.0
BINDING = 0.1  # of the time: a trainer that waits less shows nothing of the engine


@dataclass(frozen=True)
class Run:
    """What was measured of a run, in seconds. The rollout's are None where they are unknown.

    `together`: engine and trainer worked at the same time, so both speeds are those side by side.
    """

    path: str
    steps: int
    batch: int | None
    samples: int  # in a step, all prompts together
    length_mean: float
    per_token: float
    fixed: float
    swap: float | None
    base: float | None
    per_sequence: float | None
    together: bool
    step_seconds: float
    train_idle: float
    lag: float
    rollout_from: str


def read_run(path: str, records: list[dict] | None = None, prompt: float = 0.0) -> Run:
    """The speeds of the RL run in a policy folder or metrics.jsonl.

    Args:
        records: of this run, as `rollout` wrote them; better, not needed. Its --batch is taken to
            be the trainer's, so that a step's completions were one block.
        prompt: tokens of a prompt, which a step trains on once.

    Raises DataError where there is no such file, it is torn, it is not of RL steps, or it has too
    few.
    """
    rows = [row for row in read_metrics(path) if row.get("wait_s") is not None]
    if len(rows) <= FEWEST_STEPS:
        raise DataError(
            f"{len(rows)} steps with wait_s and compute_s: at least {FEWEST_STEPS + 1} steps of RL"
            " are needed to measure speeds",
            str(path),
        )
    first_step = rows[0]["step"]
    rows = rows[1:]
    try:
        wait, compute, tokens, samples, lags = (
            np.array([row[key] for row in rows], dtype=float)
            for key in ("wait_s", "compute_s", "tokens", "samples", "lag")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"a step lacks a number: {error}", str(path)) from None
    batch = _batch(path)
    prompts = batch * prompt if batch else 0.0
    fixed, per_token = line(tokens + prompts, compute)
    spent = float((wait + compute).sum())
    swap = base = per_sequence = None
    together, source = bool(lags.any()), "not known from this run"
    if not together:
        by_step = _lengths_by_step(records or [], first_step)
        known = [i for i, row in enumerate(rows) if row["step"] in by_step]
        if len(known) > FEWEST_STEPS:
            features = [_features(by_step[rows[i]["step"]]) for i in known]
            swap, base, per_sequence = fit(np.array(features), wait[known])
            source = f"{len(known)} waits at K=0, with the lengths of their records"
        else:
            swap, per_sequence = line(tokens, wait)
            base = 0.0
            source = f"{len(rows)} waits at K=0"
    elif wait.sum() > BINDING * spent:
        swap, base, per_sequence = 0.0, 0.0, spent / float(tokens.sum())
        source = f"{len(rows)} steps in which the trainer waited"
    return Run(
        path=str(path),
        steps=len(rows),
        batch=batch,
        samples=round(float(samples.mean())),
        length_mean=float(tokens.sum() / samples.sum()),
        per_token=per_token,
        fixed=fixed,
        swap=swap,
        base=base,
        per_sequence=per_sequence,
        together=together,
        step_seconds=spent / len(rows),
        train_idle=float(wait.sum()) / spent,
        lag=float(lags.mean()),
        rollout_from=source,
    )


def rollout_speed(path: str | Path, mean: float) -> float:
    """Tokens/s of the last rollout in a --metrics file, start-up included.

    Args:
        mean: tokens of a completion; the file counts completions.
    """
    rows = [row for row in read_metrics(path) if row.get("stage") == "rollout"]
    last = rows[-1] if rows else {}
    if not last.get("out") or not last.get("seconds"):
        raise DataError("no rollout that wrote completions is in this file", str(path))
    return last["out"] * mean / last["seconds"]


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """a, b >= 0 of y = a + b x, by least squares; a = 0 where x does not determine it.

    It does if the largest x is WIDE times the smallest and a is 2 standard errors above 0. Steps of one
    run are often alike in size, and an a that came by chance would count for all other sizes.
    """
    if len(x) > 2 and x.max() >= WIDE * x.min():
        (slope, start), covariance = np.polyfit(x, y, 1, cov=True)
        if slope > 0 and start >= 2 * np.sqrt(covariance[1, 1]):
            return float(start), float(slope)
    return 0.0, float(y.sum() / max(x.sum(), 1e-12))


def fit(features: np.ndarray, seconds: np.ndarray) -> tuple[float, ...]:
    """Non-negative least squares: one coefficient for each column of `features` [steps, columns]."""
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    scale = features.mean(axis=0)
    coefficients, _ = nnls(features / scale, seconds)
    return tuple(float(value) for value in coefficients / scale)


def _features(lengths: list[int]) -> tuple[float, ...]:
    """Of one step, a block: 1, its decode steps, its tokens."""
    return 1.0, float(max(lengths)), float(sum(lengths))


def _lengths_by_step(records: list[dict], first: int) -> dict[int, list[int]]:
    """Step -> lengths of its completions: their version was made by the step before (K=0)."""
    by_version: dict[int, list[int]] = defaultdict(list)
    lowest: int | None = None
    for record in records:
        length = completion_length(record)
        version = record.get("generation", {}).get("policy", {}).get("version")
        if length is None or not isinstance(version, int):
            continue
        lowest = version if lowest is None else min(lowest, version)
        by_version[version].append(length)
    return {version - (lowest or 0) + first: lengths for version, lengths in by_version.items()}


def _batch(path: str) -> int | None:
    """Prompts per step, from the trainer's plan in a policy folder."""
    folder = Path(path)
    try:
        plan = orjson.loads((folder / "trainer" / "plan.json").read_bytes())
        return int(plan["batch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
