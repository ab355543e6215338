"""A completion that is written in pieces: by the policy, by tools, by a person.

Token ids only ever grow. What the policy wrote is not encoded again, and what is put behind it has
loss mask 0 and log-probability 0. Each piece that the policy writes draws from a random stream of its
own. All lengths that bound a completion count the tokens that the policy writes now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from swr1.engines import Completion, Request, Sampling
from swr1.errors import UsageError


@dataclass(slots=True)
class Episode:
    """The pieces so far, and the request for the next one.

    The first pieces are those with which the request has begun.
    """

    request: Request
    ids: list[int] = field(default_factory=list)
    logprobs: list[np.ndarray] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    text: str = ""
    turns: list[dict[str, Any]] = field(default_factory=list)
    own: int = 0  # tokens that the policy wrote
    calls: int = 0
    refused: bool = False  # whether the last call was one too many
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for piece in self.request.begun:
            self.insert(piece.ids, piece.text, dict(piece.facts))
            self.calls += "tool" in piece.facts

    def wrote(self, made: Completion) -> None:
        """Add what the policy wrote in one turn."""
        assert made.token_ids is not None and made.logprobs is not None
        self.facts |= made.facts
        self.own += len(made.token_ids)
        self._add(made.token_ids, made.logprobs, 1, made.text, {"kind": "wrote"})

    def follows(
        self, decode: Callable[[list[list[int]]], list[str]], made: Completion
    ) -> Completion:
        """What was written behind the pieces that were there: as it reads behind them.

        A tokenizer may drop the space with which a text begins.
        """
        [whole] = decode([self.ids + (made.token_ids or [])])
        if not self.turns or not whole.startswith(self.text):
            return made
        return replace(made, text=whole[len(self.text) :])

    def insert(self, ids: list[int], text: str, facts: dict[str, Any]) -> None:
        """Add what the policy does not write now."""
        self._add(ids, np.zeros(len(ids), np.float32), 0, text, facts)

    def _add(
        self, ids: list[int], logprobs: np.ndarray, own: int, text: str, facts: dict[str, Any]
    ) -> None:
        place = {"tokens": [len(self.ids), len(self.ids) + len(ids)]}
        place["characters"] = [len(self.text), len(self.text) + len(text)]
        self.turns.append(facts | place)
        self.ids += ids
        self.logprobs.append(logprobs)
        self.mask += [own] * len(ids)
        self.text += text

    def next(self, sampling: Sampling) -> Request:
        """The request for the next turn: all ids so far are its prompt."""
        request = self.request
        if not self.turns:
            return request
        return replace(
            request,
            prompt_ids=request.prompt_ids + self.ids,
            turn=request.turn + len(self.turns),
            most=request.limit(sampling) - self.own,
            begun=(),
        )

    def done(self, reason: str) -> Completion:
        """The whole completion."""
        facts = self.facts | {"loss_mask": self.mask, "turns": self.turns}
        facts.pop("prompt_ids", None)  # of the last turn
        return Completion(self.ids, np.concatenate(self.logprobs), reason, self.text, facts)


def check_ids(engine: Any, whose: str) -> None:
    """Raises UsageError for an engine that does not take token ids and give them back.

    whose: the option that needs them.
    """
    if getattr(engine, "tokenizer", None) is None:
        raise UsageError(
            f"{whose} needs an engine that takes token ids: with --engine openai, a model folder"
            " and --send ids"
        )
    if getattr(getattr(engine, "options", None), "send", "ids") in ("text", "messages"):
        raise UsageError(f"{whose} needs --send ids: what was written is never encoded again")
