"""Requests that others work on, each a future, and which of them have ended."""

import queue
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from swr1.engines import Completion, Request
from swr1.errors import DataError

STEP = 0.01  # seconds that a step waits for one to end


class Ended:
    """Requests with the futures of their completions, and whatever else is kept of each."""

    def __init__(self) -> None:
        self._here: dict[int, tuple[Request, Future[Any], Any]] = {}  # by the request's identity
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self._here)

    def add(self, request: Request, future: Future[Any], about: Any = None) -> None:
        self._here[id(request)] = request, future, about
        future.add_done_callback(lambda _: self._ended.put(id(request)))

    def under_way(self) -> Iterator[Any]:
        """What is kept of those that have not ended."""
        return (about for _, future, about in self._here.values() if not future.done())

    def step(self) -> list[tuple[Request, Completion | DataError, Any]]:
        """What has ended since, with what is kept of it; waits a moment for the first. Raises what a
        completion failed with."""
        done = []
        with suppress(queue.Empty):
            key = self._ended.get(timeout=STEP)
            while True:
                request, future, about = self._here.pop(key)
                done.append((request, future.result(), about))
                key = self._ended.get_nowait()
        return done

    def cancel(self) -> None:
        for _, future, _ in self._here.values():
            future.cancel()
