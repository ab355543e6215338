"""The shards of one run as one stream, in the order of an unsharded run.

Each shard's marker (FILE.meta.json) says how many records every one of its inputs gave, so the
blocks of inputs that went round the shards are put back in their order.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from swr1.errors import DataError
from swr1.streams.markers import read_shard

Pair = tuple[Any, str]  # a record, or None for a bad one, and its place


def in_order(files: Sequence[str], open_file: Callable[[str], Iterator[Pair]]) -> Iterator[Pair]:
    """What `open_file` gives of all shards, put back in order.

    Raises DataError for a shard without marker, or with more or fewer records than it says.
    """
    metas = [read_shard(name) for name in files]
    records = [
        _counted(name, open_file(name), meta["records"])
        for name, meta in zip(files, metas, strict=True)
    ]
    for _, shard, size in heapq.merge(*map(_inputs, metas, range(len(files)))):
        for _ in range(size):
            yield next(records[shard])
    for rest in records:  # nothing is left, unless a shard holds more than its marker says
        yield from rest


def _inputs(meta: dict[str, Any], shard: int) -> Iterator[tuple[int, int, int]]:
    """(number of its block, shard, records) of every input of a shard that gave any."""
    position = 0
    for size, times in meta["per_input"]:
        if size:
            for at in range(position, position + times):
                yield at // meta["block"], shard, size
        position += times


def _counted(name: str, records: Iterator[Pair], expected: int) -> Iterator[Pair]:
    count = 0
    for pair in records:
        count += 1
        if count > expected:
            break
        yield pair
    if count != expected:
        more = "more" if count > expected else f"{count}"
        raise DataError(
            f"holds {more} records, its marker says {expected}: run its stage again with --force",
            name,
        )
