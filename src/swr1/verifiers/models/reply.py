"""The question to a model that judges, and its reply, wherever the model runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any


class CouldNotJudge(Exception):
    """Why there is no verdict: it becomes the `error` of one with a null score."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        messages: chat turns; the template of the model's tokenizer makes its input of them. A turn may
            have `pictures`, data URLs, which stand before its text (see `as_parts`).
        text: the whole input as text, for models that know no chat (then `messages` is empty).
        template: further variables of the chat template.
        must_hold: texts that the rendered input must hold, whole: else the template dropped some.
        max_tokens: of the reply.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    template: dict[str, Any] = field(default_factory=dict)
    must_hold: tuple[str, ...] = ()
    max_tokens: int = 64

    def content(self) -> list[Any]:
        """What the reply depends on, as plain data."""
        return [self.messages, self.text, self.template, self.max_tokens]


def as_parts(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn as OpenAI's chat takes it: with pictures, its content is a list of parts."""
    if not (pictures := turn.get("pictures")):
        return turn
    content = turn["content"]
    texts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return {"role": turn["role"], "content": [*shown, *texts]}


Token = tuple[str, dict[str, float]]


class InBatches:
    """A model in this process, which answers `batch` questions at a time.

    A subclass has `prepared(question, harmless)`, the model's input, which raises CouldNotJudge;
    and `replies(inputs)`.
    """

    def __init__(self, batch: int) -> None:
        self.batch = self.ahead = batch
        self._waiting: list[tuple[Any, Future[Reply]]] = []

    def ask(self, question: Question, harmless: Question) -> Future[Reply]:
        """The reply to come. `harmless`: the same question about turns that hold nothing."""
        future: Future[Reply] = Future()
        try:
            self._waiting.append((self.prepared(question, harmless), future))
        except CouldNotJudge as error:
            future.set_exception(error)
        if len(self._waiting) >= self.batch:
            self.flush()
        return future

    def flush(self) -> None:
        """Answer the questions that wait."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            replies = self.replies([given for given, _ in waiting])
            for (_, future), reply in zip(waiting, replies, strict=True):
                future.set_result(reply)

    def prepared(self, question: Question, harmless: Question) -> Any:
        raise NotImplementedError

    def replies(self, inputs: list[Any]) -> list[Reply]:
        raise NotImplementedError

    def close(self) -> None: ...

    def summary(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: without special tokens. finished: False where it was cut at `max_tokens`.
        tokens: per token its text and log-probabilities (nats) of the likeliest texts in its place,
            None where the server does not send them.
        values: of a classifier, label -> probability; of a reward model, {"reward": score}.
    """

    text: str = ""
    tokens: list[Token] | None = None
    values: dict[str, float] | None = None
    finished: bool = True


def class_probabilities(reply: Reply, at: int, words: Mapping[str, str]) -> dict[str, float] | None:
    """How likely each class was where the reply says its word; they add up to 1.

    Args:
        at: where in `reply.text` the word stands. words: word -> class, in any case.

    What is read is the token that the word begins with: each likely text in its place counts for the
    class whose word, alone, begins with it. None where there are no log-probabilities, or the token
    does not distinguish the classes.
    """
    if not reply.tokens:
        return None
    joined = "".join(piece for piece, _ in reply.tokens)
    start = joined.find(reply.text)
    if start < 0 or not reply.text:
        return None
    place, alternatives = 0, None
    for piece, alternatives in reply.tokens:  # noqa: B007
        if place <= start + at < place + len(piece):
            break
        place += len(piece)
    if not alternatives or joined[place : start + at].strip():
        return None  # the word begins inside a token, behind something else
    classes = dict.fromkeys(words.values(), 0.0)
    folded = [(word.casefold(), name) for word, name in words.items()]
    for text, logprob in alternatives.items():
        bare = text.strip().strip("*\"'.,;:!。，").casefold()
        fitting = {name for word, name in folded if bare and word.startswith(bare)}
        if len(fitting) == 1:
            classes[fitting.pop()] += math.exp(min(logprob, 0.0))
    total = sum(classes.values())
    return {name: p / total for name, p in classes.items()} if total > 0 else None
