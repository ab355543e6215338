"""Which prompts a rollout completes: the input's records, once or several times round, shuffled or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.records import key
from swr1.streams import Placed, Stage
from swr1.streams.reading import SILENCE, Mark

SILENT_AFTER = 0.05  # seconds after which an input that gives nothing is silent


class _Prompt(Placed):
    """A prompt record with its epoch and its position in the input."""

    epoch: int
    at: int


class Prompts:
    """The prompt records of a stage, `epochs` times round, in a new order each time if shuffled.

    The first `skip` that `fits` are passed over. Counts what it has given (those too), and notes
    for each input whether it will have completions. While standard input is silent it gives SILENCE
    again and again, so that who reads it can do something else.
    """

    def __init__(
        self,
        stage: Stage,
        epochs: int,
        shuffle_seed: int | None,
        skip: int = 0,
        fits: Callable[[dict], bool] = lambda record: True,
    ) -> None:
        again = epochs > 1 or shuffle_seed is not None
        if again and stage.shard != (0, 1):
            raise UsageError(
                "--epochs and --shuffle need the whole input: with --shard, run once per epoch"
            )
        self.stage, self.epochs, self.shuffle_seed = stage, epochs, shuffle_seed
        self.keep = again
        self.given, self.skip, self.fits = 0, skip, fits
        self._good = bytearray()
        self._lost: set[int] = set()
        self._stream = self._read()
        self._next: Placed | Mark | None = None

    def more(self) -> bool | None:
        """Whether a prompt follows; reads it, but does not count it as given.

        None: that cannot be told yet, and SILENCE follows.
        """
        self._next = self._next or next(self._stream, None)
        return None if self._next is SILENCE else self._next is not None

    def __iter__(self) -> Iterator[Placed | Mark]:
        return self

    def __next__(self) -> Placed | Mark:
        self.more()
        record, self._next = self._next, None
        if record is None:
            raise StopIteration
        self.given += record is not SILENCE
        return record

    def _read(self) -> Iterator[Placed | Mark]:
        kept: list[Placed] = []
        for record in self.stage.read_marked(("id", "prompt"), SILENT_AFTER):
            if isinstance(record, Mark):
                if record is SILENCE and self.shuffle_seed is None:
                    yield record
                continue
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
        if self.given < self.skip:
            self.given += self.fits(record)
            return
        yield self._place(record, epoch)

    def _place(self, record: Placed, epoch: int) -> Placed:
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
        """This record has no completions (its prompt is too long, say), so it is not `given`."""
        self._lost.add(record.at)
        self.given -= 1
