"""Answers that are words, made comparable: the normalisation of SQuAD (arXiv 1606.05250), and more.

Lower case, no punctuation, no articles, single spaces, as in its evaluation. Beyond it: a number
keeps its sign and its point, a text of nothing but articles or punctuation stays itself, full-width
letters become plain ones, and Chinese is compared character by character, so spaces do not count.
"""

import re
import unicodedata
from collections import Counter

from swr1.verifiers.completions.text import INVISIBLE

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_HAN = r"[\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\U00020000-\U0003ffff]"
_SPACE_AT_HAN = re.compile(rf"(?<={_HAN}) | (?={_HAN})")
_AROUND_HAN = re.compile(rf"(?<={_HAN})|(?={_HAN})")
_PART_OF_NUMBER = re.compile(r"(?<![\w)])-(?=\.?\d)|(?<=\d)\.(?=\d)|(?<!\w)\.(?=\d)")
_BETWEEN_DIGITS = re.compile(r"(?<=\d),(?=\d{3})")
_MINUS = {0x2212: "-"}


def normalize(text: str) -> str:
    """The words of a text in lower case, one space between them; a Chinese character is a word."""
    text = unicodedata.normalize("NFKC", text).translate(INVISIBLE | _MINUS).casefold().strip()
    text = _BETWEEN_DIGITS.sub("", text)
    in_numbers = {match.start() for match in _PART_OF_NUMBER.finditer(text)}
    # SQuAD removes a mark, which joins "well-known"; full-width ones separate.
    marks = {k for k, c in enumerate(text) if unicodedata.category(c)[0] in "PS"} - in_numbers
    bare = "".join(" " * (not c.isascii()) if k in marks else c for k, c in enumerate(text))
    # the A of "选A" is no article, nor is that of "选 A"
    close = _SPACE_AT_HAN.sub("", " ".join(bare.split()))
    words = _AROUND_HAN.sub(" ", _ARTICLES.sub(" ", close)).split()
    return " ".join(words or text.split())


def word_f1(answer: str, gold: str) -> float:
    """The harmonic mean of the precision and recall of words, as bags; 0 where either has none."""
    a, b = normalize(answer).split(), normalize(gold).split()
    common = sum((Counter(a) & Counter(b)).values())
    return 2 * common / (len(a) + len(b)) if common else 0.0
