"""metrics.jsonl read as it grows: the steps of a run, its speed, and curves in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swr1.streams.metrics import Row

CURVES = {
    "reward_mean": "reward",
    "accuracy": "accuracy",
    "format_rate": "format",
    "loss": "loss",
    "length_mean": "tokens/sample",
    "truncated": "cut at limit",
    "tokens_per_s": "tokens/s",
    "waiting": "share waiting",
    "lag": "lag (steps)",
    "lag_max": "lag, largest",
    "ratio_max": "ratio, largest",
    "clip_share": "clipped share",
    "zero_variance_groups": "zero-variance",
    "entropy": "entropy (nats)",
    "kl": "KL (nats)",
    "grad_norm": "gradient norm",
}
"""The figures of a step that are drawn first, in this order, if a run has them."""

COUNTERS = {"step", "version", "seconds", "epoch", "groups_consumed", "wait_s", "compute_s"}
COUNTERS |= {"updates", "samples", "tokens", "target_tokens"}
"""Numbers of a step that are no curve, or are in one already."""


def with_speed(rows: list[Row]) -> list[Row]:
    """Rows with `tokens_per_s`, by wall time, and `waiting`, the share of it that waited for data.

    A row has either `wait_s` and `compute_s`, or `seconds` since its run began.
    """
    out: list[Row] = []
    before = 0.0
    for row in rows:
        spent = None
        if row.get("compute_s") is not None:
            spent = row["compute_s"] + (row.get("wait_s") or 0)
        elif row.get("seconds") is not None:
            spent, before = row["seconds"] - before, row["seconds"]
        extra: Row = {}
        if spent and spent > 0:
            if row.get("tokens") is not None:
                extra["tokens_per_s"] = row["tokens"] / spent
            if row.get("wait_s") is not None:
                extra["waiting"] = row["wait_s"] / spent
        out.append(row | extra)
    return out


def figures(rows: Sequence[Row]) -> dict[str, str]:
    """key -> title of what can be drawn: the known figures, then others that ever change."""
    others = {k for row in rows for k in row if k not in CURVES and k not in COUNTERS}
    changing = [k for k in sorted(others) if len(set(curve(rows, k))) > 1]
    return CURVES | {k: k for k in changing}


def curve(rows: Sequence[Row], key: str) -> list[float]:
    """The numbers of `key` over the rows that have it."""
    return [r[key] for r in rows if isinstance(r.get(key), int | float) and math.isfinite(r[key])]


FLAT = 1e-3  # of a value: what varies by less is drawn as a flat line
NOISE = 1e-9  # what stays below it is the rounding of float32


def sparkline(values: Sequence[float], width: int) -> str:
    """Values as at most `width` bars of eight heights, from their least to their greatest.

    More values than `width` are averaged in equal spans. Values that hardly differ are flat.
    """
    if not values or width < 1:
        return ""
    n = min(width, len(values))
    spans = [values[i * len(values) // n : (i + 1) * len(values) // n] for i in range(n)]
    means = [sum(span) / len(span) for span in spans]
    low, high = min(means), max(means)
    largest = max(abs(low), abs(high))
    if largest < NOISE or high - low < FLAT * largest:
        return "▁" * n
    return "".join("▁▂▃▄▅▆▇█"[round((m - low) / (high - low) * 7)] for m in means)
