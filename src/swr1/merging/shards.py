"""Shards of records into one stream: in the order of an unsharded run, complete, no duplicates.

Each shard's marker (FILE.meta.json) says how many records every one of its inputs gave, so the
blocks that went round the shards are put back in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import orjson

from swr1.errors import DataError
from swr1.records import Record, key
from swr1.streams import read
from swr1.streams.reading import read_plan, shard_files

Pair = tuple[Record, str]


def merge_records(inputs: Sequence[str], partial: bool = False) -> Iterator[Pair]:
    """The records of shard folders and files, each once, with the place they come from.

    Args:
        inputs: shard folders (put back in order), files (one after the other), or "-".
        partial: accept groups in which samples are missing.

    Raises DataError, by name, for a missing or unfinished shard, a shard that holds more or fewer
    records than its marker says, a record that comes twice, and an incomplete group.
    """
    seen: dict[int, str] = {}
    groups: dict[tuple[str, int], list[int]] = {}  # what each unfinished group still lacks
    for name in inputs:
        for record, where in _folder(Path(name)) if Path(name).is_dir() else _file(name):
            name_, epoch, sample = mark = key(record)
            if (first := seen.setdefault(hash(mark), where)) != where:
                raise DataError(
                    f"id {name_} (epoch {epoch}, sample {sample}) stands at {first} already:"
                    " these shards overlap",
                    where,
                )
            size = record.get("generation", {}).get("group", 1)
            lacks = groups.setdefault((name_, epoch), list(range(size)))
            if sample in lacks:
                lacks.remove(sample)
            if not lacks:
                groups[name_, epoch] = []
            yield record, where
    short = [(n, e, lacks) for (n, e), lacks in groups.items() if lacks]
    if short and not partial:
        name_, epoch, lacks = short[0]
        raise DataError(
            f"{len(short)} groups are incomplete, such as id {name_} (epoch {epoch}), which lacks"
            f" the samples {', '.join(map(str, lacks))}; --partial accepts them",
            ", ".join(inputs),
        )


def _refuse(where: str, reason: str, raw: Any) -> NoReturn:
    raise DataError(reason, where)


def _file(name: str) -> Iterator[Pair]:
    for record, where in read([name], on_bad=_refuse):
        assert record is not None
        yield record, where


def _folder(folder: Path) -> Iterator[Pair]:
    files = shard_files(folder)
    if read_plan(folder) is None:
        for name in files:
            yield from _file(name)
        return
    metas = [_meta(name) for name in files]
    records = [_counted(name, meta["records"]) for name, meta in zip(files, metas, strict=True)]
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


def _counted(name: str, expected: int) -> Iterator[Pair]:
    count = 0
    for pair in _file(name):
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
