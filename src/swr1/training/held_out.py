"""Figures of a classifier on records that it was not trained on, and the temperature fitted to them.

The records are split by a hash of their id (or of another field), so the samples of one prompt
never stand on both sides, and the same records are held out in every run. Calibration is temperature
scaling: probabilities are softmax(logits / T), with the T of least log-loss. The reported figures are
cross-fitted: each half of the held-out prompts is scaled by the T of the other half; the T that is
kept is fitted on all. Classification figures are scikit-learn's. Everything here is numpy.

Where records say which source they come from, `across_sources` fits an offset for each label, too:
on another source it is mostly the threshold that is wrong, not the order.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swr1.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 10
RESAMPLES = 200


def is_held_out(key: str, share: float) -> bool:
    """Whether the record or prompt called `key` is among the held-out `share` of all."""
    number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return number < share * 2**64


def softmax(logits: Floats, temperature: float | Floats = 1.0) -> Floats:
    """Over the last axis of logits [N, K]; temperature: a number or [N, 1]."""
    x = logits / temperature
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def log_odds(logits: Floats) -> Floats:
    """log p / (1 - p) of each class [N, K], of softmax(logits [N, K]), to nine decimals.

    To rank by: unlike probabilities they distinguish what is all but certain, and what is equal is
    equal: the last bits of a softmax differ from class to class, and would break ties by chance.
    """
    odds = np.empty_like(logits, dtype=np.float64)
    for k in range(logits.shape[-1]):
        others = np.delete(logits, k, axis=-1)
        odds[:, k] = logits[:, k] - np.logaddexp.reduce(others, axis=-1)
    return np.round(odds, 9)


def log_loss(p: Floats, y: Ints) -> float:
    """Mean -log of the probability [N, K] of the right label [N], nats."""
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], 1e-300)).mean())


def ece(confidence: Floats, right: NDArray[Any], bins: int = BINS, *, mass: bool = False) -> float:
    """Expected calibration error: mean over bins of |accuracy - mean confidence|, by their size.

    Args:
        confidence: [N], probability of the label that was chosen. right: [N], whether it was.
        mass: bins of equal counts, not of equal width.

    Source: Naeini et al. 2015; Guo et al., arXiv 1706.04599, eq. 3. Biased upward in small samples.
    """
    if mass:
        parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    else:
        number = np.minimum((confidence * bins).astype(int), bins - 1)
        parts = [np.flatnonzero(number == b) for b in range(bins)]
    gaps = (abs(right[i].mean() - confidence[i].mean()) * len(i) for i in parts if len(i))
    return float(sum(gaps) / len(confidence))


def fit_temperature(logits: Floats, y: Ints) -> float:
    """The T in [0.05, 20] with the least log-loss of softmax(logits [N, K] / T) on labels y [N].

    Source: Guo et al., arXiv 1706.04599, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    fit = minimize_scalar(
        lambda t: log_loss(softmax(logits, np.exp(t)), y),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return float(np.exp(fit.x))


def fit_scaling(logits: Floats, y: Ints, weights: Floats) -> tuple[float, Floats]:
    """T and offsets b [K] with the least weighted log-loss of softmax(logits [N, K] / T + b).

    A label that does not occur keeps the offset 0. The offsets are held near 0 by .001 |b|^2 / 2.
    """
    from scipy.optimize import minimize

    present = np.flatnonzero(np.bincount(y, minlength=logits.shape[1]))
    share = weights / weights.sum()

    def loss(x: Floats) -> float:
        offsets = np.zeros(logits.shape[1])
        offsets[present] = x[1:]
        scaled = logits / np.exp(x[0]) + offsets
        odds = scaled[np.arange(len(y)), y] - np.logaddexp.reduce(scaled, axis=-1)
        return float(-(share * odds).sum() + 0.0005 * (x[1:] ** 2).sum())

    limits = [(np.log(0.05), np.log(20)), *[(-20.0, 20.0)] * len(present)]
    solution = minimize(loss, np.zeros(1 + len(present)), bounds=limits, method="L-BFGS-B").x
    offsets = np.zeros(logits.shape[1])
    offsets[present] = solution[1:]
    return float(np.exp(solution[0])), offsets


def across_sources(
    logits: Floats, y: Ints, sources: Sequence[str], fitted_on: Sequence[str] = ()
) -> dict[str, Any]:
    """Temperature and offsets, and how right each source is judged without and with them.

    Args: logits [N, K], labels y [N], sources [N]. fitted_on: the sources that count for the fit
    (none: all); every label of every source weighs the same.

    Returns temperature, offsets [K] and by_source: name -> n, fitted_on, accuracy, accuracy_scaled.
    Raises DataError where what is fitted on has fewer than two labels.
    """
    source = np.array(sources)
    some = np.isin(source, list(fitted_on) or list(set(sources)))
    if len(set(y[some].tolist())) < 2:
        raise DataError("what the guard is calibrated on has only one label")
    cells = [f"{name}/{label}" for name, label in zip(source[some], y[some], strict=True)]
    _, cell, count = np.unique(cells, return_inverse=True, return_counts=True)
    temperature, offsets = fit_scaling(logits[some], y[some], 1 / count[cell])
    scaled = (logits / temperature + offsets).argmax(-1)
    figures = {}
    for name in sorted(set(sources)):
        mine = source == name
        figures[name] = {
            "n": int(mine.sum()),
            "fitted_on": bool((some & mine).any()),
            "accuracy": float((logits.argmax(-1) == y)[mine].mean()),
            "accuracy_scaled": float((scaled == y)[mine].mean()),
        }
    return {"temperature": temperature, "offsets": offsets.tolist(), "by_source": figures}


def calibration(logits: Floats, y: Ints, keys: Sequence[str]) -> dict[str, Any]:
    """Log-loss and ECE before and after temperature scaling, and the temperature.

    Args: logits [N, K], labels y [N], keys [N]: whose halves scale each other.
    Figures after it are null where the held-out prompts are too few to be halved.
    """
    half = np.array([is_held_out(f"half/{key}", 0.5) for key in keys])
    figures: dict[str, Any] = {"temperature": fit_temperature(logits, y), "bins": BINS}
    scaled = np.ones((len(y), 1))
    if halved := bool(half.any() and not half.all()):
        for side in (half, ~half):
            scaled[side] = fit_temperature(logits[~side], y[~side])
    right = logits.argmax(-1) == y
    for name, temperature in (("", np.ones((len(y), 1))), ("_scaled", scaled)):
        p = softmax(logits, temperature)
        sure = p.max(-1)
        by_name = {
            "log_loss": log_loss(p, y),
            "ece": ece(sure, right),
            "ece_interval": _bootstrap_ece(sure, right, keys),
            "ece_equal_mass": ece(sure, right, mass=True),
        }
        defined = halved or not name
        figures |= {f"{what}{name}": value if defined else None for what, value in by_name.items()}
    return figures


def _bootstrap_ece(sure: Floats, right: NDArray[Any], keys: Sequence[str]) -> list[float]:
    """95% interval of the ECE, prompts drawn with replacement."""
    _, group = np.unique(np.array(keys), return_inverse=True)
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        draws.append(ece(sure[rows], right[rows]))
    return [float(x) for x in np.quantile(draws, (0.025, 0.975))]


def accuracy(right: NDArray[Any], keys: Sequence[str]) -> dict[str, Any]:
    """Share of right ones, with Wilson's 95% interval; the prompts, not their samples, are counted."""
    from scipy.stats import binomtest

    share, prompts = float(right.mean()), len(set(keys))
    interval = binomtest(round(share * prompts), prompts).proportion_ci(method="wilson")
    return {
        "n": len(right),
        "prompts": prompts,
        "accuracy": share,
        "accuracy_interval": [float(interval.low), float(interval.high)],
    }


def measure(logits: Floats, y: Ints, keys: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """All figures of a classifier on held-out items.

    Args: logits [N, K], labels y [N], keys [N] (which prompt), names [K] of the labels.

    Returns accuracy (with `majority`, that of the most frequent label), macro_f1, per_class
    (precision, recall, f1, n, auroc one-vs-rest), auroc (their mean), confusion [K, K] (rows: the
    true labels), and `calibration`. An AUROC is null where a label is missing or stands alone.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

    guess, ranks = logits.argmax(-1), log_odds(logits)
    every = np.arange(len(names))
    scores = precision_recall_fscore_support(y, guess, labels=every, zero_division=0)
    areas = [
        float(roc_auc_score(y == k, ranks[:, k])) if 0 < (y == k).sum() < len(y) else None
        for k in every
    ]
    present = [k for k in every if (y == k).any()]
    defined = [area for area in areas if area is not None]
    return {
        **accuracy(guess == y, keys),
        "majority": float(np.bincount(y).max() / len(y)),
        "macro_f1": float(scores[2][present].mean()),
        "auroc": sum(defined) / len(defined) if defined else None,
        "per_class": {
            name: {
                "precision": float(scores[0][k]),
                "recall": float(scores[1][k]),
                "f1": float(scores[2][k]),
                "n": int(scores[3][k]),
                "auroc": areas[k],
            }
            for k, name in enumerate(names)
        },
        "confusion": confusion_matrix(y, guess, labels=every).tolist(),
        **calibration(logits, y, keys),
    }


def measure_pairs(chosen: Floats, rejected: Floats, keys: Sequence[str]) -> dict[str, Any]:
    """All figures of a reward model on held-out pairs: scores [P] of the better and the worse.

    `accuracy` is the share of pairs in order, `margin` their mean difference, `auroc` that of the
    scores of all chosen against all rejected completions, whatever their prompt.
    """
    from sklearn.metrics import roc_auc_score

    margin = chosen - rejected
    logits = np.stack([margin, np.zeros_like(margin)], axis=-1)
    side = np.repeat([1, 0], len(margin))
    return {
        **accuracy(margin > 0, keys),
        "margin": float(margin.mean()),
        "auroc": float(roc_auc_score(side, np.round(np.concatenate([chosen, rejected]), 9))),
        **calibration(logits, np.zeros(len(margin), dtype=np.int64), keys),
    }
