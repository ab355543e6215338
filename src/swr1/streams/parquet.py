"""Records as Parquet: an explicit schema, so that JSONL -> Parquet -> JSONL is the identity.

Fields whose shape varies are JSON text (columns marked `swr1: json`), numeric arrays are typed.
What a typed column cannot hold exactly (an unknown field, an explicit null, a whole number where
a float is usual) stays as JSON in the column `extra`; the order of the fields, where it is not the
schema's, in the column `order`. Both are merged back when read. Columns that others added are
fields of the record, if JSON has such values.

The pictures of prompts are the bytes of their files, in the column `pictures`, and their parts say
which by `index`. `datasets` opens them: the schema's metadata says that they are images.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from swr1.errors import DataError
from swr1.picture_parts import INDEX, has_pictures, placed_at, with_parts
from swr1.records import FIELDS, MAX_LINE, VERSION, Record, float32_list, pack, parse
from swr1.rows import way_in

_ARROW = {
    "int": pa.int64(),
    "text": pa.string(),
    "number": pa.float64(),
    "ints": pa.list_(pa.int32()),
    "float32s": pa.list_(pa.float32()),
    "json": pa.string(),
}
EXTRA, ORDER = "extra", "order"
_JSON = {"swr1": "json"}
SCHEMA = pa.schema(
    [pa.field(f.name, _ARROW[f.type], metadata=_JSON if f.type == "json" else None) for f in FIELDS]
    + [pa.field(name, pa.string(), metadata=_JSON) for name in (EXTRA, ORDER)],
    metadata={"swr1": str(VERSION)},
)
PICTURES = "pictures"
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_INT32, _INT64 = 2**31, 2**63
ROWS, BYTES = 1000, 2**26  # of a row group, at most (but a record is not divided)
_AT_ONCE = 2**27  # bytes of values that a batch may become
_COLUMN = 2**29  # bytes of a column of one row group, beyond which a file is refused
_ROW = 2 * MAX_LINE  # bytes of a row, likewise


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
    if has_pictures(record):
        rest["prompt"], row[PICTURES] = _without_bytes(record["prompt"])
    for name, kind, *_ in FIELDS:
        holder_name, _, leaf = name.rpartition(".")
        holder = rest.get(holder_name) if holder_name else rest
        if type(holder) is dict and leaf in holder and _fits(kind, holder[leaf]):
            value = holder.pop(leaf)
            row[name] = pack(value).decode() if kind == "json" else value
    if rest.get("generation") == {} and record["generation"]:
        del rest["generation"]
    if rest:
        row[EXTRA] = pack(rest).decode()
    order = _order(record)
    if order != _order(_merged(row, rest)):
        row[ORDER] = pack(order).decode()
    return row


def _without_bytes(prompt: list[Any]) -> tuple[list[Any], list[dict[str, Any]] | None]:
    """A prompt whose parts say `index` instead of their base64, and the pictures."""
    pictures: list[dict[str, Any]] = []

    def take(part: dict[str, Any]) -> dict[str, Any]:
        data = _bytes_of(part.get("base64"))
        if data is None or INDEX in part:
            return part
        name = f"{part['digest']}.png" if isinstance(part.get("digest"), str) else None
        pictures.append({"bytes": data, "path": name})
        return placed_at(part, INDEX, len(pictures) - 1, None)

    return with_parts(prompt, take), pictures or None


def _bytes_of(text: Any) -> bytes | None:
    """What base64 says; None where it would not come back as the same text."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return None
    return data if data and base64.b64encode(data).decode() == text else None


def _with_bytes(prompt: Any, pictures: list[Any]) -> Any:
    """The inverse of `_without_bytes`. Raises ValueError for an index of no picture."""

    def put(part: dict[str, Any]) -> dict[str, Any]:
        at = part.get(INDEX)
        if at is None:
            return part
        held = pictures[at] if type(at) is int and 0 <= at < len(pictures) else None
        if not (held and held.get("bytes")):
            raise ValueError(f"no picture {at!r} in the column {PICTURES!r}")
        return placed_at(part, "base64", base64.b64encode(held["bytes"]).decode(), None)

    try:
        return with_parts(prompt, put)
    except (TypeError, LookupError):
        return prompt  # no messages: the check of the record says so


def _order(record: Record) -> list[list[str]]:
    generation = record.get("generation")
    return [list(record), list(generation) if type(generation) is dict else []]


def _merged(row: dict[str, Any], extra: dict[str, Any]) -> Record:
    """A record of the columns' values and what else it has."""
    record: Record = {}
    for name, *_ in FIELDS:
        if name in row:
            value = row[name]
            holder_name, _, leaf = name.rpartition(".")
            (record.setdefault(holder_name, {}) if holder_name else record)[leaf] = value
    for name, value in extra.items():
        if name == "generation" and type(value) is dict and type(record.get(name)) is dict:
            record[name].update(value)
        else:
            record[name] = value
    return record


def from_row(row: dict[str, Any]) -> Record:
    """The inverse of `to_row`. Raises ValueError, in a person's words, for broken JSON."""
    values = {name: value for name, value in row.items() if value is not None}
    pictures = values.pop(PICTURES, None)
    for name, kind, *_ in FIELDS:
        if name in values and kind == "json":
            values[name] = _parsed(name, values[name])
        elif name in values and kind == "float32s":
            values[name] = float32_list(values[name])
    if pictures and "prompt" in values:
        values["prompt"] = _with_bytes(values["prompt"], pictures)
    extra = _parsed(EXTRA, values.get(EXTRA, "{}"))
    if type(extra) is not dict:
        raise ValueError(f"column {EXTRA!r} must be a JSON object")
    others = {n: v for n, v in values.items() if n not in SCHEMA.names}
    for name, value in others.items():
        if not _is_finite(value):
            raise ValueError(f"column {name!r} holds NaN or an infinity, which JSON has not")
    record = _merged(values, others | extra)
    if ORDER in values:
        record = _ordered(record, _parsed(ORDER, values[ORDER]))
    return record


def _is_finite(value: Any) -> bool:
    if type(value) in (list, dict):
        return all(map(_is_finite, value.values() if type(value) is dict else value))
    return type(value) is not float or math.isfinite(value)


def _parsed(column: str, text: str) -> Any:
    if len(text) > MAX_LINE:
        raise ValueError(f"column {column!r} is longer than {MAX_LINE // 2**20} MB: not a record")
    try:
        return parse(text.encode())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"column {column!r} is broken JSON: {error.msg}") from None


def _ordered(record: Record, order: Any) -> Record:
    """The fields in this order; those that it does not name behind."""
    try:
        top, inner = ({str(name): None for name in names} for names in order)
    except (TypeError, ValueError):
        raise ValueError(f"column {ORDER!r} must be two lists of names") from None
    record = {n: record[n] for n in chain(top, record) if n in record}
    if type(record.get("generation")) is dict:
        held = record["generation"]
        record["generation"] = {n: held[n] for n in chain(inner, held) if n in held}
    return record


def read_parquet(path: Path) -> Iterator[Record | ValueError]:
    """Records of a Parquet file, and for a row that is none, why.

    Raises DataError for a file that is damaged or of another schema.
    """
    return map(_record, rows_of(path, _check_schema))


def rows_of(
    path: Path, check: Callable[[pa.Schema, Path], None] = lambda schema, path: None
) -> Iterator[dict[str, Any]]:
    """The rows of any Parquet file, in bounded memory.

    Raises DataError for a file that is damaged, and what `check` of its schema raises.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            check(file.schema_arrow, path)
            for group in range(file.num_row_groups):
                size = _batch_size(file.metadata.row_group(group), path)
                for batch in file.iter_batches(size, [group], use_threads=False):
                    if batch.nbytes > batch.num_rows * _ROW:
                        raise _too_large("a row", batch.nbytes // batch.num_rows, path)
                    yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # no such file, and the like
        why = " ".join(str(error).split())[:200]
        raise DataError(f"not a Parquet file, or a damaged one ({why})", str(path)) from None


def _record(row: dict[str, Any]) -> Record | ValueError:
    try:
        return from_row(row)
    except (ValueError, TypeError) as error:
        return ValueError(str(error))


def _batch_size(group: Any, path: Path) -> int:
    """Rows at a time: a value repeated by a dictionary is as large as its column at most.

    Equal numbers take no bytes in a file, however many there are; in memory each takes eight.
    """
    columns = [group.column(i) for i in range(group.num_columns)]
    size = max((max(c.total_uncompressed_size, 8 * c.num_values) for c in columns), default=0)
    if size > _COLUMN:
        raise _too_large("a column of a row group", size, path)
    return max(1, min(256, _AT_ONCE // max(1, size)))


def _too_large(what: str, size: int, path: Path) -> DataError:
    return DataError(
        f"{what} has {size:,} bytes: this is no file of records, which are at most"
        f" {MAX_LINE // 2**20} MB",
        str(path),
    )


def _check_schema(schema: pa.Schema, path: Path) -> None:
    def bad(what: str, remedy: str = "") -> DataError:
        return DataError(
            f"a Parquet file of another schema ({what}); records in Parquet are written by a stage"
            f" with -o FILE.parquet{remedy}",
            str(path),
        )

    if (schema.metadata or {}).get(b"swr1") != str(VERSION).encode():
        way = way_in(dict.fromkeys(schema.names), str(path))
        remedy = f". This makes records of rows: {way} > records.jsonl"
        raise bad(f"columns {', '.join(schema.names[:8])}", remedy)
    if len(set(schema.names)) < len(schema.names):
        raise bad("a column stands in it twice")
    for field in schema:
        if field.name == PICTURES:
            if not _is_pictures(field.type):
                raise bad(f"column {PICTURES!r} is {field.type}, not a list of bytes and paths")
            continue
        at = SCHEMA.get_field_index(field.name)
        if at < 0 and not _is_json(field.type):
            raise bad(f"column {field.name!r} is {field.type}, which JSON has not")
        if at >= 0 and not _is_like(field.type, SCHEMA.field(at).type):
            raise bad(f"column {field.name!r} is {field.type}, not {SCHEMA.field(at).type}")


def _is_like(actual: pa.DataType, expected: pa.DataType) -> bool:
    """Whether values of one type are values of the other, but for their size."""
    for of_kind in (pa.types.is_integer, pa.types.is_floating, _is_text):
        if of_kind(expected):
            return of_kind(actual) or (
                pa.types.is_dictionary(actual) and of_kind(actual.value_type)
            )
    return _is_list(actual) and _is_like(actual.value_type, expected.value_type)


def _is_pictures(kind: pa.DataType) -> bool:
    if not (_is_list(kind) and pa.types.is_struct(kind.value_type)):
        return False
    held = {field.name: field.type for field in kind.value_type}
    binary = (pa.binary(), pa.large_binary())
    return held.keys() == {"bytes", "path"} and held["bytes"] in binary and _is_text(held["path"])


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _is_json(kind: pa.DataType) -> bool:
    if _is_list(kind):
        return _is_json(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_json(field.type) for field in kind)
    if pa.types.is_dictionary(kind):
        return _is_json(kind.value_type)
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return _is_text(kind) or any(is_such(kind) for is_such in plain)


def write_parquet(file: BinaryIO | Path, records: Iterable[Record], pictures: bool = False) -> None:
    """Write records in row groups of at most 1,000 or about 64 MB, compressed with zstd.

    pictures: whether a record may hold some, so that there is a column for them.
    """
    schema = _SCHEMA_WITH_PICTURES if pictures else SCHEMA
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        rows: list[dict[str, Any]] = []
        size = 0
        for row in map(to_row, records):
            rows.append(row)
            size += sum(len(v) for v in row.values() if type(v) is str)
            size += sum(4 * len(v) for v in row.values() if type(v) is list)
            size += sum(len(picture["bytes"]) for picture in row.get(PICTURES) or ())
            if len(rows) == ROWS or size > BYTES:
                writer.write_table(_table(rows, schema))
                rows, size = [], 0
        if rows:
            writer.write_table(_table(rows, schema))


def as_images(schema: pa.Schema, column: str) -> pa.Schema:
    """The schema with what `datasets` reads to open a column's {bytes, path} as pictures."""

    def feature(kind: pa.DataType) -> Any:
        if _is_list(kind):
            return {"feature": feature(kind.value_type), "_type": "List"}
        if pa.types.is_struct(kind):
            return {field.name: feature(field.type) for field in kind}
        name = {pa.float32(): "float32", pa.float64(): "float64"}.get(kind, str(kind))
        return {"dtype": name, "_type": "Value"}

    features = {field.name: feature(field.type) for field in schema}
    features[column] = {"feature": {"_type": "Image"}, "_type": "List"}
    mark = {"huggingface": pack({"info": {"features": features}})}
    held = {name.decode(): value for name, value in (schema.metadata or {}).items()}
    return schema.with_metadata(held | mark)


_SCHEMA_WITH_PICTURES = as_images(SCHEMA.append(pa.field(PICTURES, pa.list_(_PICTURE))), PICTURES)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
