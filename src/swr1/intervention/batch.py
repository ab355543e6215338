"""Edits by a rule for all records of a stage: what a rule changes, the policy goes on from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from swr1.errors import DataError
from swr1.intervention.continuing import Continuation, Work, Writer
from swr1.intervention.history import STALE, State
from swr1.intervention.journal import Journal, entry
from swr1.intervention.rules import Fix, Found, Rule
from swr1.records import Record, key
from swr1.streams import Stage

CANNOT = "the policy cannot write the edit"
TOLD = 3  # reasons that are shown


def run_batch(
    stage: Stage, rule: Rule, writer: Writer, *, together: int, journal: Journal | None = None
) -> None:
    """Edit the records that `stage` reads and write all of them; those without an edit as they are.

    Args:
        together: records that are worked on at once, always the same ones.
        journal: gets every edit, too, before its record is written.

    A record that the rule cannot judge, or whose edit the tokenizer cannot write, is dropped by the
    stage's policy.
    """
    for block in _blocks(stage, together):
        owed = any(key(record) not in stage for record in block if record is not None)
        found = _found(rule, block)
        work = [
            Work(State(record), fix.edit, fix.by)
            for record, fix in zip(block, found, strict=True)
            if isinstance(fix, Fix)
        ]
        replies = iter(writer.go_on(work) if work and owed else [None] * len(work))
        for record, fix in zip(block, found, strict=True):
            made = next(replies) if isinstance(fix, Fix) else None
            _write(stage, record, fix, made, journal)


def _blocks(stage: Stage, together: int) -> Iterator[list[Any]]:
    block: list[Any] = []
    for record in stage.read(("id", "prompt", "completion")):
        block.append(record)
        if len(block) == together:
            yield block
            block = []
    if block:
        yield block


def _found(rule: Rule, block: Sequence[Any]) -> list[Found | None]:
    """What the rule says of each record; None for one that was dropped already."""
    found = iter(rule([record for record in block if record is not None]))
    return [None if record is None else next(found) for record in block]


def _write(
    stage: Stage,
    record: Any,
    fix: Found | None,
    made: Continuation | DataError | str | None,
    journal: Journal | None,
) -> None:
    if isinstance(fix, Fix) and fix.optional and isinstance(made, DataError):
        if stage.tallies["edits"][CANNOT] < TOLD:
            stage.say(f"{CANNOT}: {made.reason}")
        fix = made = CANNOT
    fault = next((one for one in (fix, made) if isinstance(one, DataError)), None)
    if record is None or fault:
        if fault:
            stage.drop(fault.reason, record.location, record)
        stage.end_input(0)
        return
    stage.tally("edits", "edited" if isinstance(fix, Fix) else str(fix))
    if key(record) not in stage:
        if isinstance(fix, Fix) and isinstance(made, Continuation):
            if journal:
                _note(journal, record, fix, made)
            record = _edited(record, made)
        stage.write(record)
    stage.end_input(1)


def _edited(record: Record, made: Continuation) -> Record:
    item = {n: v for n, v in record.items() if n not in STALE}
    sample = {"sample": record.get("sample", 0)}
    return item | sample | {"completion": made.text, "generation": made.generation}


def _note(journal: Journal, record: Record, fix: Fix, made: Continuation) -> None:
    edit, before = fix.edit, record["completion"]
    facts = {"at": edit.at, "old": edit.old, "new": edit.new, "why": fix.why}
    facts |= {"from": fix.taken} if fix.taken else {}
    with journal.locked():
        noted = journal.append(entry("edit", record, before, fix.who, **facts))
        more = {"edit": noted["edit"]} | made._asdict()
        journal.append(entry("continued", record, edit.edited(before), fix.who, **more))
