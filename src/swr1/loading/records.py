"""Rows into records, under the contract of a stage: what `swr1 load` does with a loader.

A loader is a file of sets/: `load(row, ...) -> {"task", "prompt", "answer", "info"}`, or a list
of such, for one row (a `Row`). It raises DataError("kind of trouble: details"). Its keyword
arguments with defaults are its options (`--set NAME=VALUE`), and `swr1 load --list` shows the first
line of its docstring. Most are declared with `declare.dataset`, which checks the columns and fills
`info`.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from swr1.errors import DataError
from swr1.loading.chat import checked_prompt
from swr1.loading.kinds import KINDS
from swr1.loading.rows import file_rows, hub_rows
from swr1.loading.values import plain
from swr1.picture_parts import has_pictures, with_parts
from swr1.pictures import Opener
from swr1.pictures.config import current
from swr1.records import VERSION, Record, key, make_id, validate
from swr1.streams import Stage
from swr1.streams.reading import RECENT

# What the code of a loader raises at a row that is not as it takes rows to be.
_FAULTS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
_SPLIT = re.compile(r"(?<![^\W_])(train|test|testmini|validation|valid|val|dev)(?![^\W_])")


class Row(dict):
    """A row that knows the name of its file (or hub part) and the split that this is of."""

    file: str
    split: str | None


class _WrongFile(DataError):
    """The whole file is not what the loader reads: no policy for single rows applies."""


def load_rows(
    stage: Stage,
    load: Callable[..., Any],
    files: Sequence[str],
    hub: Sequence[str] = (),
    subset: str | None = None,
    split: str | None = None,
    options: dict[str, Any] | None = None,
) -> None:
    """Write the records of every row of this shard that `load` can turn into some.

    All other rows, also those at which the loader's code fails, are reported with place and reason,
    and dropped by the stage's policy. The options of `load` leave out a row for which it returns
    None. Raises DataError for a file whose first row lacks the columns of a declared data set.
    """
    assert stage.shard is not None
    index, shards = stage.shard
    broken: list[tuple[str, Any]] = []  # why a row is None, and its text

    def on_bad(location: str, reason: str, raw: Any) -> None:
        broken.append((reason, raw))

    sources = [file_rows(name, on_bad, getattr(load, "piped", None)) for name in files]
    sources += [hub_rows(name, subset, split) for name in hub]
    check = getattr(load, "check", None)
    copies = Copies(all_items=check is not None)
    checked = None  # the file whose columns are known to be right
    seeing = _Seeing((options or {}).get("images") or "", stage)
    for number, (row, location) in enumerate(pair for rows in sources for pair in rows):
        reason, raw = broken.pop() if broken else ("", row)
        mine = number % shards == index
        if not mine and number and not copies.counting:
            continue
        stage.came += mine
        try:
            if check and _file_of(location) != checked:
                if trouble := f"{reason}. {KINDS}" if reason else check(row, **options or {}):
                    raise _WrongFile(trouble, location)
                items = _first(load, _placed(row, location, split), location, options or {})
                checked = _file_of(location)
            elif reason:
                raise DataError(reason)
            else:
                items = _called(load, _placed(row, location, split), options or {})
            items = items if isinstance(items, list) else [items]
            see = seeing(_file_of(location))
            records = [copies.name(_record(item, location, see), location) for item in items]
        except _WrongFile:
            raise
        except DataError as error:
            if mine:
                _drop(stage, error.reason, location, raw)
                stage.end_input(0)
            continue
        if not mine:
            continue
        if not records:
            stage.count_drop("left out by --set")
        for record in records:
            if key(record) not in stage:
                stage.write(record)
        stage.end_input(len(records))


def _first(load: Any, row: Any, location: str, options: dict[str, Any]) -> Any:
    """The items of a file's first row; when it is bad, perhaps the file is of another data set."""
    try:
        return _called(load, row, options)
    except DataError as error:
        if other := load.other(row):
            hint = f"{error.reason}. These are columns of {other}"
            raise _WrongFile(hint, location) from None
        raise


def _called(load: Any, row: Any, options: dict[str, Any]) -> Any:
    """What the loader makes of a row; DataError, too, where its code fails at it."""
    try:
        return load(row, **options)
    except _FAULTS as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"unreadable row: it is not as the loader expects ({what:.200})") from None


class Copies:
    """Which items came before, over the last 131,072.

    A completion gets the next `sample` of its item. Published sets (`all_items`) repeat a few items:
    there one without a completion gets an ordinal at the end of its id. Every other copy, and the
    same row out of two files, is an error.
    """

    def __init__(self, all_items: bool) -> None:
        self.all_items = all_items
        self.counting = all_items
        """Whether all rows must be seen: a shard numbers the copies as the whole file does."""
        self._seen: dict[Any, str] = {}
        self._count: dict[str, int] = {}

    def name(self, record: Record, location: str) -> Record:
        """`record` with the `id` and `sample` it must have; DataError for a forbidden copy."""
        same: Any = record["id"]
        numbered = self.all_items or "completion" in record
        self.counting = self.counting or numbered
        if numbered:
            info = record["info"]
            same = hash((same, record.get("completion"), info.get("model"), str(info.get("pair"))))
        before = self._seen.get(same)
        if before and not (numbered and _file_of(before) == _file_of(location)):
            raise DataError(f"seen before: the same item as {before}")
        _remember(self._seen, same, location)
        if numbered:
            copies = self._count.get(record["id"], 0)
            _remember(self._count, record["id"], copies + 1)
            if "completion" in record:
                record["sample"] = copies
            elif copies:
                record["id"] += f"-{copies + 1}"
        return record


def _remember(recent: dict[Any, Any], name: Any, value: Any) -> None:
    recent[name] = value
    if len(recent) > RECENT:
        del recent[next(iter(recent))]


def _file_of(location: str) -> str:
    return location.rpartition(":")[0]


def _placed(row: Any, location: str, split: str | None) -> Any:
    if not isinstance(row, dict):
        return row
    placed = Row(row)
    placed.file = PurePosixPath(_file_of(location)).name
    placed.split = split or _split_of(_file_of(location))
    return placed


def _split_of(file: str) -> str | None:
    """The split in the name of a file, or else the name of its folder if that is a split."""
    path = PurePosixPath(file)
    named = _SPLIT.search(path.name) or _SPLIT.fullmatch(path.parent.name)
    return named.group(1) if named else None


class _Seeing:
    """Opens the pictures of items, so that their parts say which they are.

    Paths are relative to `images`, where that was given (the loader puts it before them), else to the
    folder of the file.
    """

    def __init__(self, images: str, stage: Stage) -> None:
        self.images, self.stage = images, stage
        self._of: tuple[str, Opener | None] = ("", None)

    def __call__(self, file: str) -> Callable[[list[Any]], list[Any]]:
        def see(prompt: list[Any]) -> list[Any]:
            opener = self._opener(file)
            numbers = count(1)
            return with_parts(prompt, lambda part: opener.seen(part, next(numbers)))

        return see

    def _opener(self, file: str) -> Opener:
        if self._of[1] is None or self._of[0] != file:
            options = current()
            if self.images:
                folders = [*options.picture_folders, self.images]
                options = replace(options, picture_folders=folders)
            beside = Path(file).is_file() and not self.images
            base = os.path.dirname(file) or "." if beside else "."
            self._of = file, Opener(options, base=base, say=self.stage.say)
        assert self._of[1] is not None
        return self._of[1]


def _record(item: Any, location: str, see: Callable[[list[Any]], list[Any]]) -> Record:
    """The record of a loader's item, checked as stages check what they read."""
    if not isinstance(item, dict) or not isinstance(item.get("info") or {}, dict):
        raise DataError(f"no item: the loader gave {str(item)[:60]!r}, not task, prompt and info")
    item = plain(item, pictures=False)
    info = item.get("info") or {}
    source = info.pop("source", None) or {}
    if not isinstance(source, dict):
        info["published_source"], source = source, {}
    info["source"] = {**source, "where": location}
    checked_prompt(item.get("prompt"))
    if has_pictures(item):
        item["prompt"] = see(item["prompt"])
    by = info["model"] if isinstance(info.get("model"), str) else None
    name = make_id(item.get("task", ""), item["prompt"], item.get("answer"), by)
    record = {"v": VERSION, "id": name, **item, "info": info}
    try:
        validate(record, ("id", "task", "prompt"))
    except ValueError as error:
        raise DataError(f"no record: {error}") from None
    return record


def _drop(stage: Stage, reason: str, location: str, raw: Any) -> None:
    if stage.on_error == "fail":
        reason += " (to go on: --on-error skip, or --on-error quarantine PATH to set rows aside)"
    stage.drop(reason, location, raw)
    if stage.drops.total() > 3:  # the stage reports the first three only
        stage.say(f"dropped {location}: {reason}")
