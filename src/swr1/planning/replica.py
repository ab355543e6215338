"""One simulated engine replica: sequences that advance together, from one end to the next."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import simpy

Events = Generator[simpy.Event, Any, Any]


class Group:
    """All samples of one prompt: how many are owed, their tokens, the versions that wrote these, summed.

    number: in the window. released: when the stages between engine and trainer are done with it.
    """

    __slots__ = ("number", "oldest", "owed", "released", "tokens", "versions")

    def __init__(self, samples: int, number: int) -> None:
        self.number = number
        self.owed, self.tokens, self.versions, self.oldest = samples, 0, 0.0, 1 << 60
        self.released = 0.0


class Sequence:
    """A completion under way: begun at `at` on the replica's clock, at `started` on the run's, by
    `version`; `wrote` is the mean version of its tokens."""

    __slots__ = ("at", "group", "length", "started", "version", "wrote")

    def __init__(self, group: Group, length: int) -> None:
        self.group, self.length = group, length
        self.at = self.started = 0.0
        self.version = 0
        self.wrote = 0.0


class Replica:
    """Sequences lie in a heap by where they end, on a clock that counts decode steps.

    `run` receives ends and idle and busy times; `debt` is work in seconds that comes before
    the next decode step (prefill, a swap of weights, a restart).
    """

    def __init__(self, run: Any, number: int, slow: float) -> None:
        self.run, self.number, self.slow = run, number, slow
        self.heap: list[tuple[float, int, Sequence]] = []
        self.incoming: deque[Sequence] = deque()
        self.clock = self.context = self.debt = 0.0
        self.version = self.serial = 0
        self.taken: list[tuple[float, int]] = [
            (0.0, 0)
        ]  # versions, and where on the clock they came
        self.last: Group | None = None
        self.ended: list[Sequence] = []  # of a block that is not done
        self.busy = self.load_time = (
            0.0  # seconds with sequences in flight; their sum over sequences
        )
        self.dozing: simpy.Event | None = None
        self.working = False
        self.process = run.env.process(self.work())

    @property
    def load(self) -> int:
        return len(self.heap) + len(self.incoming)

    def give(self, sequence: Sequence) -> None:
        sequence.version = self.version
        sequence.started = self.run.env.now
        self.incoming.append(sequence)

    def wrote(self, sequence: Sequence) -> float:
        """The mean version of the tokens of a sequence that ends now."""
        end, total = sequence.at + sequence.length, 0.0
        for came, version in reversed(self.taken):
            begin = max(came, sequence.at)
            total += version * max(0.0, end - begin)
            end = min(end, begin)
            if came <= sequence.at:
                break
        return total / sequence.length

    def wake(self) -> None:
        """What it has to do, or how fast, has changed."""
        if self.process is self.run.env.active_process:
            return
        if self.dozing is None:
            self.process.interrupt()
        elif not self.dozing.triggered:
            self.dozing.succeed()

    def lose(self) -> list[Sequence]:
        """All that is in flight, lost; tokens written so far count as generated."""
        self.run.generated += int(sum(self.clock - sequence.at for _, _, sequence in self.heap))
        lost = [*(entry[2] for entry in self.heap), *self.ended, *self.incoming]
        self.heap, self.ended, self.context, self.last = [], [], 0.0, None
        self.incoming.clear()
        return lost

    def work(self) -> Events:
        env, decode = self.run.env, self.run.setting.decode
        while True:
            if self.taken[-1][1] != self.version:
                self.taken.append((self.clock, self.version))
            self._absorb()
            if not self.heap and self.debt <= 0:
                yield from self._doze()
                continue
            if not self.working:
                self.working = True
                self.run.side("rollout", 1)
            pace = self.slow * self.run.pace(train=False)
            n, context, debt, heap = len(self.heap), self.context, self.debt, self.heap
            ends = heap[0][0] if heap else self.clock
            seconds = debt or decode.seconds(n, context, ends - self.clock)
            began, whole = env.now, True
            try:
                yield env.timeout(seconds * pace)
            except simpy.Interrupt:
                whole = False
            spent = env.now - began
            if n:
                self.busy += spent
                self.load_time += n * spent
            if debt:
                self.debt = max(0.0, self.debt - (debt if whole else spent / pace))
            elif heap is self.heap:  # else its sequences were lost meanwhile
                left = ends - self.clock
                done = left if whole else min(left, decode.steps(n, context, spent / pace))
                self.clock = ends if whole else self.clock + done
                self.context += n * done
                self._finish()

    def _doze(self) -> Events:
        if self.working:
            self.working = False
            self.run.side("rollout", -1)
        self.dozing = self.run.env.event()
        with suppress(simpy.Interrupt):  # one sent when it was still at work
            yield self.dozing
        self.dozing = None

    def _absorb(self) -> None:
        """Take new sequences in; a prompt is computed unless the sequence before had the same."""
        setting = self.run.setting
        while self.incoming and len(self.heap) < setting.decode.most:
            sequence = self.incoming.popleft()
            sequence.at = self.clock
            if sequence.group is not self.last:
                self.debt += setting.decode.prefill * setting.prompt
                self.last = sequence.group
            self.serial += 1
            heapq.heappush(self.heap, (self.clock + sequence.length, self.serial, sequence))
            self.context += setting.prompt

    def _finish(self) -> None:
        """Sequences that have ended leave."""
        setting, gone = self.run.setting, []
        while self.heap and self.heap[0][0] <= self.clock + 1e-9:
            sequence = heapq.heappop(self.heap)[2]
            self.context -= setting.prompt + sequence.length
            sequence.wrote = self.wrote(sequence)
            gone.append(sequence)
            self.run.end(sequence)
        if setting.block is None:
            self.run.complete(gone)
            self.run.refill(self)
            return
        self.ended += gone
        if not self.load:
            gone, self.ended = self.ended, []
            self.run.complete(gone)
            self.run.dispatch()
