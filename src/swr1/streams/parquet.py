"""Records as Parquet: an explicit schema, so that JSONL -> Parquet -> JSONL is the identity.

Fields whose shape varies are JSON text (columns marked `swr1: json`), numeric arrays are typed.
What a typed column cannot hold exactly (an unknown field, an explicit null, a whole number where
a float is usual) stays as JSON in the column `extra`, merged back when read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from swr1.errors import DataError
from swr1.records import FIELDS, VERSION, Record, float32_list

_ARROW = {
    "int": pa.int64(),
    "text": pa.string(),
    "number": pa.float64(),
    "ints": pa.list_(pa.int32()),
    "float32s": pa.list_(pa.float32()),
    "json": pa.string(),
}
EXTRA = "extra"
SCHEMA = pa.schema(
    [
        pa.field(f.name, _ARROW[f.type], metadata={"swr1": "json"} if f.type == "json" else None)
        for f in FIELDS
    ]
    + [pa.field(EXTRA, pa.string(), metadata={"swr1": "json"})],
    metadata={"swr1": str(VERSION)},
)
_INT32, _INT64 = 2**31, 2**63


def _fits(kind: str, value: Any) -> bool:
    """Whether a column of this kind gives back exactly this value."""
    if kind == "json":
        return True
    if kind == "int":
        return type(value) is int and -_INT64 <= value < _INT64
    if kind == "text":
        return type(value) is str
    if kind == "number":
        return type(value) is float
    if type(value) is not list:
        return False
    if kind == "ints":
        return set(map(type, value)) <= {int} and all(-_INT32 <= x < _INT32 for x in value)
    return set(map(type, value)) <= {float} and float32_list(value) == value


def to_row(record: Record) -> dict[str, Any]:
    """One record as a value for every column."""
    rest = dict(record)
    if type(rest.get("generation")) is dict:
        rest["generation"] = dict(rest["generation"])
    row: dict[str, Any] = {}
    for name, kind, *_ in FIELDS:
        holder_name, _, leaf = name.rpartition(".")
        holder = rest.get(holder_name) if holder_name else rest
        if type(holder) is dict and leaf in holder and _fits(kind, holder[leaf]):
            value = holder.pop(leaf)
            row[name] = orjson.dumps(value).decode() if kind == "json" else value
    if rest.get("generation") == {} and record["generation"]:
        del rest["generation"]
    if rest:
        row[EXTRA] = orjson.dumps(rest).decode()
    return row


def from_row(row: dict[str, Any]) -> Record:
    """The inverse of `to_row`."""
    record: Record = {}
    for name, kind, *_ in FIELDS:
        value = row[name]
        if value is None:
            continue
        if kind == "json":
            value = orjson.loads(value)
        elif kind == "float32s":
            value = float32_list(value)
        holder_name, _, leaf = name.rpartition(".")
        (record.setdefault(holder_name, {}) if holder_name else record)[leaf] = value
    if row[EXTRA] is not None:
        for name, value in orjson.loads(row[EXTRA]).items():
            if name == "generation" and type(value) is dict and type(record.get(name)) is dict:
                record[name].update(value)
            else:
                record[name] = value
    return record


def read_parquet(path: Path) -> Iterator[Record]:
    """Records of a Parquet file. Raises DataError for a file of another schema."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"not a Parquet file, or a damaged one ({error})", str(path)) from None
    if (file.schema_arrow.metadata or {}).get(b"swr1") != str(VERSION).encode():
        columns = ", ".join(file.schema_arrow.names[:8])
        raise DataError(
            f"a Parquet file of another schema (columns {columns}); records in Parquet are"
            " written by a stage with -o FILE.parquet",
            str(path),
        )
    for batch in file.iter_batches(batch_size=256):
        for row in batch.to_pylist():
            yield from_row(row)


def write_parquet(path: Path, records: Iterable[Record]) -> None:
    """Write records to `path` in row groups of 1,000, compressed with zstd."""
    rows = map(to_row, records)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while chunk := list(islice(rows, 1000)):
            columns = [
                pa.array([row.get(field.name) for row in chunk], field.type) for field in SCHEMA
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
