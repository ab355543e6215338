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

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum, sqrt
from typing import Any

from swr1.errors import DataError
from swr1.evals.keys import Authors, no_key, note_keys, prompt_id, value_of
from swr1.evals.measures import AXES, Measure, load_measures
from swr1.evals.metrics import UNREADABLE, Item, by_number, lenient_of, refuse_twice
from swr1.evals.pairs import Paired, correct, paired
from swr1.evals.stats import clustered_wilson, pass_at_k
from swr1.records import Record

__all__ = ["Measure", "Measuring", "compare_runs", "load_measures", "measure"]


@dataclass(slots=True)
class Row:
    """The counts of one run for one measure: hits and judged samples by prompt, and that by group."""

    measure: Measure
    items: dict[str, Item] = field(default_factory=dict)
    groups: dict[str, dict[str, Item]] = field(default_factory=dict)
    samples: int = 0
    lacking: int = 0  # samples without the verdict
    lenient: set[str] = field(default_factory=set)  # the settings that read more

    def add(self, record: Record, verdicts: Mapping[str, Any], group: str) -> float | None:
        """Count a judged record; its value, None where it could not be judged."""
        one = self.measure
        verdict = verdicts[one.judge(record) or ""] or {}
        value = one.value(verdict, verdicts)
        self.samples += 1
        unread = verdict.get("label") == UNREADABLE
        lenient = lenient_of(verdict)
        more = one.value(lenient, verdicts) if unread else value
        for items in (self.items, self.groups.setdefault(group, {})):
            fresh: Item = {"group": group, "correct": 0, "judged": 0, "lenient": 0, "unreadable": 0}
            item = items.setdefault(prompt_id(record), fresh)
            if value is not None:
                item["correct"] += value  # type: ignore[typeddict-item]
                item["lenient"] += value if more is None else more  # type: ignore[typeddict-item]
                item["unreadable"] += unread
                item["judged"] += 1
        if unread and lenient is not verdict:
            self.lenient.add(lenient["set"])
        return value


@dataclass(slots=True)
class Run:
    rows: dict[str, Row] = field(default_factory=dict)
    unmeasured: Counter[str] = field(default_factory=Counter)  # datasets without a measure
    authors: Authors = field(default_factory=Authors)


class Measuring:
    """Measures a run's judged records, one by one.

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
        self.measures, self.by, self.on_failure = measures, by, on_failure
        self._run = Run()
        self._seen: set[tuple[str, int, int]] = set()
        self._mine: dict[tuple[str | None, str | None], list[Measure]] = {}
        self._known: set[str] = set()
        self._grouped = False

    def add(self, record: Record) -> None:
        """Raises DataError for a sample that occurs twice and for a record without a completion."""
        refuse_twice(record, self._seen)
        info, run = record.get("info") or {}, self._run
        if not isinstance(record.get("completion"), str):
            location = getattr(record, "location", None) or f"record {record.get('id')}"
            raise DataError("no completion: run `swr1 rollout`, then `swr1 verify`", location)
        note_keys(record, self._known)
        run.authors.add(record)
        kind = (None if info.get("dataset") is None else str(info["dataset"]), record.get("task"))
        if kind not in self._mine:
            self._mine[kind] = [m for one in self.measures if (m := one.of(*kind))]
        mine = self._mine[kind]
        if not mine:
            run.unmeasured[str(kind[0] or kind[1] or "?")] += 1
        applying = [one for one in mine if one.takes(record, info)]
        verdicts = record.get("verdicts") or {}
        judged = [one for one in applying if one.judge(record) in verdicts]
        bad = []
        for one in applying:
            if one.optional and judged and one not in judged:
                continue  # another measure counts it
            row = run.rows.setdefault(one.key, Row(one))
            if one not in judged:
                row.lacking += 1
                continue
            key = self.by or one.by
            group = value_of(record, key) if key else None
            self._grouped |= group is not None
            value = row.add(record, verdicts, "-" if group is None else group)
            if value is not None and (value < 0.5) == (one.good == "high"):
                bad.append(one.key)
        if bad and self.on_failure:
            self.on_failure(record, bad)

    def run(self) -> Run:
        """Raises UsageError where no record has the key `by`."""
        if self.by and not self._grouped and self._run.rows:
            raise no_key("--by", self.by, self._known)
        return self._run


def measure(records: Iterable[Record], measures: Sequence[Measure], by: str | None = None) -> Run:
    """Read a run's judged records once."""
    measuring = Measuring(measures, by)
    for record in records:
        measuring.add(record)
    return measuring.run()


def compare_runs(runs: Mapping[str, Run], measures: Sequence[Measure]) -> dict[str, Any]:
    """The page as plain JSON.

    Returns:
        "measures": per measure with records, in the file's order: its facts, "runs" (label ->
        cell: prompts, samples, unjudged, lacking, share, interval, unreadable_share, lenient_share,
        lenient_interval, pass_at_k, groups), "lenient" (the settings that read more) and "changes"
        (label -> points against the first run, interval, p_value, p_holm);
        "axes": label -> axis -> [mean, half width of its 95% interval], both of the good share, the mean
        over data sets, of the measures that every run has; "means": axis -> data set -> names of these
        measures; "unmeasured": label -> dataset -> records; "mixed": label -> Authors.differ_in.
    """
    rows: list[dict[str, Any]] = []
    tests: list[Paired] = []
    first = next(iter(runs))
    present = {key: row.measure for run in runs.values() for key, row in run.rows.items()}
    for one in _in_order(list(present.values()), measures):
        here = {label: run.rows[one.key] for label, run in runs.items() if one.key in run.rows}
        changes = {}
        for label, row in here.items():
            if label != first and first in here:
                change = paired({"items": here[first].items}, {"items": row.items})
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
        facts["lenient"] = sorted({setting for row in here.values() for setting in row.lenient})
        cells = {
            label: _cell(row, one, not runs[label].authors.differ_in) for label, row in here.items()
        }
        rows.append({**facts, "runs": cells, "changes": changes})
    correct(tests)
    means = {axis: _means(axis, rows, list(runs)) for axis in AXES}
    return {
        "first": first,
        "measures": rows,
        "axes": {label: _axes(label, means) for label in runs},
        "means": {
            axis: {dataset: [row["name"] for row in of] for dataset, of in sets.items()}
            for axis, sets in means.items()
        },
        "unmeasured": {label: dict(run.unmeasured) for label, run in runs.items()},
        "mixed": {label: run.authors.differ_in for label, run in runs.items()},
    }


def _in_order(present: Sequence[Measure], measures: Sequence[Measure]) -> list[Measure]:
    """The measures of a data set side by side: sets of the file in its order, then others as they came."""
    own = list(dict.fromkeys(one.dataset for one in measures if one.dataset))
    sets = [*own, *dict.fromkeys(one.dataset for one in present if one.dataset not in own)]
    place = {(one.task or one.dataset, one.name): at for at, one in enumerate(measures)}
    return sorted(
        present, key=lambda m: (sets.index(m.dataset), place[m.task or m.dataset, m.name])
    )


def _cell(row: Row, one: Measure, passes: bool) -> dict[str, Any]:
    groups = sorted(row.groups, key=by_number)
    passes &= one.hit == ("correct",)
    whole = _share(list(row.items.values()), passes)
    parts = {g: _share(list(row.groups[g].values()), passes) for g in groups}
    judged = sum(item["judged"] for item in row.items.values())
    return {
        **whole,
        "samples": row.samples,
        "unjudged": row.samples - judged,
        "lacking": row.lacking,
        "groups": parts if len(parts) > 1 else {},
    }


def _share(items: Sequence[Item], passes: bool) -> dict[str, Any]:
    seen = [i for i in items if i["judged"]]
    ns = [i["judged"] for i in seen]
    judged, k = sum(ns), min(ns, default=0)
    strict, lenient = [i["correct"] for i in seen], [i["lenient"] for i in seen]
    ends = [clustered_wilson(hits, ns) for hits in (strict, lenient)]
    intervals = [list(interval) if interval else None for interval in ends]
    return {
        "prompts": len(items),
        "share": fsum(strict) / judged if judged else None,
        "interval": intervals[0],
        "unreadable_share": sum(i["unreadable"] for i in seen) / judged if judged else None,
        "lenient_share": fsum(lenient) / judged if judged else None,
        "lenient_interval": intervals[1],
        "k": k,
        "pass_at_k": fsum(pass_at_k(n, round(c), k) for c, n in zip(strict, ns, strict=True))
        / len(seen)
        if passes and k > 1
        else None,
    }


def _means(
    axis: str, rows: Sequence[dict[str, Any]], labels: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The measures of an axis that every run has, by data set."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        cells = [row["runs"].get(label) or {} for label in labels]
        if row["axis"] == axis and all(cell.get("share") is not None for cell in cells):
            found.setdefault(row["dataset"], []).append(row)
    return found


def _axes(
    label: str, means: Mapping[str, Mapping[str, Sequence[dict[str, Any]]]]
) -> dict[str, Any]:
    """Axis -> [mean of the good shares over data sets, half width]. Measures of one data set are of one
    set of prompts: their mean counts once, and so does the mean of their half widths."""
    axes: dict[str, Any] = {}
    for axis, sets in means.items():
        values, halves = [], []
        for rows in sets.values():
            cells = [(row["runs"][label], row["good"] == "high") for row in rows]
            values.append(
                fsum(c["share"] if up else 1 - c["share"] for c, up in cells) / len(cells)
            )
            ends = [c["interval"] for c, _ in cells]
            halves.append(fsum(high - low for low, high in ends) / 2 / len(cells))
        if values:
            half = sqrt(fsum(h * h for h in halves)) / len(values)
            axes[axis] = [fsum(values) / len(values), half]
    return axes
