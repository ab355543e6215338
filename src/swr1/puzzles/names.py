"""Who lives on the island: lists of names, built in or read from a user's file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from swr1.errors import DataError, UsageError
from swr1.registry import suggest

# Names that are no other word of English, so that a reader of free text can find them.
LISTS = {
    "common": """
        Adele Albert Alice Amelia Anton Audrey Beatrice Benjamin Bruno Carla Cedric Clara Daniel
        Edith Edmund Elena Emma Ethan Felix Fiona George Hannah Henry Hugo Ingrid Isabel Jacob Julia
        Karen Laura Leonard Liam Louise Lucas Martin Mia Nathan Nora Oliver Oscar Paula Peter Rachel
        Robert Sophia Stella Theo Victor Walter Zoey
    """,
    "few": "Ada Ben Eva Leo Mia Sam Tom Zoe",
}

# Words of the puzzles themselves, which a name would make unreadable.
RESERVED = {
    "a",
    "and",
    "if",
    "iff",
    "is",
    "it",
    "knave",
    "knight",
    "not",
    "only",
    "or",
    "says",
    "then",
}

RULE = (
    "letters and digits, with spaces, hyphens, apostrophes or dots inside; no word of the puzzles"
)


def read_names(source: str | Sequence[str]) -> list[str]:
    """The names of a built-in list ("common", "few"), of a file (one a line, # comments) or given.

    Raises UsageError for an unknown list, DataError (with the line) for a name that repeats, that
    breaks RULE, or that holds another name as a word.
    """
    if not isinstance(source, str):
        lines, place = list(source), "names"
    elif source in LISTS:
        return LISTS[source].split()
    else:
        path, place = Path(source), source
        if not path.is_file():
            raise UsageError(
                f"no name list or file {source!r}.{suggest(source, LISTS)}"
                f" Lists: {', '.join(LISTS)}; or a file with one name a line"
            )
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError("not UTF-8 text; save the names as UTF-8", source) from error
    names: dict[str, str] = {}  # by the words they are made of, in lower case
    for number, line in enumerate(lines, 1):
        name, where = " ".join(line.partition("#")[0].split()), f"{place}:{number}"
        if not name:
            continue
        words = name.casefold()
        if not re.fullmatch(r"\w(?:[\w '’.·-]*\w)?", name) or words in RESERVED:
            raise DataError(f"{name!r} cannot serve as a name: {RULE}", where)
        if words in names:
            raise DataError(f"{name!r} is listed twice; leave one out", where)
        names[words] = name
    for words, name in names.items():
        pieces = words.split()
        for i, j in combinations(range(len(pieces) + 1), 2):
            part = " ".join(pieces[i:j])
            if part != words and part in names:
                raise DataError(f"{name!r} contains another name, {names[part]!r}", place)
    return list(names.values())
