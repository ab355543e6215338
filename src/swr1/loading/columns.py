"""Rows of your own, by the columns that say what is what: `swr1 load jsonl`, `csv` and `parquet`.

The three are one loader: the first bytes of a file decide how it is read. Only standard input needs
to be told that it is CSV. An option names a column; where it is not given, the column of its own
name is taken if the file has it.
"""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from swr1.errors import DataError
from swr1.loading.chat import (
    Messages,
    completed,
    last_turn,
    messages,
    rest_of,
    truth,
    unpacked,
)
from swr1.loading.declare import number
from swr1.loading.kinds import KINDS
from swr1.rows import CALLED, TASK, TASKS, listed, way_in

Row = dict[str, Any]


def loader(kind: str) -> Callable[..., Any]:
    """The loader called `kind`: csv, jsonl or parquet."""

    def load(
        row: Row,
        prompt: str = "prompt",
        completion: str = "completion",
        answer: str = "answer",
        model: str = "model",
        system: str = "system",
        task: str = "task",
        keep: str = "all",
    ) -> list[dict[str, Any]]:
        columns = {"prompt": prompt, "completion": completion, "answer": answer}
        columns |= {"model": model, "system": system}
        return _items(row, columns, task, keep)

    load.__doc__ = f"rows of your own ({kind}), completions too; each option names a column, task also the task"
    load.check = check  # type: ignore[attr-defined]
    load.other = lambda row: None  # type: ignore[attr-defined]
    load.piped = kind  # type: ignore[attr-defined]
    return load


def check(row: Any, **options: str) -> str | None:
    """What is wrong with the columns of a file's first row, in words; None when nothing is."""
    if not isinstance(row, dict):
        return f"not a row: an object with columns was expected. {KINDS}"
    named = {"prompt": "prompt"} | {k: v for k, v in options.items() if k in CALLED}
    wanted = [*named.items(), *(("keep", name) for name in _kept(options.get("keep", "all")) or ())]
    for option, column in wanted:
        if column not in row:
            hint = "" if options else f". Name yours: {way_in(row, 'FILE')}"
            near = _near(column, row)
            return f"no column {column!r} for {option}{near}; found {listed(row)}{hint}"
    task = options.get("task", "task")
    if task in row:
        return None
    tasks = f"--set task= one of {', '.join(TASKS)}, a word of your own, or the column that says it"
    if task in ("task", TASK):
        return f"nothing says what the task is: {tasks}"
    near = _near(task, (*TASKS, *row))
    return f"{task!r} is no task{near}: {tasks}" if near and task not in TASKS else None


def _near(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), 1, 0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _kept(keep: str) -> list[str] | None:
    """The columns that `info` keeps of those that no option names; None: all."""
    if keep in ("all", "none"):
        return None if keep == "all" else []
    return [column.strip() for column in keep.split(",") if column.strip()]


def _items(row: Row, columns: dict[str, str], task: str, keep: str) -> list[dict[str, Any]]:
    """The items of a row: one for each of its completions, or one without a completion."""
    before = _prompt(row, columns)
    replies = list(_completions(row, columns, before))
    answer, more = _answer(row.get(columns["answer"]))
    kept = _kept(keep)
    info = rest_of(row, {*columns.values(), task})
    info = info if kept is None else {k: v for k, v in info.items() if k in kept}
    if (wrote := row.get(columns["model"])) not in (None, ""):
        info["model"] = str(wrote)
    if row.split and "split" not in info:  # type: ignore[attr-defined]
        info["split"] = row.split  # type: ignore[attr-defined]
    named = row.get(task, task) if task != "task" or "task" in row else more.pop("task", None)
    if not isinstance(named, str) or not named:
        raise DataError(f"no task: column {task!r} holds {str(named)[:60]!r}")
    more.pop("task", None)
    made = {"task": named, "info": info | more} | ({} if answer is None else {"answer": answer})
    return [made | {"prompt": turns} | reply for turns, reply in replies]


def _prompt(row: Row, columns: dict[str, str]) -> Messages:
    turns = messages(row.get(columns["prompt"]))
    system = row.get(columns["system"])
    if system in (None, ""):
        return turns
    if not isinstance(system, str):
        raise DataError(f"no system prompt: column {columns['system']!r} holds no text")
    if turns[0]["role"] == "system":
        raise DataError(f"two system prompts: in the prompt, and in {columns['system']!r}")
    return [{"role": "system", "content": system}, *turns]


def _completions(
    row: Row, columns: dict[str, str], before: Messages
) -> Iterator[tuple[Messages, dict[str, str]]]:
    """(prompt, the record's `completion`) of each; a conversation without a column holds its own."""
    column = columns["completion"]
    if column == "completion" and column not in row:
        turns, said = last_turn(before)
        yield turns, {} if said is None else {"completion": said}
        return
    value = row.get(column)
    several = isinstance(value, list) and not any(isinstance(one, dict) for one in value)
    if value is None or value == []:
        raise DataError(f"no completion: column {column!r} is empty (null)")
    for one in value if several else [value]:  # type: ignore[union-attr]
        turns, said = completed(before, one)
        yield turns, {"completion": said}


def _answer(value: Any) -> tuple[Any, dict[str, Any]]:
    """(answer, what `info` gets) of a ground truth: numbers become texts, lists stay lists.

    CSV has no lists: there a text that is a list of texts, as JSON or Python write it, is read.
    """
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        as_list = unpacked(value)
        if isinstance(as_list, list) and not any(isinstance(x, int | float) for x in as_list):
            value = as_list
    answer, more = truth(value)
    if isinstance(answer, list):
        return [_text(one) for one in answer], more
    return None if answer in (None, "") else _text(answer), more


def _text(value: Any) -> Any:
    """A number as its shortest text (27.0 is "27"), yes and no in lower case; all else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return number(value) if isinstance(value, int | float) else value
