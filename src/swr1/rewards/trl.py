"""A reward as a function for TRL's trainers: the same recipe and verifiers, without the stages.

    from swr1.rewards import as_reward_function
    trainer = GRPOTrainer(model, reward_funcs=as_reward_function("safeladder-stage1"), ...)

A data set that `swr1 export trl` wrote needs nothing else: its column `swr1` has the records' fields.

TRL calls it with `prompts`, `completions` and the other columns of the data set, each a list as long
as the batch; it gives one number for each completion, or None where a verifier could not judge
(TRL leaves those out of the mean over reward functions; here nothing is a silent zero).
"""

import atexit
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import orjson

from swr1.errors import DataError, UsageError
from swr1.pictures import part_of, picture_of
from swr1.records import Record, make_id
from swr1.registry import suggest
from swr1.rewards.opening import open_reward
from swr1.rewards.recipe import Recipe
from swr1.terminal import say
from swr1.types import Verdict
from swr1.verifiers.declared import verdict_name

FIELDS = ("id", "task", "answer", "info")
NOT_INFO = ("completion_ids", "environments", "image", "images")  # pictures are in the prompt, too
EXPORTED = "swr1"  # the column of `swr1 export trl` with the record's fields
Verifier = Callable[[Record], Verdict]


def as_reward_function(
    reward: Recipe | Callable[[Record], dict[str, Any]] | str,
    verifiers: Mapping[str, Verifier] | Iterable[str] | None = None,
    *,
    settings: Iterable[str] = (),
    verifier_settings: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
    prefill: str | None = None,
    timeout: float = 10.0,
) -> Callable[..., list[float | None]]:
    """A function (prompts, completions, **columns) -> list of float or None.

    Args:
        reward: a recipe, or a name as `swr1 reward` takes it.
        verifiers: names as `swr1 verify` takes them, or name -> function of a record; they run in
            this order. None: for each record the verdicts that the recipe reads for its task.
        settings, verifier_settings: as --set of `reward` and of `verify`.
        columns: which column of the data set is `task`, `answer`, `info`, `id`, or "info.FIELD",
            where it is not called so: {"answer": "solution", "info.harmful": "is_harmful"}. What is
            named here goes before what the column `swr1` says.
        task: the task of all records, where there is no such column.
        prefill: how the prompt opened the assistant's turn, such as "<think>"; None: the last
            message of the prompt, if it is the assistant's.
        timeout: seconds a verifier or reward in a process of its own may take for one record.

    Raises UsageError for unknown names; the function raises DataError as `Recipe.reward`, and for a
    column `swr1` that `swr1 export` did not write.
    """
    name = reward if isinstance(reward, str) else getattr(reward, "name", "reward")
    score: Any = reward
    if isinstance(reward, str):
        score = open_reward(reward, settings, timeout=timeout)
        if not isinstance(score, Recipe):
            atexit.register(score.close)
    if verifiers is None and not isinstance(score, Recipe):
        raise UsageError("name the verifiers: only a recipe says which verdicts it reads")
    for field in columns or {}:
        if field not in FIELDS and not field.startswith("info."):
            raise UsageError(
                f"`columns` maps a field of the record: {', '.join(FIELDS)} or info.FIELD,"
                f" not {field!r}.{suggest(field, FIELDS)}"
            )
    bench = _Bench(verifiers, list(verifier_settings), timeout)
    renamed = {column: field for field, column in (columns or {}).items()}

    def function(
        prompts: list[Any] | None = None, completions: list[Any] | None = None, **more: Any
    ) -> list[float | None]:
        if completions is None:
            raise UsageError("TRL calls a reward function with `completions`")
        count = len(completions)
        lists = {k: v for k, v in more.items() if isinstance(v, list) and len(v) == count}
        results, forms = [], Counter[str]()
        for i, completion in enumerate(completions):
            row = _restored({k: v[i] for k, v in lists.items() if k not in renamed})
            row |= {field: lists[k][i] for k, field in renamed.items() if k in lists}
            record = _record(row, prompts[i] if prompts else [], completion, task, prefill)
            needed = bench.names
            if verifiers is None and isinstance(score, Recipe):
                needed = score.verdicts_for(record)
            record["verdicts"] = {}
            for verifier in needed:  # each sees the verdicts before its own
                record["verdicts"][verdict_name(verifier)] = bench.opened(verifier)(record)
            results.append(score(record))
            if form := record["verdicts"].get("format"):
                forms[str(form.get("label"))] += 1
        bench.warn_of_form(forms, count)
        _log(more.get("log_metric"), results)
        return [None if r["reward"] is None else float(r["reward"]) for r in results]

    function.__name__ = name.replace("-", "_").removesuffix(".toml").rpartition("/")[2]
    return function


class _Bench:
    """Verifiers by name, each opened when it is first needed."""

    def __init__(self, verifiers: Any, settings: list[str], timeout: float) -> None:
        self.settings, self.timeout = settings, timeout
        self._open: dict[str, Verifier] = {}
        self._warned = False
        self._stack = ExitStack()
        atexit.register(self._stack.close)
        self.names = list(verifiers or ())
        if isinstance(verifiers, Mapping):
            self._open = dict(verifiers)
        for name in self.names:
            self.opened(name)
        if verifiers is not None:
            for setting in settings:
                if not any(setting.startswith(f"{name}.") for name in self.names):
                    owner = setting.partition(".")[0]
                    raise UsageError(
                        f"a setting for {owner!r}, which is not there.{suggest(owner, self.names)}"
                    )

    def warn_of_form(self, labels: Counter[str], completions: int) -> None:
        """Say once that all completions of a batch fail the format: nothing is learned from them."""
        if self._warned or labels["ok"] or not 1 < labels.total() == completions:
            return
        self._warned = True
        reasons = ", ".join(f"{n} {label}" for label, n in labels.most_common(3))
        say(
            "swr1 reward",
            f"warning: {completions} of {completions} completions: format {reasons}. If nobody told"
            " the model to write so, put the system prompt and the opened answer before it: `swr1"
            " export trl` does",
        )

    def opened(self, name: str) -> Verifier:
        if name not in self._open:
            from swr1.verifiers.running import open_verifiers

            mine = [s for s in self.settings if s.startswith(f"{name}.")]
            opened = open_verifiers([name], timeout=self.timeout, settings=mine)
            verifiers = self._stack.enter_context(opened)
            self._open[name] = lambda record: next(iter(verifiers(record).values()))
        return self._open[name]


def _restored(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the fields of its record, where `swr1 export` kept them in the column `swr1`.

    The columns beside it are the same as texts, for people and other tools.
    """
    text = row.pop(EXPORTED, None)
    if not text:
        return row
    try:
        exported_record = orjson.loads(text)
        info = dict(exported_record.get("info") or {})
    except (TypeError, ValueError, AttributeError):
        raise DataError(
            f"the column {EXPORTED!r} is what `swr1 export trl` writes (JSON of task, answer and"
            f" info), not {text!r:.60}"
        ) from None
    rest = {name: value for name, value in row.items() if name not in ("task", "answer")}
    exported = {
        name: exported_record[name] for name in ("task", "answer") if name in exported_record
    }
    return rest | exported | {"info": {**(row.get("info") or {}), **info}}


def _record(
    row: dict[str, Any], prompt: Any, completion: Any, task: str | None, prefill: str | None
) -> Record:
    """One row of a TRL batch as a record. Columns that no field is for become `info`."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    if messages and messages[-1].get("role") == "assistant":
        opened = messages.pop().get("content")
        prefill = opened if prefill is None else prefill
    messages = [message | {"content": _content(message.get("content"))} for message in messages]
    record: Record = {"task": task, "prompt": messages, "completion": _text(completion)}
    info = dict(row.get("info") or {})
    for name, value in row.items():
        if name in FIELDS:
            record[name] = value
        elif name not in NOT_INFO:
            info[name.removeprefix("info.")] = value
    record["info"] = info
    if "id" not in record:
        record["id"] = make_id(str(record["task"]), messages, record.get("answer"))
    if prefill is not None:
        record["generation"] = {"prefill": prefill}
    return record


def _content(content: Any) -> Any:
    """A message's content; pictures, which TRL puts into it as PIL's, become parts of a record."""
    if not isinstance(content, list):
        return content
    return [
        part_of(picture_of(part["image"]))
        if isinstance(part, dict) and part.get("type") == "image" and "image" in part
        else part
        for part in content
    ]


def _text(completion: Any) -> str:
    """A completion's text: TRL hands over a text, or chat messages."""
    if isinstance(completion, str):
        return completion
    parts = [message.get("content") for message in completion]
    return "".join(part for part in parts if isinstance(part, str))


def _log(log_metric: Any, results: list[dict[str, Any]]) -> None:
    """The mean of each part, where the trainer keeps metrics."""
    if log_metric is None:
        return
    values: dict[str, list[float]] = {}
    for result in results:
        for name, part in result["reward_parts"].items():
            if part["value"] is not None:
                values.setdefault(name, []).append(part["value"])
    for name, numbers in values.items():
        log_metric(f"reward_parts/{name}", sum(numbers) / len(numbers))
