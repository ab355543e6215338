"""`swr1 view` in a pipe: a table of records, records in full, the curves of a run, as plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

from rich.console import Console
from rich.text import Text

from swr1.errors import UsageError
from swr1.records import Record
from swr1.streams.metrics import MetricsReader
from swr1.viewing import console as make_console
from swr1.viewing import filters, put
from swr1.viewing.columns import FIRST, Columns
from swr1.viewing.curves import with_speed
from swr1.viewing.page import in_full
from swr1.viewing.run import Run, curves, find, heading
from swr1.viewing.source import Source, record_files
from swr1.viewing.tokens import Tokenizers


def print_view(
    what: str,
    condition: str,
    id_prefix: str | None,
    count: int | None,
    tokenizer: str | None,
    colouring: str,
) -> None:
    """Print a table of the records that meet `condition`, or `id_prefix`/`count` of them in full.

    For a run: its curves, and the names of its record files. Raises UsageError when nothing can be
    found, or no record meets what was asked.
    """
    console = make_console()
    test = filters.parse(condition)
    run = Run(Path(what), records=["-"]) if what == "-" else find(what)
    whole = id_prefix is not None or count is not None
    if run.policies and not whole:
        _print_run(run, console)
        return
    if not run.records:
        raise UsageError(f"{what} holds no record files")
    source = Source([file for name in run.records for file in record_files(name)])
    seen = _Seen(filters.keys_in(condition))
    records = _matching(source, test, id_prefix, seen)
    if not whole:
        _print_table(records, console)
        seen.check()
        return
    tokenizers = Tokenizers(tokenizer, near=[*run.path.absolute().parents, run.path])
    if not console.is_terminal:
        colouring = "none"
    printed = 0
    for record in islice(records, count):
        if printed:
            console.print("\n" + "─" * 40)
        width = console.width if console.is_terminal else None
        put(in_full(record, tokenizers.of(record), colouring, width), console)
        printed += 1
    if not printed:
        seen.check()
        raise UsageError(
            f"no record of {what} has the id {id_prefix!r}"
            if id_prefix
            else f"no record of {what} fits"
        )


class _Seen:
    """Which keys of a condition some record had, so that a typing error is not taken for no match."""

    def __init__(self, keys: list[str]) -> None:
        self.missing = keys
        self.count = 0
        self.first: list[Record] = []

    def note(self, record: Record) -> None:
        self.count += 1
        if len(self.first) < FIRST:
            self.first.append(record)
        if self.missing:
            self.missing = [key for key in self.missing if not filters.has(record, key)]

    def check(self) -> None:
        """Raises UsageError for a key that no record had."""
        of = f"any of the {self.count:,} records"
        if why := filters.unknown(self.missing, self.first, of):
            raise UsageError(why)


def _matching(
    source: Source, test: Callable[[Record], bool], id_prefix: str | None, seen: _Seen
) -> Iterator[Record]:
    for _, record in source.walk():
        seen.note(record)
        if test(record) and (id_prefix is None or str(record.get("id", "")).startswith(id_prefix)):
            yield record


def _print_table(records: Iterator[Record], console: Console) -> None:
    first = list(islice(records, FIRST))
    if not first:
        return
    width = console.width if console.is_terminal else None
    columns = Columns(first)
    rows = chain([columns.head(width)], (columns.row(r, width) for r in chain(first, records)))
    for row in rows:
        if console.is_terminal:
            console.print(row)
        else:
            print(row.plain)  # rich takes as long for a line as reading the record does


def _print_run(run: Run, console: Console) -> None:
    width = console.width if console.is_terminal else 100
    for policy in run.policies:
        reader = MetricsReader(policy / "metrics.jsonl")
        reader.poll()
        rows = with_speed(reader.rows())
        console.print(heading(policy, reader, rows))
        for line in curves(rows, width):
            console.print(Text("  ") + line)
    if run.records:
        console.print("records: " + ", ".join(run.records), markup=False)
