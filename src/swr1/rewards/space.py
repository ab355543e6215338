"""All kinds of records that a recipe distinguishes, as records to evaluate.

Totals are piecewise linear in the scores, so it is enough to look where something changes: at each
label, at each number a condition compares with (and just beside it), at the ends of each clip and
of each verdict's range. Verdicts that no condition asks about only add to the sum: of those the
best and the worst are enough.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from swr1.records import Record
from swr1.rewards.conditions import Test, fact, show
from swr1.rewards.parts import REST, Part
from swr1.rewards.recipe import Recipe
from swr1.verifiers.declared import OTHER

State = dict[str, Any]  # a verdict as far as a recipe reads it: label, score, confidence


def items(recipe: Recipe) -> Iterator[Record]:
    """One record without verdicts for each task and each choice of `info` that matters there."""
    tests = [test for c in recipe.conditions() for test in c.tests()]
    named = [v for t in tests if t.path[0] == "task" for v in t.expected]
    for task in recipe.tasks or (*dict.fromkeys(named), OTHER):
        bare: Record = {"id": "example", "task": task}
        info_tests = [t for t in recipe.live_tests(bare, ("task",)) if t.path[0] == "info"]
        fields = dict.fromkeys(t.path for t in info_tests)
        choices = [list(_values(t for t in info_tests if t.path == f)) for f in fields]
        for chosen in itertools.product(*choices):
            record: Record = {"id": "example", "task": task}
            for path, value in zip(fields, chosen, strict=True):
                _put(record, path, value)
            yield record


def states(recipe: Recipe, item: Record, verdict: str) -> list[State]:
    """What this verdict may say of such an item, as far as the recipe distinguishes it."""
    tests = [t for t in recipe.live_tests(item) if t.verdict == verdict]
    parts = [p for p in recipe.live_parts(item) if p.verdict == verdict]
    named = {v for t in tests if t.path[1] == "label" for v in t.expected}
    named |= {label for p in parts for label in p.map if label != REST}
    vocabulary = recipe.known[verdict]
    labels = vocabulary.states(named) or [(OTHER, vocabulary.score)]
    judged = []
    for label, bounds in labels:
        scores = _points(tests, parts, "score", bounds)
        sure = _points(tests, parts, "confidence", vocabulary.bounds("confidence"))
        judged += [
            {"label": label, "score": score, "confidence": confidence}
            for score in scores
            for confidence in sure
        ]
    tolerant = any(p.null != "null" for p in parts)
    return [*judged, {"label": None, "score": None, "confidence": None}] if tolerant else judged


def points(recipe: Recipe, item: Record) -> Iterator[Record]:
    """Records with verdicts: every combination that matters for such an item."""
    names = recipe.verdicts_for(item)
    tested = {t.verdict for t in recipe.live_tests(item)}
    choices = {name: states(recipe, item, name) for name in names}
    bound = [name for name in names if name in tested]
    free = [name for name in names if name not in tested]
    known: dict[tuple, list[dict[str, State]]] = {}
    for chosen in itertools.product(*(choices[name] for name in bound)):
        record = {**item, "verdicts": dict(zip(bound, chosen, strict=True))}
        # which variant each part takes depends on the bound verdicts alone
        taken = [_taken(variants, record) for variants in recipe.parts.values()]
        key = tuple(map(id, taken))
        if key not in known:
            known[key] = _ends(item, [part for part in taken if part], choices, free)
        for end in known[key]:
            yield {**record, "verdicts": {**record["verdicts"], **end}}


def _taken(variants: tuple[Part, ...], record: Record) -> Part | None:
    """The variant that a part takes; None where none applies, or that is unknown (then `null` says
    what it is worth, whatever its own verdict)."""
    for part in variants:
        held = part.when.holds(record)
        if held is not False:
            return part if held else None
    return None


def _ends(
    item: Record, parts: list[Part], choices: dict[str, list[State]], free: list[str]
) -> list[dict[str, State]]:
    """The states of the free verdicts in which these parts are worth least, and most."""
    if not free:
        return [{}]
    least: dict[str, State] = {}
    most: dict[str, State] = {}
    for name in free:
        reading = [part for part in parts if part.verdict == name]
        strict = any(part.null == "null" and part.weight for part in reading)
        # not judged where that gives no reward at all: nothing to compare
        worths = [
            (_worth(item, reading, name, state), state)
            for state in choices[name]
            if state["score"] is not None or not strict
        ]
        least[name] = min(worths, key=itemgetter(0))[1]
        most[name] = max(worths, key=itemgetter(0))[1]
    return [least, most]


def size(recipe: Recipe, item: Record) -> int:
    """How many records `points` gives, about."""
    tested = {t.verdict for t in recipe.live_tests(item)}
    counts = [len(states(recipe, item, n)) for n in recipe.verdicts_for(item) if n in tested]
    return 2 * math.prod(counts)


def describe(recipe: Recipe, record: Record) -> str:
    """What the recipe went by in a record: "task math, math.label wrong"."""
    words = [] if record.get("task") in (None, OTHER) else [f"task {record['task']}"]
    tests = recipe.live_tests(record, ("task",))
    for path in dict.fromkeys(t.path for t in tests if t.path[0] == "info"):
        words.append(f"{'.'.join(path)} {show(fact(record, path))}")
    read = [t.path for t in recipe.live_tests(record) if t.verdict]
    for part in recipe.live_parts(record):
        if part.verdict and part.when.holds(record):
            read.append((part.verdict, part.which))
    words += [
        f"{name}.{which} {verdict_text(record['verdicts'][name], which)}"
        for name, which in dict.fromkeys(read)
    ]
    return ", ".join(words)


def verdict_text(verdict: State, which: str) -> str:
    """A verdict's label or number, for people."""
    value = None if verdict.get("score") is None else verdict.get(which)
    if value is None:
        return "not judged"
    if isinstance(value, str):
        return value
    rounded = float(f"{value:.4g}")
    near = abs(rounded - value) < 1e-12 and rounded != value
    side = ("just below " if value < rounded else "just above ") if near else ""
    return f"{side}{value:.4g}"


def _values(tests: Iterable[Test]) -> Iterator[Any]:
    """Every kind of value that tests of one field of `info` distinguish; None: absent."""
    seen: list[Any] = [None]
    for test in tests:
        if test.op in ("at-least", "below"):
            seen += [test.expected, _beside(test.expected, -1), _beside(test.expected, 1)]
        else:
            seen += test.expected
            if any(type(v) is bool for v in test.expected):
                seen += [True, False]
            else:
                seen.append(OTHER)
    distinct: list[Any] = []
    for value in seen:
        if not any(value == k and type(value) is type(k) for k in distinct):
            distinct.append(value)
            yield value


def _points(
    tests: list[Test], parts: list[Part], which: str, bounds: tuple[float, float]
) -> list[float]:
    low, high = bounds
    compared = [
        float(w)
        for t in tests
        if t.path[1] == which
        for w in (t.expected if t.op in ("in", "not") else [t.expected])
    ]
    read = [p for p in parts if p.which == which]
    bends = [p.mean + p.scale * end for p in read for end in (p.low, p.high) if math.isfinite(end)]
    if not compared and not read:
        return [min(max(0.0, low), high)]  # nobody looks
    cuts = [*bends, *(c for cut in compared for c in (cut, _beside(cut, -1), _beside(cut, 1)))]
    # beyond the last bend nothing changes any more
    low = min(cuts) - 1 if low == -math.inf else low
    high = max(cuts) + 1 if high == math.inf else high
    return sorted({low, high, *(c for c in cuts if low < c < high)})


def _beside(x: float, direction: int) -> float:
    return math.nextafter(x, direction * math.inf)


def _worth(item: Record, parts: list[Part], verdict: str, state: State) -> float:
    record = {**item, "verdicts": {verdict: state}}
    total = 0.0
    for part in parts:
        value = part.look(record)[1]
        if value is None and isinstance(part.null, float):
            value = part.null
        total += part.weight * (value or 0.0)
    return total


def _put(record: Record, path: tuple[str, ...], value: Any) -> None:
    if value is None:
        return
    holder = record
    for key in path[:-1]:
        holder = holder.setdefault(key, {})
    holder[path[-1]] = value
