"""Words that a tokenizer does not know: a policy reads each as the same token, and cannot tell them
apart.

    unknown = Unknown(tokenizer, say=stage.say)
    unknown.add(ids, text)
    unknown.check()                           # of what was added since the last check

Tokenizers of bytes or of byte-level pieces know every text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from swr1.errors import DataError, SwrError
from swr1.options import option

MAX_UNKNOWN = 0.05  # share of the prompts' tokens
SHOWN = 5  # words
BLOCK = 16  # prompts that `read` checks together
MAX_UNKNOWN_HELP = (
    "Stop if a larger share of the prompts' tokens is unknown to the tokenizer; 1: never."
)
# The option of every stage that renders prompts.
max_unknown_option = partial(
    option,
    MAX_UNKNOWN,
    MAX_UNKNOWN_HELP,
    min=0,
    max=1,
    quiet=True,
)


class TooManyUnknown(SwrError):
    """No single record is bad, so `--on-error skip` does not go on."""

    exit_code = DataError.exit_code


class Unknown:
    """Counts the tokens of prompts that a tokenizer does not know, and the words they stand for.

    Args:
        tokenizer: None counts nothing. limit: the largest share that `check` lets pass.
        say: gets a line when the first unknown tokens are checked.
        what: whose tokens they are, in messages.
    """

    def __init__(
        self,
        tokenizer: Any,
        limit: float = MAX_UNKNOWN,
        say: Callable[[str], None] = lambda text: None,
        what: str = "the prompts' tokens",
    ) -> None:
        self.tokenizer, self.limit, self.say, self.what = tokenizer, limit, say, what
        token = getattr(tokenizer, "unk_token_id", None)
        # Where it begins or ends a text too, the tokenizer has no other use for it.
        ends = (getattr(tokenizer, "eos_token_id", None), getattr(tokenizer, "bos_token_id", None))
        self.token = None if token in ends else token
        self.unknown = self.tokens = 0  # in all
        self.words: dict[str, None] = {}  # the first that were met
        self._checked = (0, 0)
        self._read = 0
        self._said = 0  # unknown tokens, when the line was said

    @property
    def share(self) -> float:
        return self.unknown / max(1, self.tokens)

    def add(self, ids: Sequence[int], text: str = "") -> int:
        """Count the tokens of a text, `text`; returns how many are unknown."""
        if self.token is None:
            return 0
        count = sum(i == self.token for i in ids)
        self.unknown += count
        self.tokens += len(ids)
        if count and len(self.words) < SHOWN:
            self.words |= dict.fromkeys(self._words_in(text)[: SHOWN - len(self.words)])
        return count

    def read(self, messages: Iterable[dict[str, Any]]) -> None:
        """Count the tokens of a prompt's messages, and check every BLOCK prompts."""
        if self.token is None:
            return
        text = "\n".join(t for turn in messages if isinstance(t := turn["content"], str))
        self.add(self.tokenizer(text, add_special_tokens=False)["input_ids"], text)
        self._read += 1
        if self._read >= BLOCK:
            self._read = 0
            self.check()

    def check(self) -> None:
        """Raises TooManyUnknown if what was added since the last check has a share beyond the limit."""
        unknown, tokens = self.unknown - self._checked[0], self.tokens - self._checked[1]
        self._checked = (self.unknown, self.tokens)
        if not unknown:
            return
        if unknown > self.limit * tokens:
            raise TooManyUnknown(
                f"{self._told(unknown, tokens)}, more than {self.limit:.0%}: the policy cannot read"
                " them. Use texts in its words, or go on with --max-unknown 1"
            )
        if not self._said:
            self._said = self.unknown
            self.say(self._told(unknown, tokens))

    def report(self) -> None:
        """Check what was not checked yet, and say the share of all if more came than was said."""
        self.check()
        if self.unknown > self._said > 0:
            self.say(f"in all, {self.unknown / self.tokens:.1%} of {self.what} were unknown")

    def whole(self) -> str:
        """The share of all in words; empty where everything was known."""
        return self._told(self.unknown, self.tokens) if self.unknown else ""

    def _told(self, unknown: int, tokens: int) -> str:
        words = ", ".join(map(repr, self.words))
        more = ", ..." if len(self.words) == SHOWN else ""
        return f"{unknown / tokens:.1%} of {self.what} are unknown to the tokenizer" + (
            f" ({words}{more})" if words else ""
        )

    def _words_in(self, text: str) -> list[str]:
        """The pieces of a text that are unknown, each once, in order."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return []
        made = backend.encode(text, add_special_tokens=False)
        pieces = zip(made.ids, made.offsets, strict=True)
        found = (text[a:b].strip()[:40] for token, (a, b) in pieces if token == self.token)
        return [word for word in dict.fromkeys(found) if word and word not in self.words]
