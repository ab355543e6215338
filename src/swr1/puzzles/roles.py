"""The two kinds of people on the island, and what they are called.

The truth teller's word comes first, whatever the words are: "flipped" roles (the knave tells the
truth) are simply the pair in the other order. Internally ["knight", i] means "person i tells the
truth" and ["knave", i] "person i lies"; a record's `info.roles` says which words the text and the
answer use for that.
"""

from __future__ import annotations

import re
from functools import lru_cache
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
        return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


# English pairs (those of arXiv 2410.23123, section 2.2, and reasoning-gym) and their Chinese words.
PAIRS = {
    ("knight", "knave"): ("骑士", "无赖"),
    ("pioneer", "laggard"): ("先锋", "懒汉"),
    ("saint", "sinner"): ("圣人", "罪人"),
    ("hero", "villain"): ("英雄", "恶棍"),
    ("angel", "devil"): ("天使", "魔鬼"),
    ("altruist", "egoist"): ("利他者", "利己者"),
    ("sage", "fool"): ("智者", "愚人"),
}
_WORD = r"[^\W\d_]+(?:-[^\W\d_]+)*"


@lru_cache(maxsize=256)
def find_roles(text: str = "knight/knave", language: str = "en") -> Roles:
    """ "saint/sinner" as Roles; the truth teller first, so "knave/knight" is flipped.

    A user's own pair is written the same way, plurals after a colon where they are not regular:
    "elf:elves/orc". With language "zh" the built-in pairs are translated. Raises UsageError for
    anything that is not two different words.
    """
    sides = [side.strip().partition(":") for side in text.split("/")]
    words = [word for word, _, _ in sides]
    plurals = [plural or _plural(word) for word, _, plural in sides]
    if len(sides) != 2 or len({*words, *plurals}) < 2 or words[0] == words[1]:
        raise UsageError(
            f"roles are two words, the truth teller's first, such as saint/sinner, not {text!r}"
            f"{suggest(text, ['/'.join(pair) for pair in PAIRS])}"
        )
    for word in (*words, *plurals):
        if not re.fullmatch(_WORD, word):
            raise UsageError(f"a role is one word of letters, not {word!r} (in {text!r})")
    if language == "zh":
        for pair, (truth, liar) in PAIRS.items():
            if set(words) == set(pair):
                known = dict(zip(pair, (truth, liar), strict=True))
                first, second = (known[word] for word in words)
                return Roles(first, second, first, second)
        return Roles(words[0], words[1], words[0], words[1])
    return Roles(words[0], words[1], plurals[0], plurals[1])


def _plural(word: str) -> str:
    if "\u3400" <= word[:1] <= "\u9fff":  # Chinese
        return word
    return f"{word}es" if word.endswith(("o", "s", "x", "z", "ch", "sh")) else f"{word}s"
