"""metrics.jsonl read as it grows: the steps of a run, its speed, and curves in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

Row = dict[str, Any]

CURVES = {
    "reward_mean": "reward",
    "accuracy": "accuracy",
    "format_rate": "format",
    "loss": "loss",
    "length_mean": "tokens/sample",
    "truncated": "cut at limit",
    "tokens_per_s": "tokens/s",
    "waiting": "share waiting",
    "lag": "lag (versions)",
    "lag_max": "lag, largest",
    "ratio_max": "ratio, largest",
    "clip_share": "clipped share",
    "dead_groups": "groups, no signal",
    "entropy": "entropy (nats)",
    "kl": "KL (nats)",
    "grad_norm": "gradient norm",
}
"""What is drawn of a step first, in this order, where a run has it."""

COUNTERS = {"step", "version", "seconds", "epoch", "groups_consumed", "wait_s", "compute_s"}
COUNTERS |= {"updates", "samples", "tokens", "target_tokens"}
"""Numbers of a step that are no curve, or are in one already."""


class Follower:
    """The rows of a metrics file. `poll` reads what was added since; the file need not exist yet.

    A torn last line is left for the next poll. A file that shrank is read anew. Lines that are not
    JSON objects are counted in `bad`, not raised: this is for looking.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.bad = 0
        self._steps: dict[float, Row] = {}
        self._offset = 0
        self._lines = 0

    def poll(self) -> bool:
        """Read on; whether anything came."""
        try:
            with open(self.path, "rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._steps, self._offset, self._lines, self.bad = {}, 0, 0, 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return False
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        for line in data.splitlines():
            self._lines += 1
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                self.bad += 1
                continue
            if not isinstance(row, dict):
                self.bad += 1
                continue
            # A step written twice (killed and resumed) counts as last written.
            self._steps[row.get("step", self._lines)] = row
        return bool(data)

    def rows(self) -> list[Row]:
        """The steps in order, each with `tokens_per_s` and `waiting` (share of its time)."""
        return with_speed([self._steps[step] for step in sorted(self._steps)])


def with_speed(rows: list[Row]) -> list[Row]:
    """Rows with tokens per second of wall time, and the share of it that waited for data.

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


def sparkline(values: Sequence[float], width: int) -> str:
    """Values as at most `width` bars of eight heights, from their least to their greatest.

    More values than `width` are averaged in equal spans.
    """
    if not values or width < 1:
        return ""
    n = min(width, len(values))
    spans = [values[i * len(values) // n : (i + 1) * len(values) // n] for i in range(n)]
    means = [sum(span) / len(span) for span in spans]
    low, high = min(means), max(means)
    if high == low:
        return "▁" * n
    return "".join("▁▂▃▄▅▆▇█"[round((m - low) / (high - low) * 7)] for m in means)
