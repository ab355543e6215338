"""Completions of the engine vllm under way, which new weights meet.

vLLM stops between two steps of its scheduler with all requests in place (pause_generation, "keep"), reads
the weights, and goes on. How many tokens each completion has then is where its new version begins. What a
prompt's cached blocks may be shared with is a matter of versions, too: a salt keeps those of the old
weights from prompts that begin later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from swr1.engines import Completion, Request, Sampling, Wrote
from swr1.engines.ended import Ended
from swr1.engines.vllm.plain import Source, StopStrings
from swr1.errors import DataError

CALM = 3  # looks, one after the other, that find nothing on its way from vLLM's processes


class UnderWay:
    """A request that vLLM works on: its name there, and which versions wrote it."""

    def __init__(self, version: int) -> None:
        self.wrote = Wrote(version)
        self.name: str | None = None  # None before it is sent
        self.again = False  # it had no token when new weights came: it begins anew under them


class VLLMFlow:
    """As swr1.engines.Flow, for `engine`, a VLLMEngine."""

    crowds = False

    def __init__(self, engine: Any, sampling: Sampling, version: int, recompute: bool) -> None:
        self.engine, self.sampling, self.version = engine, sampling, version
        self.recompute = recompute
        self.stop = StopStrings(sampling.stop, engine._decode) if sampling.stop else None
        self._ended = Ended()
        engine.salt = str(version)

    def room(self) -> int:
        return self.engine.options.in_flight - len(self._ended)

    def begin(self, requests: Sequence[Request]) -> None:
        for request in requests:
            under_way = UnderWay(self.version)
            work = self.engine._complete(request, self.sampling, self.stop, under_way)
            self._ended.add(request, self.engine._submit(work), under_way)

    def step(self) -> list[tuple[Request, Completion | DataError]]:
        done = self._ended.step()
        for _, made, under_way in done:
            if isinstance(made, Completion):
                made.facts |= under_way.wrote.facts(len(made.token_ids or []))
        return [(request, made) for request, made, _ in done]

    def take(self, folder: str, version: int) -> None:
        engine, source = self.engine, Source.of(folder)
        if source.shape != engine.source.shape or engine._llm is None:
            engine.load(folder)  # another model: what is under way ends under the old weights
        else:
            started = time.monotonic()
            engine._wait(self._take(source, version), "for the new weights")
            engine.source = source
            engine.count_taken(time.monotonic() - started)
        self.version, engine.salt = version, str(version)

    async def _take(self, source: Source, version: int) -> None:
        engine, llm = self.engine, self.engine._llm
        await llm.pause_generation(mode="keep", clear_cache=self.recompute)
        engine.salt = str(version)
        for under_way, tokens in await self._written(llm):
            under_way.again = under_way.name is not None and not tokens
            under_way.wrote.go_on(version, tokens)
        await llm.collective_rpc("take_weights", args=(source.base,))
        if engine.vision:  # features of the old vision tower
            await llm.reset_encoder_cache()
        if again := [u.name for u in self._ended.under_way() if u.again]:
            await llm.abort(again)
        await llm.resume_generation()

    async def _written(self, llm: Any) -> list[tuple[UnderWay, int]]:
        """What has not ended, with its tokens, once all that vLLM's processes wrote is known here."""
        calm = 0
        while True:
            tokens_of = self.engine.library.tokens_of
            known = [(u, tokens_of(llm, u.name) if u.name else 0) for u in self._ended.under_way()]
            # None: it is being sent, or what it ended with is being read
            settled = self.engine.library.arrived(llm) and all(n is not None for _, n in known)
            calm = calm + 1 if settled else 0
            if calm == CALM:
                return [(u, n or 0) for u, n in known]
            await asyncio.sleep(0.002)

    def close(self) -> None:
        self._ended.cancel()
        if self.engine._loop.is_running():
            self.engine._wait(self.engine._finish(), "for what was cancelled")
