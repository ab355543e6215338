"""A passage: what an index holds, and what a search gives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from swr1.errors import DataError
from swr1.index.words import words_of
from swr1.records import pack, parse

MOST_CHARACTERS = 100_000  # of a passage, title and text together
ATTACK = ("kind", "question", "value")  # what a row says under `attack`
LONGEST_OF_ATTACK = 500  # characters of each


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with its title and where it came from.

    Attributes:
        id: the row's own, or SOURCE#N for the N-th passage of a source.
        title: the row's own, the path of headings above it, or the file's name.
        source: the file, as it was named when it was indexed.
        place: the line that it begins on ("12"), or the row ("row 12") where a file has no lines.
        digest: 32 hex digits of title and text.
        attack: what a document of `swr1 attack --documents` says of itself (attack_of); None of others.
        score: BM25, as a search ranks it, to five digits; None outside of a search.
    """

    id: str
    title: str
    text: str
    source: str
    place: str
    digest: str
    attack: dict[str, str] | None = None
    score: float | None = None

    @property
    def location(self) -> str:
        """FILE:LINE, or FILE:row N."""
        return f"{self.source}:{self.place}"


def attack_of(row: Any) -> dict[str, str] | None:
    """What a row says of the attack that it is: kind, question (an id) and value, each a short text.

    None for every other row, whatever it has under `attack`: the column may be somebody's own.
    """
    said = row.get("attack") if isinstance(row, dict) else None
    if not isinstance(said, dict):
        return None
    found = {n: x for n in ATTACK if isinstance(x := said.get(n), str)}
    whole = len(found) == len(ATTACK) and all(len(x) <= LONGEST_OF_ATTACK for x in found.values())
    return found if whole else None


def make_passage(
    name: str,
    title: str,
    text: str,
    source: str,
    place: str,
    attack: dict[str, str] | None = None,
) -> Passage:
    """A passage with its digest. Raises DataError for a text that is too long or no Unicode."""
    if (length := len(title) + len(text)) > MOST_CHARACTERS:
        raise DataError(
            f"no passage: it has {length:,} characters, and the most is {MOST_CHARACTERS:,}:"
            " split it, or name the file .txt to have it split"
        )
    try:
        whole = pack([title, text])
        pack([name, attack])
    except ValueError:
        raise DataError("no passage: a text holds half of a character (a surrogate)") from None
    digest = hashlib.blake2b(whole, digest_size=16).hexdigest()
    return Passage(name, title, text, source, place, digest, attack)


def packed(passage: Passage) -> bytes:
    """The passage as an index stores it."""
    p = passage
    stored: list[Any] = [p.id, p.title, p.text, p.source, p.place, p.digest]
    return pack([*stored, p.attack] if p.attack else stored)


def unpacked(stored: bytes, score: float | None = None) -> Passage:
    """The inverse of `packed`, with the score of a search."""
    passage = Passage(*parse(stored))
    return passage if score is None else replace(passage, score=score)


def order_of(stored: bytes) -> int:
    """A number of 63 bits that decides between passages of one score: it is the passage's alone."""
    return int.from_bytes(hashlib.blake2b(stored, digest_size=8).digest()) >> 1


def indexed_words(passage: Passage) -> str:
    """The words that find a passage, with spaces between them: those of its title and its text."""
    return " ".join(words_of(f"{passage.title}\n{passage.text}"))


def as_json(passage: Passage) -> dict[str, Any]:
    """A passage as `swr1 index query` writes it."""
    whole = {name: getattr(passage, name) for name in Passage.__dataclass_fields__}
    if not passage.attack:
        del whole["attack"]
    return whole
