"""Reasoning texts for puzzles, as a model should (or, for experiments, should not) write them.

A style is a function (puzzle, rng) -> (reasoning, answer): the text between <think> and </think>,
and the answer given, [[name, role], ...]. A style may be
careless on purpose and answer wrongly. To add one, write the function and put it in STYLES.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.puzzles.item import Puzzle
from swr1.puzzles.statements import evaluate, mentioned
from swr1.puzzles.wording import listed, phrase
from swr1.registry import suggest

Answer = list[list[str]]
Style = Callable[[Puzzle, Random], tuple[str, Answer]]

TRUTH = ("false", "true")


def answer_text(answer: Sequence[Sequence[str]]) -> str:
    """The answer as it stands between <answer> and </answer>: "(1) Zoey is a knight", a line each."""
    return "\n".join(f"({i}) {name} is a {role}" for i, (name, role) in enumerate(answer, 1))


def assistant_text(reasoning: str, answer: Sequence[Sequence[str]]) -> str:
    """The whole assistant turn."""
    return f"<think> {reasoning} </think>\n<answer>{answer_text(answer)}</answer>"


def search(puzzle: Puzzle, rng: Random) -> tuple[str, Answer]:
    """Assume a role, check what it settles, name the contradiction, go back, conclude.

    Depth-first: knight is tried before knave; next comes somebody named by those already placed.
    A statement is settled when the roles so far decide it by the truth of its parts.
    """
    names, statements, _, called = puzzle
    people = range(len(names))
    claims = [phrase(s, False, called).format(*names) for s in statements]
    roles: list[bool | None] = [None] * len(names)
    order: list[int] = []  # those placed so far
    lines = ["Let me assume roles one person at a time and check every statement they settle."]

    def contradiction() -> str | None:
        for p in order:
            truth = evaluate(statements[p], roles)
            if truth is not None and truth != roles[p]:
                role = called.a(bool(roles[p]))
                return (
                    f"{names[p]} says that {claims[p]}. That would be {TRUTH[truth]},"
                    f" but {role} says only what is {TRUTH[not truth]}, and {names[p]} is taken"
                    f" to be {role}. This is a contradiction."
                )
        return None

    def next_person() -> int:
        named = (q for p in order for q in mentioned(statements[p]) if roles[q] is None)
        return next(named, next((p for p in people if roles[p] is None), -1))

    def place() -> bool:
        person = next_person()
        if person < 0:
            return True
        order.append(person)
        for role in (True, False):
            roles[person] = role
            lines.append(
                f"{'Suppose' if role else 'So suppose'} {names[person]} is {called.a(role)}."
            )
            if problem := contradiction():
                lines.append(problem)
            else:
                lines.append("Nothing said so far contradicts this.")
                if place():
                    return True
        roles[order.pop()] = None
        back = f" Let me go back to {names[order[-1]]}." if order else ""
        lines.append(f"Neither role works for {names[person]}.{back}")
        return False

    place()
    found = [bool(role) for role in roles]
    lines.append("Now everyone has a role. Let me check all the statements.")
    for p in people:
        truth = TRUTH[bool(evaluate(statements[p], roles))]
        lines.append(
            f"{names[p]}, {called.a(found[p])}, says that {claims[p]}: {truth}, as it should be."
        )
    said = [f"{name} is {called.a(role)}" for name, role in zip(names, found, strict=True)]
    lines.append(f"So {listed(said)}.")
    return "\n".join(lines), puzzle.answer(found)


HONESTY = ("liar", "honest")  # HONESTY[is_knight]
YES = ("no", "yes")


def cases(puzzle: Puzzle, rng: Random) -> tuple[str, Answer]:
    """Try the worlds one by one, each statement with the value of its every part; never wrong.

    Short words for small models: "Ben_liar" is one word, so that a model finds what the world it
    tries says of Ben; it is restated before each statement, so that it is never far away.
    """
    return _try_worlds(puzzle, rng, stop=0.0)


def hasty(puzzle: Puzzle, rng: Random) -> tuple[str, Answer]:
    """Mixed care, as in what people write: often a guess, else `cases` that may stop too early.

    A model that learns from it can reason and mostly does not: a start from which RL has something
    to find. More than half of the answers are wrong.
    """
    if rng.random() < GUESS:
        return "guess", puzzle.answer([rng.random() < 0.5 for _ in puzzle.names])
    return _try_worlds(puzzle, rng, stop=STOP)


GUESS = 0.6  # share of answers without any check
STOP = 0.1  # chance to be content after each statement that holds


def _try_worlds(puzzle: Puzzle, rng: Random, stop: float) -> tuple[str, Answer]:
    names, statements = puzzle.names, puzzle.statements
    lines = []
    last = len(names) - 1
    for world in product((True, False), repeat=len(names)):
        roles = [f"{name}_{HONESTY[role]}" for name, role in zip(names, world, strict=True)]
        for person, name in enumerate(names):
            statement = statements[person]
            holds = evaluate(statement, world) == world[person]
            lines.append(
                f"{'with' if person else 'try'} {' '.join(roles)} ; {name} says"
                f" {_values(statement, names, world)} , {name} {HONESTY[world[person]]}"
                f" {'ok' if holds else 'bad'} ."
            )
            if not holds:
                break
            if person == last or rng.random() < stop:
                return "\n".join([*lines, f"so {' '.join(roles)}"]), puzzle.answer(world)
    raise ValueError("no world satisfies the statements")


def _values(statement: tuple, names: Sequence[str], world: Sequence[bool]) -> str:
    """The statement with what the world says of each person in it, and each part's value."""
    kind, *parts = statement
    value = YES[bool(evaluate(statement, world))]
    if kind in ("knight", "knave"):
        return f"{names[parts[0]]} {HONESTY[world[parts[0]]]} {kind} {value}"
    if kind == "not":
        inner = parts[0]
        if inner[0] in ("knight", "knave"):
            return f"{names[inner[1]]} {HONESTY[world[inner[1]]]} not {inner[0]} {value}"
        return f"not ( {_values(inner, names, world)} ) = {value}"
    texts = [
        _values(p, names, world)
        if p[0] in ("knight", "knave") or (p[0] == "not" and p[1][0] in ("knight", "knave"))
        else f"( {_values(p, names, world)} )"
        for p in parts
    ]
    if kind == "implies":
        return f"if {texts[0]} then {texts[1]} = {value}"
    return f" {kind} ".join(texts) + f" = {value}"


STYLES: dict[str, Style] = {"search": search, "cases": cases, "hasty": hasty}


def find_style(name: str) -> Style:
    """Raises UsageError, with a suggestion, for an unknown style."""
    if name not in STYLES:
        raise UsageError(
            f"unknown trace style {name!r}.{suggest(name, STYLES)} Known: {', '.join(STYLES)}"
        )
    return STYLES[name]


def trace_fields(puzzle: Puzzle, style: str, rng: Random) -> dict[str, Any]:
    """What goes into a record's info: `trace`, the whole assistant turn."""
    return {"trace": assistant_text(*find_style(style)(puzzle, rng))}
