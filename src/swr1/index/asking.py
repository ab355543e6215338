"""Queries from a file or a pipe, and their answers as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from swr1.errors import DataError
from swr1.index.passages import as_json
from swr1.index.reading import Index
from swr1.records import parse
from swr1.streams.reading import open_lines

LONGEST = 2**20  # bytes of a line; of a query's words 256 count


def asked(name: str) -> Iterator[Any]:
    """The queries of a file, "-" for standard input: a text, or an object with `query`, each line.

    Raises DataError with the line for one that is none.
    """
    label = "stdin" if name == "-" else name
    with open_lines(name) as lines:
        number = 0
        while line := lines.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise DataError("the line is longer than 1 MB: no query", f"{label}:{number}")
            if line.strip():
                yield _query(line.strip(), f"{label}:{number}")


def _query(line: bytes, location: str) -> Any:
    try:
        value = parse(line) if line[:1] in b'{"' else line.decode()
    except ValueError as error:
        raise DataError(f"no query: neither JSON nor text in UTF-8 ({error})", location) from None
    text = value.get("query") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise DataError("no query: the object has no text under 'query'", location)
    return value


def answers(index: Index, query: Any, top: int) -> dict[str, Any]:
    """The query (with what else its object has), its passages, and the digest of the index."""
    asked = query if isinstance(query, dict) else {"query": query}
    [found] = index.search([asked["query"]], top)
    return {**asked, "passages": [as_json(one) for one in found], "index": index.digest}
