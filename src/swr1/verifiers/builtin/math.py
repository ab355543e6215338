r"""Is the final answer to a mathematical question equal to the known one?

    swr1 verify math rollouts.jsonl
    swr1 verify math rollouts.jsonl --set math.last_number=true   # no \boxed{} asked for

An answer is brought to one spelling (latex), taken apart into number and unit (numbers, units,
numerals), and where it is no plain number read as a formula (formula), as a whole or not at all.
Plain numbers are compared as fractions, formulas by value (same, sets, equal). Reading is bounded;
sympy may still take for ever over an inequality, so this verifier runs in a process of its own, which
is killed after --timeout. Called from Python, `verify` has no clock.

What counts is the last \boxed{} after the thinking, else the text in <answer> tags. All of them
must agree: different answers are a hedge, which is wrong.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.records import Record
from swr1.registry import check_known
from swr1.types import Verdict
from swr1.verifiers.completions.answers import boxed, final_text, other_task, tagged, written_answer
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.mathematics.latex import Unread, clean, tokens
from swr1.verifiers.mathematics.numbers import Quantity, last_number, number, quantity, words
from swr1.verifiers.mathematics.numerals import Based, Clock, based, clock, plain_digits
from swr1.verifiers.mathematics.units import Unit
from swr1.verifiers.verdicts import null, verdict

BY = "math@2"
LABELS = {"correct": 1, "wrong": 0, "unreadable": 0}
NEEDS = "answer: LaTeX, a text or a number, or a list of them"
LENIENT = "last_number=true"
# What a left side that only gives the answer a name does not hold: a list, a relation, a negation.
_NO_NAME = re.compile(
    r"[<>;]|,(?![^(\[]*[)\]])|\\(?:le|ge|ne|in|notin|to|lor|land|equiv|approx|forall|exists|not|neg|pm|mp|mid)(?![A-Za-z])"
    r"|\b(?:or|and|not|no|if)\b|^\s*$"
)
_IN_WORDS = re.compile(r"\s*(?:\\text\s*\{[^{}]*\}|[A-Za-z]{4,}(?: [A-Za-z]+)*)\s*$")
_MEMORY = 4 << 30  # bytes of address space: some hostile powers fill it long before the clock


def prepare() -> None:
    """In a process of its own: bound the memory, and load the library outside a record's time."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    _equal("\\frac{\\sqrt{3}}{x}+1", "1+\\frac{3}{x\\sqrt{3}}")


def verify(
    record: Record,
    *,
    answers: str = "any",
    last_number: bool = False,
    arithmetic: bool = False,
    precision: int = -1,
    max_chars: int = 2000,
    prefill: str = "",
) -> Verdict:
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
    unit, unevaluated, unread), `read` (what was taken as the answer), `truncated`.

    The score is null for another task, without a gold, and with a gold that cannot be read.
    Raises DataError without a completion and for a precision that is no number of decimals,
    UsageError for an unknown `answers`.
    """
    check_known("answers", answers, ("any", "all"))
    text = assistant_text(record, prefill)
    golds = _golds(record.get("answer"))
    reason = other_task(record, "math") or (None if golds else "the record has no answer")
    if reason:
        return null(BY, reason)
    info = record.get("info") or {}
    mode = info.get("answers") or answers
    check_known("info.answers", mode, ("any", "all"))
    how = How(arithmetic, _places(record, info.get("precision", precision)))
    answers_read, why = _answers_in(
        text, last_number, max_chars, any("=" in gold for gold in golds)
    )
    if not answers_read:
        return _verdict(record, "unreadable", why, None)
    every = mode == "all" and len(golds) > 1
    try:
        if every:
            right, why = _all(golds, answers_read, how)
        elif _differ(answers_read):
            right, why = False, "hedge"
        else:
            right, why = _any(golds, answers_read[-1], how)
    except Unreadable as error:
        return null(BY, str(error))
    except (MemoryError, RecursionError) as error:
        return null(
            BY, f"comparing the answers ended in a {type(error).__name__}", read=answers_read[-1]
        )
    return _verdict(
        record, "correct" if right else "wrong", why, answers_read if every else answers_read[-1]
    )


def gold(record: Record) -> str:
    """The known answer in a box; of a list the first, or all where all are asked for."""
    golds = _golds(record.get("answer"))
    every = (record.get("info") or {}).get("answers") == "all"
    return written_answer(", ".join(f"\\boxed{{{one}}}" for one in golds[: None if every else 1]))


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


def _verdict(record: Record, label: str, reason: str | None, read: Any) -> Verdict:
    score = 1.0 if label == "correct" else 0.0
    return verdict(BY, score, label, reason=reason, read=read, truncated=is_truncated(record))


def _golds(answer: Any) -> list[str]:
    golds = answer if isinstance(answer, list) else [answer]
    return [str(gold) for gold in golds if gold is not None and str(gold).strip()]


def _answers_in(
    text: str, take_last: bool, max_chars: int, equations: bool
) -> tuple[list[str], str | None]:
    """Everything that is given as the answer, in order; or nothing, and why.

    Left sides are dropped, unless the gold has one too.
    """
    final = final_text(text)
    if final is None:
        return [], "thinking-unclosed"
    boxes, tags = boxed(final), [tag for tag in tagged(final) if not boxed(tag)]
    candidates = [*tags, *boxes]
    if not candidates and take_last and (last := last_number(final)):
        candidates = [last]
    if not candidates:
        return [], "no-answer"
    if max(map(len, candidates)) > max_chars:
        return [], "too-long"
    sides = [[clean(one)] if equations else _sides(one) for one in candidates]
    filled = [part for parts in sides for part in parts if part not in ("", "\\ldots")]
    return (filled, None) if filled else ([], "empty")


def _sides(text: str) -> list[str]:
    """An answer cleaned: "x = 18" and "9 * 2 = 18" say 18, and "17 = 18" says both."""
    whole = clean(text)
    *lefts, last = _split(whole, "=")
    last = clean(last)
    if not lefts or not last or any(map(_NO_NAME.search, lefts)):
        return [whole]
    if quantity(last).number is None:
        return [last] if len(lefts) == 1 and _IN_WORDS.match(lefts[0]) else [whole]
    return [*(left for left in map(clean, lefts) if _is_value(left)), last]


def _is_value(text: str) -> bool:
    """Whether a left side is a number, worked out or not, and so no name for one."""
    if quantity(text).number:
        return True
    parsed = _parsed(quantity(text).text)
    return not isinstance(parsed, Unread) and getattr(parsed[0], "is_number", False)


def _split(text: str, *marks: str) -> list[str]:
    """A text cut at marks that stand in no bracket."""
    depth, parts = 0, [""]
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char in marks and depth <= 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _differ(answers: Sequence[str]) -> bool:
    """Whether two of the answers are not the same."""
    rest = list(dict.fromkeys(answers[:-1]))
    try:
        return any(not _equal(answers[-1], other)[0] for other in rest if other != answers[-1])
    except Unreadable:
        return True


def _any(golds: list[str], answer: str, how: How) -> tuple[bool, str | None]:
    why = None
    for gold in golds:
        right, reason = _equal(_gold(gold), answer, how)
        if right:
            return True, None
        why = why or reason
    return False, why


def _gold(text: str) -> str:
    """A gold cleaned, without a left side in words."""
    whole = clean(text)
    left, equals, right = whole.partition("=")
    return clean(right) if equals and _IN_WORDS.match(left) and right.strip() else whole


def _all(golds: list[str], answers: list[str], how: How) -> tuple[bool, str | None]:
    """Whether the answers are the golds, each once, in any order."""
    left = [_gold(gold) for gold in golds]
    parts = [part for one in dict.fromkeys(answers) for part in _parts(one)]
    if len(parts) > 4 * len(left):
        return False, None
    for part in parts:
        hit = next((g for g in left if _equal(g, part, how)[0]), None)
        if hit is None and not any(_equal(_gold(g), part, how)[0] for g in golds):
            return False, None
        if hit is not None:
            left.remove(hit)
    return not left, None


def _parts(text: str) -> list[str]:
    """What a list says, split at commas that stand in no bracket, "and" and semicolons."""
    if number(text):
        return [text]
    joined = text.replace("\\text{ and }", ",").replace(" and ", ",").replace(";", ",")
    return [clean(part) for part in _split(joined, ",") if clean(part)]


def _equal(gold: str, answer: str, how: How = How()) -> tuple[bool, str | None]:
    """Whether two cleaned answers are equal, the gold first, and a reason if there is one."""
    if gold == answer:
        return True, None
    a, b = quantity(gold), quantity(answer)
    if (plain := _plainly(a, b, how)) is not None:
        return plain
    first, second = words(gold), words(answer)
    if first or second:
        return (first or gold.casefold()) == (second or answer.casefold()), None
    return _compared(a, b, how)


def _plainly(a: Quantity, b: Quantity, how: How) -> tuple[bool, str | None] | None:
    """The comparison of times, numbers in a base and plain numbers; None where a formula must be read."""
    if (times := _times(a, b)) is not None:
        return times, None
    bases = based(a.whole), based(b.whole)
    if any(bases):
        return _same_based(a.whole, b.whole, *bases), None
    of_percent = (a.percent and b.unit != Unit()) or (b.percent and a.unit != Unit())
    if of_percent or a.unit.conflicts(b.unit):
        return False, "unit"
    if a.number and b.number and not (a.close and b.unit == Unit()):
        x, y = a.number, b.number
        if a.unit.powers and b.unit.powers and a.unit.factor != b.unit.factor:
            return x.value * a.unit.factor == y.value * b.unit.factor, None
        return x.equals(y, how.places), None
    return None


def _times(a: Quantity, b: Quantity) -> bool | None:
    """Whether two times of day are one; None where they are not both times."""
    x, y = clock(a.whole), clock(b.whole)
    if x and y:
        return x.is_same(y)
    one, other = (x, b) if x else (y, a)
    if one is None or other.number is None or other.percent or other.whole != other.text:
        return False if one and one.half else None
    hours = other.number.value  # "7" for 7 AM
    return hours.denominator == 1 and one.is_same(Clock(int(hours) * 3600 % 86400, hours > 12))


def _same_based(gold: str, answer: str, a: Based | None, b: Based | None) -> bool:
    """Digits and base are the same; the answer may leave the base out, the gold is then in base ten."""
    if a and b:
        return a == b
    if a:
        return plain_digits(answer.replace(",", "")) == a.digits
    return b is not None and b.base == 10 and plain_digits(gold.replace(",", "")) == b.digits


def _compared(a: Quantity, b: Quantity, how: How) -> tuple[bool, str | None]:
    """The comparison of formulas. Raises Unreadable where the gold cannot be read."""
    whole = (a.close and not b.unit.powers) or (b.close and not a.number)
    gold, answer = (_read(side, whole) for side in (a, b))
    texts = [_bare(side.whole if whole else side.text) for side in (a, b)]
    if texts[0] == texts[1] and a.unit.factor == b.unit.factor and not (a.number or b.number):
        return True, None
    if isinstance(gold, Unread):
        raise Unreadable(f"the answer of the record, {a.whole[:80]!r}, cannot be read: {gold}")
    if isinstance(answer, Unread):
        return False, "unread"
    if not _same_value(a, b, gold[0], answer[0]):
        return False, None
    if a.number and not how.arithmetic and answer[1]:
        return False, "unevaluated"
    return True, None


def _same_value(a: Quantity, b: Quantity, gold: Any, answer: Any) -> bool:
    """Whether two formulas are the same, with their units and percent signs."""
    from sympy import Expr, Rational

    from swr1.verifiers.mathematics.equal import rounds_to
    from swr1.verifiers.mathematics.same import same_or_not

    if isinstance(gold, Expr) and isinstance(answer, Expr):
        if a.unit.powers and b.unit.powers and a.unit.factor != b.unit.factor:
            gold, answer = (x * Rational(q.unit.factor) for x, q in ((gold, a), (answer, b)))
        for one, other, shown in ((gold, answer, b), (answer, gold, a)):
            if (
                shown.number
                and shown.number.decimals >= 6
                and rounds_to(one, other, shown.number.decimals)
            ):
                return True
        if a.percent != b.percent:
            hundredth = (gold / 100, answer) if a.percent else (gold, answer / 100)
            return same_or_not(gold, answer) or same_or_not(*hundredth)
    return same_or_not(gold, answer)


def _read(side: Quantity, whole: bool) -> tuple[Any, bool] | Unread:
    """The formula that an answer is; a plain number as its value."""
    if side.number is None or whole:
        return _parsed(side.whole if whole else side.text)
    from sympy import Rational

    return Rational(side.number.value), False


def _bare(text: str) -> str:
    """A text as its marks alone, without braces around one of them."""
    return re.sub(
        r"\{(\\?\w)\}", r"\1", " ".join(tokens(text)).replace("{ ", "{").replace(" }", "}")
    )


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Any, bool] | Unread:
    """What a cleaned text says and whether it is left to be worked out, or why it cannot be read."""
    from swr1.verifiers.mathematics.formula import read

    try:
        return read(text)
    except Unread as error:
        return error
