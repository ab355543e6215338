"""What a recipe is made of: parts, gates, outcomes, and the rules of their order."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.records import Record
from swr1.rewards.conditions import Condition, MissingVerdict, reason, verdict_of

REST = "other"  # in a map: every label that it does not name


@dataclass(frozen=True, eq=False)
class Part:
    """One variant of a part: its value is a verdict's field, a condition, or fixed.

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
    """What happens when a condition holds: the total is `level` (kind "total"), or at most `level`
    ("cap"), or at least `level` ("floor"). Where the condition is unknown there is no reward."""

    name: str
    kind: str
    level: float
    when: Condition

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
