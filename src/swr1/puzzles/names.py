"""Who lives on the island: lists of names, built in (data/names) or read from a user's file.

names = read_names("latin", roles=find_roles("saint/sinner"), people=100)

A reader has to find names in running text, the puzzle's and the answer's. So no name holds another,
a word of the puzzle's sentences, or a role word. Chinese has no space between words, so
its rule goes by characters instead of words, and by those that may stand next to a name
(NEIGHBOURS).
"""

import re
import unicodedata
from collections.abc import Sequence
from importlib import resources
from itertools import chain, combinations
from pathlib import Path

from swr1.errors import DataError, UsageError
from swr1.puzzles import wording
from swr1.puzzles.roles import Roles
from swr1.registry import suggest

# The names of the lists are no other words of English, so that free text can be searched for them.
LISTS = {
    file.name.removesuffix(".txt"): file.read_text("utf-8")
    for file in sorted((resources.files("swr1.data") / "names").iterdir(), key=lambda f: f.name)
    if file.name.endswith(".txt")
}
_LISTED = {name: frozenset(text.split()) for name, text in LISTS.items()}
DEFAULTS = {"en": ("common", "latin"), "zh": ("chinese",)}  # the first that has enough

RULE = (
    "letters and digits, with spaces, hyphens, apostrophes or dots inside; no word of the puzzles"
)
_CHINESE = re.compile("[\u3400-\u9fff]")
_PLACE = re.compile(r"\{\w+\}")


def _english_words() -> set[str]:
    grammars = (wording.ENGLISH, wording.TERSE)
    pieces = [p for g in grammars for t in (g.flat, g.deep, g.nested) for p in t.values()]
    texts = [wording.INTRO, wording.QUESTION, wording.SAYS, wording.SAYS_TERSE, *wording.REPORTS]
    texts += chain(*pieces, *[(g.leaf, g.denied, *g.negation) for g in grammars])
    return {"a", "an", *re.findall(r"\w+", _PLACE.sub(" ", " ".join(texts)).casefold())}


def _chinese_templates() -> list[str]:
    """Every sentence and connective, with {who} or {people} where names stand."""
    zh = wording.CHINESE
    texts = [wording.INTRO_ZH, wording.QUESTION_ZH, *wording.REPORTS_ZH, zh.leaf, zh.denied]
    pieces = chain(*[table.values() for table in (zh.flat, zh.deep, zh.nested)])
    texts += [f"{word}{{who}}" for before, between, _ in pieces for word in (before, between)]
    texts += [f"{{who}}{word}{{who}}" for word in wording.TEXTS["zh"].lists]
    return [*texts, f"{zh.negation[0]}{{who}}"]


RESERVED = _english_words()
_TAKEN = RESERVED | {"knight", "knave"}  # with other roles too: readers of all kinds know these
_CHINESE_TEXT = "|".join(_chinese_templates())
_LITERAL = _PLACE.sub("|", _CHINESE_TEXT)
NEIGHBOURS = {  # characters just before or after a name
    *re.findall(r"\w(?=\{(?:who|people)\})", _CHINESE_TEXT),
    *re.findall(r"\{(?:who|people)\}(?=(\w))", _CHINESE_TEXT),
}


def default_names(language: str = "en", people: int = 0) -> str:
    """The list that goes with a language ("en", "zh"), with at least so many names if there is."""
    lists = DEFAULTS[language]
    return next((name for name in lists if len(LISTS[name].split()) >= people), lists[-1])


def is_listed(names: Sequence[str]) -> bool:
    """Whether a built-in list holds all of these names."""
    return any(text.issuperset(names) for text in _LISTED.values())


def list_of(names: Sequence[str], language: str = "en") -> str:
    """The built-in list that these names come from, else the one of the language.

    Of several that hold them, the shortest that has as many others.
    """
    holding = sorted((len(text), name) for name, text in _LISTED.items() if text.issuperset(names))
    enough = (name for count, name in holding if count >= 2 * len(names))
    return next(enough, holding[-1][1] if holding else default_names(language, 2 * len(names)))


def read_names(
    source: str | Sequence[str], roles: Roles | None = None, people: int = 0
) -> list[str]:
    """The names of a built-in list (LISTS), of a file (one a line, # comments) or given.

    Raises UsageError for an unknown list, for less than `people` names, and for names that do not
    go with the roles (check_names); DataError (with the line) for a name that repeats, that breaks
    RULE, or that holds another name.
    """
    if not isinstance(source, str):
        names = _checked(list(source), "names")
    elif source in LISTS:
        names = LISTS[source].split()
    else:
        names = _checked(_lines(source), source)
    if len(names) < people:
        enough = [f"{name} ({len(text.split())})" for name, text in LISTS.items()
                  if len(text.split()) >= people]  # fmt: skip
        advice = f"Long enough: {', '.join(enough)}." if enough else "Give a file of more."
        listed = repr(source) if isinstance(source, str) else "the names given"
        raise UsageError(
            f"{people} people need {people} names, and there are {len(names)} ({listed}). {advice}"
        )
    if roles:
        check_names(names, roles)
    return names


def check_names(names: Sequence[str], roles: Roles) -> None:
    """Raises UsageError when a name and a role word, or a role word and the text, look alike."""
    called = {word.casefold() for word in roles}
    if common := called & RESERVED:
        raise UsageError(
            f"{common.pop()!r} cannot be a role: it is a word of the puzzle's own sentences"
        )
    for name in names:
        words, key = _words(name), name.casefold()
        for role in called:
            chinese = _CHINESE.search(role) or _CHINESE.search(name)
            if role in words or role == key or (chinese and (role in key or key in role)):
                raise UsageError(
                    f"the name {name!r} and the role {role!r} look alike: choose other names or"
                    " other roles"
                )


def _lines(source: str) -> list[str]:
    if not Path(source).is_file():
        raise UsageError(
            f"no name list or file {source!r}.{suggest(source, LISTS)}"
            f" Lists: {', '.join(LISTS)}; or a file with one name a line"
        )
    try:
        return Path(source).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8 text; save the names as UTF-8", source) from error


def _checked(lines: Sequence[str], place: str) -> list[str]:
    names: dict[tuple[str, ...], str] = {}  # by their words in lower case
    whole: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, location = " ".join(line.partition("#")[0].split()), f"{place}:{number}"
        name = unicodedata.normalize("NFC", name)
        if not name:
            continue
        if problem := _problem(name):
            raise DataError(f"{name!r} cannot serve as a name: {problem}", location)
        words = _words(name)
        if words in names:
            raise DataError(f"{name!r} is listed twice; leave one out", location)
        names[words] = whole[name.casefold()] = name
    for words, name in names.items():
        parts = [names.get(words[i:j]) for i, j in combinations(range(len(words) + 1), 2)]
        if _CHINESE.search(name):
            key = name.casefold()
            parts += [whole.get(key[i:j]) for i, j in combinations(range(len(key) + 1), 2)]
        if inner := next((part for part in parts if part and part != name), None):
            raise DataError(f"{name!r} contains another name, {inner!r}", place)
    return list(names.values())


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", name.casefold()))


def _problem(name: str) -> str | None:
    if not re.fullmatch(r"\w(?:[\w '’.·-]*\w)?", name) or _TAKEN & set(_words(name)):
        return RULE
    if _CHINESE.search(name):
        if neighbour := next((character for character in name if character in NEIGHBOURS), None):
            return f"{neighbour} may stand next to a name in the text, so it may not be part of one"
        if name in _LITERAL:
            return "it is part of the puzzle's own sentences"
    return None
