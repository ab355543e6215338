"""Rows of other people's files, folders and hub data sets, each with its place.

JSONL, JSON (a list of rows, rows under keys, or a list for every column), CSV and Parquet, told by
the suffix. What makes records of the rows is in `_records`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, SwrError, UsageError
from swr1.streams.reading import OnBad, expand, lines, open_lines

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".parquet", ".csv", ".csv.gz")
KINDS = f"Files are read by their suffix: {', '.join(SUFFIXES)}"
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
    try:
        data = orjson.loads(Path(name).read_bytes())
    except orjson.JSONDecodeError as error:
        raise DataError(f"broken JSON: {error} (one row a line is .jsonl)", name) from None
    rows = _rows_in(data)
    if rows is None:
        raise DataError("neither a list of rows nor an object that holds one", name)
    return ((row, f"{name}:row {number}") for number, row in enumerate(rows, 1))


def _rows_in(data: Any) -> list[Any] | None:
    """The rows of a JSON document, None where it has none.

    A list; {"data": [...]}; {"chat": [...], "embodied": [...]}, whose rows get their list's name as
    `part`; {"17": {...}, ...}, whose rows get theirs as `key`; or one list for every column.
    """
    if not isinstance(data, dict):
        return data if isinstance(data, list) else None
    if data and all(isinstance(value, dict) for value in data.values()):
        return [{"key": name, **row} for name, row in data.items()]
    lists = {name: value for name, value in data.items() if isinstance(value, list) and value}
    if lists and all(isinstance(row, dict) for value in lists.values() for row in value):
        parts = len(lists) > 1
        return [
            {"part": name, **row} if parts else row for name, rows in lists.items() for row in rows
        ]
    if lists and len(set(map(len, lists.values()))) == 1:
        columns = zip(*lists.values(), strict=True)
        return [dict(zip(lists, values, strict=True)) for values in columns]
    return [] if [] in data.values() else None


def _csv_rows(name: str) -> Rows:
    csv.field_size_limit(2**27)  # completions are longer than Python's limit for a field
    where = f"{name}:1"
    try:
        with io.TextIOWrapper(open_lines(name), encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            for row in reader:
                where = f"{name}:{reader.line_num}"
                yield row, where
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"not a CSV file in UTF-8, or a damaged one ({error})", where) from None


def hub_rows(name: str, subset: str | None, split: str | None) -> Rows:
    """(row, "ID/SPLIT:row N") of a data set on the Hugging Face hub, streamed."""
    from datasets import load_dataset

    try:
        data = load_dataset(name, subset, split=split, streaming=True)
        for part, rows in {split: data}.items() if split else data.items():
            if getattr(rows, "features", None):
                rows = rows.decode(False)  # pictures stay the bytes that they are
            for number, row in enumerate(rows, 1):
                yield dict(row), f"{'/'.join(filter(None, [name, subset, part]))}:row {number}"
    except (OSError, ValueError) as error:  # among them: no network, no such set, subset, split
        raise SwrError(
            f"cannot load {name!r} from the hub: {str(error).strip()}. If it has several subsets,"
            " name one with --subset; a file or folder works without a network"
        ) from None
