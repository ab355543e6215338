"""Reads what a person types: "Zoe says that Leo is a liar. Leo says we are both knights."

Such a text says neither who is there nor what a knight is. The people are those who speak, knights
tell the truth and knaves lie (as do truth-tellers and liars). It is for `swr1 solve --text` only: a
data set's text is read by `reading.py`, which leaves nothing to be guessed.
"""

import re
from typing import Any

from swr1.errors import DataError
from swr1.puzzles.clauses import short
from swr1.puzzles.reading import ParsedPuzzle, read_puzzle
from swr1.puzzles.roles import find_roles

_SAYS = re.compile(
    r"""\s*([^\s,.:"“][^,.:"“]*?)\s+sa(?:ys|id)\b[\s:,]*(?:that\s+)?["“]?(.+?)["”.\s]*$"""
)
_OPENING = (
    "A very special island is inhabited only by knights and knaves. Knights always tell the truth,"
    " and knaves always lie. You meet {count} inhabitants: {people}."
)
_QUESTION = "So who is a knight and who is a knave?"
_IS = r"(is|am|are|'s|'m|'re)"
_WORDING: list[tuple[str, Any]] = [  # in this order
    (r"[‘’]", "'"),
    (r"\b(truth[- ]?teller|liar)(s?)\b", lambda m: f"{_role(m[1])}{m[2]}"),
    (rf"\b{_IS}n't\b|\b{_IS} not\b", lambda m: f"{m[1] or m[2]} not"),
    (r"\bis (?:always )?lying\b|\b(?:always )?lies\b", "is a knave"),
    (r"\b(?:is telling|(?:always )?tells) the truth\b", "is a knight"),
    (r"\bI(?:'m| am)\b", "{me} is"),
    (r"\bI\b|(?<!\{)\bme\b", "{me}"),
    (r"\bwe(?:'re| are)\b|\bboth of us are\b", "{all} are"),
]
_PLURAL = re.compile(r"(\S+(?:, \S+)*,? and \S+) are (not )?(?:both |all )?(knight|knave)s\b")
_ALIKE = re.compile(
    r"(\S+) (?:and (\S+) are (?:both )?|is )(?:of )?(the same|an?other|a different|different)"
    r"(?: (?:kind|type|sort)s?\b)?(?: (?:as|than|from|to) (\S+))?"
)
_READ = (
    'what is read: "Leo is a liar", "Leo and I are knights", "Leo and I are of the same kind", "if Leo is'
    ' a knight, then Zoe is a knave", and such with and, or, either'
)


def read_spoken(text: str) -> ParsedPuzzle:
    """The puzzle in sentences of "NAME says ...". Raises DataError naming what could not be read."""
    sentences = [s for s in re.split(r"(?<=[.!?\n])[\"”]?\s+", text.strip()) if s.strip(' ."”')]
    found = [_SAYS.match(sentence) for sentence in sentences]
    if not any(found):
        return read_puzzle(text)
    told = [match.groups() for match in found if match]
    if wrong := [s for s, match in zip(sentences, found, strict=True) if not match]:
        raise DataError(f"sentence not understood: {short(wrong[0])} (NAME says ...)")
    names = [who for who, _ in told]
    reports = [f"{who} says that {_plain(clause, who, names)}." for who, clause in told]
    opening = _OPENING.format(count=len(names), people=_listed(names))
    try:
        names, _, statements = read_puzzle(" ".join([opening, *reports, _QUESTION]))
    except DataError as error:
        raise DataError(f"{error.reason}; {_READ}") from None
    return ParsedPuzzle(names, find_roles("knight/knave", "en"), statements)


def _plain(clause: str, me: str, names: list[str]) -> str:
    """A clause in the words that the grammar knows: every person by name, one role each."""
    for pattern, words in _WORDING:
        clause = re.sub(pattern, words, clause)
    clause = clause.replace("{me}", me).replace("{all}", " and ".join(names))
    clause = _PLURAL.sub(_each, clause)
    return _ALIKE.sub(_alike, clause)


def _role(word: str) -> str:
    return "knave" if word.startswith("liar") else "knight"


def _each(match: re.Match[str]) -> str:
    people = re.split(r",? and |, ", match[1])
    return " and ".join(f"{one} is {match[2] or ''}a {match[3]}" for one in people)


def _alike(match: re.Match[str]) -> str:
    one, other = match[1], match[2] or match[4]
    if not other or (match[2] and match[4]):
        return match[0]
    role = "knight" if match[3] == "the same" else "knave"
    return f"{one} is a knight if and only if {other} is a {role}"


def _listed(names: list[str]) -> str:
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"
