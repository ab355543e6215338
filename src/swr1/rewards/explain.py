"""How one record got its number, for people: gates, parts, weights, total, and what was near.

    print(explain(recipe, record))

"Nearest above" is the fewest verdicts that would have to be others for the record to be another
outcome with a higher total; among those, the lowest total. What the item is stays as it is.
"""

import itertools
import textwrap
from typing import NamedTuple

from swr1.errors import DataError
from swr1.records import Record
from swr1.rewards.conditions import fact, show
from swr1.rewards.ordering import outcome_of, survey
from swr1.rewards.parts import Part
from swr1.rewards.recipe import Breakdown, GateResult, PartResult, Recipe
from swr1.rewards.space import states, verdict_text

WIDTH = 80
_AT_MOST = 3  # verdicts changed at once


class Step(NamedTuple):
    """What would have made a record a better outcome."""

    outcome: str
    total: float
    changes: tuple[str, ...]


def explain(recipe: Recipe, record: Record) -> str:
    """The breakdown of a record as lines of at most 80 columns. Raises DataError as `reward`."""
    breakdown = recipe.evaluate(record)
    lines = [_head(recipe, record), ""]
    for result in breakdown.gates:
        if result.gate.kind == "total":
            lines += _wrapped(f"gate {result.gate.name}: {_gate(result, record)}")
    if breakdown.ended_by():
        lines.append("parts: none counts")
    else:
        lines += _parts(breakdown.parts, record)
    for result in breakdown.gates:
        if result.gate.kind != "total":
            lines += _wrapped(f"gate {result.gate.name}: {_gate(result, record)}")
            if result.change:
                lines.append(_sum("", result.change))
    if breakdown.total is None:
        lines += ["", *_wrapped(f"no reward, since a verdict could not judge: {breakdown.error}")]
        return "\n".join(lines)
    lines += [_sum("total", breakdown.total), ""]
    return "\n".join([*lines, *_outcome(recipe, record, breakdown)])


def outcomes(recipe: Recipe) -> str:
    """The lowest and highest total of each outcome as lines, the best first."""
    ranges = sorted(survey(recipe).items(), key=lambda item: (-item[1].high, -item[1].low))
    width = max((len(name) for name, _ in ranges), default=0)
    lines = [f"{'outcome':{width}}  {'from':>8}  {'to':>8}"]
    lines += [f"{name:{width}}  {r.low:>8.4g}  {r.high:>8.4g}" for name, r in ranges]
    return "\n".join(lines)


def nearest_above(recipe: Recipe, record: Record, breakdown: Breakdown) -> Step | None:
    """The outcome that took the fewest other verdicts, and which; None where nothing is above."""
    now = outcome_of(recipe, record, breakdown)
    names = [n for n in recipe.verdicts_for(record) if n in (record.get("verdicts") or {})]
    choices = {name: states(recipe, record, name) for name in names}
    for count in range(1, _AT_MOST + 1):
        steps: list[Step] = []
        for changed in itertools.combinations(names, count):
            for chosen in itertools.product(*(choices[name] for name in changed)):
                new = dict(zip(changed, chosen, strict=True))
                other = {**record, "verdicts": {**record["verdicts"], **new}}
                try:
                    total = (result := recipe.evaluate(other)).total
                except DataError:
                    continue
                if total is None or total <= (breakdown.total or 0.0):
                    continue
                outcomes = outcome_of(recipe, other, result)
                if outcomes and outcomes != now:
                    steps.append(Step(outcomes[0], total, _changes(recipe, record, new)))
        if steps:
            return min(steps, key=lambda step: step.total)
    return None


def _changes(recipe: Recipe, record: Record, new: dict[str, dict]) -> tuple[str, ...]:
    changes = []
    for name, state in new.items():
        for which in recipe.fields_read(record, name):
            before, after = (
                verdict_text(record["verdicts"][name], which),
                verdict_text(state, which),
            )
            if before != after:
                changes.append(f"{name}.{which} {after} (it is {before})")
    return tuple(changes)


def _head(recipe: Recipe, record: Record) -> str:
    words = [f"id {record.get('id')}"]
    if "sample" in record:
        words.append(f"sample {record['sample']}")
    words.append(f"task {record.get('task')}")
    tests = recipe.live_tests(record, ("task",))
    for path in dict.fromkeys(t.path for t in tests if t.path[0] == "info"):
        words.append(f"{'.'.join(path)} {show(fact(record, path))}")
    return "\n".join([f"recipe {recipe.name}", *_wrapped(", ".join(words))])


def _gate(result: GateResult, record: Record) -> str:
    gate = result.gate
    if not gate.when.live(record):
        return "not for such a record"
    if not result.fired:
        return f"passed; it would have fired with {gate.when}"
    bound = {
        "total": f"the total is {gate.level:g}",
        "cap": f"at most {gate.level:g}",
        "floor": f"at least {gate.level:g}",
    }[gate.kind]
    return f"FIRED, {bound}: {gate.when}"


def _parts(results: list[PartResult], record: Record) -> list[str]:
    rows = [("part", "verdict", "value", "weight", "adds")]
    left: list[str] = []
    total = 0.0
    for result in results:
        if result.part is None:
            left.append(result.name)
            continue
        weight = result.part.weight
        adds = None if result.value is None else result.value * weight
        total += adds or 0.0
        rows.append(
            (
                result.name,
                _source(result, result.part),
                "null" if result.value is None else f"{result.value:.4g}",
                f"{weight:.4g}",
                "-" if adds is None else f"{adds:+.4f}",
            )
        )
    names = min(max(len(row[0]) for row in rows), 24)
    middle = WIDTH - names - 8 - 8 - 10 - 2 * 4
    shown = [
        f"{a[:names]:{names}}  {b[:middle]:{middle}}  {c:>8}  {d:>8}  {e:>10}"
        for a, b, c, d, e in rows
    ]
    if left:
        shown += _wrapped(f"does not apply: {', '.join(left)}")
    return [*shown, _sum("sum", total)]


def _source(result: PartResult, part: Part) -> str:
    if result.why:
        return f"not judged ({result.why})"
    if part.fixed is not None:
        return f"fixed, for {part.when}"
    if part.flag is not None:
        return f"flag {show(result.raw)}"
    return f"{part.verdict}.{part.which} {verdict_text({'score': 0, part.which: result.raw}, part.which)}"


def _sum(name: str, value: float) -> str:
    return f"{name:>{WIDTH - 12}}  {value:>+10.4f}"


def _outcome(recipe: Recipe, record: Record, breakdown: Breakdown) -> list[str]:
    if not recipe.outcomes:
        return []
    ranges = survey(recipe)

    def shown(name: str) -> str:
        low, high = ranges[name].low, ranges[name].high
        return f"{name} ({low:.4g})" if low == high else f"{name} ({low:.4g} to {high:.4g})"

    names = outcome_of(recipe, record, breakdown)
    lines = _wrapped(f"outcome: {shown(names[0]) if names else 'none that the recipe names'}")
    step = nearest_above(recipe, record, breakdown)
    if step is None:
        return [*lines, "nearest above: none within reach of its verdicts"]
    changes = "; ".join(step.changes) or "other verdicts"
    return [
        *lines,
        *_wrapped(f"nearest above: {shown(step.outcome)}, total {step.total:.4g}, with {changes}"),
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
