"""Records as the rows that TRL, verl and OpenAI read; `swr1 load trl|verl|openai` reads them back.

    rows = export("trl", stage)
    write_rows("train.parquet", rows, "trl")

The kind of row goes by what the first record has: a pair (`info.pair`), a completion, or a prompt
alone; a record of another kind is a bad one. TRL and verl rows have a column `swr1`, JSON text with
task, answer and info, since Arrow's columns do not hold what differs in shape from row to row.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, UsageError
from swr1.loading.chat import Messages, fork, joined
from swr1.loading.shown import shown_in
from swr1.picture_parts import has_pictures
from swr1.prompts import Prompt, Prompts, as_facts, assistant_text
from swr1.records import INSERTED, Record, pack
from swr1.streams import Stage, standard
from swr1.streams.files import write_atomically

AROUND = "system_prompt"
FIRST = 1_000  # records that decide which columns there are
FORMATS = ("openai", "trl", "verl")
# The names by which verl's own scoring knows data sets that are loaded here by another.
VERL_NAMES = {"gsm8k": "openai/gsm8k", "math-500": "HuggingFaceH4/MATH-500"}


def export(
    shape: str,
    stage: Stage,
    model: str | None = None,
    prompts: Prompts | None = None,
    *,
    bytes_too: bool = True,
) -> Iterator[dict[str, Any]]:
    """A row for every record of `stage` that has one in `shape`.

    Args:
        model: for requests to OpenAI's batch interface, where a record is a prompt alone.
        prompts: which system prompt is put around a record's messages; by default the task's. A
            completion gets the one that it was made with, or that is given for all.
        bytes_too: whether rows may hold bytes, as Parquet does and JSON does not.

    A completion is the whole turn of the assistant, with the prefill that opened it. In a row of TRL
    that is a prompt alone, the opening is the last message, of the assistant's. Raises
    DataError, or drops by the stage's policy: a record of another kind than the first, an empty
    prompt or turn, a picture where none of the first 1,000 records has one, and a pair in verl's shape. Raises
    UsageError for requests without a model.
    """
    kind, told, prompts = None, False, prompts or Prompts()
    records = stage.read(("id", "prompt"))
    first = list(islice(records, FIRST)) if bytes_too else []
    pictures = any(record is not None and has_pictures(record) for record in first)
    for number, record in enumerate(chain(first, records)):
        if record is None:
            continue
        record_kind = _kind(record)
        kind = kind or record_kind
        if shape == "openai" and kind == "prompt" and not model:
            raise UsageError("prompts alone become requests of OpenAI's batches: name --model")
        try:
            if record_kind != kind:
                raise DataError(f"another kind of record: a {record_kind}, the first was a {kind}")
            around = _around(record, kind, prompts)
            if has_pictures(record) or (pictures and shape != "openai"):
                if not pictures and shape != "openai":
                    if not bytes_too:
                        raise DataError(
                            "a prompt with a picture, and JSON holds no bytes: export to FILE.parquet"
                        )
                    raise DataError(
                        f"a prompt with a picture: the first {FIRST:,} records had none, so there is no"
                        " column for it; put such a record before them"
                    )
                turns = _turns(record["prompt"], around, shape, kind)
                which = f"record {record['id']!r}: "
                prompt, columns = shown_in(shape, turns, stage.pictures, which)
            else:
                prompt, columns = _messages(record["prompt"], around, shape, kind), {}
            row = _MAKERS[shape](_with_facts(record, around), prompt, kind, number, model) | columns
        except DataError as error:
            stage.drop(error.reason, record.location, record)
            continue
        stage.went += 1
        told = told or _tell(stage, record)
        yield row


def _tell(stage: Stage, record: Record) -> bool:
    """Say once that rows have no loss mask; whether it was said."""
    turns = (record.get("generation") or {}).get("turns") or ()
    if record.get("completion") is None or not any(turn["kind"] in INSERTED for turn in turns):
        return False
    stage.say(
        "completions hold what tools gave, and these rows do not say where: a trainer on them"
        " learns to write replies, too (swr1 train-step masks them)"
    )
    return True


def write_rows(output: str, rows: Iterable[dict[str, Any]], shape: str) -> None:
    """Write JSONL to standard output ("-") or a file, or Parquet, by the suffix."""
    if output == "-":
        standard.output_fd()  # refuses one that is closed
        with standard.ours() as page:
            _write_lines(page.buffer, rows)
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
    """Every value is a text, a number or messages of texts: one schema fits all rows.

    The fields of a message beside role and content (a name) must occur in the first rows (FIRST).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from swr1.streams.parquet import as_images

    rows = iter(rows)
    chunk = _some(rows)
    if not chunk:
        raise DataError("no record came, so there is nothing to write")
    try:
        schema = pa.Table.from_pylist(chunk).schema
        if "images" in chunk[0]:
            schema = as_images(schema, "images")
        known = _message_fields(chunk)
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            while chunk:
                if more := _message_fields(chunk) - known:
                    named = ", ".join(sorted(more))
                    raise DataError(f"messages with {named}, which the first {FIRST:,} have not")
                writer.write_table(pa.Table.from_pylist(chunk, schema=schema))
                chunk = _some(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"rows that one Parquet schema does not fit ({error}): write JSONL"
        ) from None


def _some(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next 1,000 rows, or fewer with 64 MB of pictures."""
    some: list[dict[str, Any]] = []
    size = 0
    while len(some) < FIRST and size < 2**26 and (row := next(rows, None)) is not None:
        some.append(row)
        size += sum(len(image["bytes"]) for image in row.get("images", ()))
    return some


def _message_fields(rows: list[dict[str, Any]]) -> set[str]:
    return {name for row in rows for message in row["prompt"] for name in message}


def _kind(record: Record) -> str:
    if (record.get("info") or {}).get("pair"):
        return "pair"
    return "completion" if "completion" in record else "prompt"


def _trl(
    record: Record, prompt: Messages, kind: str, number: int, model: str | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"prompt": prompt}
    if kind == "completion":
        row["completion"] = _turn(assistant_text(record))
    elif kind == "pair":
        row |= {side: _turn(text) for side, text in _pair(record).items()}
    task, answer = record.get("task") or "", _as_text(record.get("answer"))
    return row | {"id": record["id"], "task": task, "answer": answer, "swr1": _rest(record)}


def _verl(
    record: Record, prompt: Messages, kind: str, number: int, model: str | None
) -> dict[str, Any]:
    if kind == "pair":
        raise DataError("no verl row: it has no pairs of answers; TRL and OpenAI do")
    info = record.get("info") or {}
    name = str(info.get("dataset") or record.get("task") or "swr1")
    row: dict[str, Any] = {
        "data_source": VERL_NAMES.get(name, name),
        "prompt": prompt,
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
        row["responses"] = [assistant_text(record)]
    return row


def _openai(
    record: Record, prompt: Messages, kind: str, number: int, model: str | None
) -> dict[str, Any]:
    if kind == "completion":
        return {"messages": prompt + _turn(assistant_text(record))}
    if kind == "pair":
        pair = _pair(record)
        return {
            "input": {"messages": prompt},
            "preferred_output": _turn(pair["chosen"]),
            "non_preferred_output": _turn(pair["rejected"]),
        }
    return {
        "custom_id": record["id"],
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": prompt},
    }


_MAKERS = {"openai": _openai, "trl": _trl, "verl": _verl}


def _around(record: Record, kind: str, prompts: Prompts) -> Prompt:
    """What is put around a record's messages. Nobody knows it of a completion that does not say."""
    if kind != "completion" or prompts.given:
        return prompts.of(record)
    said = (record.get("generation") or {}).get("system_prompt")
    return prompts.of(record, made=True) if said else Prompt("none")


def _with_facts(record: Record, around: Prompt) -> Record:
    """The record with what was put around its messages, which `swr1 load` takes away again."""
    if not (around.system or around.prefill):
        return record
    return record | {AROUND: as_facts(around, whole=True)}


def _messages(prompt: Messages, around: Prompt, shape: str, kind: str) -> Messages:
    """A prompt's messages with texts as content, with a system prompt around them as in a rollout."""
    texts = []
    for number, message in enumerate(prompt, 1):
        which = f"message {number}, of the {message['role']},"
        texts.append({**message, "content": joined(message["content"], which)})
    return _turns(texts, around, shape, kind)


def _turns(prompt: Messages, around: Prompt, shape: str, kind: str) -> Messages:
    """A prompt's messages, with a system prompt around them as in a rollout."""
    if not prompt:
        raise DataError("an empty prompt: there is nothing to answer")
    turns = prompt
    if system := around.system:
        if turns[0]["role"] == "system":
            own, turns = turns[0]["content"], turns[1:]
            before = f"{system}\n\n"
            own = before + own if isinstance(own, str) else [{"type": "text", "text": before}, *own]
            turns = [{"role": "system", "content": own}, *turns]
        else:
            turns = [{"role": "system", "content": system}, *turns]
    opened = around.prefill and shape == "trl" and kind == "prompt"
    return turns + _turn(around.prefill) if opened else turns


def _pair(record: Record) -> dict[str, str]:
    """The two last turns; conversations may repeat the prompt before them, and nothing else."""
    pair = record["info"]["pair"]
    if not isinstance(pair, dict):
        raise DataError(f"no pair: info.pair is {str(pair)[:60]!r}")
    whole, sides = fork(record["prompt"], pair.get("chosen"), pair.get("rejected"))
    if len(whole) != len(record["prompt"]):
        raise DataError("a pair with further turns before the last: put them into the prompt")
    return sides


def _turn(text: str) -> Messages:
    return [{"role": "assistant", "content": text}]


def _as_text(answer: Any) -> str:
    if answer is None or isinstance(answer, str):
        return answer or ""
    return pack(answer).decode()


def _rest(record: Record) -> str:
    fields = {name: record[name] for name in ("task", "answer", "info", AROUND) if name in record}
    return pack(fields).decode()
