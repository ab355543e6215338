"""What completes a prompt. An engine is a file or folder here with a class `Engine`; nothing else is
edited.

    engine = open_engine("hf", "runs/kk/versions/000000", dtype="float32", threads=1)
    request = engine.request(("some-id", 0, 0), messages, prompt)
    [completion] = engine.generate([request], Sampling(max_tokens=256))

This module holds what all engines share and imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from swr1.errors import DataError, UsageError
from swr1.options import option
from swr1.prompts import Prompt, rendered, template_facts
from swr1.registry import Registry, suggest
from swr1.vision import SeenPicture, Vision

REGISTRY = Registry("engine", "swr1.engines", "Engine")
# An option that says where completions come from implies the engine.
IMPLIED = {"url": "openai", "recorded": "replay"}
drawn = partial(option, panel="Sampling")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a completion that is there before the engine writes: as in `generation.turns`.

    facts: `kind` and what else its turn says, without its place.
    """

    ids: list[int]
    text: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to write. `key` is (record id, epoch, sample): it names the random stream.

    `content` is for engines that send something else than token ids, which may be unknown then.
    `facts` go into the record's `generation`: how the prompt was rendered. A completion that is
    written in turns (see swr1.tools) has a request for each: `prompt_ids` then end with all that
    was written before, `turn` counts from 0, and `most` bounds the turn's tokens. `begun` is what
    a completion begins with (see swr1.engines.continuing) and `about` the record that it is of: both
    are for what stands before an engine. `pictures` are the prompt's: `prompt_ids` has a placeholder
    for each, unexpanded.
    """

    key: tuple[str, int, int]
    prompt_ids: list[int]
    content: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    turn: int = 0
    most: int | None = None
    begun: tuple[Piece, ...] = ()
    about: Mapping[str, Any] | None = None
    pictures: tuple[SeenPicture, ...] = ()

    def limit(self, sampling: Sampling) -> int:
        """The most tokens that it may get."""
        return sampling.max_tokens if self.most is None else min(sampling.max_tokens, self.most)

    @property
    def length(self) -> int:
        """Tokens of the prompt as the model reads it, pictures expanded."""
        return len(self.prompt_ids) + sum(len(p.becomes) - 1 for p in self.pictures)

    @classmethod
    def of(
        cls,
        key: tuple[str, int, int],
        tokenizer: Any,
        messages: list[dict],
        prompt: Prompt,
        vision: Vision | None = None,
    ) -> Request:
        """The request for messages that are rendered here; raises DataError, naming the record."""
        try:
            made = rendered(tokenizer, messages, prompt, vision.token if vision else None)
            facts = {"prefill": made.prefill} | template_facts(tokenizer, prompt)
            seen = vision.see(made.pictures) if vision else ()
            if seen:
                facts["pictures"] = [picture.facts() for picture in seen]
            return cls(key, made.ids, made.text, facts, pictures=seen)
        except DataError as error:
            raise DataError(f"record {key[0]!r}: {error.reason}", error.location) from None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    temperature 0 is greedy. top_k 0, top_p 1 and min_p 0 cut nothing; otherwise they are applied in
    this order, each to what the one before it left. A stop string ends a completion after the token
    that completes it, and stays in the text: text and token ids say the same.
    """

    temperature: float = drawn(1.0, "0 is greedy.", usual=True)
    top_p: float = drawn(1.0, "Draw from the likeliest tokens with this mass.", usual=True)
    top_k: int = drawn(0, "Draw from this many of the likeliest tokens; 0: off.")
    min_p: float = drawn(0.0, "Draw from tokens with this share of the likeliest one's mass.")
    max_tokens: int = drawn(1024, "Longest completion.", usual=True)
    stop: tuple[str, ...] = drawn((), "End a completion at this text.")
    seed: int = drawn(0, "With id, epoch and sample: the draw.", usual=True)

    def __post_init__(self) -> None:
        checks = (
            ("temperature", 0 <= self.temperature < float("inf"), "at least 0"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("top_k", self.top_k >= 0, "at least 0 (0 switches it off)"),
            ("min_p", 0 <= self.min_p < 1, "at least 0 and below 1"),
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("stop", all(self.stop), "without empty strings"),
        )
        for name, good, rule in checks:
            if not good:
                raise UsageError(f"{name} must be {rule}, not {getattr(self, name)!r}")

    @property
    def logprobs(self) -> str:
        """Which log-probabilities come back, in vLLM's words: "processed" are those of the
        distribution sampled from; a greedy choice has none and gets "raw" ones (temperature 1)."""
        return "processed" if self.temperature > 0 else "raw"

    @property
    def cuts(self) -> bool:
        """Whether tokens are drawn from a part of the distribution only."""
        return (self.top_p, self.top_k, self.min_p) != (1, 0, 0)

    @property
    def plain(self) -> bool:
        """Whether tokens are drawn from the model's own distribution, neither tempered nor cut."""
        return self.temperature == 1 and not self.cuts

    def facts(self) -> dict[str, Any]:
        """As it stands in a record."""
        return asdict(self) | {"stop": list(self.stop), "logprobs": self.logprobs}


@dataclass(slots=True)
class Completion:
    """What the policy wrote. `token_ids` has the end token; `text` leaves special tokens out.

    A field that an engine cannot know is None. `facts` replace fields of the record's `generation`
    that the stage would write, if the completion differs from what the stage requested.
    """

    token_ids: list[int] | None
    logprobs: np.ndarray | None  # float32, one per token
    finish_reason: str  # "stop" at an end token or stop string, "length" otherwise
    text: str
    facts: dict[str, Any] = field(default_factory=dict)


class Wrote:
    """Which versions of the weights wrote the tokens of a completion, as a rollout goes on with new ones.

    None is a version that nobody asks for.
    """

    def __init__(self, version: int | None) -> None:
        self._from = [(version, 0)]  # each version, and the first token that it wrote

    def go_on(self, version: int, tokens: int) -> None:
        """What follows the first `tokens` is written by `version`."""
        if self._from[-1][1] == tokens:
            self._from.pop()
        self._from.append((version, tokens))

    def facts(self, tokens: int) -> dict[str, Any]:
        """`versions` of a record's `generation`: [version, how many tokens], in their order."""
        starts = [min(at, tokens) for _, at in self._from] + [tokens]
        runs = [[v, b - a] for (v, _), (a, b) in zip(self._from, pairwise(starts), strict=True)]
        written = [run for run in runs if run[1]] or runs[-1:]
        return {} if self._from[0][0] is None else {"versions": written}


class Flow(Protocol):
    """Completions under way: requests join them, completions leave, and new weights meet them.

    What an engine has that can do so: `flow(sampling, version, recompute)` opens one; it returns None
    for a model with which it cannot. A completion's `facts` have `versions` (see Wrote). `recompute` says
    whether new weights read again what was written before; `crowds`, whether completions slow one another, so
    that those of later prompts would only hold up the earlier ones.
    """

    recompute: bool
    crowds: bool

    def room(self) -> int:
        """How many requests more would be written at once, without waiting for others to end."""

    def begin(self, requests: Sequence[Request]) -> None:
        """Let requests join."""

    def step(self) -> list[tuple[Request, Completion | DataError]]:
        """Go on for a moment (a token of each, or some milliseconds); what has ended, with its
        request."""

    def take(self, folder: str, version: int) -> None:
        """Go on with the weights in `folder`, from the next token of each completion on.

        With `recompute` their own keys and values replace those of all that was written before; else
        those of the old weights are kept.
        """

    def close(self) -> None:
        """Give up what is under way."""


class Engine(Protocol):
    """What a stage asks of an engine.

    An engine may have more. `stream(requests, sampling)` yields a Completion, or the DataError that
    it came to, for each request in order. It may read ahead; a None among the requests means that no
    request came for a while and that finished completions are to be yielded. `flow` takes new weights
    with completions under way (see Flow). `summary()` is a line
    for people and `counts()` a Counter of how its attempts went. There are class attributes, too:
    `fixed_weights = True`, when `load` and therefore `--max-lag` cannot be used (or only with its
    option `reload`), `needs_policy = False`, when `--policy` means nothing to it, `loads_policy = True`,
    when it loads the weights of `--policy` (so a name must be a folder's or a hub's), and `Options`, a
    dataclass of its options. The class is called with a model's folder or name and an instance of
    `Options`; one without `Options` is called with its options as keywords.
    """

    name: str
    version: str
    dtype: str

    def load(self, folder: str) -> None:
        """Load the weights of another version, in place if that is possible."""

    def request(self, key: tuple[str, int, int], messages: list[dict], prompt: Prompt) -> Request:
        """The request for one sample. Raises DataError for a prompt that cannot be completed."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order."""


def known_options(name: str) -> list[str]:
    """The names of the options that the engine `name` takes."""
    engine = REGISTRY.get(name)
    if made := getattr(engine, "Options", None):
        return [f.name for f in fields(made)]
    return list(inspect.signature(engine).parameters)[1:]


def open_engine(name: str, model: str, **options: Any) -> Engine:
    """The engine `name` on a model folder or hub name; UsageError for an unknown name or option."""
    engine = REGISTRY.get(name)
    known = known_options(name)
    for given in options:
        if given not in known:
            raise UsageError(f"the engine {name!r} has no option {given!r}.{suggest(given, known)}")
    if made := getattr(engine, "Options", None):
        return engine(model, made(**options))
    return engine(model, **options)


def all_good(stream: Iterable[Completion | DataError]) -> list[Completion]:
    """What an engine streamed, as a list; raises the first error in it."""
    made = []
    for completion in stream:
        if isinstance(completion, DataError):
            raise completion
        made.append(completion)
    return made


def check_room(request: Request, context: int | None, whose: str) -> None:
    """Raises DataError for a prompt of token ids that leaves no room for an answer in the context.

    whose: "the model's context has".
    """
    needed = request.length + 1
    if context is not None and needed > context:
        raise DataError(
            f"record {request.key[0]!r}: the prompt is too long: {needed} tokens are needed, one for"
            f" the answer included, and {whose} {context}"
        )


def random_stream(seed: int, request: Request) -> np.random.Generator:
    """The generator of a request: it depends on (seed, id, epoch, sample, turn) and nothing else."""
    turn = (request.turn,) if request.turn else ()
    digest = hashlib.blake2b(repr((seed, *request.key, *turn)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
