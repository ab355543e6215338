"""Records as the rows that TRL, verl and OpenAI read; `swr1 load trl|verl|openai` reads them back.

    rows = export("trl", stage)
    write_rows("train.parquet", rows, "trl")

The kind of row goes by what the first record has: a pair (`info.pair`), a completion, or a prompt
alone; a record of another kind is a bad one. TRL and verl rows have a column `swr1`, JSON text with
task, answer and info, since Arrow's columns do not hold what differs in shape from row to row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, UsageError
from swr1.records import Record, pack
from swr1.streams import Stage
from swr1.streams.files import write_atomically

FORMATS = ("openai", "trl", "verl")


def export(shape: str, stage: Stage, model: str | None = None) -> Iterator[dict[str, Any]]:
    """A row for every record of `stage` that has one in `shape`.

    Args:
        model: for requests to OpenAI's batch interface, where a record is a prompt alone.

    Raises DataError, or drops by the stage's policy: a record of another kind than the first, one
    with a picture, and a pair in verl's shape. Raises UsageError for requests without a model.
    """
    kind = None
    for number, record in enumerate(stage.read(("id", "prompt"))):
        if record is None:
            continue
        own = _kind(record)
        kind = kind or own
        if shape == "openai" and kind == "prompt" and not model:
            raise UsageError("prompts alone become requests of OpenAI's batches: name --model")
        try:
            if own != kind:
                raise DataError(f"another kind of record: a {own}, the first was a {kind}")
            row = _MAKERS[shape](record, kind, number, model)
        except DataError as error:
            stage.drop(error.reason, record.where, record)
            continue
        stage.went += 1
        yield row


def write_rows(output: str, rows: Iterable[dict[str, Any]], shape: str) -> None:
    """Write JSONL to standard output ("-") or a file, or Parquet, by the suffix."""
    if output == "-":
        _write_lines(sys.stdout.buffer, rows)
    elif output.endswith(".jsonl"):
        write_atomically(Path(output), lambda file: _write_lines(file, rows))
    elif output.endswith(".parquet") and shape != "openai":
        write_atomically(Path(output), lambda file: _to_parquet(file, rows))
    else:
        also = "" if shape == "openai" else ", FILE.parquet"
        raise UsageError(f"{shape} rows are written to FILE.jsonl{also} or -, not {output!r}")


def _write_lines(file: Any, rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        file.write(pack(row, orjson.OPT_APPEND_NEWLINE))
    file.flush()


def _to_parquet(file: Any, rows: Iterable[dict[str, Any]]) -> None:
    """Every value is a text, a number or messages of texts: one schema fits all rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = iter(rows)
    chunk = list(islice(rows, 1000))
    if not chunk:
        raise DataError("no record came, so there is nothing to write")
    schema = pa.Table.from_pylist(chunk[:1]).schema
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while chunk:
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))
            chunk = list(islice(rows, 1000))


def _kind(record: Record) -> str:
    if (record.get("info") or {}).get("pair"):
        return "pair"
    return "completion" if "completion" in record else "prompt"


def _trl(record: Record, kind: str, number: int, model: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": _messages(record["prompt"])}
    if kind == "completion":
        row["completion"] = _turn(record["completion"])
    elif kind == "pair":
        row |= {side: _turn(record["info"]["pair"][side]) for side in ("chosen", "rejected")}
    task, answer = record.get("task") or "", _as_text(record.get("answer"))
    return row | {"id": record["id"], "task": task, "answer": answer, "swr1": _rest(record)}


def _verl(record: Record, kind: str, number: int, model: str | None) -> dict[str, Any]:
    if kind == "pair":
        raise DataError("no verl row: it has no pairs of answers; TRL and OpenAI do")
    info = record.get("info") or {}
    row: dict[str, Any] = {
        "data_source": str(info.get("dataset") or record.get("task") or "swr1"),
        "prompt": _messages(record["prompt"]),
        "ability": record.get("task") or "",
        "reward_model": {"style": "rule", "ground_truth": _as_text(record.get("answer"))},
        "extra_info": {
            "index": number,
            "split": str(info.get("split") or ""),
            "id": record["id"],
            "swr1": _rest(record),
        },
    }
    if kind == "completion":
        row["responses"] = [record["completion"]]
    return row


def _openai(record: Record, kind: str, number: int, model: str | None) -> dict[str, Any]:
    messages = _messages(record["prompt"])
    if kind == "completion":
        return {"messages": messages + _turn(record["completion"])}
    if kind == "pair":
        pair = record["info"]["pair"]
        return {
            "input": {"messages": messages},
            "preferred_output": _turn(pair["chosen"]),
            "non_preferred_output": _turn(pair["rejected"]),
        }
    return {
        "custom_id": record["id"],
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": messages},
    }


_MAKERS = {"openai": _openai, "trl": _trl, "verl": _verl}


def _messages(prompt: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for message in prompt:
        if not isinstance(message["content"], str):
            raise DataError("a prompt with a picture: only texts are exported")
    return [{"role": m["role"], "content": m["content"]} for m in prompt]


def _turn(said: Any) -> list[dict[str, Any]]:
    """The assistant's turn; of a conversation its last message."""
    if isinstance(said, list):
        said = said[-1]["content"]
    return [{"role": "assistant", "content": said}]


def _as_text(answer: Any) -> str:
    if answer is None or isinstance(answer, str):
        return answer or ""
    return pack(answer).decode()


def _rest(record: Record) -> str:
    kept = {name: record[name] for name in ("task", "answer", "info") if name in record}
    return pack(kept).decode()
