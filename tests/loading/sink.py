"""`swr1 load` and `export` without a process of their own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from swr1.errors import DataError
from swr1.loading import records
from swr1.loading.declare import LOADERS
from swr1.loading.records import load_rows
from swr1.records import validate
from swr1.streams.reading import Placed


class Sink:
    """What `load_rows` needs of a stage: a place for records, and a refusal of bad rows."""

    on_error = "fail"

    def __init__(self) -> None:
        self.shard, self.came = (0, 1), 0
        self.records: list[dict[str, Any]] = []
        self.drops: Counter[str] = Counter()

    def __contains__(self, wanted) -> bool:
        return False

    def write(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def drop(self, reason: str, where: str, raw: Any = None) -> None:
        raise DataError(reason, where)

    def count_drop(self, reason: str) -> None:
        self.drops[reason] += 1

    def end_input(self, written: int) -> None:
        pass


class Source(Sink):
    """A stage that reads these records and refuses bad ones, for what needs no process."""

    went = 0

    def __init__(self, records: list[dict[str, Any]]) -> None:
        super().__init__()
        self.read_from = records

    def read(self, needs: Sequence[str]) -> Iterator[Placed]:
        for number, record in enumerate(self.read_from, 1):
            validate(record, needs)
            placed = Placed(record)
            placed.location = f"records:{number}"
            yield placed


def loaded(name: str, *files: Path, split: str | None = None, **options: Any) -> list[dict]:
    """The records of `swr1 load NAME FILES --split SPLIT --set OPTIONS`."""
    sink, load = Sink(), LOADERS.get(name)
    with patch.object(records, "has_pictures", lambda item: False):  # tests/pictures opens them
        load_rows(sink, load, [str(f) for f in files], split=split, options=options)  # type: ignore[arg-type]
    return sink.records
