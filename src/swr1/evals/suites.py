"""Suites: safety, ability, over-refusal and more on one page, each benchmark by its own metric.

    measures = load_measures(["safety"])
    runs = {"start": measure(records, measures), "rl": measure(other_records, measures)}
    numbers = compare_runs(runs, measures)

What is measured of which benchmark stands in data/measures.toml; a user's file of that shape adds
to it. A measure is the share of hits (labels of a verdict) among the judged samples, or a verdict's
mean score; its interval takes the prompt as the unit. Runs are compared on the prompts they share,
by McNemar's exact test with one sample per prompt, else by Wilcoxon's signed-rank test of the
prompts' means; all comparisons of one page are corrected together by Holm's method.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from math import fsum, sqrt
from pathlib import Path
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.evals.metrics import Item, by_number, refuse_twice
from swr1.evals.pairs import Paired, correct, paired
from swr1.evals.stats import clustered_wilson, pass_at_k
from swr1.records import Record
from swr1.registry import suggest

AXES = ("safety", "ability")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure, a table of data/measures.toml, which explains the fields."""

    dataset: str
    name: str
    suites: tuple[str, ...]
    verdict: str | Mapping[str, str]
    good: str
    hit: tuple[str, ...] = ()
    when: tuple[tuple[str, Any], ...] = ()
    also: tuple[tuple[str, float], ...] = ()
    axis: str | None = None
    by: str | None = None

    @property
    def key(self) -> str:
        return f"{self.dataset}: {self.name}"

    def takes(self, record: Record, info: Mapping[str, Any]) -> bool:
        """Whether this measure applies to the record."""
        for name, required in self.when:
            value = record.get("task") if name == "task" else info.get(name)
            if value not in required if isinstance(required, list) else value != required:
                return False
        return info.get("dataset") == self.dataset

    def judge(self, record: Record) -> str | None:
        """The name of the verdict that counts for the record; None where its task has none."""
        if isinstance(self.verdict, str):
            return self.verdict
        return self.verdict.get(str(record.get("task")))

    def value(self, verdict: Any, verdicts: Mapping[str, Any]) -> float | None:
        """1.0 for a hit, 0.0 for a miss, or the score; None where it could not be judged."""
        if (verdict or {}).get("score") is None:
            return None
        value = float(verdict["label"] in self.hit) if self.hit else float(verdict["score"])
        for name, least in self.also:
            score = (verdicts.get(name) or {}).get("score")
            if score is None:
                return None
            value *= score >= least
        return value


def load_measures(suites: Sequence[str] = (), file: str | Path | None = None) -> list[Measure]:
    """The measures of these suites (none: of all), those of a user's TOML file included.

    Raises UsageError for an unknown suite, key or axis, a missing key, or two of one name.
    """
    shipped = (resources.files("swr1.data") / "measures.toml").read_text(encoding="utf-8")
    tables = [("measures.toml", tomllib.loads(shipped))]
    if file is not None:
        try:
            tables.append((str(file), tomllib.loads(Path(file).read_text(encoding="utf-8"))))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"cannot read the measures {file}: {error}") from None
    measures: dict[str, Measure] = {}
    for source, table in tables:
        for row in table.get("measure", []):
            one = _measure(row, source)
            measures[one.key] = one
    known = sorted({suite for one in measures.values() for suite in one.suites})
    for suite in suites:
        if suite not in known:
            raise UsageError(
                f"unknown suite {suite!r}.{suggest(suite, known)} Known: {', '.join(known)}"
            )
    return [one for one in measures.values() if not suites or set(suites) & set(one.suites)]


def _measure(row: dict[str, Any], source: str) -> Measure:
    fields = Measure.__dataclass_fields__
    for key in row:
        if key not in fields:
            raise UsageError(f"{source}: a measure has no {key!r}.{suggest(key, list(fields))}")
    for key in ("dataset", "name", "suites", "verdict", "good"):
        if key not in row:
            raise UsageError(f"{source}: the measure {row.get('name', row)!r} lacks {key!r}")
    if row["good"] not in ("low", "high") or row.get("axis", "safety") not in AXES:
        raise UsageError(
            f"{source}: {row['name']!r}: good is low or high, axis is {' or '.join(AXES)}"
        )
    verdict = row["verdict"]
    if not verdict or not all(
        isinstance(name, str)
        for name in (verdict.values() if isinstance(verdict, dict) else [verdict])
    ):
        raise UsageError(
            f"{source}: {row['name']!r}: verdict is a name, or a table of names by task, not {verdict!r}"
        )
    frozen = {
        "suites": tuple(row["suites"]),
        "hit": tuple(row.get("hit", ())),
        "when": tuple(row.get("when", {}).items()),
        "also": tuple(row.get("also", {}).items()),
    }
    return Measure(**{**row, **frozen})


@dataclass(slots=True)
class Row:
    """The counts of one run for one measure; `items` by record id, hits and judged samples."""

    items: dict[str, Item] = field(default_factory=dict)
    samples: int = 0
    lacking: int = 0  # samples without the verdict

    def add(self, record: Record, value: float | None, group: str) -> None:
        fresh: Item = {"group": group, "correct": 0, "judged": 0, "lenient": 0, "unreadable": 0}
        item = self.items.setdefault(record["id"], fresh)
        self.samples += 1
        if value is not None:
            item["correct"] += value  # type: ignore[typeddict-item]
            item["judged"] += 1


@dataclass(slots=True)
class Run:
    rows: dict[str, Row] = field(default_factory=dict)
    unmeasured: Counter[str] = field(default_factory=Counter)  # datasets without a measure


class Measuring:
    """Measures a run's judged records, one by one, into `run`.

    Args:
        by: the key that breaks every measure down, see keys.value_of; None: each measure's own.
        on_failure: called with every record that a measure counts as bad, and those measures.
    """

    def __init__(
        self,
        measures: Sequence[Measure],
        by: str | None = None,
        on_failure: Callable[[Record, list[str]], None] | None = None,
    ) -> None:
        self.run, self.by, self.on_failure = Run(), by, on_failure
        self._seen: set[tuple[str, int, int]] = set()
        self._by_dataset: dict[str, list[Measure]] = {}
        for one in measures:
            self._by_dataset.setdefault(one.dataset, []).append(one)

    def add(self, record: Record) -> None:
        """Raises DataError for a sample that occurs twice and for a record without a completion."""
        refuse_twice(record, self._seen)
        info, run = record.get("info") or {}, self.run
        if not isinstance(record.get("completion"), str):
            location = getattr(record, "location", None) or f"record {record.get('id')}"
            raise DataError("no completion: run `swr1 rollout`, then `swr1 verify`", location)
        mine = self._by_dataset.get(str(info.get("dataset")), [])
        if not mine:
            run.unmeasured[str(info.get("dataset") or record.get("task") or "?")] += 1
        bad = []
        for one in mine:
            if not one.takes(record, info):
                continue
            row = run.rows.setdefault(one.key, Row())
            verdicts, judge = record.get("verdicts") or {}, one.judge(record)
            if judge not in verdicts:
                row.lacking += 1
                continue
            value = one.value(verdicts[judge], verdicts)
            group = info.get(self.by or one.by or "")
            row.add(record, value, "-" if group is None else str(group))
            if value is not None and (value < 0.5) == (one.good == "high"):
                bad.append(one.key)
        if bad and self.on_failure:
            self.on_failure(record, bad)


def measure(records: Iterable[Record], measures: Sequence[Measure], by: str | None = None) -> Run:
    """Read a run's judged records once."""
    measuring = Measuring(measures, by)
    for record in records:
        measuring.add(record)
    return measuring.run


def compare_runs(runs: Mapping[str, Run], measures: Sequence[Measure]) -> dict[str, Any]:
    """The page as plain JSON.

    Returns:
        "measures": per measure with records, in the file's order: its facts, "runs" (label ->
        cell: prompts, samples, unjudged, lacking, share, interval, pass_at_k, groups) and "changes"
        (label -> points against the first run, interval, p_value, p_holm);
        "axes": label -> {safety, ability: [mean, half width of its 95% interval]}, over the
        measures that every run has; "unmeasured": label -> dataset -> records.
    """
    rows: list[dict[str, Any]] = []
    tests: list[Paired] = []
    first = next(iter(runs))
    for one in measures:
        if not any(one.key in run.rows for run in runs.values()):
            continue
        cells = {
            label: _cell(run.rows[one.key], one)
            for label, run in runs.items()
            if one.key in run.rows
        }
        changes = {}
        for label, run in runs.items():
            if label == first or first not in cells or label not in cells:
                continue
            change = paired(
                {"items": runs[first].rows[one.key].items}, {"items": run.rows[one.key].items}
            )
            if change:
                changes[label] = change
                tests.append(change)
        facts: dict[str, Any] = {
            "measure": one.key,
            "dataset": one.dataset,
            "name": one.name,
            "good": one.good,
        }
        facts |= {"verdict": one.verdict, "axis": one.axis}
        rows.append({**facts, "runs": cells, "changes": changes})
    correct(tests)
    return {
        "first": first,
        "measures": rows,
        "axes": {label: _axes(label, rows, list(runs)) for label in runs},
        "unmeasured": {label: dict(run.unmeasured) for label, run in runs.items()},
    }


def _cell(row: Row, one: Measure) -> dict[str, Any]:
    groups = sorted({item["group"] for item in row.items.values()}, key=by_number)
    whole = _share(list(row.items.values()), one)
    parts = {g: _share([i for i in row.items.values() if i["group"] == g], one) for g in groups}
    judged = sum(item["judged"] for item in row.items.values())
    return {
        **whole,
        "samples": row.samples,
        "unjudged": row.samples - judged,
        "lacking": row.lacking,
        "groups": parts if len(parts) > 1 else {},
    }


def _share(items: Sequence[Item], one: Measure) -> dict[str, Any]:
    seen = [(i["correct"], i["judged"]) for i in items if i["judged"]]
    judged = sum(n for _, n in seen)
    interval = clustered_wilson([c for c, _ in seen], [n for _, n in seen])
    k = min((n for _, n in seen), default=0)
    passes = k > 1 and one.hit == ("correct",)
    return {
        "prompts": len(items),
        "share": fsum(c for c, _ in seen) / judged if judged else None,
        "interval": list(interval) if interval else None,
        "k": k,
        "pass_at_k": fsum(pass_at_k(n, round(c), k) for c, n in seen) / len(seen)
        if passes
        else None,
    }


def _axes(label: str, rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for axis in AXES:
        cells = [
            (row["runs"][label], row["good"])
            for row in rows
            if row["axis"] == axis
            and all((row["runs"].get(other) or {}).get("share") is not None for other in labels)
        ]
        if cells:
            good = [c["share"] if good == "high" else 1 - c["share"] for c, good in cells]
            halves = [(c["interval"][1] - c["interval"][0]) / 2 for c, _ in cells]
            axes[axis] = [fsum(good) / len(good), sqrt(fsum(h * h for h in halves)) / len(good)]
    return axes
