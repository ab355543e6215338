r"""Word lists: groups of words whose use is counted in completions.

    lists = load_words(["reasoning", "mine.toml"])
    {word.name: word.count(ready(text)) for word in lists}

A list is a TOML file. Each key is a group; its words are a list, or a table of word -> spellings:

    hesitation = ["wait", "hold on", '/\bh+m+\b/']  # between slashes: a regular expression
    [verification]
    check = ["check", "checks", "checking"]
"""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from swr1.errors import UsageError
from swr1.registry import suggest

CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
# A letter or digit of a script that puts spaces between words.
_LETTER = rf"[^\W{CJK}]"
_TOKEN = re.compile(rf"{_LETTER}+(?:-{_LETTER}+)*")
_ABOUT = ("title", "source")  # keys of a file that are not groups


class Text(NamedTuple):
    """A text as words are looked for in it, see `ready`."""

    text: str
    tokens: Counter[str]


def ready(text: str) -> Text:
    """In lower case, with straight apostrophes and single spaces; and its words counted."""
    plain = _plain(text)
    return Text(plain, Counter(_TOKEN.findall(plain)))


class Word(NamedTuple):
    """Spellings that are one token are looked up; phrases, expressions and CJK are searched for."""

    name: str
    group: str
    tokens: tuple[str, ...]
    pattern: re.Pattern[str] | None
    hints: tuple[str, ...]  # texts of which one must occur for the pattern to match; () for any

    def count(self, text: Text) -> int:
        """How often it occurs; each spelling is counted for itself."""
        count = sum(text.tokens[token] for token in self.tokens)
        if self.pattern and (not self.hints or any(hint in text.text for hint in self.hints)):
            count += sum(1 for _ in self.pattern.finditer(text.text))
        return count


def _plain(text: str) -> str:
    return " ".join(text.replace("\u2019", "'").lower().split())


def load_words(names_or_files: Sequence[str]) -> list[Word]:
    """The words of named lists and TOML files, in their order.

    Raises UsageError for an unknown name (with a suggestion), a file of another shape, a regular
    expression that is none, or a word that occurs twice.
    """
    words: list[Word] = []
    for name in names_or_files:
        words += _from_toml(name, _text_of(name))
    names = [word.name for word in words]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"the word {twice[0]!r} stands twice in the word lists; keep one")
    return words


def _text_of(name: str) -> str:
    shipped = resources.files("swr1.data") / "words"
    known = sorted(f.name.removesuffix(".toml") for f in shipped.iterdir() if ".toml" in f.name)
    if name in known:
        return (shipped / f"{name}.toml").read_text("utf-8")
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"unknown word list {name!r}.{suggest(name, known)} Known: {', '.join(known)};"
            " or the path of a TOML file (group = [words])"
        )
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the word list {path}: {error}") from None


def _from_toml(name: str, text: str) -> list[Word]:
    try:
        groups = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the word list {name!r} is not valid TOML: {error}") from None
    words = []
    for group, entries in groups.items():
        if group in _ABOUT:
            continue
        if isinstance(entries, list):
            entries = {str(entry): [entry] for entry in entries}
        if not isinstance(entries, dict):
            raise UsageError(
                f"word list {name!r}: {group!r} must be a list of words, or a table of"
                " word = [spellings]"
            )
        words += [_word(word, group, spellings, name) for word, spellings in entries.items()]
    if not words:
        raise UsageError(f"the word list {name!r} holds no words")
    return words


def _word(word: str, group: str, spellings: Any, source: str) -> Word:
    if isinstance(spellings, str):
        spellings = [spellings]
    if not spellings or not all(isinstance(s, str) and s.strip() for s in spellings):
        raise UsageError(f"word list {source!r}: the spellings of {word!r} must be a list of texts")
    tokens, hints, patterns = [], [], []
    for spelling in spellings:
        plain = _plain(spelling)
        if len(spelling) > 2 and spelling[0] == spelling[-1] == "/":
            patterns.append(f"(?i:{spelling[1:-1]})")
        elif _TOKEN.fullmatch(plain):
            tokens.append(plain)
        else:
            hints.append(plain)
            patterns.append(_bounded(plain))
    try:
        pattern = re.compile("|".join(patterns)) if patterns else None
    except re.error as error:
        raise UsageError(
            f"word list {source!r}: {word!r} is no regular expression: {error}"
        ) from None
    all_plain = len(hints) == len(patterns)
    return Word(word, group, tuple(tokens), pattern, tuple(hints) if all_plain else ())


def _bounded(text: str) -> str:
    """A pattern of the text, between word boundaries unless its script has none.

    "check" is neither in "checks" nor in "re-check"; "wait" is in "我wait一下".
    """
    left = rf"(?<!{_LETTER})(?<!{_LETTER}-)" if re.match(_LETTER, text[0]) else ""
    right = rf"(?!-?{_LETTER})" if re.match(_LETTER, text[-1]) else ""
    return left + re.escape(text) + right
