"""From judged records to the figures of an evaluation, in one pass.

`summarise` keeps counts only (per puzzle: right and judged; histograms of lengths and rewards), so
records may stream by in any order and the result is the same to the last bit. The summary is plain
JSON: what `swr1 eval --json` prints, what the tables and pictures read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import fsum
from statistics import median
from typing import Any, TypedDict

from swr1 import records
from swr1.errors import DataError
from swr1.evals.keys import Authors, no_key, note_keys, prompt_id, value_of
from swr1.evals.stats import clustered_wilson, pass_at_k
from swr1.records import Record, own

UNREADABLE = "unreadable"  # the label of an answer that could not be read


Counts = tuple[int, int, int, int]  # right, judged, right if lenient, unreadable

# The verdicts that count for tasks without one of their name, the first that a record has.
USUAL = {"qa": ("exact", "f1"), "multi-choice": ("choice",)}


class Right(TypedDict):
    """Right answers, strictly and leniently read. Shares are 0..1; None: nothing to count."""

    correct: int
    accuracy: float | None
    interval: list[float] | None  # 95%, Wilson, clustered by puzzle
    unreadable: int  # judged samples whose answer could not be read: they count as wrong
    unreadable_share: float | None  # of the judged
    lenient_accuracy: float | None  # where the verifiers' lenient readings count for the unreadable
    lenient_interval: list[float] | None


class Cell(Right):
    """The figures of one size, of several, or of all. Shares are 0..1; None: nothing to count."""

    puzzles: int  # distinct prompts, by keys.prompt_id
    samples: int
    judged: int  # samples with a verdict; the denominator of accuracy
    unjudged: int  # samples whose verdict is null: kept apart, never counted as wrong
    k: int  # the most judged samples of one puzzle
    mean_at_k: float | None  # mean over puzzles of the share of its samples that are right
    pass_at: dict[str, float]  # k -> unbiased pass@k, over the puzzles with k judged samples
    pass_at_puzzles: dict[str, int]  # k -> how many puzzles that is
    format_judged: int
    format_rate: float | None
    length_mean: float | None  # of the completion, in the summary's length_unit
    length_median: float | None
    spent_mean: float | None  # tokens of all candidates, per sample; None without guidance
    finished: int  # samples that say how they ended
    truncated_share: float | None  # of those, cut at the length limit
    rewarded: int
    reward_mean: float | None


class Item(TypedDict):
    """One puzzle's outcome; what paired tests need."""

    group: str
    correct: int
    judged: int
    lenient: int  # correct, the lenient readings of the unreadable included
    unreadable: int


class Summary(TypedDict):
    by: str
    grouped: bool  # whether a record has that key
    unit: str  # what is counted: "puzzles", or "prompts" where others are among them
    mixed: str  # the key that tells samples of one prompt apart (model, policy, `by`): no pass@k of all
    verdicts: list[str]  # names of the verdicts that were counted
    lenient: list[str]  # the settings that read more, as `swr1 verify --set` takes them
    decoding: str  # "greedy", "sampled", "mixed" or "unknown", by the sampling temperature
    temperatures: list[float]
    max_tokens: list[int]
    policies: list[dict[str, Any]]
    length_unit: str  # "tokens"; "words" where records carry no token ids; or "mixed"
    groups: dict[str, Cell]  # by size, in rising order; "-" holds records without one
    all: Cell
    items: dict[str, Item]


class _Tally:
    def __init__(self) -> None:
        self.items: dict[str, list[int]] = {}  # id -> [right, judged, right if lenient, unreadable]
        self.samples = 0
        self.lengths: Counter[int] = Counter()
        self.formats: Counter[bool] = Counter()
        self.cut: Counter[bool] = Counter()
        self.rewards: Counter[float] = Counter()
        self.spent: Counter[int] = Counter()

    def add(self, record: Record, verdict: dict[str, Any], length: int) -> None:
        item = self.items.setdefault(prompt_id(record), [0, 0, 0, 0])
        if (score := verdict.get("score")) is not None:
            item[0] += score == 1
            item[1] += 1
            item[2] += lenient_of(verdict)["score"] == 1
            item[3] += verdict.get("label") == UNREADABLE
        self.samples += 1
        self.lengths[length] += 1
        form = (record["verdicts"].get("format") or {}).get("score")
        if form is not None:
            self.formats[form == 1] += 1
        generation = record.get("generation") or {}
        if guided := generation.get("guided"):
            self.spent[guided["spent"]] += 1
        finish = generation.get("finish_reason")
        if finish is not None:
            self.cut[finish == "length"] += 1
        if record.get("reward") is not None:
            self.rewards[record["reward"]] += 1

    def cell(self, passes_too: bool = True) -> Cell:
        counts = sorted((c, n) for c, n, _, _ in self.items.values())
        judged = sum(n for _, n in counts)
        seen = [(c, n) for c, n in counts if n]
        k = max((n for _, n in seen), default=0)
        passes = {}
        for size in _powers(k) if passes_too else ():
            enough = [pass_at_k(n, c, size) for c, n in seen if n >= size]
            passes[str(size)] = (fsum(enough) / len(enough), len(enough))
        return {
            "puzzles": len(counts),
            "samples": self.samples,
            "judged": judged,
            "unjudged": self.samples - judged,
            **_accuracy((c, n, more, unread) for c, n, more, unread in self.items.values()),
            "k": k,
            "mean_at_k": fsum(c / n for c, n in seen) / len(seen) if seen else None,
            "pass_at": {size: share for size, (share, _) in passes.items()},
            "pass_at_puzzles": {size: puzzles for size, (_, puzzles) in passes.items()},
            "format_judged": self.formats.total(),
            "format_rate": _share(self.formats),
            "length_mean": _mean(self.lengths),
            "length_median": median(self.lengths.elements()) if self.lengths else None,
            "spent_mean": _mean(self.spent),
            "finished": self.cut.total(),
            "truncated_share": _share(self.cut),
            "rewarded": self.rewards.total(),
            "reward_mean": _mean(self.rewards),
        }


class Summariser:
    """Collects the figures of one evaluation: one policy, decoded one way, over any number of prompts.

    Args:
        by: the key that groups the records, see keys.value_of; None: people, where records have it.
        verdict: the verdict that says right (score 1) or wrong; by default the one named like
            the record's task.
    """

    def __init__(self, by: str | None = None, verdict: str | None = None) -> None:
        self.by, self.verdict = by or "people", verdict
        self.required = by is not None
        self.known: set[str] = set()  # keys that --by could have named
        self._groups: dict[str, _Tally] = {}
        self._whole = _Tally()
        self._authors = Authors()
        self._grouped = False
        self._seen: set[tuple[str, int, int]] = set()
        self._said: dict[str, set[Any]] = defaultdict(set)
        self._policies: dict[tuple[str, int], dict[str, Any]] = {}

    def add(self, record: Record) -> None:
        """Raises DataError for a record without the verdict (naming the stage to run), and for one
        completion counted twice (a file given twice, or two runs mixed into one input)."""
        name = self.verdict or _usual(record)
        verdict = _verdict(record, name)
        generation = record.get("generation") or {}
        refuse_twice(record, self._seen)
        sampling = generation.get("sampling") or {}
        said = self._said
        said["verdicts"].add(name)
        said["tasks"].add(record.get("task"))
        said["temperatures"].add(sampling.get("temperature"))
        said["max_tokens"].add(sampling.get("max_tokens"))
        if verdict.get("label") == UNREADABLE:
            said["lenient"].add(
                lenient.get("set") if (lenient := lenient_of(verdict)) is not verdict else None
            )
        policy = generation.get("policy") or {}
        if policy:
            key = (str(policy.get("name")), policy.get("version") or 0)
            self._policies[key] = {"name": policy.get("name"), "version": policy.get("version")}
        length, unit = _length(record)
        said["units"].add(unit)
        note_keys(record, self.known)
        value = value_of(record, self.by)
        self._grouped |= value is not None
        group = "-" if value is None else value
        self._authors.add(record, self.by, group)
        for tally in (self._groups.setdefault(group, _Tally()), self._whole):
            tally.add(record, verdict, length)

    def summary(self) -> Summary:
        """Raises DataError where no record came, UsageError where none has the key `by` that was asked for."""
        if not self._whole.samples:
            raise DataError("no records to evaluate; give judged records (after `swr1 verify`)")
        if self.required and not self._grouped:
            raise no_key("--by", self.by, self.known)
        said = self._said
        return {
            "by": self.by,
            "grouped": self._grouped,
            "unit": "puzzles" if said["tasks"] == {"knights"} else "prompts",
            "mixed": self._authors.differ_in,
            "verdicts": sorted(said["verdicts"]),
            "lenient": sorted(said["lenient"] - {None}),
            "decoding": _decoding(said["temperatures"]),
            "temperatures": sorted(said["temperatures"] - {None}),
            "max_tokens": sorted(said["max_tokens"] - {None}),
            "policies": [self._policies[key] for key in sorted(self._policies)],
            "length_unit": next(iter(said["units"])) if len(said["units"]) == 1 else "mixed",
            "groups": {n: self._groups[n].cell() for n in sorted(self._groups, key=by_number)},
            "all": self._whole.cell(not self._authors.differ_in),
            "items": {
                id_: {
                    "group": self._authors.group(id_),
                    "correct": c,
                    "judged": n,
                    "lenient": lenient,
                    "unreadable": unread,
                }
                for id_, (c, n, lenient, unread) in sorted(self._whole.items.items())
            },
        }


def summarise(
    judged: Iterable[Record], by: str | None = None, verdict: str | None = None
) -> Summary:
    """The summary of judged records, in any order, read once; arguments and errors are Summariser's."""
    summariser = Summariser(by, verdict)
    for record in judged:
        summariser.add(record)
    return summariser.summary()


def _accuracy(items: Iterable[Counts]) -> Right:
    """The shares of right answers, strict and lenient, of (right, judged, right if lenient, unreadable)."""
    seen = sorted(item for item in items if item[1])
    ns = [n for _, n, _, _ in seen]
    judged, unread = sum(ns), sum(u for _, _, _, u in seen)
    strict, lenient = ([item[at] for item in seen] for at in (0, 2))
    ends = [clustered_wilson(right, ns) for right in (strict, lenient)]
    intervals = [list(interval) if interval else None for interval in ends]
    return {
        "correct": sum(strict),
        "accuracy": sum(strict) / judged if judged else None,
        "interval": intervals[0],
        "unreadable": unread,
        "unreadable_share": unread / judged if judged else None,
        "lenient_accuracy": sum(lenient) / judged if judged else None,
        "lenient_interval": intervals[1],
    }


def pool(summary: Summary, groups: Sequence[str]) -> Cell:
    """The figures of several sizes together, e.g. of those that training saw.

    All but the median and pass@k, which need more than a summary holds.
    """
    cells = [summary["groups"][g] for g in groups if g in summary["groups"]]
    items = [i for i in summary["items"].values() if i["group"] in groups and i["judged"]]
    shares = [i["correct"] / i["judged"] for i in items]

    def mean(value: Callable[[Cell], float | None], weight: Callable[[Cell], int]) -> float | None:
        weighted = [(v, weight(c)) for c in cells if (v := value(c)) is not None]
        total = sum(w for _, w in weighted)
        return fsum(v * w for v, w in weighted) / total if total else None

    return {
        "puzzles": sum(c["puzzles"] for c in cells),
        "samples": sum(c["samples"] for c in cells),
        "judged": sum(c["judged"] for c in cells),
        "unjudged": sum(c["unjudged"] for c in cells),
        **_accuracy([(i["correct"], i["judged"], i["lenient"], i["unreadable"]) for i in items]),
        "k": max((c["k"] for c in cells), default=0),
        "mean_at_k": fsum(shares) / len(shares) if shares else None,
        "pass_at": {},
        "pass_at_puzzles": {},
        "format_judged": sum(c["format_judged"] for c in cells),
        "format_rate": mean(lambda c: c["format_rate"], lambda c: c["format_judged"]),
        "length_mean": mean(lambda c: c["length_mean"], lambda c: c["samples"]),
        "length_median": None,
        "spent_mean": mean(lambda c: c["spent_mean"], lambda c: c["samples"]),
        "finished": sum(c["finished"] for c in cells),
        "truncated_share": mean(lambda c: c["truncated_share"], lambda c: c["finished"]),
        "rewarded": sum(c["rewarded"] for c in cells),
        "reward_mean": mean(lambda c: c["reward_mean"], lambda c: c["rewarded"]),
    }


def _usual(record: Record) -> str:
    """The verdict that says right or wrong for a task: of its own name, but for a few tasks."""
    task = record.get("task") or ""
    names = USUAL.get(task, (task,))
    verdicts = record.get("verdicts") or {}
    return next((name for name in names if name in verdicts), names[0])


def _verdict(record: Record, name: str) -> dict[str, Any]:
    location = _location(record)
    if record.get("completion") is None:
        raise DataError("no completion: run `swr1 rollout`, then `swr1 verify`", location)
    verdicts = record.get("verdicts") or {}
    if name not in verdicts:
        has = f"has: {', '.join(sorted(verdicts))}" if verdicts else "has none"
        if not name:
            raise DataError(f"no task, so no verdict to count; name the verdict ({has})", location)
        first = f"run `swr1 verify {name}` first"
        other = ", or count another one (--verdict NAME)" if verdicts else ""
        raise DataError(f"no verdict {name!r} ({has}): {first}{other}", location)
    verdict = verdicts[name] or {}
    score = verdict.get("score", "missing")
    if score is not None and not isinstance(score, int | float):
        raise DataError(f"verdict {name!r} has no numeric or null score: {score!r}", location)
    return verdict


def lenient_of(verdict: dict[str, Any]) -> dict[str, Any]:
    """What counts of a verdict where lenient readings do: `detail.lenient`, or the verdict itself."""
    detail = verdict.get("detail")
    lenient = detail.get("lenient") if isinstance(detail, dict) else None
    if not isinstance(lenient, dict) or not isinstance(lenient.get("score"), int | float):
        return verdict
    return lenient if isinstance(lenient.get("set"), str) else verdict


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


def _length(record: Record) -> tuple[int, str]:
    """Of what the policy wrote, without what tools gave."""
    record = own(record)
    ids = (record.get("generation") or {}).get("token_ids")
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
