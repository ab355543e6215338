"""A recipe: how verdicts become one number. It is data, a TOML file; docs/rewards.md explains it.

    recipe = load_recipe("safeladder-stage1", ["answer.weight=2"])
    recipe.reward(record)      # {"reward": 0.9, "reward_parts": {...}}
    recipe.reckon(record)      # the same with every intermediate step

The reckoning of a record: gates with a `total` are asked in their order, the first that fires ends
it; then value times weight of every part that applies is added up; then gates with a `cap` or a
`floor` bound the sum, in their order.

What a gate did is a part of its own (0 where it did nothing), so value times weight of all parts
adds up to the reward, always.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from swr1.errors import DataError
from swr1.records import Record
from swr1.rewards.conditions import ALWAYS, Condition, MissingVerdict, fact, reason, verdict_of
from swr1.rewards.source import Source
from swr1.rewards.vocabulary import Vocabulary

_REMEMBERED = 4096  # results of a recipe by what it looks at; labels and 0 or 1 make a handful
REST = "other"  # in a map: every label that it does not name


@dataclass(frozen=True, eq=False)
class Part:
    """One way to get a part's value: from a verdict's field, from a condition, or fixed.

    A label goes through `map`; a number x becomes (x - mean) / scale, then is kept between `low`
    and `high`. `null` says what to do where the verdict could not judge: "null" (no reward),
    "skip" (the part counts nothing), or the value to take.
    """

    name: str
    weight: float
    when: Condition
    verdict: str = ""
    which: str = ""
    flag: Condition | None = None
    fixed: float | None = None
    map: Mapping[str, float] = field(default_factory=dict)
    mean: float = 0.0
    scale: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    null: float | str = "null"

    def look(self, record: Record) -> tuple[Any, float | None, str]:
        """(what was read, the value made of it, why there is none)."""
        if self.fixed is not None:
            return None, self.fixed, ""
        if self.flag is not None:
            held = self.flag.holds(record)
            if held is None:
                return None, None, self.flag.unjudged(record)
            return held, self.shape(float(held)), ""
        verdict = verdict_of(record, self.verdict)
        if verdict is None:
            raise MissingVerdict(record, self.verdict)
        raw = None if verdict.get("score") is None else verdict.get(self.which)
        if raw is None:
            return None, None, reason(self.verdict, verdict, self.which)
        if self.which == "label":
            value = self.map.get(raw if isinstance(raw, str) else "", self.map.get(REST))
            if value is None:
                raise DataError(
                    f"record {record.get('id')!r}: the verdict {self.verdict!r} has the label"
                    f" {raw!r}, not one of {', '.join(self.map)}"
                )
            return raw, value, ""
        if type(raw) not in (int, float):
            raise DataError(
                f"record {record.get('id')!r}: {self.verdict}.{self.which} is a number, not {raw!r}"
            )
        return raw, self.shape(raw), ""

    def shape(self, x: float) -> float:
        return min(max((x - self.mean) / self.scale, self.low), self.high)


@dataclass(frozen=True, eq=False)
class Gate:
    """What happens when a condition holds: the total is `level` (kind "total"), or at most it
    ("cap"), or at least it ("floor"). `null`: what if that is not known: "null", "fire", "pass"."""

    name: str
    kind: str
    level: float
    when: Condition
    null: str = "null"

    def __str__(self) -> str:
        return f"{self.kind} {self.level:g}"


class Outcome(NamedTuple):
    """A named kind of result, for the order."""

    name: str
    when: Condition


class Rule(NamedTuple):
    """`above` must be worth more than `below` ("or as much" where it is not strict)."""

    above: str
    below: str
    strict: bool
    words: str


class Line(NamedTuple):
    """One part in a reckoning. `part` is None where none of its ways applies, `value` None where it
    could not be judged (`why`) or where the verdict of a part of weight 0 is not there."""

    name: str
    part: Part | None
    raw: Any = None
    value: float | None = None
    why: str = ""


class Passed(NamedTuple):
    """One gate in a reckoning: whether it fired, and what it added to the total."""

    gate: Gate
    fired: bool
    change: float


class Reckoning(NamedTuple):
    """How one record got its number. `total` is None where something could not be judged."""

    total: float | None
    lines: list[Line]
    gates: list[Passed]
    error: str = ""

    def ended_by(self) -> Gate | None:
        """The gate that ended the reckoning before any part was looked at."""
        return next((g.gate for g in self.gates if g.fired and g.gate.kind == "total"), None)


@dataclass(frozen=True, eq=False)
class Recipe:
    """A reward as data. `check` says what is wrong with its order (see `ordering`)."""

    name: str
    title: str
    tasks: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]]
    gates: tuple[Gate, ...]
    outcomes: Mapping[str, Outcome]
    rules: tuple[Rule, ...]
    known: Mapping[str, Vocabulary]
    source: Source
    _by_task: dict[str | None, list[tuple[str, tuple[Part, ...]]]] = field(
        default_factory=dict, init=False
    )
    _results: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict, init=False)

    def __call__(self, record: Record) -> dict[str, Any]:
        return self.reward(record)

    def digest(self) -> str:
        """8 hex digits of all its tables: another recipe under the same name has others."""
        packed = orjson.dumps(self.source.tables, option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(packed, digest_size=4).hexdigest()

    def reward(self, record: Record) -> dict[str, Any]:
        """{"reward": number or None, "reward_parts": by name, "error": why there is no number}.

        A part that does not apply is not there; one that could not be judged has the value None,
        with "null": "skip" where the recipe says that it then adds nothing.

        Raises DataError for a missing verdict, a label that no map names, a task the recipe is not
        for.
        """
        seen = self._looked_at(record)
        if seen is None:
            return self._made(record)
        known = self._results.get(seen)
        if known is None:
            known = self._made(record)
            if known["reward"] is None:
                return known
            if len(self._results) < _REMEMBERED:
                self._results[seen] = known
        parts = {name: {**part} for name, part in known["reward_parts"].items()}
        return {"reward": known["reward"], "reward_parts": parts}

    @cached_property
    def _reads(self) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, str], ...]]:
        """All that decides the number: facts of the item, and fields of verdicts."""

        def conditions() -> Iterator[Condition]:
            for ways in self.parts.values():
                for part in ways:
                    yield part.when
                    if part.flag is not None:
                        yield part.flag
            for gate in self.gates:
                yield gate.when

        tests = [test for condition in conditions() for test in condition.tests()]
        facts = dict.fromkeys(test.where for test in tests if not test.verdict)
        told = [(test.verdict, test.where[1]) for test in tests if test.verdict]
        told += [(p.verdict, p.which) for ways in self.parts.values() for p in ways if p.verdict]
        return (("task",), *(facts.keys() - {("task",)})), tuple(dict.fromkeys(told))

    def _looked_at(self, record: Record) -> tuple[Any, ...] | None:
        """What `_reads` names, as a key; None where some of it is missing, or is no plain value."""
        facts, told = self._reads
        verdicts = record.get("verdicts")
        if type(verdicts) is not dict:
            return None
        seen = [fact(record, where) for where in facts]
        for name, which in told:
            verdict = verdicts.get(name)
            if type(verdict) is not dict or verdict.get("score") is None:
                return None
            if (value := verdict.get(which)) is None:
                return None
            seen.append(value)
        key = (*seen, *map(type, seen))  # true is not 1
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def _made(self, record: Record) -> dict[str, Any]:
        reckoning = self.reckon(record)
        parts: dict[str, Any] = {
            line.name: {"value": line.value, "weight": line.part.weight}
            for line in reckoning.lines
            if line.part is not None
        }
        for line in reckoning.lines:
            if line.part is not None and line.value is None and line.part.null == "skip":
                parts[line.name]["null"] = "skip"
        for gate, fired, change in reckoning.gates:
            parts[gate.name] = {"value": change, "weight": 1.0}
            if fired:
                parts[gate.name]["gate"] = str(gate)
        if reckoning.total is None:  # what came to nothing is unknown too: it must not look absent
            if not reckoning.lines:
                for name, ways in self._parts_for(record):
                    if ways:
                        parts.setdefault(name, {"value": None, "weight": ways[0].weight})
            for gate in self.gates:
                parts.setdefault(gate.name, {"value": None, "weight": 1.0})
        result = {"reward": reckoning.total, "reward_parts": parts}
        return result | {"error": reckoning.error} if reckoning.total is None else result

    def reckon(self, record: Record) -> Reckoning:
        """Every step of the way to the number. Raises as `reward` does."""
        try:
            return self._reckon(record)
        except MissingVerdict as error:
            from swr1.rewards.space import verdicts_for

            wanted = " ".join(verdicts_for(self, record))
            raise DataError(f"{error.reason}: run `swr1 verify {wanted}` first") from None

    def _parts_for(self, record: Record) -> list[tuple[str, tuple[Part, ...]]]:
        """The parts, each with the ways that the record's task leaves open."""
        task = record.get("task")
        if task not in self._by_task:
            self._by_task[task] = [
                (name, tuple(way for way in ways if way.when.live(record, ("task",))))
                for name, ways in self.parts.items()
            ]
        return self._by_task[task]

    def _reckon(self, record: Record) -> Reckoning:
        if self.tasks and record.get("task") not in self.tasks:
            raise DataError(
                f"record {record.get('id')!r} has the task {record.get('task')!r}; the recipe"
                f" {self.name!r} is for {', '.join(self.tasks)}"
            )
        gates: list[Passed] = []
        for gate in self.gates:
            if gate.kind != "total":
                continue
            fired = _fires(gate, record)
            if fired is None:
                return Reckoning(None, [], gates, gate.when.unjudged(record))
            gates.append(Passed(gate, fired, gate.level if fired else 0.0))
            if fired:
                # what weighs nothing is only written down, and for all records
                light = [
                    _line(name, ways, record)
                    for name, ways in self.parts.items()
                    if not any(part.weight for part in ways)
                ]
                return Reckoning(gate.level, light, gates)
        lines = [_line(name, ways, record) for name, ways in self._parts_for(record)]
        if not any(line.part is not None and line.part.weight for line in lines):
            raise DataError(
                f"record {record.get('id')!r}: no part of the recipe {self.name!r} applies to it"
                f" (task {record.get('task')!r})"
            )
        total, error = 0.0, ""
        for line in lines:
            if line.part is None:
                continue
            if line.value is not None:
                total += line.value * line.part.weight
            elif line.why and line.part.weight and line.part.null == "null":
                error = error or line.why
        for gate in self.gates:
            if gate.kind == "total":
                continue
            fired = _fires(gate, record)
            if fired is None:
                error = error or gate.when.unjudged(record)
                continue
            bounded = (min if gate.kind == "cap" else max)(total, gate.level) if fired else total
            gates.append(Passed(gate, fired, bounded - total))
            total = bounded
        return Reckoning(None if error else total, lines, gates, error)


def _fires(gate: Gate, record: Record) -> bool | None:
    held = gate.when.holds(record)
    return held if held is not None or gate.null == "null" else gate.null == "fire"


def _line(name: str, ways: tuple[Part, ...], record: Record) -> Line:
    for part in ways:
        try:
            held = part.when is ALWAYS or part.when.holds(record)
            if held is False:
                continue
            raw, value, why = (
                part.look(record) if held else (None, None, part.when.unjudged(record))
            )
        except MissingVerdict:
            if part.weight:
                raise
            return Line(name, None)  # what counts nothing needs no verdict
        if value is None and isinstance(part.null, float):
            value = part.null
        return Line(name, part, raw, value, why)
    return Line(name, None)
