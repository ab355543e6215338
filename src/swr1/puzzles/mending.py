"""The right step where reasoning about a puzzle went wrong: what licensed reasoning says next.

    right_step(puzzle, lines_before, wrong_line)     # "try Ava_honest Ben_liar ; Ava says ..."

It follows from the state that the right lines before it left (`Checker`), and is written in their
style. The checker accepts it, or there is none.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from typing import Any

from swr1.puzzles.case_analysis import values
from swr1.puzzles.checker import Checker
from swr1.puzzles.item import Puzzle
from swr1.puzzles.trace_text import read_step, tell
from swr1.puzzles.traces import STYLES

Form = list[Any]
_OF_CASES = ("try", "guess")


def right_step(puzzle: Puzzle, before: Sequence[str], wrong: str) -> str | None:
    """The text of a right step behind the lines `before`, in place of the line `wrong`."""
    forms = [read_step(line, puzzle) for line in before]
    checker = Checker(puzzle)
    for form in forms:
        checker.step(form)
    if checker.concluded is not None:  # all that could be said has been
        return None
    by_cases = any(form and form[0] in _OF_CASES for form in [*forms, read_step(wrong, puzzle)])
    by_cases = by_cases or wrong.startswith(("try ", "with ", "so "))
    candidates = _of_cases(puzzle, checker) if by_cases else _of_gold(puzzle, checker, forms)
    for style, form in candidates:
        if copy.deepcopy(checker).step(form).ok:
            return tell(puzzle, style, form)
    return None


def _of_cases(puzzle: Puzzle, checker: Checker) -> Iterator[tuple[str, Form]]:
    """Go on with the world that is being tried, or with the next; conclude where it fits."""
    people = range(len(puzzle.names))
    world = checker.world
    if world is None or world in checker.refuted:
        worlds = product((True, False), repeat=len(people))
        world = next((w for w in worlds if w not in checker.refuted), None)
        tried: set[int] = set()
    else:
        tried = checker.tried
    if world is None:
        return
    for person in people:
        if person not in tried:
            parts = values(puzzle.statements[person], world)
            yield "cases", ["try", list(world), person, parts, parts[-1] == world[person]]
            return
    yield "cases", ["conclude", list(world)]


def _of_gold(
    puzzle: Puzzle, checker: Checker, forms: Sequence[Form | None]
) -> Iterator[tuple[str, Form]]:
    """The next step of the writer that wrote most of these; else what it says anywhere."""
    traces = [(style, STYLES[style](puzzle, Random(0))) for style in ("search", "propagate")]
    traces.sort(key=lambda trace: -_alike(trace[1], forms))
    for style, trace in traces:
        at = _alike(trace, forms)
        if at == len(forms):  # the opening, which claims nothing, mends nothing
            yield from ((style, form) for form in trace[at:][:2] if form != ["note"])
    style, trace = traces[0]
    if checker.failed and checker.assumed:
        person = checker.assumed[-1]
        other = not checker.facts[-1][person]
        if person in checker.both:
            yield style, ["back", person]
        elif style == "propagate":
            yield style, ["must", person, other]
        else:
            yield style, ["assume", person, other]
    for form in trace:
        if form not in forms and form[0] not in ("note", "fits"):
            yield style, form


def _alike(trace: Sequence[Form], forms: Sequence[Form | None]) -> int:
    """How many forms both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(trace, forms, strict=False)) if a != b),
        min(len(trace), len(forms)),
    )
