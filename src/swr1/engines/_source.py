"""What a rollout draws from: the prompts, time after time, and the newest weights of a policy.

`Weights.refresh` is where an asynchronous run is bounded: it lets a block of prompts start only
when the published version is new enough for the optimizer step that will use them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.policy import model_folder, resolve
from swr1.records import key
from swr1.streams import Placed, Stage


class _Prompt(Placed):
    """A prompt record with its epoch and its position in the input."""

    epoch: int
    at: int


class Prompts:
    """The prompt records of a stage, `epochs` times round, in a new order each time if shuffled.

    The first `skip` are passed over. Counts what it has given (those too), and notes for each input
    whether it will have completions.
    """

    def __init__(self, stage: Stage, epochs: int, shuffle_seed: int | None, skip: int = 0) -> None:
        again = epochs > 1 or shuffle_seed is not None
        if again and stage.shard != (0, 1):
            raise UsageError(
                "--epochs and --shuffle need the whole input: with --shard, run once per epoch"
            )
        self.stage, self.epochs, self.shuffle_seed = stage, epochs, shuffle_seed
        self.keep = again
        self.given, self.skip = 0, skip
        self._good = bytearray()
        self._lost: set[int] = set()

    def __iter__(self) -> Iterator[Placed]:
        kept: list[Placed] = []
        for record in self.stage.read(needs=("id", "prompt")):
            self._good.append(record is not None)
            if record is None:
                continue
            if self.keep:
                kept.append(record)
            if self.shuffle_seed is None:
                yield from self._give(record, key(record)[1])
        for epoch in range(0 if self.shuffle_seed is not None else 1, self.epochs):
            if self.shuffle_seed is not None:
                Random(f"{self.shuffle_seed}/{epoch}").shuffle(kept)
            for record in kept:
                yield from self._give(record, epoch)

    def _give(self, record: Placed, epoch: int) -> Iterator[Placed]:
        self.given += 1
        if self.given <= self.skip:
            return
        copy = _Prompt(record)
        copy.where, copy.epoch, copy.at = record.where, epoch, len(self._good) - 1
        yield copy

    @staticmethod
    def epoch_of(record: Any) -> int:
        return record.epoch

    def close(self, samples: int) -> None:
        """Tell the stage what each input gave, so that shards can be merged in order."""
        if not self.keep:
            for at, good in enumerate(self._good):
                self.stage.end_input(samples if good and at not in self._lost else 0)

    def lose(self, record: Any) -> None:
        """This record has no completions (its prompt is too long, say)."""
        self._lost.add(record.at)


class Weights:
    """The weights a rollout uses: fixed, or those that a train-step at the other end publishes.

    With `max_lag` K, a prompt whose sample will be used in optimizer step s starts only when the
    version made by step s - K is there. Groups are used in the order of the pipe, `batch` of them
    per step, so step s uses groups s*batch ... (s+1)*batch - 1.
    """

    def __init__(self, name: str, max_lag: int | None, wait: float) -> None:
        self.policy = resolve(name)
        self.max_lag, self.wait = max_lag, wait
        if max_lag is not None and self.policy is None:
            raise UsageError(f"--max-lag follows a policy folder, and {name!r} is a model")
        self.plan: dict[str, int] = {}
        self._name = name
        self.version = self.policy.latest() if self.policy else None

    @property
    def folder(self) -> str:
        """What an engine loads."""
        return model_folder(self._name, self.version)

    def follow(self) -> int:
        """With `max_lag`, wait for the train-step at the other end to say what it does.

        Returns how many prompts its run has used already. Raises SwrError after --wait seconds,
        UsageError when it publishes too seldom for `max_lag`.
        """
        policy, max_lag = self.policy, self.max_lag
        if policy is None or max_lag is None:
            return 0
        plan = None
        waiting = self._waiting(f"for a train-step on {policy.path}")
        while plan is None:
            next(waiting)
            plan = policy.announced()
        if plan["publish_every"] > max_lag + 1:
            raise UsageError(
                f"train-step publishes every {plan['publish_every']} steps, which --max-lag"
                f" {max_lag} would wait for without end: use --publish-every {max_lag + 1} or less"
            )
        self.plan, self.version = plan, policy.latest()
        return plan["consumed"]

    def refresh(self, engine: Any, given: int) -> int | None:
        """Load what is newest into `engine`, waiting until it is new enough for `given` prompts.

        Raises SwrError when --wait seconds were not enough, saying what was waited for.
        """
        if self.max_lag is None or self.policy is None:
            return self.version
        for _ in self._waiting(f"for a version of {self.policy.path} newer than {self.version}"):
            newest = self.policy.latest()
            consumed = self.policy.meta(newest).get("groups_consumed", 0) - self.plan["before"]
            batch = self.plan["batch"]
            if (given - 1) // batch - consumed // batch <= self.max_lag:
                break
        if newest != self.version:
            engine.load(self.policy.folder(newest))
            self.version = newest
        return self.version

    def _waiting(self, what: str) -> Iterator[None]:
        """One turn every 10 ms; says what it waits for, and raises SwrError after --wait."""
        started = told = time.monotonic()
        while True:
            yield
            now = time.monotonic()
            if now - started > self.wait:
                raise SwrError(f"waited {self.wait:g} s {what}: is it running?")
            if now - told > 30:
                print(
                    f"swr1 rollout: waiting {what} ({now - started:.0f} s)",
                    file=sys.stderr,
                    flush=True,
                )
                told = now
            time.sleep(0.01)
