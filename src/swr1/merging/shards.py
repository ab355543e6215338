"""Shards of records into one stream: in the order of an unsharded run, complete, no duplicates.

Memory: 8 bytes a record, for its hash, and what the groups that are still open lack.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from swr1.errors import DataError
from swr1.records import Record, key, mark
from swr1.streams import read
from swr1.streams.markers import read_plan
from swr1.streams.reading import OnBad, expand, refuse, shard_files

Pair = tuple[Record | None, str]
LOOK_FIRST = 2**16  # records after which duplicates are looked for; then at every doubling


def merge_records(
    inputs: Sequence[str], partial: bool = False, on_bad: OnBad = refuse
) -> Iterator[Pair]:
    """The records of shard folders and files, each once, with the place it comes from.

    Args:
        inputs: shard folders (put back in order), files (one after the other), or "-".
        partial: accept groups in which samples are missing, and some files of a shard folder.
        on_bad: as in `streams.read`: when it returns, the record comes as None.

    Raises DataError, by name, for a missing or unfinished shard, a shard that holds more or fewer
    records than its marker says, a record that comes twice, and an incomplete group.
    """
    if not partial:
        _refuse_some_shards(inputs)
    marks = array("q")
    look = LOOK_FIRST
    groups: dict[tuple[str, int], tuple[int, set[int]]] = {}  # size and what came, while open
    for record, location in _all(inputs, on_bad):
        if record is None:
            yield record, location
            continue
        marks.append(hash(mark(record)))
        size = record["generation"].get("group", 1) if "generation" in record else 1
        if size > 1 and not partial:
            name, epoch, sample = key(record)
            if 0 <= sample < size:
                _, came = groups.setdefault((name, epoch), (size, set()))
                came.add(sample)
                if len(came) == size:
                    del groups[name, epoch]
        yield record, location
        if len(marks) == look:
            _refuse_twins(marks, inputs)
            look *= 2
    _refuse_twins(marks, inputs)
    if groups:
        (name, epoch), (size, came) = next(iter(groups.items()))
        lacks = list(islice((str(n) for n in range(size) if n not in came), 20))
        more = ", ..." if len(lacks) < size - len(came) else ""
        raise DataError(
            f"{len(groups)} groups are incomplete, such as id {name} (epoch {epoch}), which lacks"
            f" the samples {', '.join(lacks)}{more}; --partial accepts them",
            ", ".join(inputs),
        )


def _all(inputs: Sequence[str], on_bad: OnBad) -> Iterator[Pair]:
    for name in inputs:
        whole = not Path(name).is_dir()  # two files of one record are reported by `_refuse_twins`
        yield from cast("Iterator[Pair]", read([name], on_bad=on_bad, unique=whole))  # no marks


def _refuse_some_shards(inputs: Sequence[str]) -> None:
    """Raise DataError where files of a shard folder are named (by a glob, say), and not all."""
    named = {Path(name) for name in expand(inputs)}
    for folder in sorted({file.parent for file in named}):
        if read_plan(folder) is None:
            continue
        shards = {Path(name) for name in shard_files(folder)}
        if named & shards and (others := sorted(file.name for file in shards - named)):
            raise DataError(
                f"its shards {', '.join(others[:20])} are not among the files to merge; name the"
                " folder, or add --partial",
                str(folder),
            )


def _refuse_twins(marks: array, inputs: Sequence[str]) -> None:
    """Raise DataError when two hashes are equal and a second reading finds their records equal."""
    if len(marks) <= LOOK_FIRST and len(set(marks)) == len(marks):
        return  # and numpy need not be loaded
    import numpy as np

    hashes = np.frombuffer(marks, np.int64)
    hashes.sort()  # in place: their order has no meaning
    twins = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not twins:
        return
    if any(name == "-" or Path(name).is_fifo() for name in inputs):
        raise DataError(
            "a record comes twice (same id, epoch and sample); merge a file instead of a stream"
            " to learn which",
            ", ".join(inputs),
        )
    first: dict[Any, str] = {}
    for record, location in _all(inputs, lambda place, reason, raw: None):
        if record is None:
            continue
        twin = mark(record)
        if twin in first:
            name, epoch, sample = key(record)
            raise DataError(
                f"id {name} (epoch {epoch}, sample {sample}) stands at {first[twin]} already:"
                " these shards overlap",
                location,
            )
        if hash(twin) in twins:
            first[twin] = location
