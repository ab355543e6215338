"""Completions that go on from where an earlier one stood, or from where a person put it.

    engine = ContinuingEngine(open_engine("hf", folder))
    request = replace(engine.request(key, messages, prompt), begun=begun_of(tokenizer, record, text))
    [completion] = engine.generate([request], sampling)
    completion.facts["turns"]      # kept (the policy's, earlier), edited (a person's), wrote (new)

Token ids are all that is exchanged: those of the prompt, those that stay, those of what was put
there, and then what the policy writes. Only the last are trained on: the others have loss mask 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from swr1.engines import Completion, Piece, Request, Sampling, all_good
from swr1.engines.episode import Episode, check_ids
from swr1.errors import DataError, UsageError
from swr1.prompts.continuing import edited_ids
from swr1.prompts.decoding import Decoder
from swr1.records import INSERTED, Record

KEPT, EDITED = "kept", "edited"


class ContinuingEngine:
    """An engine that writes on behind what a request has `begun`.

    Args:
        engine: any that takes token ids and gives them back with their log-probabilities.

    Raises UsageError for another one.
    """

    def __init__(self, engine: Any, whose: str = "--continue") -> None:
        check_ids(engine, whose)
        self._engine, self._whose = engine, whose
        self._decode = Decoder(engine.tokenizer)
        self.stream = self._stream if getattr(engine, "stream", None) else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)  # name, version, load, request, rest, summary, ...

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order."""
        if self.stream:
            return all_good(self.stream(requests, sampling))
        episodes = [Episode(request) for request in requests]
        made = self._engine.generate([e.next(sampling) for e in episodes], sampling)
        return [self._whole(e, m) for e, m in zip(episodes, made, strict=True)]

    def _stream(
        self, requests: Iterable[Request | None], sampling: Sampling
    ) -> Iterator[Completion | DataError]:
        asked: deque[Episode] = deque()

        def inner() -> Iterator[Request | None]:
            for request in requests:
                if request is not None:
                    asked.append(Episode(request))
                yield asked[-1].next(sampling) if request is not None else None

        for made in self._engine.stream(inner(), sampling):
            episode = asked.popleft()
            yield made if isinstance(made, DataError) else self._whole(episode, made)

    def _whole(self, episode: Episode, made: Completion) -> Completion:
        if not episode.request.begun:
            return made
        if made.token_ids is None or made.logprobs is None:
            lacks = made.facts.get("engine", {}).get("lacks", {})
            raise UsageError(f"{self._whose} needs token ids and log-probabilities: {lacks}")
        episode.wrote(episode.follows(self._decode, made))
        return episode.done(made.finish_reason)


def begun_of(tokenizer: Any, record: Record, text: str) -> tuple[Piece, ...]:
    """What a completion begins with that says `text` and keeps all ids of the record's that it can.

    Args:
        record: with a `completion`; without `generation.token_ids` of this tokenizer its text is
            encoded, and nothing is kept as sampled.
        text: from the beginning of the completion on; another than it has is an edit.

    Raises DataError where the tokenizer cannot say the text.
    """
    generation = record.get("generation") or {}
    ids, old = generation.get("token_ids") or [], record["completion"]
    try:
        known = Decoder(tokenizer)([ids]) == [old]
    except (IndexError, OverflowError, TypeError):  # ids of a larger vocabulary
        known = False
    if not known:
        ids = []
    if not text:
        return ()
    begun = edited_ids(tokenizer, ids, text)
    pieces, at, said = [], 0, 0
    for turn in generation.get("turns") or [_whole(ids, old)] if known else ():
        first, last = turn["tokens"]
        last = min(last, begun.kept)
        if first >= last:
            break
        end = turn["characters"][1]
        if last < turn["tokens"][1]:
            [shown] = Decoder(tokenizer)([begun.ids[:last]])
            end = len(shown)
        pieces.append(Piece(begun.ids[at:last], begun.text[said:end], _kept(turn)))
        at, said = last, end
    if at < len(begun.ids):
        kind = KEPT if old.startswith(text) else EDITED
        pieces.append(Piece(begun.ids[at:], begun.text[said:], {"kind": kind}))
    return tuple(pieces)


def _whole(ids: list[int], text: str) -> dict[str, Any]:
    return {"kind": KEPT, "tokens": [0, len(ids)], "characters": [0, len(text)]}


def _kept(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn's facts without its place; what the policy wrote then is kept now."""
    facts = {name: v for name, v in turn.items() if name not in ("tokens", "characters")}
    kept = turn["kind"] in (*INSERTED, EDITED)
    return facts if kept else facts | {"kind": KEPT}
