"""Does the completion go round in circles?

    swr1 verify repetition rollouts.jsonl
    swr1 verify repetition rollouts.jsonl --set repetition.most=0.1

Three shares, and the score is 1 - the greatest:

* loops: what stands in a piece that comes three times or more in a row, be it words, a line, a
  paragraph, or letters without spaces;
* repeated: the n-grams of words that were there before;
* lines: what stands in lines that were there before.
"""

import re

from swr1.errors import UsageError
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.verdicts import null, verdict

BY = "repetition@1"
LABELS = {"ok": (0, 1), "loop": (0, 1), "repetitive": (0, 1)}

# A word, in pieces where it is absurdly long; a Chinese character; a row of one mark ("-----").
_UNIT = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]{1,20}|([^\w\s]|_)\1{0,79}"
)
_TIMES = 3  # in a row: a loop
_SMALLEST_LOOP = 12  # units: "no, no, no" is none
_LONGEST_PERIOD = 1000  # units
_READ, _READ_CHARS = 4000, 40_000  # units and characters, the last: degeneration comes at the end
_SHORTEST_LINE = 4  # units; headings, brackets and "yes" may come again


def verify(record: Record, *, n: int = 8, most: float = 0.2, prefill: str = "") -> Verdict:
    """A verdict: "ok", "loop" or "repetitive"; the score is 1 - the greatest share.

    Args:
        record: has `completion`.
        n: the size of the n-grams, in words (a Chinese character or a mark counts as one).
        most: the share from which the label is not "ok".
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds the shares `loops`, `repeated` and `lines`, the `period` of the longest loop in
    units (or null), and `truncated`. The score is null for a text of fewer than 2 n units, too short
    to judge. Raises DataError without a completion, UsageError for impossible settings.
    """
    if n < 2 or not 0 < most <= 1:
        raise UsageError(f"repetition asks for n >= 2 and 0 < most <= 1, not {n} and {most:g}")
    text = assistant_text(record, prefill)[-_READ_CHARS:]
    units = _units(text)[-_READ:]
    if len(units) < 2 * n:
        return null(BY, f"{len(units)} words are too few to measure repetition")
    loops, period = _loops(units)
    grams = [tuple(units[k : k + n]) for k in range(len(units) - n + 1)]
    repeated = 1 - len(set(grams)) / len(grams)
    lines = _lines(text)
    worst = max(loops, repeated, lines)
    return verdict(
        BY,
        1 - worst,
        "ok" if worst < most else "loop" if loops >= most else "repetitive",
        loops=loops,
        repeated=repeated,
        lines=lines,
        period=period,
        truncated=is_truncated(record),
    )


def _units(text: str) -> list[str]:
    return [match[0] for match in _UNIT.finditer(text.casefold())]


def _loops(units: list[str]) -> tuple[float, int | None]:
    """The share of units that stand in loops, and the period of the longest one."""
    import numpy as np

    known: dict[str, int] = {}
    ids = np.array([known.setdefault(unit, len(known)) for unit in units])
    looped = np.zeros(len(ids), bool)
    longest, best = 0, None
    for period in range(1, min(_LONGEST_PERIOD, len(ids) // _TIMES) + 1):
        same = np.concatenate(([False], ids[period:] == ids[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        starts, ends = edges[::2], edges[1::2]  # of runs of units like those a period before
        sizes = ends - starts + period
        for run in np.flatnonzero(sizes >= max(_TIMES * period, _SMALLEST_LOOP)):
            looped[starts[run] : ends[run] + period] = True
            if sizes[run] > longest:
                longest, best = int(sizes[run]), period
    return float(looped.mean()), best


def _lines(text: str) -> float:
    """The share of units that stand in lines which were there before."""
    seen: set[tuple[str, ...]] = set()
    again = total = 0
    for line in text.splitlines():
        units = tuple(_units(line))
        total += len(units)
        if len(units) >= _SHORTEST_LINE:
            again += len(units) * (units in seen)
            seen.add(units)
    return again / total if total else 0.0
