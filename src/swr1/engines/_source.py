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

    Counts what it has given, and notes for each input whether it will have completions.
    """

    def __init__(self, stage: Stage, epochs: int, shuffle_seed: int | None) -> None:
        again = epochs > 1 or shuffle_seed is not None
        if again and stage.shard != (0, 1):
            raise UsageError(
                "--epochs and --shuffle need the whole input: with --shard, run once per epoch"
            )
        self.stage, self.epochs, self.shuffle_seed = stage, epochs, shuffle_seed
        self.keep = again
        self.given = 0
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
                yield self._give(record, key(record)[1])
        for epoch in range(0 if self.shuffle_seed is not None else 1, self.epochs):
            if self.shuffle_seed is not None:
                Random(f"{self.shuffle_seed}/{epoch}").shuffle(kept)
            for record in kept:
                yield self._give(record, epoch)

    def _give(self, record: Placed, epoch: int) -> Placed:
        self.given += 1
        copy = _Prompt(record)
        copy.where, copy.epoch, copy.at = record.where, epoch, len(self._good) - 1
        return copy

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
        self.version = self.policy.latest() if self.policy else None
        self.folder = model_folder(name, self.version)

    def refresh(self, engine: Any, given: int) -> int | None:
        """Load what is newest into `engine`, waiting until it is new enough for `given` prompts.

        Raises SwrError when --wait seconds were not enough, saying what was waited for.
        """
        if self.max_lag is None or self.policy is None:
            return self.version
        started = told = time.monotonic()
        while True:
            newest = self.policy.latest()
            reason = self._too_old(newest, given)
            if not reason:
                break
            now = time.monotonic()
            if now - started > self.wait:
                raise SwrError(f"waited {self.wait:g} s {reason}; is train-step running there?")
            if now - told > 30:
                print(f"swr1 rollout: waiting {reason} ({now - started:.0f} s)", file=sys.stderr)
                told = now
            time.sleep(0.01)
        if newest != self.version:
            engine.load(self.policy.folder(newest))
            self.version = newest
        return self.version

    def _too_old(self, version: int, given: int) -> str:
        """Why `version` cannot serve the last of `given` prompts, or ''."""
        assert self.policy is not None and self.max_lag is not None
        plan = self.policy.announced()
        if plan is None:
            return f"for a train-step on {self.policy.path} to say its batch size"
        batch = plan["batch"]
        if plan["publish_every"] > self.max_lag + 1:
            raise UsageError(
                f"train-step publishes every {plan['publish_every']} steps, which --max-lag"
                f" {self.max_lag} would wait for without end: use --publish-every"
                f" {self.max_lag + 1} or less"
            )
        steps_done = self.policy.meta(version).get("groups_consumed", 0) // batch
        lag = (given - 1) // batch - steps_done
        if lag <= self.max_lag:
            return ""
        return f"for a version of {self.policy.path} newer than {version}"

