"""`swr1 view` in a pipe: a table of records, records in full, the curves of a run, as plain text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.text import Text

from swr1 import terminal
from swr1.errors import UsageError
from swr1.records import Record, item_of, key
from swr1.streams.files import refuse_clashes, write_atomically
from swr1.streams.metrics import MetricsReader
from swr1.terminal import put
from swr1.viewing import console as make_console
from swr1.viewing import filters
from swr1.viewing.columns import FIRST, Columns
from swr1.viewing.curves import with_speed
from swr1.viewing.page import in_full, side_by_side
from swr1.viewing.run import Run, curves, find, heading
from swr1.viewing.source import BROKEN, Source, record_files
from swr1.viewing.tokens import Tokenizers

HTML_WIDTH = 120  # characters of a page's lines
WIDTH = 160  # of records side by side in a pipe


@dataclass
class Asked:
    """What `swr1 view` was asked to print.

    Attributes:
        condition: which records (filters.py).
        id_prefix, count: which of these in full, None for a table.
        beside: other files, whose records of the same prompt and sample stand beside those printed.
        html: the page to write instead of printing.
    """

    condition: str = ""
    id_prefix: str | None = None
    count: int | None = None
    tokenizer: str | None = None
    colouring: str = "none"
    beside: Sequence[str] = ()
    html: Path | None = None


def print_view(what: str, asked: Asked) -> None:
    """Print a table of the records that meet the condition, or some of them in full.

    For a run: its curves, and the names of its record files. Raises UsageError when nothing can be
    found, or no record meets what was asked.
    """
    console = make_console()
    test = filters.parse(asked.condition)
    run = Run(Path(what), records=["-"]) if what == "-" else find(what)
    whole = asked.id_prefix is not None or asked.count is not None or bool(asked.beside)
    if run.policies and not whole:
        _print_run(run, console)
        return
    if not run.records:
        raise UsageError(f"{what} holds no record files")
    source = Source([file for name in run.records for file in record_files(name)])
    seen = _Seen(filters.keys_in(asked.condition))
    records = _matching(source, test, asked.id_prefix, seen)
    if not whole and asked.html is None:
        _print_table(records, console)
        seen.check()
        return
    if asked.html:
        refuse_clashes({"--html": asked.html}, [what, *asked.beside])
        console = terminal.console(
            record=True, width=HTML_WIDTH, file=io.StringIO(), force_terminal=True,
            color_system="truecolor", highlight=False,
        )  # fmt: skip
    printed = 0
    for page in islice(_pages(what, run, records, asked, console), asked.count):
        if printed:
            console.print("\n" + "─" * 40)
        put(page, console)
        printed += 1
    if not printed:
        seen.check()
        name = f"has the id {asked.id_prefix!r}" if asked.id_prefix else "fits"
        raise UsageError(f"no record of {what} {name}")
    if asked.html:
        html = console.export_html().encode()
        write_atomically(asked.html, lambda file: file.write(html))
        terminal.say("swr1 view", f"wrote {asked.html}: {printed:,} records")


def _pages(
    what: str, run: Run, records: Iterator[Record], asked: Asked, console: Console
) -> Iterator[RenderableType]:
    """The records as pages, each alone or beside those of other files."""
    tokenizers = Tokenizers(asked.tokenizer, near=[*run.path.absolute().parents, run.path])
    colouring = asked.colouring if console.is_terminal else "none"
    width = console.width if console.is_terminal else None
    others = [(name, Source(record_files(name))) for name in asked.beside]
    places = [{_place(record): at for at, record in source.walk()} for _, source in others]
    for record in records:
        if not others:
            yield in_full(record, tokenizers.of(record), colouring, width)
            continue
        named: list[tuple[str, Record | None]] = [(what, record)]
        for (name, source), place in zip(others, places, strict=True):
            at = place.get(_place(record))
            named.append((name, None if at is None else source[at]))
        page = side_by_side(named, tokenizers, colouring)
        yield page if console.is_terminal else Constrain(page, WIDTH)


def _place(record: Record) -> tuple[str, int, int]:
    """What two runs' records of one prompt share: item, epoch and sample."""
    name, epoch, sample = key({"id": "", **record}) if BROKEN not in record else ("", 0, 0)
    return item_of(name), epoch, sample


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
