"""Does a recipe give what it promises? Its order of outcomes, against its own numbers.

Every kind of record that the recipe distinguishes is evaluated, by the same code that rewards
real ones. So an outcome has a lowest and a highest total, each with the record that gets it, and an
order is contradicted exactly when some record of the lower outcome gets as much as some record of
the higher one.
"""

from collections.abc import Iterator
from typing import NamedTuple

from swr1.errors import DataError, UsageError
from swr1.records import Record
from swr1.rewards.conditions import MissingVerdict
from swr1.rewards.parts import Part, Rule
from swr1.rewards.recipe import Breakdown, Recipe
from swr1.rewards.space import describe, items, points, size

AT_MOST = 100_000  # combinations for one kind of item
_EQUAL = 1e-9


class Range(NamedTuple):
    """The lowest and the highest total of an outcome, and records that get them."""

    low: float
    poorest: Record
    high: float
    richest: Record


def outcome_of(recipe: Recipe, record: Record, breakdown: Breakdown) -> list[str]:
    """The names of the outcomes that a record is: one or none, in a sound recipe.

    Where a gate ended the evaluation, only outcomes that ask for `gate` are meant.
    """
    ended = breakdown.ended_by()
    gates = (ended.name,) if ended else ()
    names = []
    for name, outcome in recipe.outcomes.items():
        asks = any(test.path[0] == "gate" for test in outcome.when.tests())
        if asks != bool(ended):
            continue
        try:
            if outcome.when.holds(record, gates):
                names.append(name)
        except MissingVerdict:
            continue  # hangs on a verdict that no part needed
    return names


def check(recipe: Recipe) -> list[str]:
    """What contradicts the recipe's order: one message for each pair of outcomes.

    Raises UsageError for a recipe that cannot be meant: an order that goes round in a circle,
    outcomes that overlap or that nothing reaches, parts and gates that never count.
    """
    _no_circle(recipe)
    ranges = survey(recipe)
    return list(_contradictions(recipe, ranges))


def survey(recipe: Recipe) -> dict[str, Range]:
    """The range of every outcome. Raises UsageError as `check`."""
    bad = recipe.source.bad
    ranges: dict[str, Range] = {}
    used: set[Part] = set()
    counted: set[str] = set()
    fired: set[str] = set()
    for item in items(recipe):
        if (count := size(recipe, item)) > AT_MOST:
            raise bad(
                f"{count:,} combinations of verdicts to look at for task {item['task']}: too many;"
                " ask for fewer numbers and labels in conditions"
            )
        for record in points(recipe, item):
            try:
                breakdown = recipe.evaluate(record)
            except DataError:
                continue  # no part applies: such a record is refused
            bound = any(g.fired and g.change for g in breakdown.gates)
            fired |= {g.gate.name for g in breakdown.gates if g.fired}
            for result in breakdown.parts:
                if result.part is not None:
                    used.add(result.part)
                    if not bound:
                        counted.add(result.name)
            if breakdown.total is None:
                continue
            names = outcome_of(recipe, record, breakdown)
            if len(names) > 1:
                first, second = names[:2]
                raise bad(
                    f"the outcomes {first!r} and {second!r} overlap: both are"
                    f" {describe(recipe, record)}",
                    "outcome",
                    second,
                )
            for name in names:
                ranges[name] = _widen(ranges.get(name), breakdown.total, record)
    for name, variants in recipe.parts.items():
        for nth, part in enumerate(variants):
            if part not in used:
                raise bad(f"part {name!r}: no record comes to it", "part", name, "when", nth)
        if name not in counted and any(part.weight for part in variants):
            raise bad(
                f"part {name!r}: its weight never counts: wherever it applies, a gate sets the"
                " total",
                "part",
                name,
                "weight",
            )
    for gate in recipe.gates:
        if gate.name not in fired:
            raise bad(f"gate {gate.name!r}: nothing makes it fire", "gate", gate.name, "when")
    for name in recipe.outcomes:
        if name not in ranges:
            raise bad(
                f"outcome {name!r}: nothing reaches it. Its condition contradicts itself, or a gate"
                " ends the evaluation before (then ask for `gate`)",
                "outcome",
                name,
                "when",
            )
    return ranges


def _widen(old: Range | None, total: float, record: Record) -> Range:
    if old is None:
        return Range(total, record, total, record)
    if total < old.low:
        old = old._replace(low=total, poorest=record)
    if total > old.high:
        old = old._replace(high=total, richest=record)
    return old


def _contradictions(recipe: Recipe, ranges: dict[str, Range]) -> Iterator[str]:
    for rule in recipe.rules:
        above, below = ranges[rule.above], ranges[rule.below]
        gap = above.low - below.high
        if gap > _EQUAL or (not rule.strict and gap >= -_EQUAL):
            continue
        relation = "more than" if rule.strict else "at least as much as"
        yield (
            f"{recipe.source.place_of(rule.words)}: {rule.above!r} must get {relation}"
            f" {rule.below!r}, but the numbers say otherwise:\n"
            f"  {rule.above!r} gets as little as {above.low:g}: {describe(recipe, above.poorest)}\n"
            f"  {rule.below!r} gets as much as {below.high:g}: {describe(recipe, below.richest)}"
        )


def _no_circle(recipe: Recipe) -> None:
    lower: dict[str, list[Rule]] = {}
    for rule in recipe.rules:
        lower.setdefault(rule.above, []).append(rule)
    for start in recipe.rules:
        if not start.strict:
            continue
        # a way back from what is below to what is above it
        paths: list[tuple[str, tuple[Rule, ...]]] = [(start.below, (start,))]
        seen = {start.below}
        while paths:
            at, path = paths.pop()
            if at == start.above:
                names = " > ".join([start.above, *(rule.below for rule in path)])
                raise UsageError(
                    f"{recipe.source.place_of(path[-1].words)}: the order goes round in a circle:"
                    f" {names}"
                )
            for rule in lower.get(at, ()):
                if rule.below not in seen:
                    seen.add(rule.below)
                    paths.append((rule.below, (*path, rule)))
