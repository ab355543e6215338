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
from swr1.viewing.curves import with_speed
from swr1.viewing.page import Columns, in_full
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
    records = _matching(source, test, id_prefix)
    if not whole:
        _print_table(records, console)
        return
    tokenizers = Tokenizers(tokenizer, near=[*run.path.absolute().parents, run.path])
    if not console.is_terminal:
        colouring = "none"
    printed = 0
    for record in islice(records, count):
        if printed:
            console.print("\n" + "─" * 40)
        put(in_full(record, tokenizers.of(record), colouring), console)
        printed += 1
    if not printed:
        raise UsageError(
            f"no record of {what} has the id {id_prefix!r}"
            if id_prefix
            else f"no record of {what} fits"
        )


def _matching(
    source: Source, test: Callable[[Record], bool], id_prefix: str | None
) -> Iterator[Record]:
    for _, record in source.walk():
        if test(record) and (id_prefix is None or str(record.get("id", "")).startswith(id_prefix)):
            yield record


def _print_table(records: Iterator[Record], console: Console) -> None:
    first = list(islice(records, 64))
    if not first:
        return
    columns = Columns(first)
    width = console.width if console.is_terminal else None
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
