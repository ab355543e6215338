"""A recipe: how verdicts become one number. It is data, a TOML file; docs/rewards.md explains it.

    recipe = load_recipe("safeladder-stage1", ["answer.weight=2"])
    recipe.reward(record)      # {"reward": 0.9, "reward_parts": {...}}
    recipe.evaluate(record)    # the same with every intermediate step

How a record is evaluated: gates with a `total` are asked in their order, and the first that fires
ends it. Then value times weight of every part that applies is added up. Then gates with a `cap` or a
`floor` bound the sum, in their order.

What a gate did is a part of its own (0 where it did nothing), so value times weight of all parts
adds up to the reward, always.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from swr1.errors import DataError
from swr1.records import Record
from swr1.rewards.conditions import (
    ALWAYS,
    Condition,
    MissingVerdict,
    Test,
    fact,
)
from swr1.rewards.parts import Gate, Outcome, Part, Rule
from swr1.rewards.source import Source
from swr1.verifiers.declared import Vocabulary

_REMEMBERED = 4096  # results of a recipe by what it looks at; labels and 0 or 1 make a handful


class PartResult(NamedTuple):
    """One part of a breakdown. `part` is None where none of its variants applies; `value` is None
    where it could not be judged (`why`), or where a part of weight 0 lacks its verdict."""

    name: str
    part: Part | None
    raw: Any = None
    value: float | None = None
    why: str = ""


class GateResult(NamedTuple):
    """One gate of a breakdown: whether it fired, and what it added to the total."""

    gate: Gate
    fired: bool
    change: float


class Breakdown(NamedTuple):
    """How one record got its number. `total` is None where something could not be judged."""

    total: float | None
    parts: list[PartResult]
    gates: list[GateResult]
    error: str = ""

    def ended_by(self) -> Gate | None:
        """The gate that ended the evaluation before any part was looked at."""
        return next((g.gate for g in self.gates if g.fired and g.gate.kind == "total"), None)


Holder = Gate | Part | Outcome  # what has a condition


@dataclass(frozen=True, eq=False)
class Recipe:
    """A reward as data. `check` says what is wrong with its order (see `ordering`)."""

    name: str
    title: str
    verify: str  # what to give `swr1 verify`, where the names of the verdicts do not say it
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

    # --- what is in it -----------------------------------------------------------------------

    def variants(self) -> Iterator[Part]:
        """All variants of all parts."""
        for variants in self.parts.values():
            yield from variants

    def conditions(self) -> Iterator[Condition]:
        """Every condition that there is."""
        yield from self._deciding()
        yield from (outcome.when for outcome in self.outcomes.values())

    def _deciding(self) -> Iterator[Condition]:
        """The conditions that the number depends on; outcomes only give it a name."""
        for part in self.variants():
            yield part.when
            if part.flag is not None:
                yield part.flag
        yield from (gate.when for gate in self.gates)

    def live_parts(self, item: Record) -> list[Part]:
        """The variants of parts that such an item may take."""
        return [part for part in self.variants() if part.when.live(item)]

    def live_tests(self, item: Record, facts: tuple[str, ...] = ("task", "info")) -> list[Test]:
        """The tests that may matter for an item, going by its `facts` alone."""
        return [test for holder in self._holders() for test in _tests_of(holder, item, facts)]

    def verdicts_for(self, item: Record) -> list[str]:
        """The verdicts that may be read for such an item, in the order of their first use."""
        read: list[str] = []
        for holder in self._holders():
            read += [test.verdict for test in _tests_of(holder, item)]
            if isinstance(holder, Part) and holder.when.live(item):
                read.append(holder.verdict)
        return list(dict.fromkeys(name for name in read if name))

    def fields_read(self, item: Record, verdict: str) -> list[str]:
        """Which of label, score, confidence are read of a verdict."""
        tests = [t.path[1] for t in self.live_tests(item) if t.verdict == verdict]
        parts = [p.which for p in self.live_parts(item) if p.verdict == verdict]
        return list(dict.fromkeys([*parts, *tests]))

    def _holders(self) -> list[Holder]:
        return [*self.gates, *self.variants(), *self.outcomes.values()]

    # --- the number of a record --------------------------------------------------------------

    @cached_property
    def _reads(self) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, str], ...]]:
        """All that decides the number: facts of the item, and fields of verdicts."""
        tests = [test for condition in self._deciding() for test in condition.tests()]
        facts = dict.fromkeys(test.path for test in tests if not test.verdict)
        fields = [(test.verdict, test.path[1]) for test in tests if test.verdict]
        fields += [(part.verdict, part.which) for part in self.variants() if part.verdict]
        return (("task",), *(facts.keys() - {("task",)})), tuple(dict.fromkeys(fields))

    def _looked_at(self, record: Record) -> tuple[Any, ...] | None:
        """The values that `_reads` names, as a key; None if one is missing or is no plain value."""
        facts, fields = self._reads
        verdicts = record.get("verdicts")
        if type(verdicts) is not dict:
            return None
        seen = [fact(record, path) for path in facts]
        for name, which in fields:
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
        breakdown = self.evaluate(record)
        parts: dict[str, Any] = {}
        for result in breakdown.parts:
            if result.part is None:
                continue
            parts[result.name] = {"value": result.value, "weight": result.part.weight}
            if result.value is None and result.part.null == "skip":
                parts[result.name]["null"] = "skip"
        for gate, fired, change in breakdown.gates:
            parts[gate.name] = {"value": change, "weight": 1.0}
            if fired:
                parts[gate.name]["gate"] = str(gate)
        if breakdown.total is not None:
            return {"reward": breakdown.total, "reward_parts": parts}
        # what was never looked at is unknown too: it must not look absent
        if not breakdown.parts:
            for name, variants in self._parts_for(record):
                if variants:
                    parts.setdefault(name, {"value": None, "weight": variants[0].weight})
        for gate in self.gates:
            parts.setdefault(gate.name, {"value": None, "weight": 1.0})
        return {"reward": None, "reward_parts": parts, "error": breakdown.error}

    def evaluate(self, record: Record) -> Breakdown:
        """Every step of the way to the number. Raises as `reward` does."""
        try:
            return self._evaluate(record)
        except MissingVerdict as error:
            line = self.verify or " ".join(self.verdicts_for(record))
            raise DataError(f"{error.reason}: run `swr1 verify {line}` first") from None

    def _parts_for(self, record: Record) -> list[tuple[str, tuple[Part, ...]]]:
        """The parts, each with the variants that the record's task leaves open."""
        task = record.get("task")
        if task not in self._by_task:
            self._by_task[task] = [
                (name, tuple(part for part in variants if part.when.live(record, ("task",))))
                for name, variants in self.parts.items()
            ]
        return self._by_task[task]

    def _evaluate(self, record: Record) -> Breakdown:
        if self.tasks and record.get("task") not in self.tasks:
            raise DataError(
                f"record {record.get('id')!r} has the task {record.get('task')!r}; the recipe"
                f" {self.name!r} is for {', '.join(self.tasks)}"
            )
        gates: list[GateResult] = []
        for gate in self.gates:
            if gate.kind != "total":
                continue
            fired = gate.when.holds(record)
            if fired is None:
                return Breakdown(None, [], gates, gate.when.unjudged(record))
            gates.append(GateResult(gate, fired, gate.level if fired else 0.0))
            if fired:
                # what weighs nothing is only written down, and for all records
                light = [
                    _part_result(name, variants, record)
                    for name, variants in self.parts.items()
                    if not any(part.weight for part in variants)
                ]
                return Breakdown(gate.level, light, gates)
        parts = [_part_result(name, variants, record) for name, variants in self._parts_for(record)]
        total, error = self._sum(parts, record)
        for gate in self.gates:
            if gate.kind == "total":
                continue
            fired = gate.when.holds(record)
            if fired is None:
                error = error or gate.when.unjudged(record)
                continue
            bounded = (min if gate.kind == "cap" else max)(total, gate.level) if fired else total
            gates.append(GateResult(gate, fired, bounded - total))
            total = bounded
        return Breakdown(None if error else total, parts, gates, error)

    def _sum(self, parts: list[PartResult], record: Record) -> tuple[float, str]:
        """Value times weight of all parts, and why one of them has no value. Raises DataError
        where none applies."""
        if not any(result.part is not None and result.part.weight for result in parts):
            raise DataError(
                f"record {record.get('id')!r}: no part of the recipe {self.name!r} applies to it"
                f" (task {record.get('task')!r})"
            )
        total, error = 0.0, ""
        for _, part, _, value, why in parts:
            if part is None:
                continue
            if value is not None:
                total += value * part.weight
            elif why and part.weight and part.null == "null":
                error = error or why
        return total, error


def _tests_of(
    holder: Holder, item: Record, facts: tuple[str, ...] = ("task", "info")
) -> list[Test]:
    cases = holder.when.live(item, facts)
    if cases and isinstance(holder, Part) and holder.flag is not None:
        cases = (*cases, *holder.flag.live(item, facts))
    return [test for case in cases for test in case]


def _part_result(name: str, variants: tuple[Part, ...], record: Record) -> PartResult:
    for part in variants:
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
            return PartResult(name, None)  # what counts nothing needs no verdict
        if value is None and isinstance(part.null, float):
            value = part.null
        return PartResult(name, part, raw, value, why)
    return PartResult(name, None)
