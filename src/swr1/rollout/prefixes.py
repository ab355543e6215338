"""What of an earlier completion is continued: a prefix of it, as a prompt of its own.

    for prefix in Prefixes.of("steps", "line")(record): ...

A prefix is an item: its id is of its own, and its samples are a group. `info.prefix` says of which
completion it is (`of`, `sample`), after how many steps (`step`, null for a prefix that is not of
steps) and how many characters of that one stay (`characters`). The completion stays in the record until it is continued.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.records import INSERTED, Record, make_id
from swr1.steps import StepRule

_NUMBER = re.compile("[0-9]{1,18}")
WHERE = "end, steps, wrong, or how many characters of it stay"


@dataclass(frozen=True)
class Prefixes:
    """The prefixes of a completion.

    Args:
        where: "end": all of it. "steps": after each step, and before the first. "wrong": before the
            first wrong step, by the verdict `steps` or `trace`. A number: so many characters.
        rule: what a step is.
    """

    where: str
    rule: StepRule

    @classmethod
    def of(cls, where: str, rule: str) -> Prefixes:
        """Raises UsageError for a place or a rule that is none."""
        if where not in ("end", "steps", "wrong") and not _NUMBER.fullmatch(where):
            raise UsageError(f"--continue {where}: it is {WHERE}")
        return cls(where, StepRule.of(rule))

    def __call__(self, record: Record) -> Iterator[Record]:
        """Raises DataError for a record without a completion, or without a verdict that says where."""
        text = record.get("completion")
        if not isinstance(text, str):
            raise DataError("it has no completion to continue")
        for step, characters in self._places(record, text):
            yield _item(record, step, characters)

    def _places(self, record: Record, text: str) -> Iterator[tuple[int | None, int]]:
        """(steps before it, characters)."""
        if self.where == "end":
            yield None, len(text)
        elif self.where.isdecimal():
            yield None, min(int(self.where), len(text))
        else:
            turns = (record.get("generation") or {}).get("turns") or ()
            foreign = [tuple(t["characters"]) for t in turns if t["kind"] in INSERTED]
            steps = self.rule.split(text, foreign)
            if self.where == "wrong":
                wrong = _first_wrong(record)
                if wrong is not None and wrong < len(steps):
                    yield wrong, steps[wrong].start
                return
            for step in steps:
                yield step.index, step.start
            if steps:
                yield len(steps), steps[-1].end


def _first_wrong(record: Record) -> int | None:
    verdicts = record.get("verdicts") or {}
    for name, key in (("steps", "first_wrong"), ("trace", "wrong_step")):
        if name in verdicts:
            return _place(name, verdicts[name].get("detail") or {}, key)
    raise DataError("no verdict says which step is wrong: `swr1 verify steps` adds it")


def _place(verdict: str, detail: Any, key: str) -> int | None:
    """Which step a verdict calls wrong. A verdict may be anybody's, so its detail may be anything."""
    found = detail.get(key) if isinstance(detail, dict) else detail
    if found is not None and (type(found) is not int or found < 0):
        raise DataError(
            f"the verdict {verdict!r} has no step's number as detail.{key}: `swr1 verify steps` writes it"
        )
    return found


def _item(record: Record, step: int | None, characters: int) -> Record:
    generation = record.get("generation") or {}
    prefix: dict[str, Any] = {
        "of": record["id"],
        "sample": record.get("sample", 0),
        "epoch": generation.get("epoch", 0),
        "step": step,
        "characters": characters,
    }
    name = make_id(record.get("task", ""), [record["prompt"], prefix], record.get("answer"))
    info = {**(record.get("info") or {}), "prefix": prefix}
    return record | {"id": name, "info": info, "sample": 0}
