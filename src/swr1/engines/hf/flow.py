"""Completions of the engine hf under way: a token of each a step; new weights between two tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch

from swr1.engines import Completion, Request, Sampling
from swr1.engines.hf.batch import Batch
from swr1.errors import DataError


class HFFlow:
    """As swr1.engines.Flow, for `engine`, an HFEngine. Requests that `begin` together share a cohort."""

    crowds = True

    def __init__(self, engine: Any, sampling: Sampling, version: int, recompute: bool) -> None:
        self.engine, self.sampling, self.recompute = engine, sampling, recompute
        self.batch = Batch(engine, sampling, engine.context, 1)
        self.batch.version = version
        self._waiting: deque[tuple[int, Request]] = deque()
        self._requests: dict[int, Request] = {}
        self._longest = self._count = 0

    def room(self) -> int:
        return self.batch.free() - len(self._waiting)

    def begin(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self._requests[self._count] = request
            self._waiting.append((self._count, request))
            self._count += 1
            self._longest = max(self._longest, request.length)
        columns = min(self._longest + self.sampling.max_tokens, self.engine.context)
        self.batch.max_rows = max(1, self.engine.batch_tokens // max(1, columns))

    @torch.inference_mode()
    def step(self) -> list[tuple[Request, Completion | DataError]]:
        batch, waiting = self.batch, self._waiting
        batch.advance()
        if room := min(len(waiting), batch.free()):
            batch.admit([waiting.popleft() for _ in range(room)])
        if not batch.rows:
            return []
        batch.draw()
        done = batch.leave() if batch.spare() else {}
        return [(self._requests.pop(i), completion) for i, completion in done.items()]

    @torch.inference_mode()
    def take(self, folder: str, version: int) -> None:
        model = self.engine.model
        self.engine.load(folder)
        # Keys and values of a model of another shape are of no use to this one.
        self.batch.renew(version, self.recompute or self.engine.model is not model)

    def close(self) -> None:
        self._waiting.clear()
        self.batch.rows = {}
