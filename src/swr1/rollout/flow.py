"""Rollouts that never wait for a block: prompts start one by one, versions come with completions under way.

    follower.look(take) -> the limit under the newest version, which the engine has taken meanwhile
    window.room(limit)  -> how many prompts may start
    flow.step()         -> what has ended

The engine's side is a Flow (swr1.engines). What bounds the staleness is in window.py.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from swr1.engines import Completion, Flow, Request
from swr1.errors import DataError
from swr1.rollout.follower import PolicyFollower
from swr1.rollout.requests import Requests, completed
from swr1.streams.reading import Mark
from swr1.window import Window

SILENT_FOR = 1.0  # seconds after which a silent input is asked again, with completions under way


@dataclass
class _Group:
    """The completions of one prompt, by sample, as they end."""

    record: Any
    facts: dict[str, Any]
    owed: int
    made: dict[int, tuple[Request, Completion]] = field(default_factory=dict)
    failed: DataError | None = None

    def add(self, request: Request, completion: Completion | DataError) -> bool:
        """Whether the group is whole now."""
        if isinstance(completion, DataError):
            self.failed = self.failed or completion
        else:
            self.made[request.key[2]] = request, completion
        self.owed -= 1
        return not self.owed

    def records(self) -> Iterator[dict]:
        for _, (request, completion) in sorted(self.made.items()):
            yield completed(self.record, request, completion, self.facts)


class InFlight:
    """A rollout of `prompts` that takes new weights with completions under way.

    Args:
        prompts: a PromptStream: records with their position, or SILENCE.
        window: of prompts.given groups that have left.
        at_once: the most prompts that are written at once.
        leave: called with the prompt of a group before its records are given.
        rest: called when prompts wait for the trainer, after all finished groups were given.
    """

    def __init__(
        self,
        prompts: Any,
        make: Requests,
        flow: Flow,
        follower: PolicyFollower,
        window: Window,
        *,
        at_once: float = math.inf,
        leave: Callable[[Any], None] = lambda record: None,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.prompts, self.make, self.flow, self.follower = prompts, make, flow, follower
        self.window, self.leave, self.rest, self.at_once = window, leave, rest, at_once
        self._written: set[int] = set()  # numbers of groups with completions under way
        self._groups: dict[int, _Group] = {}
        self._under_way: dict[
            int, tuple[Request, int]
        ] = {}  # by identity, with their group's number
        self._ended = False
        self._silent_until = 0.0
        self.taken, self.taking = 0, 0.0  # versions met by completions, and seconds that cost
        self.working = 0.0  # seconds in which completions were written

    def __iter__(self) -> Iterator[list[dict]]:
        """Groups, whole, as lists of records; an empty list whenever a moment has passed."""
        told = False
        try:
            while True:
                limit = self.follower.look(self._take)
                began = self._start(limit)
                whole = list(self._leaving())
                yield from whole
                waits = not self._ended and self.window.room(limit) <= 0
                told = told and not (began or whole)
                if waits and not told and self.prompts.more():
                    self.rest()
                    told = True
                if self._under_way:
                    started = time.monotonic()
                    done = self.flow.step()
                    self.working += time.monotonic() - started
                    self._end(done)
                elif self._ended and not len(self.window):
                    return
                if waits and not self._under_way:
                    self.follower.idle()
                else:
                    self.follower.busy()
                yield []
        finally:
            self.flow.close()

    def _take(self, folder: str, version: int) -> None:
        started = time.monotonic()
        self.flow.take(folder, version)
        self.taken += bool(self._under_way)
        self.taking += time.monotonic() - started if self._under_way else 0.0

    def _start(self, limit: int) -> bool:
        """Start prompts as long as the bound and the engine allow it; whether any did."""
        begun: list[Request] = []
        while not self._ended and self.window.room(limit) > 0:
            if self.flow.room() <= len(begun) and (begun or self._under_way):
                break
            if len(self._written) >= self.at_once:
                break
            if self._under_way and time.monotonic() < self._silent_until:
                break
            record = next(self.prompts, None)
            if isinstance(record, Mark):
                self._silent_until = time.monotonic() + SILENT_FOR
                break
            if record is None:
                self._ended = True
                break
            requests = self.make.of(record)
            self.make.unknown.check()
            owed = [r for r in requests if r.key not in self.make.done]
            if not requests:
                continue
            number = self.window.start(limit)
            self._groups[number] = _Group(record, self.make.facts(self.follower.version), len(owed))
            if not owed:
                self.window.finished(number)
            if owed:
                self._written.add(number)
            self._under_way |= {id(request): (request, number) for request in owed}
            begun += owed
        if begun:
            self.flow.begin(begun)
        return bool(begun)

    def _end(self, done: list[tuple[Request, Completion | DataError]]) -> None:
        for request, completion in done:
            _, number = self._under_way.pop(id(request))
            group = self._groups[number]
            if not group.add(request, completion):
                continue
            self._written.discard(number)
            if group.failed:
                self.window.lost(number)
                del self._groups[number]
                self.make.on_error(group.record, group.failed)
            else:
                self.window.finished(number)

    def _leaving(self) -> Iterator[list[dict]]:
        for number in self.window.leaving():
            group = self._groups.pop(number)
            self.leave(group.record)
            if records := list(group.records()):
                yield records

    def summary(self) -> str:
        """For people: the versions that met completions under way."""
        if not self.taken:
            return ""
        each = self.taking / self.taken
        return f"{self.taken} versions taken with completions under way, {each:.3f} s each"
