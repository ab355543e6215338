"""Rows of other people's files, folders and hub data sets, each with its place.

JSON Lines, JSON (a list of rows, rows under keys, a list for every column, what the hub's viewer
gives), CSV and Parquet, recognised by their first bytes (`kinds`). Values are those of JSON
(`plain`). `records` makes records of the rows.
"""

import csv
import glob
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from swr1.errors import DataError, SwrError, UsageError
from swr1.loading.kinds import BOM, SUFFIXES, kind_of
from swr1.loading.values import plain
from swr1.records import parse
from swr1.streams.reading import DAMAGE, OnBad, compression, damaged, expand, lines, open_lines

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
            paths = sorted(p for p in folder.rglob("*") if p.name.endswith(SUFFIXES))
            paths = [p for p in paths if not p.name.endswith(_NOT_ROWS)]
            word = re.compile(rf"(?<![^\W_]){re.escape(split or '')}(?![^\W_])")
            matching = [
                p for p in paths if split is None or word.search(str(p.relative_to(folder)))
            ]
            if not matching:
                of = f" of the split {split!r} among {len(paths)}" if split and paths else ""
                raise UsageError(f"no file{of} ({', '.join(SUFFIXES)}) in {name}")
            files += map(str, matching)
        elif re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not (
            folder.exists() or folder.parent.is_dir() or name.endswith(SUFFIXES)
        ):
            hub.append(name)
        elif not folder.exists() and (glob_matches := sorted(glob.glob(name, recursive=True))):
            files += [m for m in glob_matches if m.endswith(SUFFIXES)]
        else:
            files += expand([name])
    return files, hub


def file_rows(name: str, on_bad: OnBad, piped: str | None = None) -> Rows:
    """(row, "FILE:LINE" or "FILE:row N") of one file; "-" is standard input.

    piped: "csv" if that is what comes from standard input, which cannot be looked at twice.
    A row that cannot be read goes to `on_bad` and comes as None. Raises DataError for a file that
    is empty, of a kind that is not read, or broken as a whole.
    """
    readers = {"parquet": _parquet_rows, "json": _json_rows, "csv": _csv_rows, "jsonl": lines}
    kind = "csv" if name == "-" and piped == "csv" else kind_of(name)
    rows = readers[kind](name, on_bad)
    first = next(rows, None)
    if first is None:
        raise DataError("the file is empty: it holds no row", name)
    yield first
    yield from rows


def _parquet_rows(name: str, on_bad: OnBad) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(name).iter_batches(batch_size=256):
            for row in _batch_rows(batch):
                number += 1
                location = f"{name}:row {number}"
                if isinstance(row, Exception):
                    on_bad(location, f"unreadable values: {row}", None)
                    row = None
                yield row, location
    except (pa.ArrowException, OSError) as error:
        location = f"{name}:row {number + 1}" if number else name
        raise DataError(f"not a Parquet file, or a damaged one ({error})", location) from None


def _batch_rows(batch: Any) -> Iterable[Any]:
    """The rows of an Arrow batch; an exception for each that has no values in Python."""
    try:
        return [plain(row) for row in batch.to_pylist()]
    except (
        ValueError,
        OverflowError,
        TypeError,
    ) as error:  # a text that is not UTF-8, a time in nanoseconds
        if batch.num_rows == 1:
            return [error]
    return (row for i in range(batch.num_rows) for row in _batch_rows(batch.slice(i, 1)))


def _json_rows(name: str, on_bad: OnBad) -> Rows:
    try:
        with open_lines(name) as stream:
            data = parse(stream.read().removeprefix(BOM))
    except ValueError as error:
        reason = f"broken JSON: {error} (one row a line is .jsonl: `jq -c .` makes it)"
        raise DataError(reason, name) from None
    except DAMAGE as error:
        if name == "-" or not compression(name):
            raise
        raise damaged(error, name) from None
    rows = _rows_in(data)
    if rows is None:
        raise DataError("neither a list of rows nor an object that holds one", name)
    for number, row in enumerate(rows, 1):
        location = f"{'stdin' if name == '-' else name}:row {number}"
        if isinstance(row, _Cut):
            on_bad(location, f"cut cells: the viewer left out a part of {', '.join(row)}", None)
            row = None
        yield row, location


class _Cut(list):
    """The columns of a row that is not whole."""


def _rows_in(data: Any) -> list[Any] | None:
    """The rows of a JSON document, None where it has none.

    A list; {"data": [...]}; {"chat": [...], "embodied": [...]}, whose rows get their list's name as
    `part`; {"17": {...}, ...}, whose rows get theirs as `key`; one list for every column; what the
    hub's viewer gives, {"rows": [{"row": {...}, "truncated_cells": []}]}; or an object that is a row.
    """
    if not isinstance(data, dict):
        return data if isinstance(data, list) else None
    viewed = data.get("rows")
    if isinstance(viewed, list) and all(isinstance(_at(row, "row"), dict) for row in viewed):
        return [_Cut(row.get("truncated_cells") or ()) or row["row"] for row in viewed]
    if data and all(isinstance(value, dict) for value in data.values()):
        return [{"key": name, **row} for name, row in data.items()]
    lists = {name: value for name, value in data.items() if isinstance(value, list) and value}
    if any(_at(value[0], "role") for value in lists.values()):
        return [data]  # one row that holds messages
    if lists and all(isinstance(row, dict) for value in lists.values() for row in value):
        parts = len(lists) > 1
        return [
            {"part": name, **row} if parts else row for name, rows in lists.items() for row in rows
        ]
    if lists and len(set(map(len, lists.values()))) == 1:
        columns = zip(*lists.values(), strict=True)
        return [dict(zip(lists, values, strict=True)) for values in columns]
    if not lists:
        return [] if [] in data.values() else [data]
    return None


def _at(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else None


def _csv_rows(name: str, on_bad: OnBad) -> Rows:
    """The rows of a CSV file, each with the line that it begins on.

    Fields are parted by commas; by tabs in a .tsv, by semicolons where the first line has these and no
    comma.
    """
    csv.field_size_limit(2**27)  # completions are longer than Python's limit for a field
    label = "stdin" if name == "-" else name
    location, at_end = f"{label}:1", False

    def watched(text: Iterable[str]) -> Iterator[str]:
        nonlocal at_end
        yield from text
        at_end = True

    try:
        with io.TextIOWrapper(open_lines(name), encoding="utf-8-sig", newline="") as text:
            first = text.readline()
            parted_by = ";" if ";" in first and "," not in first else ","
            if ".tsv" in Path(name).suffixes:
                parted_by = "\t"
            reader = csv.reader(watched(chain([first] * bool(first), text)), delimiter=parted_by)
            header = next(reader, [])
            if twice := {column for column in header if header.count(column) > 1}:
                raise DataError(f"several columns are named {', '.join(sorted(twice))!r}", location)
            begins = reader.line_num + 1
            for fields in reader:
                location, begins = f"{label}:{begins}", reader.line_num + 1
                if not fields:
                    continue
                trouble = ""
                if len(fields) > len(header):
                    trouble = "torn row: it has more fields than the header has names"
                elif at_end:  # the reader looked for more, so a quote is open
                    trouble = "torn row: a quote that opens in it is never closed"
                if trouble:
                    on_bad(location, trouble, fields)
                    yield None, location
                else:
                    missing = [None] * (len(header) - len(fields))
                    yield dict(zip(header, [*fields, *missing], strict=True)), location
    except UnicodeDecodeError as error:
        do = "write it anew, as with `iconv -f WINDOWS-1252 -t UTF-8 FILE`"
        raise DataError(f"not a CSV file in UTF-8 ({error}): {do}", location) from None
    except csv.Error as error:
        raise DataError(f"a damaged CSV file ({error})", location) from None
    except DAMAGE as error:
        if not compression(name):
            raise
        raise damaged(error, location) from None


def hub_rows(name: str, subset: str | None, split: str | None) -> Rows:
    """(row, "ID/SPLIT:row N") of a data set on the Hugging Face hub, streamed."""
    from datasets import load_dataset

    try:
        data = load_dataset(name, subset, split=split, streaming=True)
        for part, rows in {split: data}.items() if split else data.items():
            if getattr(rows, "features", None):
                rows = rows.decode(False)  # pictures stay the bytes that they are
            for number, row in enumerate(rows, 1):
                yield (
                    plain(dict(row)),
                    f"{'/'.join(filter(None, [name, subset, part]))}:row {number}",
                )
    except (OSError, ValueError) as error:  # among them: no network, no such set, subset, split
        raise SwrError(
            f"cannot load {name!r} from the hub: {str(error).strip()}. If it has several subsets,"
            " name one with --subset; a file or folder works without a network"
        ) from None
