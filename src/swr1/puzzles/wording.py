"""The text of a puzzle, in several wordings.

A wording is a function (statements, dice, roles) -> template, where the template holds "{i}" for the
name of person i, and `dice` are 32-bit random words, one per person, for wordings that vary. To add
a wording, write the function and put it in WORDINGS.

Nested statements read unambiguously: a part that is itself compound stands in parentheses, and
"not" of a leaf is said as "is not a".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from swr1.errors import UsageError
from swr1.puzzles.roles import Roles, find_roles
from swr1.puzzles.statements import LEAVES
from swr1.registry import suggest


class Wording(NamedTuple):
    """`language` ("en", "zh") says which words for roles and which names go with it."""

    text: Callable[[Sequence[tuple], Sequence[int], Roles], str]
    language: str = "en"


ENGLISH = {"not": "it is not the case that {0}", "iff": " if and only if "}
TERSE = {"not": "not {0}", "iff": " iff "}

INTRO = (
    "On an island everyone is either {a_truth} or {a_liar}. {Truths} always tell the truth, and"
    " {liars} always lie. You meet {people}."
)
QUESTION = "For each of them, is that person {a_truth} or {a_liar}?"
KNIGHTS = find_roles()

# Ways to report a statement: {who} speaks, {what} is said, {What} with a capital.
REPORTS = (
    "{who} said that {what}.",
    "{who} told you that {what}.",
    '{who} said: "{What}."',
    "{who} let you know that {what}.",
    "According to {who}, {what}.",
    'In the words of {who}: "{What}."',
    '{who} remarked: "{What}."',
    '"{What}," declared {who}.',
    'You overheard {who} saying: "{What}."',
    "{who} was of the opinion that {what}.",
    '"{What}." Those were the words of {who}.',
    'As {who} put it: "{What}."',
    "{who} asserted that {what}.",
    '"{What}," {who} mentioned in passing.',
    'The comment of {who} was: "{What}."',
    'A statement made by {who} reads: "{What}."',
    '{who} noted: "{What}."',
    'What {who} claimed is this: "{What}."',
)


@lru_cache(maxsize=1 << 16)
def phrase(statement: tuple, terse: bool = False, roles: Roles = KNIGHTS) -> str:
    """A statement as a clause with "{i}" for names: "{0} is a knight and {2} is not a knave"."""
    words = TERSE if terse else ENGLISH
    kind = statement[0]
    if kind in LEAVES:
        return f"{{{statement[1]}}} is {roles.a(kind == 'knight')}"
    if kind == "not" and statement[1][0] in LEAVES:
        return f"{{{statement[1][1]}}} is not {roles.a(statement[1][0] == 'knight')}"
    parts = []
    for s in statement[1:]:
        simple = s[0] in LEAVES or (s[0] == "not" and s[1][0] in LEAVES)
        text = phrase(s, terse, roles)
        parts.append(text if simple else f"( {text} )" if terse else f"({text})")
    if kind == "implies":
        return f"if {parts[0]} then {parts[1]}"
    if kind == "not":
        return words["not"].replace("{0}", parts[0])
    return words.get(kind, f" {kind} ").join(parts)


def listed(items: Sequence[str]) -> str:
    """A, B and C."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


@lru_cache(maxsize=64)
def _frame(people: int, roles: Roles) -> tuple[str, str]:
    """The first and the last sentence."""
    words = {
        "{a_truth}": roles.a(True),
        "{a_liar}": roles.a(False),
        "{Truths}": roles.truths.capitalize(),
        "{liars}": roles.liars,
        "{people}": listed([f"{{{i}}}" for i in range(people)]),
    }
    intro, question = INTRO, QUESTION
    for place, word in words.items():
        intro, question = intro.replace(place, word), question.replace(place, word)
    return intro, question


@lru_cache(maxsize=1 << 10)
def _report(speaker: int, report: int) -> tuple[str, str, bool]:
    """What stands before and after the clause, and whether the clause takes a capital."""
    text = REPORTS[report].replace("{who}", f"{{{speaker}}}")
    before, clause, after = re.split("({what}|{What})", text)
    return before, after, clause == "{What}"


@lru_cache(maxsize=1 << 16)
def _capital_phrase(statement: tuple, roles: Roles) -> str:
    text = phrase(statement, False, roles)
    return text[0].upper() + text[1:]


def plain(statements: Sequence[tuple], dice: Sequence[int], roles: Roles) -> str:
    intro, question = _frame(len(statements), roles)
    said = [f"{{{i}}} says that {phrase(s, False, roles)}." for i, s in enumerate(statements)]
    return " ".join([intro, *said, question])


def varied(statements: Sequence[tuple], dice: Sequence[int], roles: Roles) -> str:
    intro, question = _frame(len(statements), roles)
    said = []
    for i, s in enumerate(statements):
        before, after, capital = _report(i, dice[i] * len(REPORTS) >> 32)
        clause = _capital_phrase(s, roles) if capital else phrase(s, False, roles)
        said.append(before + clause + after)
    return " ".join([intro, *said, question])


def terse(statements: Sequence[tuple], dice: Sequence[int], roles: Roles) -> str:
    """All tokens stand apart, punctuation too, and few words are used: for tiny models."""
    return " ".join(
        [f"{{{i}}} says : {phrase(s, True, roles)} ." for i, s in enumerate(statements)]
    )


WORDINGS: dict[str, Wording] = {
    "plain": Wording(plain),
    "varied": Wording(varied),
    "terse": Wording(terse),
}


def find_wording(name: str) -> Wording:
    """Raises UsageError, with a suggestion, for an unknown wording."""
    if name not in WORDINGS:
        raise UsageError(
            f"unknown wording {name!r}.{suggest(name, WORDINGS)} Known: {', '.join(WORDINGS)}"
        )
    return WORDINGS[name]
