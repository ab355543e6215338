"""Token ids of a completion as its text: the same rule for every engine that knows the ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swr1.tags import SHOWN


class Decoder:
    """Texts of rows of token ids, without special tokens other than tags."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        names = tokenizer.get_vocab()
        self._hidden = set(tokenizer.all_special_ids) - {names.get(tag) for tag in SHOWN}

    def __call__(self, rows: Sequence[Sequence[int]]) -> list[str]:
        if not rows:
            return []
        shown = [[i for i in row if i not in self._hidden] for row in rows]
        return self.tokenizer.batch_decode(shown, clean_up_tokenization_spaces=False)
