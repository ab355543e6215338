"""`swr1 load` without a process of its own: the records that a loader makes of files."""

from collections import Counter
from pathlib import Path
from typing import Any

from swr1.errors import DataError
from swr1.loading._records import load_rows
from swr1.registry import Registry


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


def loaded(name: str, *files: Path, split: str | None = None, **options: Any) -> list[dict]:
    """The records of `swr1 load NAME FILES --split SPLIT --set OPTIONS`."""
    sink, load = Sink(), Registry("loader", "swr1.loading", "load").get(name)
    load_rows(sink, load, [str(f) for f in files], split=split, options=options)  # type: ignore[arg-type]
    return sink.records
