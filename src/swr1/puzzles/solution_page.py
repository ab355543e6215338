"""The solutions of a puzzle's text, for a person to read."""

from random import Random

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from swr1.errors import DataError
from swr1.puzzles.item import Puzzle
from swr1.puzzles.reading import NO_PUZZLE, ParsedPuzzle, read_puzzle
from swr1.puzzles.roles import Roles
from swr1.puzzles.solver import Solutions, solve
from swr1.puzzles.spoken import read_spoken
from swr1.puzzles.traces import trace_fields
from swr1.puzzles.wording import CHINESE, ENGLISH, clause
from swr1.terminal import put


def print_solutions(text: str, most: int, explain: bool) -> None:
    """One solution: a line per person, with what was understood; several: a line for each.

    Args:
        most: worlds to list. explain: print the way to the (first) solution before it.

    Raises DataError for a text that is no puzzle.
    """
    names, roles, statements = _read(text)
    solutions = solve(statements, most)
    if not solutions.worlds:
        print("No solution: whoever tells the truth, somebody's words do not fit.")
        return
    if explain:
        puzzle = Puzzle(names, statements, solutions.worlds[0], roles)
        trace = trace_fields(puzzle, "search", Random(0))["trace"]
        print(trace.partition("<think>")[2].partition("</think>")[0].strip(), end="\n\n")
    if solutions.count > 1:
        _print_several(solutions, names, roles)
        return
    print("One solution:")
    grammar = CHINESE if "\u3400" <= roles.truth[0] <= "\u9fff" else ENGLISH
    table = Table("who", "is", "says", box=SIMPLE_HEAD, pad_edge=False)
    for name, role, statement in zip(names, solutions.worlds[0], statements, strict=True):
        claim = clause(statement, grammar, roles).format(*names)
        table.add_row(*map(escape, [name, roles.word(role), claim]))
    put(table)


def _read(text: str) -> ParsedPuzzle:
    """A puzzle with opening and question, or what people say of it: "Zoe says that Leo is a liar"."""
    try:
        return read_puzzle(text)
    except DataError as error:
        if not error.reason.startswith(NO_PUZZLE):
            raise
        return read_spoken(text)


def _print_several(solutions: Solutions, names: list[str], roles: Roles) -> None:
    worlds, count, exact = solutions
    shown = f"; {len(worlds)} of them" if len(worlds) < count else ""
    print(f"{'' if exact else 'At least '}{count:,} solutions{shown}:")
    for i, world in enumerate(worlds, 1):
        truths, liars = (
            ", ".join(name for name, role in zip(names, world, strict=True) if role == is_truthful)
            for is_truthful in (True, False)
        )
        print(f"{i}. {roles.truths}: {truths or '-'}; {roles.liars}: {liars or '-'}")
