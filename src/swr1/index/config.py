"""What an index is made with: the options of `swr1 index`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.options import option
from swr1.registry import parse_options
from swr1.rows import listed

BACKENDS = ("tantivy", "sqlite")


@dataclass(frozen=True)
class Columns:
    """The columns of a row that make its passage.

    `contents` is read where a row has no `text`: Search-R1's corpora have title and text in it, with
    a line break between them.
    """

    id: str = "id"
    title: str = "title"
    text: str = "text"
    contents: str = "contents"

    def pick(self, row: Any) -> tuple[str, str, str]:
        """(id or "", title or "", text) of a row. Raises DataError for a row without a text."""
        if not isinstance(row, dict):
            raise DataError(f"no row: {str(row)[:60]!r} is no object with columns")
        title, text = row.get(self.title), row.get(self.text)
        if text is None and isinstance(contents := row.get(self.contents), str):
            first, line_break, rest = contents.partition("\n")
            title, text = (first.strip().strip('"'), rest) if line_break else (title, contents)
        if text is None:
            raise DataError(
                f"no text: its columns are {listed(row)}, and neither {self.text!r} nor"
                f" {self.contents!r} is there; name the column with --set text=COLUMN"
            )
        name = row.get(self.id)
        for what, value in {self.text: text, self.title: title}.items():
            if not isinstance(value, str | None):
                raise DataError(f"no text: column {what!r} holds {str(value)[:60]!r}")
        if not isinstance(name, str | int | None) or isinstance(name, bool):
            raise DataError(f"no id: column {self.id!r} holds {str(name)[:60]!r}")
        if not text.strip():
            raise DataError("no text: it is empty")
        return "" if name is None else str(name), title or "", text


def parse_columns(pairs: Sequence[str]) -> Columns:
    """["text=body"] as Columns. Raises UsageError for another name."""

    def row(
        *, id: str = "id", title: str = "title", text: str = "text", contents: str = "contents"
    ) -> None: ...

    assert list(inspect.signature(row).parameters) == list(Columns.__dataclass_fields__)
    return Columns(**parse_options(row, pairs))


@dataclass(kw_only=True)
class IndexConfig:
    """How files become passages, and which backend keeps them."""

    output: str = option(
        ...,
        "The folder of the index.",
        "--output",
        "-o",
        metavar="INDEX/",
        written=True,
        usual=True,
    )
    words: int = option(
        100, "Most words of a passage of Markdown or text.", min=10, max=2000, usual=True
    )
    overlap: int = option(
        0, "Words that neighbours share where a paragraph is cut.", min=0, max=1000, usual=True
    )
    columns: Columns = option(
        Columns(),
        "Columns of rows: id, title, text, or contents (Search-R1: title, line break, text).",
        "--set",
        metavar="NAME=COLUMN",
        kind=list[str],
        parse=parse_columns,
        usual=True,
    )
    backend: str | None = option(
        None,
        "tantivy, or sqlite, which needs no package.",
        default="tantivy; an index that is there keeps its own",
        usual=True,
    )
    prune: bool = option(
        False, "Drop what the index has of files that are not named now.", usual=True
    )
    force: bool = option(False, "Make the index anew, whatever is there.", usual=True)

    def __post_init__(self) -> None:
        if self.overlap > self.words // 2:
            raise UsageError(f"--overlap is at most half of --words ({self.words // 2})")
        if self.backend not in (None, *BACKENDS):
            raise UsageError(f"--backend is {' or '.join(BACKENDS)}, not {self.backend!r}")

    def shaping(self) -> dict[str, Any]:
        """The options that decide which passages a file gives."""
        return {"words": self.words, "overlap": self.overlap, "columns": asdict(self.columns)}
