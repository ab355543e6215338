"""Reasoning by cases: try the worlds one by one, short words for small models.

    try Ava_honest Ben_honest ; Ava says Ben honest knave no , Ava honest bad .
    try Ava_honest Ben_liar ; Ava says Ben liar knave yes , Ava honest ok .

"Ben_liar" is one word, so that a model finds what the world it tries says of Ben; it is restated
before each statement, so that it is never far away. Every part of a statement is followed by its
value. A line's form is ["try", roles, person, values, fits], see `traces`.

The laptop recipe learns from these texts: they never change.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from typing import Any

from swr1.errors import DataError
from swr1.puzzles.item import Puzzle
from swr1.puzzles.statements import LEAVES, Statement, evaluate

Form = list[Any]

HONESTY = ("liar", "honest")  # HONESTY[is_knight]
YES = ("no", "yes")
FITS = ("bad", "ok")
NO_WORLD = "no world fits what they say, so there is nothing to reason to"
_CLOSED = re.compile(r"(?<=\S)(?=[;,.)](?!\S))")  # where a space is lacking
_OPENED = re.compile(r"(?<!\S)\((?=\S)")
GUESS = 0.6  # share of hasty answers without any check
STOP = 0.1  # chance of a hasty one to be content after each statement that holds


def by_cases(puzzle: Puzzle, rng: Random, stop: float) -> list[Form]:
    """Worlds in order, knights first, each until a statement does not fit; the first that fits.

    Args:
        stop: the chance to be content with a world after each statement that fits.
    """
    people = range(len(puzzle.names))
    forms: list[Form] = []
    for world in product((True, False), repeat=len(people)):
        for person in people:
            part_values = values(puzzle.statements[person], world)
            fits = part_values[-1] == world[person]
            forms.append(["try", list(world), person, part_values, fits])
            if not fits:
                break
            if person == people[-1] or rng.random() < stop:
                return [*forms, ["conclude", list(world)]]
    raise DataError(NO_WORLD)


def values(statement: Statement, world: Sequence[bool]) -> list[bool]:
    """The truth of a statement's parts in the order in which they are given, its own the last."""
    parts = [] if _is_simple(statement) else statement[1:]
    inner = [value for part in parts for value in values(part, world)]
    return [*inner, bool(evaluate(statement, world))]


def tell_try(puzzle: Puzzle, form: Form) -> str:
    """The line of a "try" form."""
    _, world, person, part_values, fits = form
    names = puzzle.names
    words = iter([YES[value] for value in part_values])
    return (
        f"{'with' if person else 'try'} {tell_world(puzzle, world)} ; {names[person]} says"
        f" {_says(puzzle.statements[person], names, world, words)} ,"
        f" {names[person]} {HONESTY[world[person]]} {FITS[fits]} ."
    )


def tell_world(puzzle: Puzzle, world: Sequence[bool]) -> str:
    """ "Ava_honest Ben_liar"."""
    return " ".join([f"{n}_{HONESTY[role]}" for n, role in zip(puzzle.names, world, strict=True)])


def read_try(puzzle: Puzzle, line: str) -> Form | None:
    """The form of a line; None if it is none, ["garbled"] if it misstates the puzzle or world.

    A tokenizer of words may write no space before a comma: such a line is read as if there were one.
    """
    form = _read_try(puzzle, line)
    if (
        form in (None, ["garbled"])
        and (spaced := _OPENED.sub("( ", _CLOSED.sub(" ", line))) != line
    ):
        return _read_try(puzzle, spaced) or form
    return form


def _read_try(puzzle: Puzzle, line: str) -> Form | None:
    first, _, rest = line.partition(" ")
    head, semicolon, rest = rest.partition(" ; ")
    name, says, rest = rest.partition(" says ")
    statement_text, comma, verdict = rest.rpartition(" , ")
    if first not in ("try", "with") or not (semicolon and says and comma):
        return None
    world = read_world(puzzle, head)
    if world is None or name not in puzzle.names:
        return ["garbled"]
    person = puzzle.names.index(name)
    blanks = iter(lambda: "\0", None)
    pieces = _says(puzzle.statements[person], puzzle.names, world, blanks).split("\0")
    parts = _read_blanks(pieces, YES, statement_text)
    fits = _read_blanks([f"{name} {HONESTY[world[person]]} ", " ."], FITS, verdict)
    return ["try", world, person, parts, fits[0]] if parts and fits else ["garbled"]


def read_world(puzzle: Puzzle, text: str) -> list[bool] | None:
    """A world from "Ava_honest Ben_liar"; None unless it gives everybody a role, in order."""
    first, *others = puzzle.names
    return _read_blanks([f"{first}_", *[f" {name}_" for name in others], ""], HONESTY, text)


def _read_blanks(pieces: Sequence[str], words: tuple[str, str], text: str) -> list[bool] | None:
    """Which of two words stands in each gap between the pieces; None if the text is another."""
    choices, at = [], 0
    for piece in pieces[:-1]:
        at = at + len(piece) if text.startswith(piece, at) else len(text)
        word = next((word for word in words if text.startswith(word, at)), None)
        if word is None:
            return None
        choices.append(word == words[True])
        at += len(word)
    return choices if text[at:] == pieces[-1] else None


def _is_simple(statement: Statement) -> bool:
    kind, *parts = statement
    return kind in LEAVES or (kind == "not" and parts[0][0] in LEAVES)


def _says(
    statement: Statement, names: Sequence[str], world: Sequence[bool], words: Iterator[str]
) -> str:
    """The statement with what the world says of each person in it, and each part's value."""
    kind, *parts = statement
    if _is_simple(statement):
        leaf, denied = (parts[0], "not ") if kind == "not" else (statement, "")
        return f"{names[leaf[1]]} {HONESTY[world[leaf[1]]]} {denied}{leaf[0]} {next(words)}"
    if kind == "not":
        return f"not ( {_says(parts[0], names, world, words)} ) = {next(words)}"
    texts = []
    for part in parts:
        text = _says(part, names, world, words)
        texts.append(text if _is_simple(part) else f"( {text} )")
    joined = f"if {texts[0]} then {texts[1]}" if kind == "implies" else f" {kind} ".join(texts)
    return f"{joined} = {next(words)}"
