"""From judged records to the figures of an evaluation, in one pass.

`summarise` keeps counts only (per puzzle: right and judged; histograms of lengths and rewards), so
records may stream by in any order and the result is the same to the last bit. The summary is plain
JSON: what `swr1 eval --json` prints, what the tables and pictures read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import fsum
from statistics import median
from typing import Any, TypedDict

from swr1 import records
from swr1.errors import DataError
from swr1.evals.stats import bootstrap_mean, clustered_wilson, mcnemar, pass_at_k
from swr1.records import Record


class Cell(TypedDict):
    """The figures of one size, of several, or of all. Shares are 0..1; None: nothing to count."""

    puzzles: int  # distinct ids
    samples: int
    judged: int  # samples with a verdict; the denominator of accuracy
    unjudged: int  # samples whose verdict is null: kept apart, never counted as wrong
    correct: int
    accuracy: float | None
    interval: list[float] | None  # 95%, Wilson, clustered by puzzle
    k: int  # the most judged samples of one puzzle
    mean_at_k: float | None  # mean over puzzles of the share of its samples that are right
    pass_at: dict[str, float]  # k -> unbiased pass@k, over the puzzles with k judged samples
    pass_at_puzzles: dict[str, int]  # k -> how many puzzles that is
    format_judged: int
    format_rate: float | None
    length_mean: float | None  # of the completion, in the summary's length_unit
    length_median: float | None
    finished: int  # samples that say how they ended
    truncated_share: float | None  # of those, cut at the length limit
    rewarded: int
    reward_mean: float | None


class Item(TypedDict):
    """One puzzle's outcome; what paired tests need."""

    group: str
    correct: int
    judged: int


class Summary(TypedDict):
    by: str
    verdicts: list[str]  # names of the verdicts that were counted
    decoding: str  # "greedy", "sampled", "mixed" or "unknown", by the sampling temperature
    temperatures: list[float]
    max_tokens: list[int]
    policies: list[dict[str, Any]]
    length_unit: str  # "tokens"; "words" where records carry no token ids; or "mixed"
    groups: dict[str, Cell]  # by size, in rising order; "-" holds records without one
    all: Cell
    items: dict[str, Item]


class Paired(TypedDict):
    """Two runs on the same puzzles. Points are hundredths of accuracy, after minus before."""

    puzzles: int
    points: float
    interval: list[float] | None  # 95%, bootstrap over puzzles
    gained: int | None  # puzzles that turned right; None where a puzzle has several samples
    lost: int | None
    p_value: float | None  # McNemar, exact


class _Tally:
    def __init__(self) -> None:
        self.items: dict[str, list[int]] = {}  # id -> [right, judged]
        self.samples = 0
        self.lengths: Counter[int] = Counter()
        self.formats: Counter[bool] = Counter()
        self.cut: Counter[bool] = Counter()
        self.rewards: Counter[float] = Counter()

    def add(self, record: Record, score: float | None, length: int) -> None:
        item = self.items.setdefault(record["id"], [0, 0])
        if score is not None:
            item[0] += score == 1
            item[1] += 1
        self.samples += 1
        self.lengths[length] += 1
        form = (record["verdicts"].get("format") or {}).get("score")
        if form is not None:
            self.formats[form == 1] += 1
        finish = (record.get("generation") or {}).get("finish_reason")
        if finish is not None:
            self.cut[finish == "length"] += 1
        if record.get("reward") is not None:
            self.rewards[record["reward"]] += 1

    def cell(self) -> Cell:
        counts = sorted((c, n) for c, n in self.items.values())
        correct, judged = sum(c for c, _ in counts), sum(n for _, n in counts)
        seen = [(c, n) for c, n in counts if n]
        k = max((n for _, n in seen), default=0)
        interval = clustered_wilson([c for c, _ in seen], [n for _, n in seen])
        passes = {}
        for size in _powers(k):
            enough = [pass_at_k(n, c, size) for c, n in seen if n >= size]
            passes[str(size)] = (fsum(enough) / len(enough), len(enough))
        return {
            "puzzles": len(counts),
            "samples": self.samples,
            "judged": judged,
            "unjudged": self.samples - judged,
            "correct": correct,
            "accuracy": correct / judged if judged else None,
            "interval": list(interval) if interval else None,
            "k": k,
            "mean_at_k": fsum(c / n for c, n in seen) / len(seen) if seen else None,
            "pass_at": {size: share for size, (share, _) in passes.items()},
            "pass_at_puzzles": {size: puzzles for size, (_, puzzles) in passes.items()},
            "format_judged": self.formats.total(),
            "format_rate": _share(self.formats),
            "length_mean": _mean(self.lengths),
            "length_median": median(self.lengths.elements()) if self.lengths else None,
            "finished": self.cut.total(),
            "truncated_share": _share(self.cut),
            "rewarded": self.rewards.total(),
            "reward_mean": _mean(self.rewards),
        }


def summarise(judged: Iterable[Record], by: str = "people", verdict: str | None = None) -> Summary:
    """The figures of one evaluation: one policy, decoded one way, over any number of puzzles.

    Args:
        judged: judged records, in any order; read once.
        by: the key of `info` that groups them.
        verdict: the verdict that says right (score 1) or wrong; by default the one named like
            the record's task.

    Raises:
        DataError: no records; one without the verdict (naming the stage to run); one completion
            counted twice (a file given twice, or two runs mixed into one input).
    """
    groups: dict[str, _Tally] = {}
    whole = _Tally()
    group_of: dict[str, str] = {}
    seen: set[tuple[str, int, int]] = set()
    names: set[str] = set()
    temperatures: set[float | None] = set()
    limits: set[int] = set()
    policies: dict[tuple[str, int], dict[str, Any]] = {}
    units: set[str] = set()
    for record in judged:
        name = verdict or record.get("task") or ""
        score = _score(record, name)
        generation = record.get("generation") or {}
        refuse_twice(record, seen)
        sampling = generation.get("sampling") or {}
        names.add(name)
        temperatures.add(sampling.get("temperature"))
        if sampling.get("max_tokens") is not None:
            limits.add(sampling["max_tokens"])
        if policy := generation.get("policy"):
            key = (str(policy.get("name")), policy.get("version") or 0)
            policies[key] = {"name": policy.get("name"), "version": policy.get("version")}
        length, unit = _length(record, generation)
        units.add(unit)
        value = (record.get("info") or {}).get(by)
        group = "-" if value is None else str(value)
        group_of[record["id"]] = group
        for tally in (groups.setdefault(group, _Tally()), whole):
            tally.add(record, score, length)
    if not whole.samples:
        raise DataError("no records to evaluate; give judged records (after `swr1 verify`)")
    return {
        "by": by,
        "verdicts": sorted(names),
        "decoding": _decoding(temperatures),
        "temperatures": sorted(t for t in temperatures if t is not None),
        "max_tokens": sorted(limits),
        "policies": [policies[key] for key in sorted(policies)],
        "length_unit": units.pop() if len(units) == 1 else "mixed",
        "groups": {name: groups[name].cell() for name in sorted(groups, key=by_number)},
        "all": whole.cell(),
        "items": {
            id_: {"group": group_of[id_], "correct": c, "judged": n}
            for id_, (c, n) in sorted(whole.items.items())
        },
    }


def pool(summary: Summary, groups: Sequence[str]) -> Cell:
    """The figures of several sizes together, e.g. of those that training saw.

    All but the median and pass@k, which need more than a summary holds.
    """
    cells = [summary["groups"][g] for g in groups if g in summary["groups"]]
    items = [i for i in summary["items"].values() if i["group"] in groups and i["judged"]]
    correct, judged = sum(c["correct"] for c in cells), sum(c["judged"] for c in cells)
    interval = clustered_wilson([i["correct"] for i in items], [i["judged"] for i in items])
    shares = [i["correct"] / i["judged"] for i in items]

    def mean(value: Callable[[Cell], float | None], weight: Callable[[Cell], int]) -> float | None:
        weighted = [(v, weight(c)) for c in cells if (v := value(c)) is not None]
        total = sum(w for _, w in weighted)
        return fsum(v * w for v, w in weighted) / total if total else None

    return {
        "puzzles": sum(c["puzzles"] for c in cells),
        "samples": sum(c["samples"] for c in cells),
        "judged": judged,
        "unjudged": sum(c["unjudged"] for c in cells),
        "correct": correct,
        "accuracy": correct / judged if judged else None,
        "interval": list(interval) if interval else None,
        "k": max((c["k"] for c in cells), default=0),
        "mean_at_k": fsum(shares) / len(shares) if shares else None,
        "pass_at": {},
        "pass_at_puzzles": {},
        "format_judged": sum(c["format_judged"] for c in cells),
        "format_rate": mean(lambda c: c["format_rate"], lambda c: c["format_judged"]),
        "length_mean": mean(lambda c: c["length_mean"], lambda c: c["samples"]),
        "length_median": None,
        "finished": sum(c["finished"] for c in cells),
        "truncated_share": mean(lambda c: c["truncated_share"], lambda c: c["finished"]),
        "rewarded": sum(c["rewarded"] for c in cells),
        "reward_mean": mean(lambda c: c["reward_mean"], lambda c: c["rewarded"]),
    }


def paired(before: Summary, after: Summary, groups: Sequence[str] | None = None) -> Paired | None:
    """What changed on the puzzles judged in both runs (of the named groups), or None without any.

    With one sample per puzzle, gains and losses are counted and McNemar's exact test asks whether
    they differ; the interval of the gain is a bootstrap over puzzles either way.
    """
    old, new = before["items"], after["items"]
    both = [
        (old[id_], new[id_])
        for id_ in sorted(old.keys() & new.keys())
        if old[id_]["judged"]
        and new[id_]["judged"]
        and (groups is None or new[id_]["group"] in groups)
    ]
    if not both:
        return None
    gains = [b["correct"] / b["judged"] - a["correct"] / a["judged"] for a, b in both]
    interval = bootstrap_mean(gains)
    single = all(a["judged"] == b["judged"] == 1 for a, b in both)
    gained, lost = sum(g > 0 for g in gains), sum(g < 0 for g in gains)
    return {
        "puzzles": len(both),
        "points": 100 * fsum(gains) / len(gains),
        "interval": [100 * end for end in interval] if interval else None,
        "gained": gained if single else None,
        "lost": lost if single else None,
        "p_value": mcnemar(gained, lost) if single else None,
    }


def _score(record: Record, name: str) -> float | None:
    location = _location(record)
    if record.get("completion") is None:
        raise DataError("no completion: run `swr1 rollout`, then `swr1 verify`", location)
    verdicts = record.get("verdicts") or {}
    if name not in verdicts:
        has = f"has: {', '.join(sorted(verdicts))}" if verdicts else "has none"
        if not name:
            raise DataError(f"no task, so no verdict to count; name the verdict ({has})", location)
        raise DataError(f"no verdict {name!r} ({has}): run `swr1 verify {name}` first", location)
    score = (verdicts[name] or {}).get("score", "missing")
    if score is not None and not isinstance(score, int | float):
        raise DataError(f"verdict {name!r} has no numeric or null score: {score!r}", location)
    return score


def _location(record: Record) -> str:
    return getattr(record, "location", None) or f"record {record.get('id')}"


def refuse_twice(record: Record, seen: set[tuple[str, int, int]]) -> None:
    key = records.key(record)
    if key in seen:
        raise DataError(
            f"sample {key[2]} of epoch {key[1]} occurs twice; give each file once, and two runs"
            " (another policy, or greedy and sampled) as separate inputs",
            _location(record),
        )
    seen.add(key)


def _length(record: Record, generation: dict[str, Any]) -> tuple[int, str]:
    ids = generation.get("token_ids")
    if ids is not None:
        return len(ids), "tokens"
    return len(record["completion"].split()), "words"


def _decoding(temperatures: set[float | None]) -> str:
    if None in temperatures:
        return "unknown" if len(temperatures) == 1 else "mixed"
    greedy = {t == 0 for t in temperatures}
    return "mixed" if len(greedy) == 2 else "greedy" if True in greedy else "sampled"


def _powers(n: int) -> list[int]:
    powers = []
    k = 1
    while k < n:
        powers.append(k)
        k *= 2
    return [*powers, n] if n else []


def by_number(name: str) -> tuple[bool, float, str]:
    """Sorting key of group names: numbers by value, then other names."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def _share(counts: Counter[bool]) -> float | None:
    return counts[True] / counts.total() if counts else None


def _mean(histogram: Counter[Any]) -> float | None:
    if not histogram:
        return None
    return fsum(value * count for value, count in histogram.items()) / histogram.total()
