"""Files become passages: rows as they stand, Markdown by headings, text by paragraphs.

A passage of Markdown or text has whole paragraphs, as many as `words` allows. A paragraph that is
longer is cut into windows of `words` words, of which neighbours share `overlap`. In scripts without
spaces every character counts as a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from swr1.errors import DataError
from swr1.index.config import Columns, IndexConfig
from swr1.index.passages import Passage, attack_of, make_passage
from swr1.index.sources import Source
from swr1.index.words import SPACELESS

OnBad = Callable[[str, str, Any], None]  # (location, reason, what was read); it may raise to stop

_UNIT = re.compile(rf"[{SPACELESS}]|[^\s{SPACELESS}]{{1,200}}")
_LONG_PARAGRAPH = 2**20  # characters after which a new one begins
_FRONT_MATTER = re.compile(r"---\n.*?^(?:---|\.\.\.)\n", re.DOTALL | re.MULTILINE)

Lines = Iterable[tuple[int, str]]  # numbered from 1, without their ends


def split(source: Source, config: IndexConfig, on_bad: OnBad) -> Iterator[Passage]:
    """The passages of a file, in order. What is bad in it goes to `on_bad`, and is left out."""
    try:
        if source.kind == "rows":
            yield from _of_rows(source, config.columns, on_bad)
            return
        of_kind = _of_markdown if source.kind == "markdown" else _of_text
        for number, (title, line, text) in enumerate(of_kind(source, config), 1):
            name = f"{source.name}#{number}"
            yield make_passage(name, title, text, source.name, str(line))
    except DataError as error:  # the rest of the file cannot be read
        on_bad(error.location or source.name, error.reason, None)


def _of_text(source: Source, config: IndexConfig) -> Iterator[tuple[str, int, str]]:
    title = os.path.basename(source.name)
    with open(source.path, encoding="utf-8-sig") as file:
        numbered = enumerate((line.rstrip("\n") for line in file), 1)
        for line, text in pieces(numbered, config.words, config.overlap):
            yield title, line, text


def _of_markdown(source: Source, config: IndexConfig) -> Iterator[tuple[str, int, str]]:
    with open(source.path, encoding="utf-8-sig") as file:
        text = file.read()
    if front := _FRONT_MATTER.match(text):
        text = "\n" * front[0].count("\n") + text[front.end() :]
    for path, lines in sections(text):
        title = " > ".join(path) or os.path.basename(source.name)
        for line, piece in pieces(lines, config.words, config.overlap):
            yield title, line, piece


def sections(text: str) -> Iterator[tuple[list[str], list[tuple[int, str]]]]:
    """(the headings above it, its numbered lines) of each part of a Markdown text."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.disable(["inline", "text_join"])  # only blocks matter here
    tokens = parser.parse(text)
    lines = text.split("\n")
    path: list[tuple[int, str]] = []
    begin = 0
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            first, after = token.map
            yield [name for _, name in path], _numbered(lines, begin, first)
            depth = int(token.tag[1:])
            path = [(d, name) for d, name in path if d < depth]
            path.append((depth, " ".join(tokens[at + 1].content.split())))
            begin = after
    yield [name for _, name in path], _numbered(lines, begin, len(lines))


def _numbered(lines: list[str], begin: int, end: int) -> list[tuple[int, str]]:
    return [(n + 1, lines[n]) for n in range(begin, end)]


def pieces(lines: Lines, words: int, overlap: int) -> Iterator[tuple[int, str]]:
    """(first line, text) of passages of at most `words` words."""
    begun: list[str] = []
    first = count = 0
    for line, paragraph in _paragraphs(lines):
        units = list(_UNIT.finditer(paragraph))
        if begun and count + len(units) > words:
            yield first, "\n\n".join(begun)
            begun, count = [], 0
        if len(units) > words:
            for at in range(0, max(1, len(units) - overlap), words - overlap):
                window = units[at : at + words]
                begin, end = window[0].start(), window[-1].end()
                yield line + paragraph.count("\n", 0, begin), paragraph[begin:end]
        elif units:
            first = first if begun else line
            begun.append(paragraph)
            count += len(units)
    if begun:
        yield first, "\n\n".join(begun)


def _paragraphs(lines: Lines) -> Iterator[tuple[int, str]]:
    begun: list[str] = []
    first = size = 0
    for number, line in lines:
        if begun and (not line.strip() or size > _LONG_PARAGRAPH):
            yield first, "\n".join(begun)
            begun, size = [], 0
        if line.strip():
            first = first if begun else number
            begun.append(line.rstrip())
            size += len(line)
    if begun:
        yield first, "\n".join(begun)


def _of_rows(source: Source, columns: Columns, on_bad: OnBad) -> Iterator[Passage]:
    from swr1.loading.rows import file_rows

    for number, (row, location) in enumerate(file_rows(source.path, on_bad), 1):
        if row is None:  # on_bad has it
            continue
        place = location[len(source.path) + 1 :]
        try:
            name, title, text = columns.pick(row)
            name = name or f"{source.name}#{number}"
            yield make_passage(name, title, text, source.name, place, attack_of(row))
        except DataError as error:
            on_bad(location, error.reason, row)
