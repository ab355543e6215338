"""The words that an index knows of a text, the same for passages and for queries.

Scripts that put no spaces between words (Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer) give
every character and every pair of neighbours, since no word list is needed for that. All others give
their runs of letters and digits. Widths and capitals make no difference. There is no stemming.
"""

from __future__ import annotations

import re
import unicodedata

# Thai and Lao, Burmese, Hangul letters, Khmer, kana, ideographs, syllables of Hangul
SPACELESS = (
    "\u0e01-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = "\u0300-\u036f\u0900-\u0dff"  # they belong to the letters before them
LONGEST = 64  # characters of a word; a longer one is several
_RUN = re.compile(rf"([{SPACELESS}]+)|(?:[^\W{SPACELESS}]|[{_MARKS}]){{1,{LONGEST}}}")
_ASCII_RUN = re.compile(rf"\w{{1,{LONGEST}}}", re.ASCII)


def words_of(text: str) -> list[str]:
    """The words of a text in their order; none for a text without letters and digits."""
    if text.isascii():  # the same, faster
        return _ASCII_RUN.findall(text.lower())
    text = unicodedata.normalize("NFKC", text)
    words: list[str] = []
    for run in _RUN.finditer(text.casefold()):
        word = run[0]
        if run[1]:
            words += word
            words += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            words.append(word)
    return words
