"""What stands where in a picture, and the sentences that say so.

    scene = Scene(3, 3, (Thing("b1", "circle", "red", "small"),))
    scene.at("b1").shape                    # "circle"
    Scene.of(record["info"]["scene"])       # as a record holds it

Columns are letters from the left, rows are numbers from the top: "b1". A letter alone would be the
article "a" in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from swr1.errors import DataError

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")
COLOURS = ("red", "green", "blue", "yellow", "black", "orange", "purple", "pink")
SIZES = ("small", "large")
BAR = "bar"
SAYINGS = ("knight", "knave", "and", "or", "then", "iff")  # drawn Knights and Knaves
FIGURES = ("person", "pest", "crate", "bowl", "flask", "jar")  # what a request of the village shows
ALL_SHAPES = (*SHAPES, BAR, *SAYINGS, *FIGURES)
EMPTY = ("none", "empty", "nothing")
MOST_CELLS = 8  # a side

_CELL = re.compile(r"\b([a-h][1-8])\b")
_WORD = re.compile(r"[a-z]+|\d+")
_SENTENCE = re.compile(r"[.;!?\n]")


class Thing(NamedTuple):
    """What stands in one cell."""

    cell: str
    shape: str
    colour: str
    size: str

    def __str__(self) -> str:
        return " ".join(self)


class Scene:
    """`columns` times `rows` cells; `things` in reading order, at most one a cell."""

    def __init__(self, columns: int, rows: int, things: tuple[Thing, ...]) -> None:
        self.columns, self.rows = columns, rows
        self.things = tuple(sorted(things, key=lambda thing: (thing.cell[1], thing.cell[0])))

    @classmethod
    def of(cls, info: Any, location: str = "") -> Scene:
        """The scene of a record's `info.scene`. Raises DataError for what is none."""
        try:
            columns, rows = info["columns"], info["rows"]
            things = tuple(Thing(*map(str, thing)) for thing in info["things"])
            cells = set(cells_of(columns, rows))
            if len({t.cell for t in things} & cells) != len(things):
                raise ValueError("a thing without a cell of its own")
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise DataError(f"info.scene is no scene: {error}", location) from None
        return cls(columns, rows, things)

    def info(self) -> dict[str, Any]:
        """As a record holds it."""
        return {
            "columns": self.columns,
            "rows": self.rows,
            "things": [list(t) for t in self.things],
        }

    @cached_property
    def _by_cell(self) -> dict[str, Thing]:
        return {thing.cell: thing for thing in self.things}

    def at(self, cell: str) -> Thing | None:
        """What stands in a cell."""
        return self._by_cell.get(cell)

    def having(self, word: str) -> list[Thing]:
        """The things of a shape, colour or size."""
        return [thing for thing in self.things if word in thing[1:]]

    def cells(self) -> tuple[str, ...]:
        """The names of all cells in reading order."""
        return cells_of(self.columns, self.rows)


@lru_cache(maxsize=64)
def cells_of(columns: int, rows: int) -> tuple[str, ...]:
    """("a1", "b1", "a2", "b2"). Raises ValueError beyond MOST_CELLS a side."""
    if not (1 <= columns <= MOST_CELLS and 1 <= rows <= MOST_CELLS):
        raise ValueError(f"{columns} x {rows} cells: 1 to {MOST_CELLS} a side")
    return tuple(f"{chr(97 + x)}{y + 1}" for y in range(rows) for x in range(columns))


class Stated(NamedTuple):
    """What a text says of a cell: `thing`, or None where it says that the cell is empty."""

    cell: str
    thing: Thing | None


def stated(text: str) -> Iterator[Stated]:
    """What a text says of cells, in its order: the cell, then shape, colour and size in any order.

    "b1 circle red small", "b1: a small red circle", "b1 is empty". What names several shapes, colours
    or sizes for one cell says each of them. A cell of which not all three are said is left out.
    """
    for sentence in _SENTENCE.split(text.lower()):
        places = list(_CELL.finditer(sentence))
        ends = [*(place.start() for place in places), len(sentence)][1:]
        for place, end in zip(places, ends, strict=True):
            yield from _of_cell(place[1], _WORD.findall(sentence[place.end() : end]))


def _of_cell(cell: str, words: list[str]) -> Iterator[Stated]:
    shapes, colours, sizes = (
        [word for word in dict.fromkeys(words) if word in known]
        for known in (ALL_SHAPES, COLOURS, SIZES)
    )
    if shapes and colours and sizes:
        for shape in shapes:
            for colour in colours:
                for size in sizes:
                    yield Stated(cell, Thing(cell, shape, colour, size))
    elif (words and words[0] in EMPTY) or (
        words[:1] == ["is"] and words[1:2] and words[1] in EMPTY
    ):
        yield Stated(cell, None)
