"""Edits by a rule for all records of a stage: what a rule changes, the policy goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from swr1.errors import DataError
from swr1.intervention.continuing import Continuation, Work, Writer
from swr1.intervention.history import STALE, State
from swr1.intervention.journal import Journal, entry
from swr1.intervention.rules import Fix, Rule
from swr1.records import Record, key
from swr1.streams import Stage


class _Dropped:
    """In place of an edit: the record was dropped."""


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
        fixes = [_fix(stage, rule, record) for record in block]
        work = [
            Work(State(record), fix.edit, {"who": "rule", "why": fix.why})
            for record, fix in zip(block, fixes, strict=True)
            if isinstance(fix, Fix)
        ]
        owed = any(key(record) not in stage for record in block if record is not None)
        replies = iter(writer.go_on(work) if work and owed else [None] * len(work))
        for record, fix in zip(block, fixes, strict=True):
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


def _fix(stage: Stage, rule: Rule, record: Any) -> Fix | _Dropped | None:
    """The edit; None for none."""
    if record is None:
        return _Dropped()
    try:
        fix = rule(record)
    except DataError as error:
        stage.drop(error.reason, record.location, record)
        return _Dropped()
    stage.tally("edits", "edited" if fix else "nothing to edit")
    return fix


def _write(
    stage: Stage,
    record: Any,
    fix: Fix | _Dropped | None,
    made: Continuation | DataError | None,
    journal: Journal | None,
) -> None:
    if isinstance(fix, _Dropped) or isinstance(made, DataError):
        if isinstance(made, DataError):
            stage.drop(made.reason, record.location, record)
        stage.end_input(0)
        return
    if key(record) not in stage:
        if fix and made:
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
    with journal.locked():
        noted = journal.append(entry("edit", record, before, "rule", **facts))
        more = {"edit": noted["edit"]} | made._asdict()
        journal.append(entry("continued", record, edit.edited(before), "rule", **more))
