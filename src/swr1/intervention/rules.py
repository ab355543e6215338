"""Edits without a person: what is wrong by a rule is replaced, and the policy goes on from there.

    rule = open_rule("trace")                    # puzzles: the first wrong step by the right one
    rule = open_rule("edits", ["e.jsonl"])       # known edits, where prompts are similar
    rule = open_rule("rules.toml")               # texts by regular expressions
    rule(records)                                # for each a Fix, or why there is none

A file of rules:

    [[replace]]
    pattern = 'the key is under the (\\w+)'
    with = 'the key is with the \\1'
    why = "keys are not under things"

The match that stands first in the completion is replaced.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from swr1.errors import DataError, UsageError
from swr1.intervention.difference import Difference
from swr1.intervention.known import SIMILAR, KnownEdits, read_known
from swr1.intervention.steps import judged_steps, step_texts
from swr1.puzzles.item import puzzle_of
from swr1.puzzles.mending import right_step
from swr1.records import Record

LONGEST = 200_000  # characters of a completion that patterns are matched against


class Fix(NamedTuple):
    """An edit, why and by whom it is made, and the known edit that it was taken from.

    optional: where the policy cannot write it the record stays as it is; else that is bad data.
    """

    edit: Difference
    why: str
    who: str = "rule"
    taken: str = ""
    optional: bool = False

    @property
    def by(self) -> dict[str, str]:
        """What the record says of it."""
        return {"who": self.who, "why": self.why, "from": self.taken}


NOTHING = "nothing to edit"
Found = Fix | str | DataError  # an edit; why there is none; what is wrong with the record


class Rule(Protocol):
    """What finds edits. `together` of records at once, so that a judge is asked about all of them."""

    def __call__(self, records: Sequence[Record]) -> list[Found]: ...


class OneByOne:
    """A rule that looks at one record: an edit, None, or why there is none."""

    def __init__(self, find: Callable[[Record], Fix | str | None]) -> None:
        self.find = find

    def __call__(self, records: Sequence[Record]) -> list[Found]:
        return [self._found(record) for record in records]

    def _found(self, record: Record) -> Found:
        try:
            return self.find(record) or NOTHING
        except DataError as error:
            return error


def open_rule(name: str, known: Sequence[str] = (), similar: float = SIMILAR) -> Rule:
    """A rule that needs no judge. known, similar: of `edits`.

    Raises UsageError for what is no rule, DataError for a file of rules or a journal that is none.
    """
    if name == "trace":
        return OneByOne(mend_trace)
    if name == "edits":
        return OneByOne(_Known(known, similar))
    if name.endswith(".toml"):
        return OneByOne(_Replacing(Path(name)))
    raise UsageError(
        f"--batch is trace (for puzzles), judge, edits, or a file of rules (.toml), not {name!r}"
    )


def mend_trace(record: Record) -> Fix | None:
    """Replace the first wrong step of a puzzle's reasoning by what licensed reasoning says there.

    None where no step is wrong. Raises DataError for a record without a verdict on its steps, and
    where there is no right step.
    """
    spans, wrong, _ = judged_steps(record)
    if wrong is None:
        return None
    puzzle, text = puzzle_of(record), record["completion"]
    lines = step_texts(text, spans)
    right = right_step(puzzle, lines[:wrong], lines[wrong])
    if right is None:
        raise DataError(f"no right step is known in place of {lines[wrong][:80]!r}")
    return Fix(Difference(spans[wrong][0], lines[wrong], right), "trace")


class _Known:
    """The edits of journals: of those of similar prompts that fit, the first offer is taken."""

    def __init__(self, journals: Sequence[str], similar: float) -> None:
        if not journals:
            raise UsageError("--batch edits applies known edits: name their journal with --known")
        self._known, self._similar = KnownEdits(read_known(journals)), similar
        if not len(self._known):
            raise UsageError(f"no edit stands in {', '.join(journals)}")

    def __call__(self, record: Record) -> Fix | str:
        offers = self._known.offers(record, record["completion"], self._similar)
        if not offers:
            return "no similar prompt"
        first = offers[0]
        if first.place is None:
            return "similar, but no edit fits"
        return Fix(first.difference(), first.edit.get("why", ""), taken=first.name, optional=True)


class _Replacing:
    """The rules of a file."""

    def __init__(self, path: Path) -> None:
        try:
            rules = tomllib.loads(path.read_text())
        except FileNotFoundError:
            raise UsageError(f"no such file of rules: {path}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"no TOML: {error}", str(path)) from None
        given = rules.pop("replace", [])
        if rules or not isinstance(given, list) or not given:
            raise DataError("a file of rules has [[replace]] tables and nothing else", str(path))
        self._rules = [_rule(one, f"{path}: rule {n}") for n, one in enumerate(given, 1)]

    def __call__(self, record: Record) -> Fix | None:
        text = record["completion"][:LONGEST]
        found = []
        for pattern, new, why in self._rules:
            for match in pattern.finditer(text):
                put = match.expand(new)
                if put != match[0]:
                    found.append(
                        (match.start(), Fix(Difference(match.start(), match[0], put), why))
                    )
                    break
        return min(found, key=lambda fix: fix[0])[1] if found else None


def _rule(given: Any, place: str) -> tuple[re.Pattern[str], str, str]:
    known = {"pattern", "with", "why"}
    if not isinstance(given, dict) or not {"pattern", "with"} <= given.keys() <= known:
        raise DataError("a rule has `pattern`, `with` and perhaps `why`", place)
    if not all(isinstance(value, str) for value in given.values()):
        raise DataError("`pattern`, `with` and `why` are texts", place)
    try:
        pattern = re.compile(given["pattern"])
        pattern.sub(given["with"], "")  # reads it, whether anything matches or not
    except (re.error, IndexError) as error:
        raise DataError(f"no regular expression: {error}", place) from None
    return pattern, given["with"], given.get("why") or f"rule {place.rpartition(' ')[2]}"
