"""The small JSON files beside records: the plan of a shard folder, markers of finished outputs.

Whatever stands in them is checked here, once, before anything relies on it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError
from swr1.records import parse

LARGEST = 2**26  # bytes; a marker of a million runs of inputs is a tenth of it
MOST_SHARDS = 99_999  # their names have five digits


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _are_runs(value: Any) -> bool:
    return type(value) is list and all(
        type(run) is list and len(run) == 2 and _is_count(run[0]) and _is_count(run[1])
        for run in value
    )


def _is_object(value: Any) -> bool:
    return type(value) is dict


_Fields = dict[str, Callable[[Any], bool]]
_RUN: _Fields = {"options": _is_object, "inputs": _is_object}
_SHARD: _Fields = {
    "records": _is_count,
    "block": lambda value: _is_count(value) and value > 0,
    "per_input": _are_runs,
}
_PLAN: _Fields = {
    "shards": lambda value: _is_count(value) and 0 < value <= MOST_SHARDS,
    "options": _is_object,
}


def marker_of(name: str | Path) -> Path:
    """The path of the marker of an output (or of its part)."""
    return Path(f"{name}.meta.json")


def read_run(marker: Path) -> dict[str, Any]:
    """A marker of an output: which run made it, by `options` and `inputs`. Raises DataError."""
    return _read(marker, _RUN)


def read_shard(name: str) -> dict[str, Any]:
    """The marker of a finished shard: its `records`, `block` and `per_input`.

    Raises DataError where there is none, or one that contradicts itself.
    """
    marker = marker_of(name)
    if not marker.exists():
        raise DataError(f"has no marker {marker.name}: its stage did not finish", name)
    meta = _read(marker, _SHARD)
    if sum(size * times for size, times in meta["per_input"]) > meta["records"]:
        raise DataError("its inputs gave more records than it says it has", str(marker))
    return meta


def read_plan(folder: Path) -> dict[str, Any] | None:
    """The frozen plan of a shard folder ({"shards": n, ...}), None when it has none."""
    plan = folder / "plan.json"
    return _read(plan, _PLAN) if plan.exists() else None


def _read(file: Path, fields: _Fields) -> dict[str, Any]:
    def bad(why: str) -> DataError:
        return DataError(
            f"{why}: it is not as swr1 wrote it. Put it back, or start over", str(file)
        )

    if file.stat().st_size > LARGEST:
        raise bad(f"larger than {LARGEST // 2**20} MB")
    try:
        value = parse(file.read_bytes())
    except ValueError as error:
        raise bad(f"not JSON ({error})") from None
    if type(value) is not dict:
        raise bad("not a JSON object")
    for name, right in fields.items():
        if not right(value.get(name)):
            raise bad(f"{name!r} is {str(value.get(name, 'missing'))[:40]}")
    return value


def pretty(value: dict[str, Any]) -> bytes:
    """The bytes of such a file."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
