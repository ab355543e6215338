"""Tables whose heads are the roles: ticks beside the names, or the names below.

    | Name | Knight | Knave |      | Knights | Knaves |      | Name | Knave? |
    | Zoey |   ✓    |       |      | Zoey    | Oliver |      | Zoey |  no    |

Here the place of a cell says what no sentence does. Every other table is lines for `reader`.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from swr1.verifiers.roles.lexicon import Lexicon

_HTML = re.compile(r"</t[dh]>\s*<t[dh][^<>]*>|&(?!\w+;)", re.IGNORECASE)
_ROWS = re.compile(r"<tr\b[^<>]*>|\\\\", re.IGNORECASE)
_TAGS = re.compile(
    r"</?t(?:able|head|body|[dhr])\b[^<>]*>|\\hline|\\(?:begin|end)\{\w+\*?\}(?:\{[^{}]*\})?"
)
_RULE = re.compile(r"[\s:|+=-]*")
_DASH = re.compile(r"[\s*_`$\-–—―/·.]*")
_MARKS = {**dict.fromkeys("jvy#C●", "yes"), **dict.fromkeys("oux0Nf○", "no")}


class Cell(NamedTuple):
    people: list[int]
    roles: list[int]
    mark: str  # "yes", "no", "X" (one or the other), "" for an empty cell, "?" for anything else


Contents = tuple[list[tuple[int, int]], list[str]]  # who is what, and faults


def untabled(text: str, lexicon: Lexicon) -> tuple[str, Contents]:
    """The text without such tables, and the contents of the tables."""
    contents: Contents = ([], [])
    if not any(mark in text for mark in ("|", "\t", "&", "<t", "<T")):
        return text, contents
    plain = _TAGS.sub("", _ROWS.sub("\n", _HTML.sub("|", text)))
    others = []
    for block in _blocks(plain.split("\n")):
        table = _read(block, lexicon) if len(block) > 1 else None
        if table is None:
            others += block
        else:
            contents[0].extend(table[0])
            contents[1].extend(table[1])
    return ("\n".join(others), contents) if any(contents) else (text, contents)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Lines that make one table together; other lines alone."""
    block: list[str] = []
    for line in lines:
        if "|" in line or "\t" in line:
            block.append(line)
            continue
        if block:
            yield block
            block = []
        yield [line]
    if block:
        yield block


def _read(block: list[str], lexicon: Lexicon) -> Contents | None:
    """The contents of a table; None for another kind of table."""
    rows = [_cells(line, lexicon) for line in block if not _RULE.fullmatch(line)]
    if len(rows) < 2:
        return None
    if not any(cell.roles for cell in rows[0]):
        rows = [list(row) for row in zip_longest(*rows, fillvalue=Cell([], [], ""))]
    head, *body = rows
    column = {at: cell.roles[0] for at, cell in enumerate(head) if len(cell.roles) == 1}
    if (
        not column
        or len(set(column.values())) < len(column)
        or any(cell.people or len(cell.roles) > 1 for cell in head)
        or any(cell.roles for row in body for cell in row)
        or not any(cell.people for row in body for cell in row)
    ):
        return None
    marks = {cell.mark for row in body for at, cell in enumerate(row) if at in column}
    if "yes" not in marks and "X" in marks:
        meaning = {"X": 1, "no": 0, "": 0}
    else:
        meaning = {"yes": 1, "no": 0, "X": 0, "": 0}
    contents: Contents = ([], [])
    for row in body:
        _take(row, column, meaning, contents)
    return contents


def _take(
    row: list[Cell], column: dict[int, int], meaning: dict[str, int], contents: Contents
) -> None:
    below = [(p, column[at]) for at, cell in enumerate(row) if at in column for p in cell.people]
    beside = [p for at, cell in enumerate(row) if at not in column for p in cell.people]
    heads = {at: cell.mark for at, cell in enumerate(row) if at in column and not cell.people}
    if not beside and (below or not any(heads.values())) and "yes" not in heads.values():
        contents[0].extend(below)
    elif below or any(mark not in meaning for mark in heads.values()):
        contents[1].append("unclear")
    elif len(beside) != 1:
        contents[1].append("unclear" if beside else "stranger")
    else:
        chosen = [column[at] for at, mark in heads.items() if meaning[mark]]
        if len(column) == 1 and not chosen:
            chosen = [1 - role for role in column.values()]
        if len(chosen) == 1 and len(heads) == len(column):
            contents[0].append((beside[0], chosen[0]))
        else:
            contents[1].append("unclear")


def _cells(line: str, lexicon: Lexicon) -> list[Cell]:
    if line.lstrip().startswith("|"):
        line = line.strip().removeprefix("|").removesuffix("|")
    return [_cell(text, lexicon) for text in line.split("|" if "|" in line else "\t")]


def _cell(text: str, lexicon: Lexicon) -> Cell:
    sentences = lexicon.sentences(text)
    pairs = [pair for sentence in sentences for pair in zip(*sentence[:2], strict=True)]
    people = [value for kind, value in pairs if kind == "P"]
    roles = [value for kind, value in pairs if kind in "Rr"]
    kinds = "".join(
        "?" if (kind, value) == ("#", 0) else kind for kind, value in pairs if kind not in "w,:"
    )
    bare = text.strip(" *_`$")
    if bare in ("x", "X"):
        mark = "X"
    elif bare in ("●", "○"):
        mark = _MARKS[bare]
    elif not kinds:
        mark = "no" if text.strip() and _DASH.fullmatch(text) else "" if not text.strip() else "?"
    else:
        mark = _MARKS.get(kinds, "?")
    return Cell(people, roles, mark)
