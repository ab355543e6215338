"""Measures: what is measured of which records, read from data/measures.toml and a user's file of that shape."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.records import Record
from swr1.registry import suggest

AXES = ("safety", "ability", "over-refusal")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure, a table of data/measures.toml, which explains the fields."""

    name: str
    suites: tuple[str, ...]
    verdict: str | Mapping[str, str]
    good: str
    dataset: str = ""
    task: str = ""
    hit: tuple[str, ...] = ()
    when: tuple[tuple[str, Any], ...] = ()
    also: tuple[tuple[str, float], ...] = ()
    axis: str | None = None
    by: str | None = None
    optional: bool = False
    unless: frozenset[str] = frozenset()  # of a task's measure: data sets that have their own

    @property
    def key(self) -> str:
        return f"{self.dataset or self.task}: {self.name}"

    def of(self, dataset: str | None, task: str | None) -> Measure | None:
        """The measure for records of this data set and task, as one of the data set; None: not for them."""
        if self.dataset:
            return self if self.dataset == dataset else None
        if self.task != task or dataset in self.unless:
            return None
        return replace(self, dataset=dataset or self.task)

    def takes(self, record: Record, info: Mapping[str, Any]) -> bool:
        """Whether it applies to this record of the data set."""
        for name, required in self.when:
            value = record.get("task") if name == "task" else info.get(name)
            if value not in required if isinstance(required, list) else value != required:
                return False
        return True

    def judge(self, record: Record) -> str | None:
        """The name of the verdict that counts for the record; None where its task has none."""
        if isinstance(self.verdict, str):
            return self.verdict
        return self.verdict.get(str(record.get("task")))

    def value(self, verdict: Any, verdicts: Mapping[str, Any]) -> float | None:
        """1.0 for a hit, 0.0 for a miss, or the score; None where it could not be judged."""
        if (verdict or {}).get("score") is None:
            return None
        value = float(verdict.get("label") in self.hit) if self.hit else float(verdict["score"])
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
    own = frozenset(one.dataset for one in measures.values() if one.dataset)
    measures = {k: m if m.dataset else replace(m, unless=own) for k, m in measures.items()}
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
        if key not in fields or key == "unless":
            raise UsageError(f"{source}: a measure has no {key!r}.{suggest(key, list(fields))}")
    for key in ("dataset", "name", "suites", "verdict", "good"):
        if key not in row and not (key == "dataset" and "task" in row):
            raise UsageError(f"{source}: the measure {row.get('name', row)!r} lacks {key!r}")
    if "dataset" in row and "task" in row:
        raise UsageError(f"{source}: {row['name']!r} is for a dataset, or for a task, not for both")
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
