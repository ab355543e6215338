"""The published process, written as plainly as it can be: the yardstick for speed and distribution.

Everything here is on its own: Python's random, and a solver that tries every world. Statements are
those of swr1.puzzles.statements (nested tuples), so that the outcomes can be compared.
"""

from __future__ import annotations

from itertools import product
from random import Random

KINDS = ("leaf", "not", "and", "or", "implies", "iff")


def statement(people: int, speaker: int, depth: int, rng: Random) -> tuple:
    """One of six kinds alike; two parts that differ; nobody calls themself a knave; width 2."""
    kind = rng.choice(KINDS) if depth > 1 else "leaf"
    if kind == "leaf":
        while True:
            leaf = (rng.choice(("knight", "knave")), rng.randrange(people))
            if leaf != ("knave", speaker):
                return leaf
    first = statement(people, speaker, depth - 1, rng)
    if kind == "not":
        return (kind, first)
    while (second := statement(people, speaker, depth - 1, rng)) == first:
        pass
    return (kind, first, second)


def holds(statement: tuple, world: tuple[bool, ...]) -> bool:
    kind, *parts = statement
    if kind == "knight":
        return world[parts[0]]
    if kind == "knave":
        return not world[parts[0]]
    if kind == "not":
        return not holds(parts[0], world)
    if kind == "and":
        return all(holds(part, world) for part in parts)
    if kind == "or":
        return any(holds(part, world) for part in parts)
    if kind == "implies":
        return not holds(parts[0], world) or holds(parts[1], world)
    return holds(parts[0], world) == holds(parts[1], world)


def solutions(statements: tuple[tuple, ...] | list[tuple]) -> list[tuple[bool, ...]]:
    """Every world in which each person tells the truth iff their statement holds."""
    return [
        world
        for world in product((True, False), repeat=len(statements))
        if all(holds(s, world) == role for s, role in zip(statements, world, strict=True))
    ]


def puzzle(people: int, depth: int, rng: Random) -> tuple[list[tuple], tuple[bool, ...], int]:
    """(statements, the only solution, candidates that it took)."""
    candidates = 0
    while True:
        candidates += 1
        told = [statement(people, speaker, depth, rng) for speaker in range(people)]
        if len(found := solutions(told)) == 1:
            return told, found[0], candidates


def clause(statement: tuple, names: list[str]) -> str:
    kind, *parts = statement
    if kind in ("knight", "knave"):
        return f"{names[parts[0]]} is a {kind}"
    said = [clause(part, names) for part in parts]
    if kind == "not":
        return f"it is not the case that {said[0]}"
    if kind == "implies":
        return f"if {said[0]} then {said[1]}"
    return {"iff": " if and only if "}.get(kind, f" {kind} ").join(said)


def text(statements: list[tuple], names: list[str]) -> str:
    """A plain telling, for the speed of a whole puzzle."""
    said = [
        f"{who} says that {clause(s, names)}." for who, s in zip(names, statements, strict=True)
    ]
    return f"You meet {', '.join(names)}. {' '.join(said)} Who is a knight, and who is a knave?"
