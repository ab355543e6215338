"""What is put into a completion that the policy did not write: a tool's reply, between tags.

It is words for the policy, never a tag. Whatever opens or closes a tag is replaced by a quotation
mark that looks like it, also the wide and small forms that some tokenizers turn into the plain one.
So no document can end its own block, call a tool, or write the answer.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.prompts.control import encode
from swr1.tags import INFORMATION, pairs

OPEN, CLOSE = pairs((INFORMATION,))
_OPENS, _CLOSES = "\u2039", "\u203a"  # single angle quotation marks
_TABLE = str.maketrans(
    dict.fromkeys("<\uff1c\ufe64", _OPENS) | dict.fromkeys(">\uff1e\ufe65", _CLOSES)
)
# Line ends stay; all other control and direction characters are nothing that a policy needs.
_BETWEEN = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff])(?=[\u3040-\u30ff\u3400-\u9fff])")
_CONTROL = re.compile(r"[^\S\n]|[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def escaped(text: str) -> str:
    """The text without anything that could be a tag or hides what it is."""
    text = _CONTROL.sub(lambda match: " " if match[0].isspace() else "", text)
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    return text.translate(_TABLE)


def check_datamark(mark: str) -> None:
    """Raises UsageError for a --datamark that could be read as words or as a tag."""
    if len(mark) > 4 or any(c.isalnum() or c.isspace() or c in "<>" for c in mark):
        raise UsageError(
            f"--datamark {mark!r}: at most 4 characters, none of them a letter, digit, space, < or >"
        )


def datamarked(text: str, mark: str) -> str:
    """The text with a mark instead of each space, and between Chinese characters; "": as it is.

    The mark shows, word by word, what is data (spotlighting, arXiv 2403.14720). The text's own are
    taken out first.
    """
    if not mark:
        return text
    lines = text.replace(mark, "").split("\n")
    return "\n".join(_BETWEEN.sub(mark, mark.join(line.split())) for line in lines)


def insertion(text: str) -> str:
    """The text as it stands in a completion."""
    return f"{OPEN}\n{escaped(text)}\n{CLOSE}"


def insertion_ids(tokenizer: Any, shown: str, most: int | None = None) -> tuple[list[int], bool]:
    """Token ids of an `insertion`, of at most `most` tokens between its tags; whether it was cut.

    Raises SwrError if the tokenizer makes a tag of an escaped text all the same.
    """
    inner = shown.removeprefix(OPEN).removesuffix(CLOSE)
    ids = encode(tokenizer, escaped(inner))
    text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    unknown = tokenizer.unk_token or ""
    if "<" in (text.replace(unknown, "") if unknown else text):
        raise SwrError(
            "the policy's tokenizer turns an escaped passage into a text with '<': a document could"
            " write tags, so tools are not used with it"
        )
    cut = most is not None and len(ids) > most
    return _tag(tokenizer, OPEN) + ids[:most] + _tag(tokenizer, CLOSE), cut


def _tag(tokenizer: Any, tag: str) -> list[int]:
    return tokenizer(tag, add_special_tokens=False)["input_ids"]
