"""Completions of servers under way, which new weights meet.

A vLLM server that gets token ids gives what it has written so far when new weights come (pause, "abort"),
and is asked to go on from there under the new ones. So who wrote a token is known, and what was written before is
read again by the new weights. Where text or messages are sent, or a stop string could lie across the cut, what
is under way ends under the old weights, and only what comes later waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from swr1.engines import Completion, Request, Sampling, Wrote
from swr1.engines.ended import Ended
from swr1.engines.openai.wire import ABORTED, Facts
from swr1.errors import DataError
from swr1.servers import GivenUp, Refused, Server


class OpenAIFlow:
    """As swr1.engines.Flow, for `engine`, an OpenAIEngine with `reload`."""

    recompute = True
    crowds = False

    def __init__(self, engine: Any, sampling: Sampling, version: int) -> None:
        self.engine, self.sampling = engine, sampling
        self._versions = {engine.folder: version}
        self._ended = Ended()
        goes_on = engine.send == "ids" and not sampling.stop
        engine.reload.pause = "abort" if goes_on else "wait"

    def room(self) -> int:
        return self.engine.options.in_flight - len(self._ended)

    def begin(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._ended.add(request, self.engine.servers.submit(self._complete(request)))

    def step(self) -> list[tuple[Request, Completion | DataError]]:
        return [(request, made) for request, made, _ in self._ended.step()]

    def take(self, folder: str, version: int) -> None:
        self._versions[str(folder)] = version
        self.engine.load(folder)
        # at once, not with the next request
        self.engine.servers.submit(self.engine.servers.learn_all()).result()

    def close(self) -> None:
        self._ended.cancel()

    async def _complete(self, request: Request) -> Completion | DataError:
        try:
            async with self.engine._slots:
                return await self._in_parts(request)
        except (Refused, GivenUp) as error:
            what = "the server refused it: " if isinstance(error, Refused) else ""
            return DataError(f"record {request.key[0]!r}: {what}{error}")
        except DataError as error:
            return error

    async def _in_parts(self, request: Request) -> Completion:
        """A completion, asked for again from where it was cut, until it is whole."""
        engine, sampling = self.engine, self.sampling
        wrote: Wrote | None = None
        ids: list[int] = []
        scores: list[np.ndarray] = []
        part, turn = request, request.turn
        while True:
            make, read = engine._exchange([part], sampling)
            of: list[str] = []

            def noting(server: Server, reply: Any, read: Any = read, of: Any = of) -> Any:
                [made] = read(server, reply)
                of.append(_writer(server, made))
                return made

            made = await engine.servers.ask(make, noting)
            version = self._versions[of[-1]]
            if wrote is None:
                wrote = Wrote(version)
            else:
                wrote.go_on(version, len(ids))
            if made.token_ids is None or made.logprobs is None:  # of text: it was not cut
                made.facts |= wrote.facts(1)
                return made
            ids += made.token_ids
            scores.append(made.logprobs)
            if made.finish_reason != ABORTED:
                break
            turn += bool(made.token_ids)  # other draws than those that it has had
            left = request.limit(sampling) - len(ids)
            part = replace(request, prompt_ids=request.prompt_ids + ids, most=left, turn=turn)
            await asyncio.sleep(0)
        [text] = engine._decode([ids])
        facts = made.facts | {"prompt_ids": request.prompt_ids} | wrote.facts(len(ids))
        return Completion(ids, np.concatenate(scores), made.finish_reason, text, facts)


def _writer(server: Server, made: Completion) -> str:
    """The folder of the weights that wrote what has just come.

    A server that is given new weights cuts all that it has before. What reaches it meanwhile waits there, and is
    written by the new ones, whenever it was sent.
    """
    facts: Facts = server.facts
    late = made.finish_reason == ABORTED and not server.learning.locked()
    return facts.replaced if late and facts.replaced else facts.folder
