"""Rows of other people's files, folders and hub data sets, each with its place; and `load_rows`,
which turns them into records under the contract of a stage.

A loader is a file of this room: `load(row, ...) -> {"task", "prompt", "answer", "info"}` for one
row (a dict), raising DataError("kind of trouble: details"). Keyword arguments with defaults are its
options (`--set NAME=VALUE`), its docstring's first line is what `swr1 load --list` shows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, SwrError, UsageError
from swr1.records import VERSION, make_id
from swr1.streams import Stage
from swr1.streams.reading import RECENT, OnBad, expand, lines, open_lines

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".parquet", ".csv", ".csv.gz")
_NOT_ROWS = ("meta.json", "plan.json", "dataset_infos.json", "dataset_info.json", "state.json")

Rows = Iterator[tuple[Any, str]]


def find_sources(names: Sequence[str], split: str | None = None) -> tuple[list[str], list[str]]:
    """(files, hub ids) behind the arguments, folders searched through.

    `split` keeps the files of a folder whose path below it has that word: train/a.jsonl,
    3ppl/train.parquet. Raises UsageError for what does not exist or holds no such file.
    """
    files: list[str] = []
    hub: list[str] = []
    for name in names:
        folder = Path(name)
        if name != "-" and folder.is_dir():
            found = sorted(p for p in folder.rglob("*") if p.name.endswith(SUFFIXES))
            found = [p for p in found if not p.name.endswith(_NOT_ROWS)]
            word = re.compile(rf"(?<![^\W_]){re.escape(split or '')}(?![^\W_])")
            kept = [p for p in found if split is None or word.search(str(p.relative_to(folder)))]
            if not kept:
                of = f" of the split {split!r} among {len(found)}" if split and found else ""
                raise UsageError(f"no file{of} ({', '.join(SUFFIXES)}) in {name}")
            files += map(str, kept)
        elif re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not (
            folder.exists() or folder.parent.is_dir() or name.endswith(SUFFIXES)
        ):
            hub.append(name)
        else:
            files += expand([name])
    return files, hub


def file_rows(name: str, on_bad: OnBad) -> Rows:
    """(row, "FILE:LINE" or "FILE:row N") of one file, by its suffix; "-" is JSONL.

    A line that is no JSON goes to `on_bad` and comes as None. Raises DataError for a file that is
    empty or broken as a whole.
    """
    if name.endswith(".parquet"):
        rows = _parquet_rows(name)
    elif name.endswith(".json"):
        rows = _json_rows(name)
    elif name.endswith((".csv", ".csv.gz")):
        rows = _csv_rows(name)
    else:
        rows = lines(name, on_bad)
    first = next(rows, None)
    if first is None:
        raise DataError("the file is empty: it holds no row", name)
    yield first
    yield from rows


def _parquet_rows(name: str) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        batches = pq.ParquetFile(name).iter_batches(batch_size=256)
    except pa.ArrowInvalid as error:
        raise DataError(f"not a Parquet file, or a damaged one ({error})", name) from None
    rows = (row for batch in batches for row in batch.to_pylist())
    return ((row, f"{name}:row {number}") for number, row in enumerate(rows, 1))


def _json_rows(name: str) -> Rows:
    """A list of rows, also as the only list in an object ({"data": [...]})."""
    try:
        data = orjson.loads(Path(name).read_bytes())
    except orjson.JSONDecodeError as error:
        raise DataError(f"broken JSON: {error} (one row a line is .jsonl)", name) from None
    lists = [data] if isinstance(data, list) else []
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list)]
    if len(lists) != 1:
        raise DataError("neither a list of rows nor an object that holds one", name)
    return ((row, f"{name}:row {number}") for number, row in enumerate(lists[0], 1))


def _csv_rows(name: str) -> Rows:
    with io.TextIOWrapper(open_lines(name), encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        for row in reader:
            yield row, f"{name}:{reader.line_num}"


def hub_rows(name: str, subset: str | None, split: str | None) -> Rows:
    """(row, "ID/SPLIT:row N") of a data set on the Hugging Face hub, streamed."""
    from datasets import load_dataset

    try:
        data = load_dataset(name, subset, split=split, streaming=True)
        for part, rows in {split: data}.items() if split else data.items():
            for number, row in enumerate(rows, 1):
                yield dict(row), f"{'/'.join(filter(None, [name, subset, part]))}:row {number}"
    except (OSError, ValueError) as error:  # among them: no network, no such set, subset, split
        raise SwrError(
            f"cannot load {name!r} from the hub: {str(error).strip()}. If it has several subsets,"
            " name one with --subset; a file or folder works without a network"
        ) from None


def load_rows(
    stage: Stage,
    load: Callable[..., dict[str, Any]],
    files: Sequence[str],
    hub: Sequence[str] = (),
    subset: str | None = None,
    split: str | None = None,
) -> None:
    """Write a record for every row of this shard that `load` can turn into one.

    Every other row is reported with its place and reason, and dropped by the stage's policy. So is
    a row that gives an item seen before.
    """
    assert stage.shard is not None
    index, shards = stage.shard
    broken: list[tuple[str, Any]] = []  # why the line that comes as None is none

    def on_bad(where: str, reason: str, raw: Any) -> None:
        broken.append((reason, raw))

    sources = [file_rows(name, on_bad) for name in files]
    sources += [hub_rows(name, subset, split) for name in hub]
    seen: dict[str, str] = {}
    for number, (row, where) in enumerate(pair for rows in sources for pair in rows):
        reason, raw = broken.pop() if broken else ("", row)
        if number % shards != index:
            continue
        stage.came += 1
        try:
            if reason:
                raise DataError(reason)
            record = _record(load(row), where)
            if record["id"] in seen:
                raise DataError(f"seen before: the same item as {seen[record['id']]}")
        except DataError as error:
            _drop(stage, error.reason, where, raw)
            stage.end_input(0)
            continue
        seen[record["id"]] = where
        if len(seen) > RECENT:
            del seen[next(iter(seen))]
        if (record["id"], 0, 0) not in stage:
            stage.write(record)
        stage.end_input(1)


def _record(item: dict[str, Any], where: str) -> dict[str, Any]:
    info = item["info"] | {"source": item["info"].get("source", {}) | {"where": where}}
    name = make_id(item["task"], item["prompt"], item["answer"])
    return {"v": VERSION, "id": name, **item, "info": info}


def _drop(stage: Stage, reason: str, where: str, raw: Any) -> None:
    if stage.on_error == "fail":
        reason += " (to go on: --on-error skip, or --on-error quarantine PATH to set rows aside)"
    stage.drop(reason, where, raw)
    if stage.drops.total() > 3:  # the stage tells of the first three only
        stage.say(f"dropped {where}: {reason}")
