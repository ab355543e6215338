"""The turns of a completion with tools: write, call, read the reply, write on.

    engine = ToolEngine(open_engine("hf", folder), tools, options)
    [completion] = engine.generate([request], Sampling(max_tokens=256))
    completion.facts["turns"]      # which tokens the policy wrote, and which were put in

Token ids only ever grow. What the policy wrote is not encoded again; what a tool gave is encoded
once and put behind it, with loss mask 0 and log-probability 0. Each turn draws from a random stream
of its own. All lengths that bound a completion count the policy's own tokens, but for its context.

A call is the text between the last `<name>` and the `</name>` that ends a turn. A call that fails or
is none gets a message between the same tags, which the policy can learn from.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from swr1.engines import Completion, Request, Sampling, all_good
from swr1.engines.episode import Episode, check_ids
from swr1.errors import DataError, UsageError
from swr1.prompts.decoding import Decoder
from swr1.prompts.insertion import check_datamark, datamarked, insertion, insertion_ids
from swr1.prompts.unknown import Unknown
from swr1.tags import pairs
from swr1.tools import Reply
from swr1.tools.options import ToolOptions
from swr1.tools.running import Tools

NONE_LEFT = "no calls are left"
FAILED = "the call failed: "
QUERY_KEPT = 2000  # characters of a query in a record
LONGEST_TOKEN = 64  # characters; of a reply, what no tokens could be left for is never encoded
PAUSE = 0.002  # seconds between looks at what an engine has finished


class ToolEngine:
    """An engine whose completions may call tools.

    Args:
        engine: any that takes token ids and gives them back with their log-probabilities.
        tools: open tools. options: their bounds.

    Beside "stop" and "length", a completion's `finish_reason` may be "turns" (it called again after
    being told that no calls are left) and "context" (what a tool gave does not fit into it).

    Raises UsageError for an engine without a tokenizer.
    """

    def __init__(self, engine: Any, tools: Tools, options: ToolOptions) -> None:
        check_datamark(options.datamark)
        check_ids(engine, "--tools")
        self._engine, self._tools, self._options = engine, tools, options
        self._decode = Decoder(engine.tokenizer)
        self._unknown = Unknown(engine.tokenizer, what="the tokens of tools' replies")
        self._ends = pairs(tools.names)[1::2]
        self.stream = self._stream if getattr(engine, "stream", None) else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)  # name, version, load, request, rest, summary, ...

    def calls(self) -> Counter[str]:
        """The calls by tool, failed ones apart."""
        return self._tools.counts

    def summary(self) -> str:
        """Lines for people: the engine's own, the calls, and what of the replies was unknown."""
        calls = ", ".join(f"{n:,} {what}" for what, n in sorted(self.calls().items()))
        lines = [self._engine.summary()] if hasattr(self._engine, "summary") else []
        lines.append(f"calls of tools: {calls or 'none'}")
        if unknown := self._unknown.whole():
            lines.append(
                f"{unknown}: the policy cannot tell them apart. Let it read texts in its words"
                " (--passage), or make one that knows every text (init-policy --tokenizer bpe)"
            )
        return "\n".join(lines)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """One completion per request, in their order: turn by turn, all of them together."""
        if self.stream:
            return all_good(self.stream(requests, sampling))
        done: dict[int, Completion] = {}
        active = {at: Episode(request) for at, request in enumerate(requests)}
        while active:
            asked = [episode.next(sampling) for episode in active.values()]
            written = self._engine.generate(asked, self._inner(sampling))
            after = {
                at: self._after(episode, made, sampling)
                for (at, episode), made in zip(active.items(), written, strict=True)
            }
            # all calls are under way before the first reply is waited for
            for at, what in after.items():
                ended = self._reply(active[at], what) if isinstance(what, _Call) else what
                if ended:
                    done[at] = ended
            active = {at: episode for at, episode in active.items() if at not in done}
        return [done[at] for at in range(len(requests))]

    def _stream(
        self, requests: Iterable[Request | None], sampling: Sampling
    ) -> Iterator[Completion | DataError]:
        """As an engine's `stream`: later turns join the queue while others are still written."""
        queue = _Queue(requests, sampling, self._reply)
        for made in self._engine.stream(queue.feed(), self._inner(sampling)):  # type: ignore[attr-defined]
            episode = queue.asked.popleft()
            after = made if isinstance(made, DataError) else self._after(episode, made, sampling)
            if isinstance(after, _Call):
                queue.waiting.append((episode, after))
            else:
                queue.done[id(episode)] = after
            yield from queue.finished()

    def _inner(self, sampling: Sampling) -> Sampling:
        return replace(sampling, stop=(*sampling.stop, *self._ends))

    def _after(self, episode: Episode, made: Completion, sampling: Sampling) -> Completion | _Call:
        """What comes after a turn: the end, or a call."""
        if made.token_ids is None or made.logprobs is None:
            lacks = made.facts.get("engine", {}).get("lacks", {})
            raise UsageError(f"--tools needs token ids and log-probabilities: {lacks}")
        before = episode.own
        first = len(episode.turns) == len(episode.request.begun)
        episode.wrote(episode.follows(self._decode, made) if first else made)
        call = self._call(made.text) if made.finish_reason == "stop" else None
        if call is None:
            return episode.done(made.finish_reason)
        if episode.refused:
            return episode.done("turns")
        assert episode.own > before
        if episode.own >= sampling.max_tokens:
            return episode.done("length")
        if episode.calls == self._options.max_turns:
            episode.refused = True
            return replace(call, error=NONE_LEFT)
        episode.calls += 1
        if not call.error:
            call = replace(call, future=self._tools.submit(call.tool, call.query))
        return call

    def _call(self, text: str) -> _Call | None:
        """The call with which a turn ended; None where it ended otherwise."""
        ends = {end: text.rfind(end) for end in self._ends}
        end = max(ends, key=lambda e: ends[e])
        if ends[end] < 0:
            return None
        name = end[2:-1]
        start = text.rfind(f"<{name}>", 0, ends[end])
        if start < 0:
            return _Call(name, "", error=f"no <{name}> before </{name}>")
        query = text[start + len(name) + 2 : ends[end]].strip()
        return _Call(name, query, error="" if query else f"<{name}> is empty")

    def _reply(self, episode: Episode, call: _Call) -> Completion | None:
        """Put the reply to a call into the completion; the completion itself where that ends it."""
        if call.future:
            reply = self._tools.result(call.tool, call.future)
        else:
            reply = Reply("", error=call.error)
            self._tools.counts["calls that were none"] += 1
        facts: dict[str, Any] = {"kind": "failed" if reply.error else "read"}
        facts |= {"tool": call.tool} if call.future else {}  # else no tool was called
        facts |= {"query": call.query[:QUERY_KEPT]} if call.query else {}
        facts |= {"error": reply.error} if reply.error else {}
        most = self._options.max_passage_tokens
        longest = most * LONGEST_TOKEN
        if reply.passages:
            facts |= {"passages": [_kept(passage, longest) for passage in reply.passages]}
        text = f"{FAILED}{reply.error}" if reply.error else reply.text
        text, rest = text[:longest], text[longest:]
        text = text if reply.error else datamarked(text, self._options.datamark)
        shown = insertion(text)
        ids, cut = insertion_ids(self._engine.tokenizer, shown, most)
        facts |= {"cut": True} if cut or rest else {}
        facts |= {"unknown": n} if (n := self._unknown.add(ids, shown)) else {}
        length = episode.request.length + len(episode.ids) + len(ids)
        if length + 1 > self._room(episode):
            return episode.done("context")
        [read] = self._decode([ids])
        episode.insert(ids, read, facts)
        return None

    def _room(self, episode: Episode) -> float:
        """Tokens, of prompt and completion together, that the engine can have."""
        turn = getattr(self._engine, "turn", None)  # LongRoPE: positions beyond it are others
        if turn and episode.request.length < turn:
            return turn
        return getattr(self._engine, "context", None) or float("inf")


def _kept(passage: Mapping[str, Any], longest: int) -> dict[str, Any]:
    """A passage as the record keeps it: of its text, what can have been shown."""
    text = passage.get("text")
    return dict(passage) | ({"text": text[:longest]} if isinstance(text, str) else {})


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a tool; `error`: why there is no call to make."""

    tool: str
    query: str
    error: str = ""
    future: Future[Reply] | None = None


class _Queue:
    """Requests for an engine that streams: new ones, and later turns of those that were answered.

    order: completions as they are to be yielded. asked: as the engine answers. waiting: for a tool.
    """

    def __init__(
        self,
        requests: Iterable[Request | None],
        sampling: Sampling,
        reply: Callable[[Episode, _Call], Completion | None],
    ) -> None:
        self._source, self._sampling, self._reply = iter(requests), sampling, reply
        self._order: deque[Episode] = deque()
        self.asked: deque[Episode] = deque()
        self.waiting: deque[tuple[Episode, _Call]] = deque()
        self.done: dict[int, Completion | DataError] = {}

    def feed(self) -> Iterator[Request | None]:
        """What the engine is asked next; None where nothing is to be asked yet."""
        exhausted = False
        while not exhausted or self.asked or self.waiting:
            for episode in self._ready(wait=exhausted and not self.asked):
                self.asked.append(episode)
                yield episode.next(self._sampling)
            if exhausted:
                if self.asked:
                    time.sleep(PAUSE)
                    yield None
                continue
            try:
                request = next(self._source)
            except StopIteration:
                exhausted = True
                continue
            if request is not None:
                episode = Episode(request)
                self._order.append(episode)
                self.asked.append(episode)
            yield request

    def _ready(self, wait: bool) -> list[Episode]:
        """Those that may write on: their tool has replied. `wait`: for the first of them."""
        ready = []
        while self.waiting:
            episode, call = self.waiting[0]
            if call.future and not call.future.done() and not wait:
                break
            self.waiting.popleft()
            wait = False
            if ended := self._reply(episode, call):
                self.done[id(episode)] = ended
            else:
                ready.append(episode)
        return ready

    def finished(self) -> Iterator[Completion | DataError]:
        """The completions that are whole, in their order."""
        while self._order and id(self._order[0]) in self.done:
            yield self.done.pop(id(self._order.popleft()))
