"""Where a policy goes on from: the token ids of an edited completion, most of them those it had.

    begun = edited_ids(tokenizer, token_ids, text)
    begun.ids[:begun.kept]       # as sampled
    begun.ids[begun.kept:]       # what somebody wrote, encoded

A chat template would encode everything again, and strip or add what it likes. Here the ids that still
say what the text says stay as they are, and the rest alone is encoded behind them. The two
together are decoded once more, and must be the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.prompts.control import encode, holds_control
from swr1.prompts.decoding import Decoder

# Tokens that are given up, one after the other, where the rest cannot follow the last that fits:
# a letter of four bytes takes three, and a merge with what came before it some more.
BACK = 16
_BEFORE_MARK = re.compile(r" +([.,;:!?])")
_BROKEN = "\ufffd"  # what decoding makes of half a character


class Begun(NamedTuple):
    """ids: of the whole text. kept: how many of them, from the first, are the earlier ones. text:
    what the ids say, which may have other spaces where the tokenizer has its own rule for them."""

    ids: list[int]
    kept: int
    text: str


def edited_ids(tokenizer: Any, ids: Sequence[int], text: str) -> Begun:
    """Token ids of `text` that begin with as many of `ids` as still say what it says.

    Args:
        ids: of the completion before the edit; an end token in it is not kept.
        text: all that stands before the place from which the policy goes on.

    Raises DataError where the tokenizer has no ids for the text behind any of the ids that could
    stay, because it does not know a word, say.
    """
    decode = Decoder(tokenizer)
    if holds_control(tokenizer, text):
        raise DataError("the text holds a control token, such as one that ends a turn")
    most = _fits(decode, ids, text)
    spaced: Begun | None = None  # a tokenizer of words writes the spaces between them itself
    for kept in range(most, max(-1, most - BACK - 1), -1):
        for rest in _encodings(tokenizer, decode, ids[:kept], text):
            made = [*ids[:kept], *rest]
            [said] = decode([made])
            if said == text:
                return Begun(made, kept, said)
            if (
                spaced is None
                and _words(said) == _words(text)
                and said.count("\n") == text.count("\n")
            ):
                spaced = Begun(made, kept, said)
    if spaced:
        return spaced
    raise DataError(
        "the policy's tokenizer has no tokens for the text from"
        f" {_shown(text, len(decode([ids[:most]])[0]))!r} on: it reads that as other words or spaces"
    )


def _fits(decode: Decoder, ids: Sequence[int], text: str) -> int:
    """How many of the ids decode to a prefix of the text; hidden ones at their end not counted."""
    shared = 0
    step = 1 << max(0, len(ids).bit_length() - 1)
    while step:  # the longest run that fits: what a shorter one says, a longer one begins with
        if shared + step <= len(ids) and _begins(decode([ids[: shared + step]])[0], text):
            shared += step
        step //= 2
    while shared and not text.startswith(decode([ids[:shared]])[0]):
        shared -= 1
    while shared and decode([ids[shared - 1 : shared]]) == [""]:
        shared -= 1
    return shared


def _begins(said: str, text: str) -> bool:
    """Whether a text begins so, half a character at the end aside."""
    return text.startswith(said.rstrip(_BROKEN))


def _encodings(
    tokenizer: Any, decode: Decoder, kept: Sequence[int], text: str
) -> Iterator[list[int]]:
    """Ids for the rest of the text, behind those that are kept."""
    [said] = decode([kept])
    rest = text[len(said) :]
    if not rest:
        yield []
        return
    yield encode(tokenizer, rest)
    # A tokenizer that opens every text with a space does not do so behind a character.
    for anchor in (".", "a"):
        opened, both = encode(tokenizer, anchor), encode(tokenizer, anchor + rest)
        if both[: len(opened)] == opened:
            yield both[len(opened) :]


def _words(text: str) -> list[str]:
    """The words and marks; the space before a mark is the tokenizer's."""
    return _BEFORE_MARK.sub(r"\1", text).split()


def _shown(text: str, at: int) -> str:
    return text[at : at + 40]
