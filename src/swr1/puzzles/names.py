"""Who lives on the island: lists of names, built in or read from a user's file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from swr1.errors import DataError, UsageError
from swr1.registry import suggest

# Names that are no other word of English, so that a reader of free text can find them.
COMMON = [
    "Adele",
    "Albert",
    "Alice",
    "Amelia",
    "Anton",
    "Audrey",
    "Beatrice",
    "Benjamin",
    "Bruno",
    "Carla",
    "Cedric",
    "Clara",
    "Daniel",
    "Edith",
    "Edmund",
    "Elena",
    "Emma",
    "Ethan",
    "Felix",
    "Fiona",
    "George",
    "Hannah",
    "Henry",
    "Hugo",
    "Ingrid",
    "Isabel",
    "Jacob",
    "Julia",
    "Karen",
    "Laura",
    "Leonard",
    "Liam",
    "Louise",
    "Lucas",
    "Martin",
    "Mia",
    "Nathan",
    "Nora",
    "Oliver",
    "Oscar",
    "Paula",
    "Peter",
    "Rachel",
    "Robert",
    "Sophia",
    "Stella",
    "Theo",
    "Victor",
    "Walter",
    "Zoey",
]
FEW = ["Ada", "Ben", "Eva", "Leo", "Mia", "Sam", "Tom", "Zoe"]
LISTS = {"common": COMMON, "few": FEW}

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


def read_names(source: str | Sequence[str]) -> list[str]:
    """The names of a built-in list ("common", "few"), of a file (one a line, # comments) or given.

    Raises UsageError for an unknown list, DataError (with the line) for a name that repeats, that
    has characters other than letters, digits, spaces, hyphens, apostrophes and dots inside, or
    that is a word of the puzzles.
    """
    if not isinstance(source, str):
        lines, place = list(source), "names"
    elif source in LISTS:
        return LISTS[source]
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
    names: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        name = " ".join(line.partition("#")[0].split())
        if not name:
            continue
        if not re.fullmatch(r"\w(?:[\w '’.·-]*\w)?", name) or name.casefold() in RESERVED:
            raise DataError(f"{name!r} cannot serve as a name", f"{place}:{number}")
        if name.casefold() in names:
            first = names[name.casefold()]
            raise DataError(f"{name!r} is there already, at line {first}", f"{place}:{number}")
        names[name.casefold()] = number
    return [
        " ".join(line.partition("#")[0].split()) for line in lines if line.partition("#")[0].strip()
    ]
