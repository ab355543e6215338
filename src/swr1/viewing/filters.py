"""Conditions on records, as a person types them: `people=3 knights=correct reward<1 liar`.

Words stand for themselves (somewhere in prompt, completion or id); KEY OP VALUE compares, with OP
one of = != < <= > >= ~ (contains). All must hold. A key is a path with dots, and may be short: it
is looked for in the record, `info`, `generation`, `verdicts` and `reward_parts`. A verdict's name
means its label where VALUE is a word, its score where it is a number.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from swr1.errors import UsageError
from swr1.records import Record, pack

_CONDITION = re.compile(r"([\w.\-]+?)(!=|<=|>=|=|<|>|~)(.*)", re.DOTALL)
HOLDERS = ("info", "generation", "verdicts", "reward_parts")


def parse(text: str) -> Callable[[Record], bool]:
    """A test of records. Raises UsageError for a condition that cannot be read."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"cannot read the filter {text!r}: {error}") from None
    tests = [_condition(word) for word in words]
    return lambda record: all(test(record) for test in tests)


def _condition(word: str) -> Callable[[Record], bool]:
    match = _CONDITION.fullmatch(word)
    if not match:
        low = word.lower()
        return lambda record: any(low in text.lower() for text in _texts(record))
    key, op, expected = match.groups()
    if op == "~":
        return lambda r: any(expected.lower() in _text(v).lower() for v in values(r, key))
    try:
        number = float(expected)
    except ValueError:
        number = None
    if op in ("=", "!="):
        want = op == "="
        return lambda r: any(_equal(v, expected, number) for v in values(r, key)) == want
    if number is None:
        raise UsageError(f"{word!r}: {op} compares numbers, and {expected!r} is none")
    compare: Callable[[float], bool] = {
        "<": lambda x: x < number,
        "<=": lambda x: x <= number,
        ">": lambda x: x > number,
        ">=": lambda x: x >= number,
    }[op]
    return lambda r: any(compare(v) for v in values(r, key) if _is_number(v))


def values(record: Record, key: str) -> Iterator[Any]:
    """What `key` may mean in this record: nothing, one value, or a verdict's label and score."""
    for holder in ("", *HOLDERS):
        value: Any = record.get(holder) if holder else record
        for step in key.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            continue
        if isinstance(value, dict) and ("score" in value or "value" in value):
            yield from (value[k] for k in ("label", "score", "value") if value.get(k) is not None)
        else:
            yield value
        return


def _equal(value: Any, expected: str, number: float | None) -> bool:
    if _is_number(value):
        return value == number
    return _text(value).lower() == expected.lower()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else pack(value).decode()


def _texts(record: Record) -> Iterator[str]:
    yield str(record.get("id", ""))
    yield str(record.get("completion", ""))
    prompt = record.get("prompt")
    for message in prompt if isinstance(prompt, list) else ():
        if isinstance(message, dict):
            yield _text(message.get("content", ""))
