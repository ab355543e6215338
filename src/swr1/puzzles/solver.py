"""All worlds that fit a puzzle, and how many there are, for any number of people.

solve([["knave", 1], ["knight", 0]])    # Solutions(worlds=[], count=0, exact=True)

Small puzzles are solved by truth tables (`statements`), larger ones by a SAT solver on their
conjunctive normal form, which `Clauses` makes. A large puzzle falls apart into groups of people who
speak of one another, so its solutions are counted group by group.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.puzzles.roles import find_roles
from swr1.puzzles.statements import (
    LEAVES,
    MAX_PEOPLE,
    Statement,
    evaluate,
    mentioned,
    solution_table,
    world_roles,
)
from swr1.records import Record

World = tuple[bool, ...]

TABLE_PEOPLE = 16  # most people for whom truth tables are faster than SAT (both take about 1 ms)
LARGEST = 2**63 - 1  # integer that a record can hold
SAT_SOLVER = "minisat22"  # fast to start; these formulas are easy


class Solutions(NamedTuple):
    """`worlds` are some or all that fit, person i telling the truth iff world[i].

    `count` is how many there are in all if `exact`, else there are at least so many.
    """

    worlds: list[World]
    count: int  # type: ignore[assignment]  # a tuple's own `count` is of no use here
    exact: bool


class Clauses:
    """Conjunctive normal form of statements; variable i + 1 is "person i tells the truth".

    The transformation is Tseitin's: a variable for every compound part, equivalent to it. (What a
    person says is equivalent to their role, so each part counts in both directions, and leaving
    one out by polarity would save nothing.) Every world has exactly one extension to the added
    variables, so models are counted right. To use it step by step, give a solver `take()` after
    each addition.

    Args:
        people: how many there are; their variables are 1 .. people.
    """

    def __init__(self, people: int) -> None:
        self.people = self.top = people
        self.clauses: list[list[int]] = []

    def new(self) -> int:
        """A fresh variable, e.g. a selector."""
        self.top += 1
        return self.top

    def take(self) -> list[list[int]]:
        """The clauses added since the last call."""
        taken, self.clauses = self.clauses, []
        return taken

    def literal(self, statement: Statement) -> int:
        """A literal equivalent to the statement; the clauses that make it so are added.

        Raises DataError for anything that is not a statement about these people.
        """
        match statement:
            case ["knight", int(i)] if 0 <= i < self.people:
                return i + 1
            case ["knave", int(i)] if 0 <= i < self.people:
                return -i - 1
            case ["not", s]:
                return -self.literal(s)
            case ["and" | "or" | "implies" | "iff", *_]:
                variable = self.new()
                self._define(variable, statement)
                return variable
        raise DataError(f"not a statement about {self.people} people: {statement!r:.80}")

    def tell(self, speaker: int, statement: Statement, selector: int | None = None) -> None:
        """Add "the speaker tells the truth iff the statement is true".

        With a `selector` it holds only where that literal is assumed, so a statement can be
        dropped again (for good: by the clause [-selector]). Raises DataError as `literal` does.
        """
        self._define(speaker + 1, statement, [] if selector is None else [-selector])

    def _define(self, t: int, statement: Statement, unless: Sequence[int] = ()) -> None:
        """t iff the statement."""
        match statement:
            case ["iff", p, q]:
                a, b = self.literal(p), self.literal(q)
                defined = [[-t, -a, b], [-t, a, -b], [t, a, b], [t, -a, -b]]
            case ["and", _, _, *_]:
                parts = [self.literal(s) for s in statement[1:]]
                defined = [[-t, p] for p in parts] + [[t, *(-p for p in parts)]]
            case ["or", _, _, *_] | ["implies", _, _]:
                parts = [self.literal(s) for s in statement[1:]]
                if statement[0] == "implies":
                    parts[0] = -parts[0]
                defined = [[t, -p] for p in parts] + [[-t, *parts]]
            case ["and" | "or" | "implies" | "iff", *_]:
                raise DataError(f"too few or too many parts: {statement!r:.80}")
            case _:
                s = self.literal(statement)
                defined = [[-t, s], [t, -s]]
        self.clauses += [[*unless, *clause] for clause in defined]


def encode(statements: Sequence[Statement]) -> Clauses:
    """A whole puzzle: its models are the worlds that fit. Raises DataError (malformed)."""
    clauses = Clauses(len(statements))
    for speaker, statement in enumerate(statements):
        clauses.tell(speaker, statement)
    return clauses


def solve(statements: Sequence[Statement], most: int = 2) -> Solutions:
    """The worlds that fit a puzzle: at most `most` of them, and how many there are.

    The count is exact unless some of the groups of `components` has both more than MAX_PEOPLE
    people and more than `most` solutions. Up to TABLE_PEOPLE people the worlds are those of the
    lowest world numbers; beyond, any. They come by increasing world number.

    Raises DataError for anything that is not a statement about these people.
    """
    if len(statements) <= TABLE_PEOPLE:
        return _by_table(statements, most)
    return _by_sat(statements, most)


def unique(statements: Sequence[Statement]) -> World | None:
    """The only world that fits, None where none or several do."""
    solutions = solve(statements, most=2)
    return solutions.worlds[0] if solutions.count == 1 else None


def puzzle_in(
    record: Record, reread: bool = False
) -> tuple[Sequence[str], Sequence[str], Sequence[Statement]] | None:
    """(names, the words for truth teller and liar, statements); None for what is no puzzle.

    The statements are info.statements. They are read from the prompt's text if that field is
    missing, or if `reread` is set. Raises DataError for a text that cannot be read, and unless there
    is one statement per person.
    """
    info = record.get("info") or {}
    if record.get("task") != "knights" and "statements" not in info:
        return None
    if reread or "statements" not in info:
        from swr1.puzzles.reading import read_puzzle

        turns = [turn["content"] for turn in record.get("prompt", ()) if turn["role"] == "user"]
        if not (turns and isinstance(turns[-1], str)):
            raise DataError("neither info.statements nor a prompt with a text to read")
        pair = info.get("roles")
        puzzle = read_puzzle(turns[-1], find_roles("/".join(pair)) if pair else None)
        return puzzle.names, (puzzle.roles.truth, puzzle.roles.liar), puzzle.statements
    statements = info["statements"]
    names = info.get("names") or [name for name, _ in record.get("answer") or ()]
    if not isinstance(statements, list) or len(names) != len(statements):
        raise DataError(f"info.statements must be a list, one for each of {len(names)} people")
    return names, info.get("roles") or ("knight", "knave"), statements


def solve_record(record: Record, most: int = 2, reread: bool = False) -> dict[str, Any] | None:
    """What `swr1 solve` adds to a record as info.solved; None for a record that is no puzzle.

    `count` and `exact` as in `Solutions`, `worlds` the truth tellers' names in each, `agrees`
    whether the record's answer gives everyone the role they have in a world that fits (None
    without an answer). Raises DataError as `puzzle_in` and `solve` do.
    """
    puzzle = puzzle_in(record, reread)
    if puzzle is None:
        return None
    names, words, statements = puzzle
    solutions, answer = solve(statements, most), record.get("answer")
    return {
        "count": min(solutions.count, LARGEST),
        "exact": solutions.exact and solutions.count <= LARGEST,
        "worlds": [
            [name for name, role in zip(names, w, strict=True) if role] for w in solutions.worlds
        ],
        "agrees": _fits(answer, names, words, statements) if answer else None,
    }


def _fits(
    answer: Any, names: Sequence[str], words: Sequence[str], statements: Sequence[Statement]
) -> bool:
    """Whether an answer [[name, role], ...], in any order, makes every statement fit."""
    try:
        is_knight = {name: words.index(role) == 0 for name, role in answer}
        world = [is_knight[name] for name in names]
    except (ValueError, TypeError, KeyError):
        return False
    return len(answer) == len(names) and all(
        evaluate(s, world) == role for s, role in zip(statements, world, strict=True)
    )


def components(statements: Sequence[Statement]) -> list[list[int]]:
    """The people in groups that do not speak of one another, each group in increasing order.

    The number of solutions is the product of the groups' numbers.
    """
    group_of = [[p] for p in range(len(statements))]
    for speaker, statement in enumerate(statements):
        for person in mentioned(statement):
            small, large = sorted((group_of[speaker], group_of[person]), key=len)
            if small is not large:
                large += small
                for moved in small:
                    group_of[moved] = large
    return [sorted(group) for group in {id(group): group for group in group_of}.values()]


def renumbered(statement: Statement, new: Any) -> tuple:
    """The statement with person i replaced by new[i]."""
    if statement[0] in LEAVES:
        return (statement[0], new[statement[1]])
    return (statement[0], *[renumbered(s, new) for s in statement[1:]])


def _by_table(statements: Sequence[Statement], most: int) -> Solutions:
    fits = solution_table(statements)
    count = fits.bit_count()
    worlds: list[World] = []
    while fits and len(worlds) < most:
        lowest = fits & -fits
        worlds.append(world_roles(lowest.bit_length() - 1, len(statements)))
        fits ^= lowest
    return Solutions(worlds, count, True)


def _by_sat(statements: Sequence[Statement], most: int) -> Solutions:
    """Group by group, in one SAT solver; a world of the puzzle is a world of each group."""
    from pysat.solvers import Solver

    clauses = encode(statements)
    worlds: list[list[int]] = [[]]  # literals of the groups so far
    count, exact = 1, True
    with Solver(name=SAT_SOLVER, bootstrap_with=clauses.clauses) as solver:
        for group in components(statements):
            # One model more than `most` shows whether these are all.
            models = list(islice(_models(solver, group, clauses.new()), most + 1))
            if len(models) <= most:
                count *= len(models)
            elif len(group) <= MAX_PEOPLE:  # the table counts them all
                new = {person: i for i, person in enumerate(group)}
                group_statements = [renumbered(statements[person], new) for person in group]
                count *= solution_table(group_statements).bit_count()
            else:
                count, exact = count * len(models), False
            if not models:
                return Solutions([], 0, True)
            worlds = [[*world, *more] for world, more in islice(product(worlds, models), most)]
    by_person = [sorted(world, key=abs) for world in worlds]
    by_number = sorted((tuple([x > 0 for x in world]) for world in by_person), key=_number)
    return Solutions(by_number, count, exact)


def _models(solver: Any, group: Sequence[int], selector: int) -> Iterator[list[int]]:
    """The group's literals in each of its worlds; the selector makes the solver forget them."""
    while solver.solve(assumptions=[selector]):
        model = solver.get_model()
        literals = [model[person] for person in group]
        yield literals
        solver.add_clause([-selector, *[-x for x in literals]])


def _number(world: World) -> World:
    return world[::-1]  # sorts as the world's number does
