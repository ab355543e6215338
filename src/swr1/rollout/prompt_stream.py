"""Which prompts a rollout completes: the input's records, once or several times round, shuffled or not."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.records import key
from swr1.rollout.order import Order
from swr1.streams import Placed, Stage
from swr1.streams.reading import SILENCE, Mark

SILENT_AFTER = 0.05  # seconds after which an input that gives nothing is silent


class _Prompt(Placed):
    """A prompt record with its epoch, its position in the input, and its number over all epochs."""

    epoch: int
    at: int
    number: int


class PromptStream:
    """The prompt records of a stage, `epochs` times, in a new order each time if they are shuffled.

    `skip` prompts are passed over: those that `order` says have left, and the first others for which
    `fits` is true. `given` counts the prompts that
    were given so far, and those. For each input the stream notes how many prompts it gave that will
    have completions: one, or as many as `prefixes` makes of it.
    While standard input is silent it gives SILENCE again and again, so that its reader can do other
    work.
    """

    def __init__(
        self,
        stage: Stage,
        epochs: int,
        shuffle_seed: int | None,
        skip: int = 0,
        fits: Callable[[dict], bool] = lambda record: True,
        prefixes: Callable[[dict], Iterable[dict]] | None = None,
        order: Order | None = None,
    ) -> None:
        again = epochs > 1 or shuffle_seed is not None
        if again and stage.shard != (0, 1):
            raise UsageError(
                "--epochs and --shuffle need the whole input: with --shard, run once per epoch"
            )
        self.stage, self.epochs, self.shuffle_seed = stage, epochs, shuffle_seed
        self.repeats = again
        self.given, self.fits, self.prefixes, self.order = 0, fits, prefixes, order
        self._behind = order.behind if order else set()
        self._skip = skip - len(self._behind)
        self._number = -1  # of the newest
        self._usable = array("L")  # by input, the prompts of it that will have completions
        self._stream = self._read()
        self._next: Placed | Mark | None = None

    def more(self) -> bool | None:
        """Whether a prompt follows. It is read, but not counted as given.

        None means that nobody knows yet, and SILENCE follows.
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
        records: list[Placed] = []
        for record in self.stage.read_marked(("id", "prompt"), SILENT_AFTER):
            if isinstance(record, Mark):
                if record is SILENCE and self.shuffle_seed is None:
                    yield record
                continue
            prompts = self._prompts(record)
            self._usable.append(len(prompts))
            if self.repeats:
                records += prompts
            if self.shuffle_seed is None:
                for prompt in prompts:
                    yield from self._give(prompt, key(prompt)[1])
        for epoch in range(0 if self.shuffle_seed is not None else 1, self.epochs):
            if self.shuffle_seed is not None:
                Random(f"{self.shuffle_seed}/{epoch}").shuffle(records)
            for record in records:
                yield from self._give(record, epoch)

    def _prompts(self, record: Placed | None) -> list[Placed]:
        """What is to be completed of one input; nothing of one that was dropped."""
        if record is None or self.prefixes is None:
            return [record] if record is not None else []
        try:
            made = [Placed(prefix) for prefix in self.prefixes(record)]
        except DataError as error:
            self.stage.drop(error.reason, record.location, record)
            return []
        for prefix in made:
            prefix.location = record.location
        return made

    def _give(self, record: Placed, epoch: int) -> Iterator[Placed]:
        self._number += 1
        if self._number in self._behind:
            self.given += 1
            return
        if self._skip:
            if self.fits(record):
                self.given, self._skip = self.given + 1, self._skip - 1
                if self.order:
                    self.order.note(self._number)
            return
        yield self._place(record, epoch)

    def _place(self, record: Placed, epoch: int) -> Placed:
        copy = _Prompt(record)
        copy.location, copy.epoch, copy.at = record.location, epoch, len(self._usable) - 1
        copy.number = self._number
        return copy

    @staticmethod
    def epoch_of(record: Any) -> int:
        return record.epoch

    def close(self, samples: int) -> None:
        """Tell the stage how many records each input gave, so that shards can be merged in order."""
        if not self.repeats:
            for usable in self._usable:
                self.stage.end_input(samples * usable)

    def lose(self, record: Any) -> None:
        """Count out a record that has no completions, because its prompt is too long, say."""
        self._usable[record.at] -= 1
        self.given -= 1
