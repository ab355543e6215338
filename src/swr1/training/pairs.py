"""Pairs of completions of one prompt, the better and the worse: what DPO and reward models learn from.

    for id, chosen, rejected in pairs(records, dropped, margin=1.0): ...

Two kinds of records may come, also mixed:
* scored completions (`completion`, `reward`): of each group, all samples of one id and epoch, the
  best against the worst;
* records that carry a pair: `chosen` and `rejected`, or the same within `info.pair` (`swr1 trace
  --pairs` writes it). Each is the assistant's turn as text, or a list of messages of which it is the
  last, as TRL has them; without a `prompt` the messages before it are the prompt.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.records import Record

Pair = tuple[str, Record, Record]


def pairs(records: Iterable[Record], dropped: Counter[str], margin: float = 0.0) -> Iterator[Pair]:
    """(id, chosen, rejected), both as records with `prompt` and `completion`.

    Args:
        dropped: counts records that give no pair, by reason.
        margin: the least difference in reward; at 0 any that is not a tie.

    Scored groups come last, once all of their samples are there. Raises DataError for a record that
    is neither scored nor a pair, naming it.
    """
    if margin < 0:
        raise UsageError(f"margin is at least 0, not {margin:g}")
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if "completion" in record and "reward" in record:
            epoch = (record.get("generation") or {}).get("epoch") or 0
            groups.setdefault((record["id"], epoch), []).append(record)
        else:
            yield record["id"], *_carried(record)
    for (name, _), group in groups.items():
        if len(group) == 1:
            dropped["in a group of one"] += 1
            continue
        best, worst = max(group, key=_reward), min(group, key=_reward)
        apart = best["reward"] - worst["reward"]
        if apart == 0:
            dropped["in a group of equal rewards"] += len(group)
        elif apart < margin:
            dropped[f"in a group whose rewards differ by less than {margin:g}"] += len(group)
        elif best["completion"] == worst["completion"]:
            dropped["in a group whose best and worst are the same text"] += len(group)
        else:
            yield name, best, worst


def _reward(record: Record) -> float:
    return record["reward"]


def _carried(record: Record) -> tuple[Record, Record]:
    """The two completions of a record that carries a pair."""
    location = getattr(record, "location", None)
    holder = record if "chosen" in record else (record.get("info") or {}).get("pair") or {}
    turns = [holder.get("chosen"), holder.get("rejected")]
    if None in turns:
        raise DataError(
            f"record {record['id']!r} is no preference: it has neither `completion` and `reward`"
            " (swr1 reward) nor `chosen` and `rejected` (or both within info.pair)",
            location,
        )
    chosen, rejected = (_turn(turn, record, location) for turn in turns)
    if chosen["prompt"] != rejected["prompt"]:
        raise DataError(
            f"record {record['id']!r}: `chosen` and `rejected` answer different prompts", location
        )
    return chosen, rejected


def _turn(turn: Any, record: Record, location: str | None) -> Record:
    """`turn`, a text or messages, as a record with a completion."""
    prompt = record.get("prompt")
    if isinstance(turn, list) and turn and turn[-1].get("role") == "assistant":
        prompt = turn[:-1] if len(turn) > 1 else prompt
        turn = turn[-1]["content"]
    if not isinstance(turn, str) or not prompt:
        raise DataError(
            f"record {record['id']!r}: `chosen` and `rejected` are each the assistant's turn, a text"
            " beside a `prompt`, or messages that end with it",
            location,
        )
    task = {"task": record["task"]} if "task" in record else {}
    return {"id": record["id"], **task, "prompt": prompt, "completion": turn}
