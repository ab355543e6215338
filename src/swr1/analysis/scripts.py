"""Which script a completion is written in, token by token or, without tokens, letter by letter.

Scripts are "latin", "cjk" (Chinese, Japanese, Korean) and "other"; what has no letters, and the
Greek and mathematical letters of formulas, is of no script. Tokens are the better unit: a Chinese
word is one or two tokens and as many characters, an English word one or two tokens and six letters.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from swr1.errors import SwrError, UsageError, no_folder
from swr1.policy import model_folder

SCRIPTS = ("latin", "cjk", "other")
_NAMES = {"LATIN": "latin", "FULLWIDTH": "latin"} | dict.fromkeys(
    ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"), "cjk"
)
_FORMULAS = ("GREEK", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER", "MICRO")
_TAG = re.compile(r"</?\w+>|<\|.*?\|>")
_BROKEN = "\ufffd"  # what part of a character decodes to
_LONGEST = 4  # tokens that one character may be split into: UTF-8 has at most four bytes


@lru_cache(maxsize=65536)
def script_of(character: str) -> str | None:
    """ "latin", "cjk", "other", or None for what is not a letter of a language."""
    if character.isascii():
        return "latin" if character.isalpha() else None
    if not character.isalpha():
        return None
    first = unicodedata.name(character, "UNKNOWN").split()[0]
    return None if first in _FORMULAS else _NAMES.get(first, "other")


def scripts_of(text: str) -> Counter[str]:
    """Letters of the text by script; tags such as <think> do not count."""
    characters = Counter(_TAG.sub(" ", text))
    counts: Counter[str] = Counter()
    for character, count in characters.items():
        if script := script_of(character):
            counts[script] += count
    return counts


class TokenScripts:
    """Counts tokens by script. A token of several scripts is of the one that is not Latin.

    Args:
        decode: token ids to text, special tokens included.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._known: dict[int, str | None] = {}  # id -> script, None for no letters, _BROKEN

    def count(self, ids: Iterable[int]) -> Counter[str]:
        """Tokens by script, of those that have letters."""
        counts: Counter[str] = Counter()
        pieces: list[int] = []  # tokens that are parts of a character not yet whole
        for token in ids:
            script = self._known[token] if token in self._known else self._look_up(token)
            if script == _BROKEN:
                pieces.append(token)
                text = self._decode(pieces)
                if _BROKEN not in text or len(pieces) == _LONGEST:
                    self._add(counts, _main(scripts_of(text)), len(pieces))
                    pieces = []
                continue
            pieces = []  # broken off: bytes that are no text
            self._add(counts, script, 1)
        return counts

    def _look_up(self, token: int) -> str | None:
        text = self._decode([token])
        script = _BROKEN if _BROKEN in text else _main(scripts_of(text))
        self._known[token] = script
        return script

    @staticmethod
    def _add(counts: Counter[str], script: str | None, tokens: int) -> None:
        if script:
            counts[script] += tokens


def _main(counts: Counter[str]) -> str | None:
    return next((s for s in ("cjk", "other", "latin") if counts[s]), None)


def open_tokenizer(name: str, needed: bool = True) -> TokenScripts | None:
    """The tokenizer of a policy folder, a model folder or a tokenizer.json, without transformers.

    Raises UsageError when it is not there; with `needed` False, None says so.
    """
    from tokenizers import Tokenizer

    file = Path(name)
    if file.is_dir():
        try:
            file = Path(model_folder(name)) / "tokenizer.json"
        except SwrError:
            if needed:
                raise
    if not file.is_file():
        if not needed:
            return None
        if not file.exists() and file.suffix != ".json":
            raise UsageError(f"--tokenizer {name}: {no_folder(name)}")
        raise UsageError(
            f"no tokenizer at {name!r}: give a policy folder, a model folder or a tokenizer.json"
        )
    try:
        tokenizer: Any = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise UsageError(f"cannot read the tokenizer {file}: {error}") from None
    return TokenScripts(lambda ids: tokenizer.decode(list(ids), skip_special_tokens=False))
