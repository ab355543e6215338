"""How hard a puzzle is: measures of its text, of the search for its solution, of what it rules out.

record["info"]["difficulty"] = difficulty(record["info"]["statements"])

A curriculum orders records by them (`swr1 sample --by info.difficulty.conflicts --order rising`).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from swr1.puzzles.search import search
from swr1.puzzles.solver import renumbered
from swr1.puzzles.space import fitting_worlds
from swr1.puzzles.statements import LEAVES, Statement, leaf_tables, mentioned

MAX_TABLE = 16  # people up to whom worlds are counted
MAX_EVENTS = 20_000  # steps after which the search is given up

Fact = tuple[
    int, list[tuple[int, int]]
]  # worlds that fit, [(person, their worlds as truth teller)]


def difficulty(statements: Sequence[Statement]) -> dict[str, Any]:
    """Measures of a puzzle with valid statements, for any number of people:

        people       how many there are
        depth        levels of the deepest statement: 1 for "X is a knight"
        width        most parts of an "and", "or", "if" or "iff"; 1 where there are none
        leaves       "X is a knight" and "X is a knave", counted over all statements
        assumptions  roles assumed by the plain depth-first search (`search`) until it is solved
        conflicts    contradictions met there: assumed roles that fail at once
        backtracks   people of whom it finds that neither role works and has to go back
        forced       roles that follow without assuming anything: from one statement at a time and
                     the roles that have followed before
        alive        number of worlds that fit the first 1, 2, .. people statements, in order;
                     the last is the number of solutions. Up to MAX_TABLE people, else absent

    In a solved search assumptions = people + conflicts + backtracks. The three are None where the
    search takes more than MAX_EVENTS steps, and `forced` where one statement names more than
    MAX_TABLE people. 50 to 170 microseconds at 3 to 8 people.
    """
    people = len(statements)
    shapes = [_shape(s) for s in statements]
    events = Counter([event[0] for event in islice(search(statements), MAX_EVENTS + 1)])
    done = events.total() <= MAX_EVENTS
    facts = [_fact(s, speaker, people) for speaker, s in enumerate(statements)]
    measures: dict[str, Any] = {
        "people": people,
        "depth": max([depth for depth, _, _ in shapes], default=0),
        "width": max([width for _, width, _ in shapes], default=0),
        "leaves": sum([leaves for _, _, leaves in shapes]),
        "assumptions": events["assume"] if done else None,
        "conflicts": events["conflict"] if done else None,
        "backtracks": events["back"] if done else None,
        "forced": None if None in facts else _forced([f for f in facts if f]),
    }
    if people <= MAX_TABLE:
        fits, alive = -1, []
        for table, _ in filter(None, facts):
            fits &= table
            alive.append(fits.bit_count())
        measures["alive"] = alive
    return measures


def _shape(statement: Statement) -> tuple[int, int, int]:
    """(depth, width, leaves)"""
    if statement[0] in LEAVES:
        return 1, 1, 1
    parts = [_shape(s) for s in statement[1:]]
    depths, widths, leaves = zip(*parts, strict=True)
    return 1 + max(depths), max(len(parts), *widths), sum(leaves)


def _fact(statement: Statement, speaker: int, people: int) -> Fact | None:
    """What a statement says of the roles: of everybody, or in a large puzzle of those in it."""
    concerned = sorted({speaker, *mentioned(statement)})
    if people <= MAX_TABLE:
        leaves = leaf_tables(people)
        return fitting_worlds(tuple(statement), speaker, people), [
            (p, leaves[p]) for p in concerned
        ]
    if len(concerned) > MAX_TABLE:
        return None
    new = {person: i for i, person in enumerate(concerned)}
    table = fitting_worlds(renumbered(statement, new), new[speaker], len(new))
    return table, list(zip(concerned, leaf_tables(len(new)), strict=True))


def _forced(facts: list[Fact]) -> int:
    """How many roles follow, one fact at a time, until none does (generalised arc consistency)."""
    known: dict[int, bool] = {}
    before = -1
    while before < len(known):
        before = len(known)
        for table, people in facts:
            for person, leaf in people:
                if person in known:
                    table &= leaf if known[person] else ~leaf
            for person, leaf in people:
                if person not in known:
                    as_truth_teller = table & leaf
                    if not as_truth_teller or as_truth_teller == table:
                        known[person] = bool(as_truth_teller)
    return len(known)
