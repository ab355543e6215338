"""Figures of a process model: where it finds the first wrong step, and how sure it is in each dimension.

The first wrong step is counted as ProcessBench does (arXiv 2412.06559, section 3): the share of the
wrong reasonings in which the very step is found, the share of the right ones in which none is, and
their harmonic mean, F1. Finding a wrong step everywhere, or nowhere, is worth 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swr1.steps import first_wrong_f1
from swr1.training.held_out import BINS, accuracy, ece, is_held_out

GRID = 101  # quantiles of the steps' scores that are tried as thresholds
Floats = NDArray[np.float64]


def first_wrong(right: NDArray[Any]) -> int | None:
    """The number of the first wrong step."""
    return int(right.argmin()) if len(right) and not right.all() else None


def found_first_wrong(
    p: Sequence[Floats], true: Sequence[int | None], keys: Sequence[str]
) -> dict[str, Any]:
    """How well the first wrong step is found.

    Args: p: [S] of each reasoning, how likely each step is right; true: its first wrong step; keys:
    which prompt it is of.

    Returns `first_error`, the share of reasonings about which it is right where a step below 1/2 is
    wrong; `threshold`, below which a step is wrong for the highest F1; `first_wrong`, ProcessBench's
    figures by a threshold that was fitted to the other half of the prompts, or where these are too
    few to the same ones; `cross_fitted` says which.
    """
    half = np.array([is_held_out(f"half/{key}", 0.5) for key in keys])
    halved = bool(half.any() and not half.all())
    threshold = fit_threshold(p, true)
    limits = np.full(len(p), threshold)
    if halved:
        for side in (half, ~half):
            other = np.flatnonzero(~side).tolist()
            limits[side] = fit_threshold([p[i] for i in other], [true[i] for i in other])
    found = [first_wrong(x >= limit) for x, limit in zip(p, limits, strict=True)]
    at_half = [first_wrong(x >= 0.5) for x in p]
    return {
        "first_error": float(np.mean([a == b for a, b in zip(true, at_half, strict=True)])),
        "first_wrong": first_wrong_f1(zip(true, found, strict=True)),
        "cross_fitted": halved,
        "threshold": threshold,
    }


def fit_threshold(p: Sequence[Floats], true: Sequence[int | None]) -> float:
    """The threshold with the highest F1 of the first wrong step, of a hundred that the steps have.

    1/2 where all reasonings are right, or all wrong. ProcessBench chooses a model's threshold so, on
    one of its parts (arXiv 2412.06559, section 4.1).
    """
    if all(t is None for t in true) or all(t is not None for t in true):
        return 0.5
    best, chosen = 0.0, 0.5
    for limit in np.unique(np.quantile(np.concatenate(p), np.linspace(0, 1, GRID))):
        found = (first_wrong(x >= limit) for x in p)
        f1 = first_wrong_f1(zip(true, found, strict=True))["f1"] or 0.0
        if f1 > best:
            best, chosen = f1, float(limit)
    return chosen


def measure_dimensions(
    logits: Sequence[Floats], values: Sequence[Floats], keys: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    """Figures in each dimension, and their temperatures and offsets.

    Args:
        logits: [S, D] of each turn, of being right. values: [S, D], from 0 to 1; NaN: not known.
        keys: of each turn, which prompt it is of. names: [D].

    Returns what `held_out.measure` does in kind: accuracy (is a step right, value >= 1/2), log_loss,
    ece, brier, each also `_scaled`, over all dimensions; `by_dimension`; `temperature` [D] and
    `offsets` [D]. Scaled figures are cross-fitted between the halves of the prompts, and null where
    these are too few.
    """
    z, y = np.concatenate(logits), np.concatenate(values)
    key = np.array([k for k, v in zip(keys, values, strict=True) for _ in v])
    half = np.array([is_held_out(f"half/{k}", 0.5) for k in key])
    by_dimension: dict[str, Any] = {}
    temperatures, offsets = [], []
    for d, name in enumerate(names):
        known = ~np.isnan(y[:, d])
        temperature, offset = fit_scale(z[known, d], y[known, d])
        temperatures.append(temperature)
        offsets.append(offset)
        by_dimension[name] = _one(z[known, d], y[known, d], half[known], key[known])
        some = [
            (sigmoid(a[k, d] / temperature + offset), first_wrong(b[k, d] >= 0.5), key_)
            for a, b, key_ in zip(logits, values, keys, strict=True)
            if (k := ~np.isnan(b[:, d])).any()
        ]
        by_dimension[name] |= found_first_wrong(*map(list, zip(*some, strict=True))) if some else {}
    known_some = [f for f in by_dimension.values() if f["n"]]
    together = {
        what: _mean([f[what] for f in known_some])
        for what in ("log_loss", "ece", "brier", "log_loss_scaled", "ece_scaled", "brier_scaled")
    }
    known = ~np.isnan(y)
    right = ((z >= 0) == (y >= 0.5))[known]
    of = np.broadcast_to(key[:, None], y.shape)[known]
    return {
        **accuracy(right, of.tolist()),
        **together,
        "bins": BINS,
        "by_dimension": by_dimension,
        "threshold": {name: f["threshold"] for name, f in by_dimension.items() if f["n"]},
        "temperature": temperatures,
        "offsets": offsets,
    }


def _one(z: Floats, y: Floats, half: NDArray[Any], key: NDArray[Any]) -> dict[str, Any]:
    """The figures of one dimension; z and y [S]."""
    if not len(y):
        return {"n": 0}
    scaled = z.copy()
    halved = bool(half.any() and not half.all())
    if halved:
        for side in (half, ~half):
            temperature, offset = fit_scale(z[~side], y[~side])
            scaled[side] = z[side] / temperature + offset
    figures: dict[str, Any] = {
        "n": len(y),
        "prompts": len(set(key.tolist())),
        "mean": float(y.mean()),
        "accuracy": float(((z >= 0) == (y >= 0.5)).mean()),
        "auroc": _auroc(z, y),
    }
    for suffix, logits in (("", z), ("_scaled", scaled)):
        p = sigmoid(logits)
        numbers = {
            "log_loss": soft_log_loss(logits, y),
            "brier": float(((p - y) ** 2).mean()),
            "ece": ece(p, y),
        }
        there = halved or not suffix
        figures |= {f"{n}{suffix}": v if there else None for n, v in numbers.items()}
    return figures


def _auroc(z: Floats, y: Floats) -> float | None:
    """Of being right (value >= 1/2); None where all are, or none."""
    from sklearn.metrics import roc_auc_score

    right = y >= 0.5
    return float(roc_auc_score(right, np.round(z, 9))) if 0 < right.sum() < len(y) else None


def _mean(numbers: Sequence[float | None]) -> float | None:
    there = [n for n in numbers if n is not None]
    return sum(there) / len(there) if there and len(there) == len(numbers) else None


def sigmoid(z: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -z))


def soft_log_loss(z: Floats, y: Floats) -> float:
    """Mean cross-entropy of sigmoid(z) to labels y from 0 to 1, nats."""
    return float((y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)).mean())


def fit_scale(z: Floats, y: Floats) -> tuple[float, float]:
    """T in [.05, 20] and b with the least log-loss of sigmoid(z / T + b) on labels y (Platt scaling).

    b is held near 0 by .001 b^2 / 2. Without labels T is 1 and b is 0.
    """
    if not len(y):
        return 1.0, 0.0
    from scipy.optimize import minimize

    fit = minimize(
        lambda x: soft_log_loss(z / np.exp(x[0]) + x[1], y) + 0.0005 * x[1] ** 2,
        np.zeros(2),
        bounds=[(np.log(0.05), np.log(20)), (-20.0, 20.0)],
        method="L-BFGS-B",
    )
    return float(np.exp(fit.x[0])), float(fit.x[1])
