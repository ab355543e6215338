"""Control tokens that somebody typed are text: they end no turn, open none, and forge none.

A tokenizer turns "<|im_end|>" into the token that ends a turn wherever it stands, also in what a
user wrote. Here a text is encoded so that only the chat template's own control tokens count.

    control = control_of(tokenizer)
    mark = free_mark(contents)
    text = template(control.marked(content, mark) ...)    # typed tokens carry the mark
    control.ids(text, mark)                               # and come out as letters

A text without typed control tokens is encoded as ever. Else a second tokenizer is used that differs
in one thing: it knows the template's control tokens under other names, which cannot be typed, and
its own names as letters only. So words beside them are cut and merged as in any other text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from swr1.errors import DataError
from swr1.tags import SHOWN

# Code points that no text interchanges: marks, and around the names and the break of `_renamed`.
_MARKS = [chr(c) for c in range(0xFDD0, 0xFDEE)]
_EDGE, _BREAK = "\ufdee", "\ufdef"
NO_CHARACTERS = "the prompt holds code points (U+FDD0 to U+FDEF) that are no characters"


def free_mark(texts: Iterable[str]) -> str:
    """A character that none of the texts holds. Raises DataError where they hold all of them."""
    used = set().union(*texts)
    free = [m for m in _MARKS if m not in used]
    if not free:
        raise DataError(NO_CHARACTERS)
    return free[0]


class Control:
    """The control tokens of one tokenizer, and how to encode around them."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        special = {str(t): i for i, t in tokenizer.added_tokens_decoder.items() if t.special}
        special |= dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
        self.special = {t: i for t, i in special.items() if t}
        # Of one character, it is an ordinary one that stands for what is unknown, say. Tags may be
        # special tokens, too: they are words of the task, not of turns.
        names = [t for t in self.special if len(t) > 1 and t not in SHOWN]
        self.pattern = _any_of(names)
        self._ids = {self.special[t] for t in names} - {tokenizer.unk_token_id}
        loose = [t for t in tokenizer.added_tokens_decoder.values() if t.special and t.normalized]
        self._loose = _any_of([str(t) for t in loose if str(t) in names])

    def marked(self, text: str, mark: str) -> str:
        """The text with the mark in every control token that is typed in it."""
        if self.pattern is None:
            return text
        marked = self.pattern.sub(lambda match: f"{match[0][0]}{mark}{match[0][1:]}", text)
        if marked == text and self._loose and text.strip() and self._hidden(text):
            at = len(text) - len(text.lstrip()) + 1
            marked = text[:at] + mark + text[at:]
        return marked

    def _hidden(self, text: str) -> bool:
        """Whether a control token appears when the tokenizer normalises the text."""
        normalizer = getattr(getattr(self.tokenizer, "backend_tokenizer", None), "normalizer", None)
        normalised = normalizer.normalize_str(text) if normalizer else text
        return bool(self._loose and self._loose.search(normalised))

    def ids(self, text: str, mark: str) -> list[int]:
        """Token ids of a text, without a start token; what carries the mark is letters.

        Raises DataError where the tokenizer has no other token for what was typed.
        """
        if mark not in text:
            # What is too long is no error of the tokenizer's, nor for it to warn of.
            return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if not hasattr(self.tokenizer, "backend_tokenizer"):
            return self._in_pieces(text, mark)
        if _EDGE in text or _BREAK in text:
            raise DataError(NO_CHARACTERS)
        renamed, names, numbers = self._renamed
        if everything := _any_of(names):
            text = everything.sub(lambda token_ids: names[token_ids[0]], text)
        for instead in ("", _BREAK):
            token_ids = renamed.encode(text.replace(mark, instead), add_special_tokens=False).ids
            # Where words are looked up whole, or pieces are chosen from a list that has them too.
            if not self._ids.intersection(token_ids):
                return [i for i in (numbers.get(i, i) for i in token_ids) if i >= 0]
        raise DataError(
            "the prompt holds a control token that the tokenizer can read in no other way"
        )

    @cached_property
    def _renamed(self) -> tuple[Any, dict[str, str], dict[int, int]]:
        """The second tokenizer; name -> new name; new id -> id, of the break -1."""
        from tokenizers import AddedToken, Tokenizer

        made: Any = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        made.no_padding()
        made.no_truncation()
        made.encode_special_tokens = True
        added_tokens = {str(t): t for t in self.tokenizer.added_tokens_decoder.values()}
        names = {name: f"{_EDGE}{n}{_EDGE}" for n, name in enumerate(self.special)}
        for name, new in [*names.items(), ("", _BREAK)]:
            old = added_tokens.get(name)
            sides = {k: getattr(old, k) for k in ("lstrip", "rstrip", "single_word")} if old else {}
            made.add_tokens([AddedToken(new, special=False, normalized=False, **sides)])
        numbers: dict[int, int] = {made.token_to_id(names[n]): self.special[n] for n in names}
        return made, names, numbers | {made.token_to_id(_BREAK): -1}

    def _in_pieces(self, text: str, mark: str) -> list[int]:
        """Token ids of the text between control tokens, for a tokenizer outside the library tokenizers."""
        ids: list[int] = []
        pattern = _any_of(list(self.special))
        for piece in re.split(f"({pattern.pattern})", text) if pattern else [text]:
            if piece in self.special:
                ids.append(self.special[piece])
            elif piece:
                plain = piece.replace(mark, "")
                ids += self.tokenizer(
                    plain, add_special_tokens=False, split_special_tokens=mark in piece
                )["input_ids"]
        return ids


_known: WeakKeyDictionary[Any, Control] = WeakKeyDictionary()


def control_of(tokenizer: Any) -> Control:
    """What is known of a tokenizer's control tokens; made once for each."""
    if tokenizer not in _known:
        _known[tokenizer] = Control(tokenizer)
    return _known[tokenizer]


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text that is all content, without a start token: nothing in it is control."""
    control = control_of(tokenizer)
    mark = free_mark([text])
    return control.ids(control.marked(text, mark), mark)


def holds_control(tokenizer: Any, text: str) -> bool:
    """Whether control tokens are typed in a text."""
    return control_of(tokenizer).marked(text, _MARKS[0]) != text


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """Any of these, the longest that fits; None for none."""
    listed = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, listed))) if listed else None
