"""A puzzle as a value, and as the record of one: how generator, perturbations and readers meet.

puzzle = puzzle_of(record)                      # who, what they say, who is what
record = {"v": 1, "id": ..., **as_item(puzzle, wording="plain", dice=...)}
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from swr1.errors import DataError, UsageError
from swr1.puzzles.roles import Roles, find_roles
from swr1.puzzles.statements import as_lists, as_tuples, truth_table
from swr1.puzzles.wording import find_wording


class Puzzle(NamedTuple):
    """Person i is called names[i], says statements[i], and tells the truth iff solution[i]."""

    names: list[str]
    statements: tuple[tuple, ...]
    solution: tuple[bool, ...]
    roles: Roles

    def answer(self, solution: Sequence[bool] | None = None) -> list[list[str]]:
        """[["Zoey", "knight"], ["Oliver", "knave"]]: of the solution, or of another world."""
        world = self.solution if solution is None else solution
        return [
            [name, self.roles.word(truth)] for name, truth in zip(self.names, world, strict=True)
        ]


def as_item(
    puzzle: Puzzle, wording: str, dice: Sequence[int], info: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The fields task, prompt, answer and info of a puzzle's record (all but `v` and `id`).

    `dice` are 32-bit random words, one per person, for wordings that vary; `info` is added to
    what every puzzle says of itself: people, names, roles, statements, wording.
    """
    roles = puzzle.roles
    text = find_wording(wording).text(puzzle.statements, dice, roles).format(*puzzle.names)
    about: dict[str, Any] = {
        "people": len(puzzle.names),
        "names": list(puzzle.names),
        "roles": [roles.truth, roles.liar],
        "statements": [as_lists(s) for s in puzzle.statements],
        "wording": wording,
    }
    if roles != find_roles(f"{roles.truth}/{roles.liar}"):
        about["plurals"] = [roles.truths, roles.liars]  # a user's own, irregular ones
    prompt = [{"role": "user", "content": text}]
    return {
        "task": "knights",
        "prompt": prompt,
        "answer": puzzle.answer(),
        "info": about | (info or {}),
    }


def puzzle_of(record: dict[str, Any]) -> Puzzle:
    """The puzzle that a record holds. Raises DataError, saying what is missing or does not fit."""
    info, answer = record.get("info") or {}, record.get("answer")
    location = getattr(record, "location", "") or f"record {record.get('id')}"
    if record.get("task") != "knights" or "statements" not in info:
        raise DataError(
            "not a puzzle with info.statements; `swr1 gen-puzzles` and `swr1 load kk` make those",
            location,
        )
    try:
        names = [name for name, _ in answer]  # type: ignore[union-attr]
        statements = tuple(as_tuples(s) for s in info["statements"])
        for statement in statements:
            truth_table(statement, len(names)) if len(names) <= 20 else None
        truth, liar = info.get("roles") or ("knight", "knave")
        many = info.get("plurals")
        roles = find_roles(f"{truth}:{many[0]}/{liar}:{many[1]}" if many else f"{truth}/{liar}")
        solution = tuple({truth: True, liar: False}[role] for _, role in answer)  # type: ignore[union-attr]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, UsageError) as error:
        raise DataError(
            f"the puzzle's answer, roles and statements do not fit: {error}", location
        ) from None
    if len(statements) != len(names):
        raise DataError(f"{len(statements)} statements for {len(names)} people", location)
    return Puzzle(names, statements, solution, roles)
