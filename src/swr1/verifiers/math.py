r"""Is the final answer to a mathematical question equal to the known one?

    swr1 verify math rollouts.jsonl
    swr1 verify math rollouts.jsonl --set math.last_number=true   # no \boxed{} asked for

Plain numbers are compared as fractions; everything else by the library math-verify (sympy). Its
parser can run for ever on a hostile answer, and its own alarm works on a main thread only, so it
is switched off: this verifier runs in a process of its own, which is killed after --timeout.
Called from Python, `verify` has no clock.

What counts is the last \boxed{} after the thinking, else what stands in <answer> tags. All of them
must agree: different answers are a hedge, which is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.records import Record
from swr1.verifiers._answers import boxed, final_text, null, other_task, tagged
from swr1.verifiers._numbers import clean, last_number, number, same_unit, words
from swr1.verifiers._text import assistant_text, check_choice, is_truncated

BY = "math@1"
# A name, or arithmetic: what may stand before "= 18" without being part of the answer.
_LEFT_SIDE = re.compile(r"\s*(?:[A-Za-z]\w*(?:\([a-z]\))?|(?:\\[a-z]+|[\d.,+*/^(){} -])+)\s*")
_MEMORY = 4 << 30  # bytes of address space: some hostile powers fill it long before the clock


def prepare() -> None:
    """In a process of its own: bound the memory, and load the library outside a record's time."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    _compare("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}")


def verify(
    record: Record,
    *,
    answers: str = "any",
    last_number: bool = False,
    arithmetic: bool = False,
    precision: int = -1,
    max_chars: int = 2000,
    prefill: str = "",
) -> dict[str, Any]:
    r"""A verdict: "correct" (score 1.0), "wrong" or "unreadable" (0.0).

    Args:
        record: has `completion` and `answer`, a text (LaTeX or plain), a number, or a list of them.
        answers: whether of a list of golds "any" one is enough or "all" are asked for;
            `info.answers` of the record comes first.
        last_number: without a box or <answer>, take the last number of the text.
        arithmetic: accept a sum or product that was not worked out ("9*2") for a gold that is a
            plain number.
        precision: decimals after which plain numbers are rounded before they are compared (-1: they
            are not); `info.precision` of the record comes first (MathVista has it).
        max_chars: a longer answer is not read.
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `reason` (unreadable: no-answer, thinking-unclosed, too-long, empty; wrong: hedge,
    unit, unevaluated), `read` (what was taken as the answer), `truncated`.

    The score is null for another task, without a gold, and with a gold that cannot be read.
    Raises DataError without a completion and for a precision that is no number of decimals,
    UsageError for an unknown `answers`.
    """
    check_choice("answers", answers, ("any", "all"))
    text = assistant_text(record, prefill)
    golds = _golds(record.get("answer"))
    reason = other_task(record, "math") or (None if golds else "the record has no answer")
    if reason:
        return null(reason, BY)
    info = record.get("info") or {}
    mode = info.get("answers") or answers
    check_choice("info.answers", mode, ("any", "all"))
    how = How(arithmetic, _places(record, info.get("precision", precision)))
    said, why = _said(text, last_number, max_chars)
    if not said:
        return _verdict(record, "unreadable", why, None)
    every = mode == "all" and len(golds) > 1
    try:
        if every:
            right, why = _all(golds, said, how)
        elif _differ(said):
            right, why = False, "hedge"
        else:
            right, why = _any(golds, said[-1], how)
    except Unreadable as error:
        return null(str(error), BY)
    except (MemoryError, RecursionError) as error:
        return null(f"comparing the answers ended in a {type(error).__name__}", BY, read=said[-1])
    return _verdict(record, "correct" if right else "wrong", why, said if every else said[-1])


class Unreadable(Exception):
    """A gold that cannot be compared with anything."""


class How(NamedTuple):
    """How an answer is compared with a gold: options of `verify`, `places` None for exactly."""

    arithmetic: bool = True
    places: int | None = None


def _places(record: Record, precision: Any) -> int | None:
    if precision is None or precision == -1:
        return None
    if type(precision) not in (int, float) or precision not in range(100):
        raise DataError(
            f"record {record.get('id')!r}: a precision is a number of decimals, not {precision!r}"
        )
    return int(precision)


def _verdict(record: Record, label: str, reason: str | None, read: Any) -> dict[str, Any]:
    detail = {"reason": reason, "read": read, "truncated": is_truncated(record)}
    score = 1.0 if label == "correct" else 0.0
    return {"score": score, "label": label, "detail": detail, "by": BY}


def _golds(answer: Any) -> list[str]:
    found = answer if isinstance(answer, list) else [answer]
    return [str(gold) for gold in found if gold is not None and str(gold).strip()]


def _said(text: str, take_last: bool, max_chars: int) -> tuple[list[str], str | None]:
    """Everything that is given as the answer, in order; or nothing, and why."""
    final = final_text(text)
    if final is None:
        return [], "thinking-unclosed"
    boxes, tags = boxed(final), [tag for tag in tagged(final) if "\\boxed" not in tag]
    found = [*tags, *boxes]
    if not found and take_last and (last := last_number(final)):
        found = [last]
    if not found:
        return [], "no-answer"
    if max(map(len, found)) > max_chars:
        return [], "too-long"
    filled = [part for one in found for part in _sides(one) if part]
    return (filled, None) if filled else ([], "empty")


def _sides(text: str) -> list[str]:
    """An answer cleaned: "x = 18" and "9 * 2 = 18" say 18, and "17 = 18" says both."""
    whole = clean(text)
    *lefts, last = whole.split("=")
    if not number(clean(last)) or not all(map(_LEFT_SIDE.fullmatch, lefts)):
        return [whole]
    return [*(clean(left) for left in lefts if number(clean(left))), clean(last)]


def _differ(said: Sequence[str]) -> bool:
    """Whether two of the answers are not the same."""
    rest = list(dict.fromkeys(said[:-1]))
    return any(not _equal(said[-1], other)[0] for other in rest if other != said[-1])


def _any(golds: list[str], said: str, how: How) -> tuple[bool, str | None]:
    why = None
    for gold in golds:
        right, reason = _equal(clean(gold), said, how)
        if right:
            return True, None
        why = why or reason
    return False, why


def _all(golds: list[str], said: list[str], how: How) -> tuple[bool, str | None]:
    """Whether the answers are the golds, each once, in any order."""
    left = [clean(gold) for gold in golds]
    parts = [part for one in dict.fromkeys(said) for part in _parts(one)]
    if len(parts) > 4 * len(left):
        return False, None
    for part in parts:
        hit = next((g for g in left if _equal(g, part, how)[0]), None)
        if hit is None and not any(_equal(clean(g), part, how)[0] for g in golds):
            return False, None
        if hit is not None:
            left.remove(hit)
    return not left, None


def _parts(text: str) -> list[str]:
    """What a list says, split at commas that stand in no bracket, "and" and semicolons."""
    if number(text):
        return [text]
    depth, parts = 0, [""]
    for char in text.replace("\\text{ and }", ",").replace(" and ", ",").replace(";", ","):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += char
    return [clean(part) for part in parts if clean(part)]


def _equal(gold: str, said: str, how: How = How()) -> tuple[bool, str | None]:
    """Whether two cleaned answers are equal, the gold first, and a reason if there is one to tell."""
    if gold == said:
        return True, None
    if not same_unit(gold, said):
        return False, "unit"
    a, b = number(gold), number(said)
    if a and b:
        return a.equals(b, how.places), None
    first, second = words(gold), words(said)
    if first or second:
        return (first or gold.casefold()) == (second or said.casefold()), None
    if not _compare(gold, said):
        return False, None
    if a and not how.arithmetic and _is_arithmetic(said):
        return False, "unevaluated"
    return True, None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> list[Any]:
    """What math-verify reads in an answer: a sympy object, and the text itself for one it cannot."""
    import logging

    from math_verify import parse

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # "timeout is disabled": we know
    return parse(f"${text}$", parsing_timeout=None)


def _compare(gold: str, said: str) -> bool:
    """Whether math-verify finds two answers equal. Raises Unreadable, MemoryError, RecursionError."""
    from math_verify import verify as same

    golds = _parsed(gold)
    if not golds:
        raise Unreadable(f"the answer of the record, {gold[:80]!r}, cannot be read")
    for left in golds:
        for right in _parsed(said):
            try:
                if same(
                    left,
                    right,
                    allow_set_relation_comp=True,
                    timeout_seconds=None,
                    raise_on_error=True,
                ):
                    return True
            except (MemoryError, RecursionError):
                raise
            except Exception:  # whatever sympy raises on two things that cannot be compared
                continue
    return False


def _is_arithmetic(said: str) -> bool:
    """Whether an answer is a sum or a product of numbers that was left to be worked out."""
    import sympy

    for expression in _parsed(said):
        for node in sympy.preorder_traversal(expression) if not isinstance(expression, str) else ():
            if node.is_Add:
                return True
            if node.is_Mul and sum(map(_is_factor, node.args)) > 1:
                return True
    return False


def _is_factor(node: Any) -> bool:
    """A factor that is no sign, denominator or power of ten."""
    if node == -1 or (node.is_Pow and (node.base == 10 or node.exp == -1)):
        return False
    return bool(node.is_number)
