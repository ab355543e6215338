"""What the people of the island say, and which worlds fit: grammar, truth tables, solver.

A statement is a nested list (or tuple), people by index, as it stands in a record:

    ["knight", i]  ["knave", i]  ["not", s]  ["and", s, s, ...]  ["or", s, s, ...]
    ["implies", s, s]  ["iff", s, s]

A puzzle is one statement per person. A *world* says who is a knight; world number w has person i
a knight iff bit i of w is set. A truth table is one Python integer of 2**people bits, bit w being
the statement's truth in world w, so a whole puzzle is solved by a handful of `& | ^ ~` on integers.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from operator import and_, or_
from typing import Any

from swr1.errors import DataError

Statement = Sequence[Any]  # ["and", ["knight", 0], ["knave", 2]], as lists or tuples

LEAVES = ("knight", "knave")
COMMUTATIVE = ("and", "or", "iff")
MAX_PEOPLE = 20  # a truth table of 20 people is 128 KiB


@lru_cache(maxsize=64)
def leaf_tables(people: int) -> tuple[int, ...]:
    """Truth tables of "person i is a knight", i = 0 .. people-1, each of 2**people bits."""
    worlds = 1 << people
    tables = []
    for i in range(people):
        table, size = ((1 << (1 << i)) - 1) << (1 << i), 2 << i  # 2**i zeros, then 2**i ones
        while size < worlds:
            table |= table << size
            size *= 2
        tables.append(table)
    return tuple(tables)


def truth_table(statement: Statement, people: int) -> int:
    """The truth of a statement in all worlds, as an integer of 2**people bits.

    Raises DataError for anything that is not a statement about these people.
    """
    return _table(statement, leaf_tables(people), (1 << (1 << people)) - 1)


def _table(statement: Statement, leaves: tuple[int, ...], full: int) -> int:
    match statement:
        case ["knight", int(i)] if 0 <= i < len(leaves):
            return leaves[i]
        case ["knave", int(i)] if 0 <= i < len(leaves):
            return full ^ leaves[i]
        case ["not", s]:
            return full ^ _table(s, leaves, full)
        case ["and", _, _, *_]:
            return reduce(and_, [_table(s, leaves, full) for s in statement[1:]])
        case ["or", _, _, *_]:
            return reduce(or_, [_table(s, leaves, full) for s in statement[1:]])
        case ["implies", p, q]:
            return (full ^ _table(p, leaves, full)) | _table(q, leaves, full)
        case ["iff", p, q]:
            return full ^ _table(p, leaves, full) ^ _table(q, leaves, full)
    raise DataError(f"not a statement about {len(leaves)} people: {statement!r:.80}")


def solution_table(statements: Sequence[Statement]) -> int:
    """The worlds that fit a puzzle, one bit each: person i is a knight iff statement i is true.

    Raises DataError for a malformed statement, and for more than MAX_PEOPLE people.
    """
    people = len(statements)
    if people > MAX_PEOPLE:
        raise DataError(f"{people} people: truth tables serve up to {MAX_PEOPLE}")
    leaves, full = leaf_tables(people), (1 << (1 << people)) - 1
    fits = full
    for leaf, statement in zip(leaves, statements, strict=True):
        fits &= full ^ leaf ^ _table(statement, leaves, full)
    return fits


def world_roles(world: int, people: int) -> tuple[bool, ...]:
    """Who is a knight in world number `world`."""
    return tuple([bool(world >> i & 1) for i in range(people)])


def evaluate(statement: Statement, roles: Sequence[bool | None]) -> bool | None:
    """Truth of a statement when person i is a knight (True), a knave (False) or open (None).

    None where the known people do not settle it by the truth of its parts (Kleene's strong
    three-valued logic), so "X or not X" stays open until X is known.
    """
    kind = statement[0]
    if kind == "knight":
        return roles[statement[1]]
    values = (
        [roles[statement[1]]] if kind == "knave" else [evaluate(s, roles) for s in statement[1:]]
    )
    if kind in ("knave", "not"):
        return None if values[0] is None else not values[0]
    if kind == "iff":
        return None if None in values else values[0] == values[1]
    if kind == "implies":
        values[0] = None if values[0] is None else not values[0]
    decisive = kind != "and"  # one true part settles "or" and "implies", one false part "and"
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def mentioned(statement: Statement) -> list[int]:
    """The people a statement names, in order, each once."""
    if statement[0] in LEAVES:
        return [statement[1]]
    return list(dict.fromkeys(i for s in statement[1:] for i in mentioned(s)))


def as_lists(statement: Statement) -> list[Any]:
    """A fresh copy of a statement made of lists, as records hold it."""
    if statement[0] in LEAVES:
        return [statement[0], statement[1]]
    return [statement[0], *map(as_lists, statement[1:])]


def as_tuples(statement: Statement) -> tuple:
    """A copy of a statement made of tuples, to be hashed and compared."""
    if statement[0] in LEAVES:
        return (statement[0], statement[1])
    return (statement[0], *map(as_tuples, statement[1:]))
