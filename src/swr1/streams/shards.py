"""The shards of one run as one stream, in the order of an unsharded run.

Each shard's marker (FILE.meta.json) says how many records every one of its inputs gave, so the
blocks of inputs that went round the shards are put back in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError

Pair = tuple[Any, str]  # a record, or None for a bad one, and its place


def in_order(files: Sequence[str], open_file: Callable[[str], Iterator[Pair]]) -> Iterator[Pair]:
    """What `open_file` gives of all shards, put back in order.

    Raises DataError for a shard without marker, or with more or fewer records than it says.
    """
    metas = [_meta(name) for name in files]
    records = [
        _counted(name, open_file(name), meta["records"])
        for name, meta in zip(files, metas, strict=True)
    ]
    sizes = [_sizes(meta["per_input"]) for meta in metas]
    shard = 0
    while True:
        for _ in range(metas[0]["block"]):
            size = next(sizes[shard], None)
            if size is None:
                break
            for _ in range(size):
                yield next(records[shard])
        else:
            shard = (shard + 1) % len(files)
            continue
        break
    for rest in records:  # nothing is left, unless a shard holds more than its marker says
        yield from rest


def _meta(name: str) -> dict[str, Any]:
    marker = Path(f"{name}.meta.json")
    if not marker.exists():
        raise DataError(f"has no marker {marker.name}: its stage did not finish", name)
    return orjson.loads(marker.read_bytes())


def _sizes(per_input: list[list[int]]) -> Iterator[int]:
    for size, times in per_input:
        for _ in range(times):
            yield size


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
