"""Conditions on records, as a person types them: `people=3 knights=correct reward<1 liar`.

Words stand for themselves (somewhere in prompt, completion or id); KEY OP VALUE compares, with OP
one of = != < <= > >= ~ (contains). All must hold. A key is a path with dots, and may be short: it
is looked for in the record, `info`, `generation`, `verdicts` and `reward_parts`. A verdict's name
means its label where VALUE is a word, its score where it is a number.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from swr1.errors import UsageError
from swr1.records import Record, pack
from swr1.registry import suggest

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


def keys_in(text: str) -> list[str]:
    """The keys that a condition compares. Raises as `parse` does."""
    parse(text)
    found = [_CONDITION.fullmatch(word) for word in shlex.split(text)]
    return list(dict.fromkeys(match[1] for match in found if match))


def has(record: Record, key: str) -> bool:
    """Whether `key` is somewhere in the record, whatever it holds."""
    for holder in ("", *HOLDERS):
        value: Any = record.get(holder) if holder else record
        for step in key.split("."):
            if not isinstance(value, dict) or step not in value:
                break
            value = value[step]
        else:
            return True
    return False


def unknown(keys: Iterable[str], records: Sequence[Record], of: str) -> str | None:
    """What to say of a key that none of `records` has; `of` says which records they are."""
    for key in keys:
        if records and not any(has(record, key) for record in records):
            return f"no {key!r} in {of}.{suggest(key, _short_names(records))}"
    return None


def _short_names(records: Iterable[Record]) -> set[str]:
    """The keys of the records and of what they hold that need no path."""
    names: set[str] = set()
    for record in records:
        names |= record.keys() - set(HOLDERS)
        for holder in HOLDERS:
            if isinstance(value := record.get(holder), dict):
                names |= value.keys()
    return names


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


def rank(record: Record, key: str) -> tuple[Any, ...]:
    """What to sort a record by: numbers before texts; records without the key come last.

    A verdict counts by its score, if it has one.
    """
    found = list(values(record, key))
    value = next((v for v in found if isinstance(v, int | float)), found[0] if found else None)
    if value is None:
        return ()
    return (0, value, "") if isinstance(value, int | float) else (1, 0, _text(value).lower())


def order(ranks: Sequence[tuple[Any, ...]], downward: bool) -> list[int]:
    """The places of `ranks` in their order; equal ones, and those without a key, as they come."""
    given = [i for i, key in enumerate(ranks) if key]
    given.sort(key=lambda i: ranks[i], reverse=downward)
    return given + [i for i, key in enumerate(ranks) if not key]


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
