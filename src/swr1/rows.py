"""Rows that are no records yet: which column may hold what, and the command that makes records.

    way_in({"question": "2+2?", "response": "4", "gold": 4}, "mine.jsonl")
    # "swr1 load jsonl mine.jsonl --set prompt=question completion=response answer=gold task=math"

Stages say it when they meet such a row, and so does `swr1 load` when a column is not there.
"""

import csv
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from swr1.records import FIELDS

# What people call these columns, the likeliest first; the first of each is the default of `load`.
CALLED = {
    "prompt": "prompt question problem instruction input query messages text",
    "completion": "completion response output prediction generation generated_text model_output"
    " model_answer model_response reply",
    "answer": "answer gold target label reference solution ground_truth expected correct_answer",
    "model": "model model_name model_id",
    "system": "system system_prompt",
}
COLUMN, TASK = "COLUMN", "TASK"  # what the reader of a command has to replace
TASKS = ("math", "choice", "multi-choice", "qa", "safety", "value", "knights")
NAMES = {field.name.partition(".")[0] for field in FIELDS}
MOST = 12  # columns that a message lists
_CSV = (".csv", ".csv.gz", ".csv.zst")
_NUMBER = re.compile(r"[-+$]?\d[\d,]*(\.\d+)?(/\d+)?%?")


def is_row(value: Any) -> bool:
    """Whether an object that is no good record was never meant as one; or a list of such.

    It has no version, no id or no messages, and a prompt or columns that no record has.
    """
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict) and is_row(value[0])
    if not isinstance(value, dict) or "v" in value:
        return False
    prompt = value.get("prompt")
    messages = isinstance(prompt, list) and all(isinstance(one, dict) for one in prompt)
    record = isinstance(value.get("id"), str) and (messages or prompt is None)
    return not record and ("prompt" in value or bool(value.keys() - NAMES))


def no_record(row: Any, name: str) -> str:
    """The reason for dropping a row (or a list of them) of file `name`, "-" being standard input."""
    row = row[0] if isinstance(row, list) else row
    return (
        f"a row, no record: its columns are {listed(row)}. This makes records:"
        f" {way_in(row, name)} > records.jsonl"
    )


def no_records_in(name: str, header: bytes) -> str | None:
    """The same for CSV and for one JSON document, by name and first line; None for other files."""
    if header.strip() in (b"[", b"[{", b"{"):
        way = f"swr1 load jsonl {shlex.quote(name)} --set prompt={COLUMN} task={TASK}"
        return f"one JSON document, no record a line. This makes records: {way} > records.jsonl"
    if not name.lower().endswith(_CSV):
        return None
    columns = next(csv.reader([header.decode("utf-8-sig", "replace")]), [])
    row = dict.fromkeys(columns)
    return (
        f"CSV, no records: its columns are {listed(row)}. This makes records: {way_in(row, name)}"
    )


def way_in(row: Mapping[str, Any], name: str) -> str:
    """The command that makes records of rows like this one."""
    by_lower = {column.lower().strip(): column for column in row}
    found: dict[str, str] = {}
    for what, names in CALLED.items():
        column = next((by_lower[n] for n in names.split() if n in by_lower), None)
        if column is not None and column not in found.values():
            found[what] = column
    settings = [f"{what}={column}" for what, column in found.items() if what != column]
    if "prompt" not in found:
        settings.insert(0, f"prompt={COLUMN}")
    if "task" not in row:
        settings.append(f"task={_task(row.get(found.get('answer', '')))}")
    kind = next((k for k in ("csv", "parquet") if f".{k}" in name.lower()), "jsonl")
    words = [name, "--set", *settings] if settings else [name]
    return f"swr1 load {kind} {shlex.join(words)}"


def _task(answer: Any) -> str:
    """The likeliest task of an answer like this."""
    if answer is None:
        return TASK
    if isinstance(answer, int | float) or _NUMBER.fullmatch(str(answer).strip()):
        return "math"
    return "choice" if re.fullmatch(r"[A-J]", str(answer).strip()) else "qa"


def listed(columns: Iterable[str]) -> str:
    """Names of columns for a message, in quotes: the first twelve."""
    names = [str(column)[:40] for column in columns]
    return (", ".join(map(repr, names[:MOST])) or "none") + " ..." * (len(names) > MOST)
