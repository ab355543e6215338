"""The two kinds of people on the island, and what they are called.

The truth teller's word comes first, whatever the words are: "flipped" roles (the knave tells the
truth) are simply the pair in the other order. Internally ["knight", i] means "person i tells the
truth" and ["knave", i] "person i lies"; a record's `info.roles` says which words the text and the
answer use for that.
"""

import re
import tomllib
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from swr1.errors import UsageError
from swr1.registry import suggest


class Roles(NamedTuple):
    """Singular and plural words, the truth teller's first."""

    truth: str
    liar: str
    truths: str
    liars: str

    def word(self, is_truth_teller: bool) -> str:
        return self.truth if is_truth_teller else self.liar

    def a(self, is_truth_teller: bool) -> str:
        """With the English article: "a knight", "an angel"."""
        word = self.word(is_truth_teller)
        return f"{'an' if re.match(_VOWEL, word, re.IGNORECASE) else 'a'} {word}"


def _pairs() -> dict[tuple[str, str], tuple[str, str]]:
    """The English pairs and their Chinese words, as data/roles.toml lists them."""
    listed = tomllib.loads((resources.files("swr1.data") / "roles.toml").read_text("utf-8"))
    return {tuple(pair["en"]): tuple(pair["zh"]) for pair in listed["pairs"]}


PAIRS = _pairs()
_WORD = r"[^\W\d_]+(?:-[^\W\d_]+)*"
_VOWEL = "(?!eu|one|uni|use|usu)[aeiou]|heir|honest|hono|hour"  # by sound: a unicorn, an heir


@lru_cache(maxsize=256)
def find_roles(text: str = "knight/knave", language: str = "en") -> Roles:
    """ "saint/sinner" as Roles; the truth teller first, so "knave/knight" is flipped.

    A user's own pair is written the same way, plurals after a colon where they are not regular:
    "elf:elves/orc". With language "zh" the built-in pairs are translated. Raises UsageError for
    anything that is not two different words, of which no form is shared.
    """
    sides = [side.strip().partition(":") for side in text.split("/")]
    words = [word for word, _, _ in sides]
    plurals = [plural or _plural(word) for word, _, plural in sides]
    if len(sides) != 2 or not all(words) or words[0].casefold() == words[1].casefold():
        raise UsageError(
            f"roles are two words, the truth teller's first, such as saint/sinner, not {text!r}"
            f"{suggest(text, ['/'.join(pair) for pair in PAIRS])}"
        )
    for word in (*words, *plurals):
        if not re.fullmatch(_WORD, word):
            raise UsageError(f"a role is one word of letters, not {word!r} (in {text!r})")
    first, second = ({word.casefold(), plurals[i].casefold()} for i, word in enumerate(words))
    if first & second:
        raise UsageError(
            f"in {text!r} one word stands for both roles: {', '.join(first & second)}. Choose"
            " another, or write the plural after a colon, such as elf:elves/orc"
        )
    if language == "zh":
        for pair, translated in PAIRS.items():
            if set(words) == set(pair):
                words = [translated[pair.index(word)] for word in words]
        return Roles(words[0], words[1], words[0], words[1])
    return Roles(words[0], words[1], plurals[0], plurals[1])


def _plural(word: str) -> str:
    if "\u3400" <= word[:1] <= "\u9fff":  # Chinese
        return word
    if re.search("[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("o", "s", "x", "z", "ch", "sh")) else f"{word}s"
