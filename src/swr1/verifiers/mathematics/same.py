"""Whether two things that were read from formulas are the same: exactly, and as people mean it.

Numbers are compared with hundreds of digits, relative to their size, so 1/20! is not 2/20!. Expressions
with letters are compared at points where they are real; the letters stand for positive numbers, as
in contests. Equations may be multiplied through, sets are compared as sets, tuples in order.
"""

import random
from collections.abc import Sequence
from typing import Any

import mpmath
import sympy
from sympy import S

from swr1.verifiers.mathematics.equal import NoValue, equal, value_at
from swr1.verifiers.mathematics.nodes import (
    MOST,
    Builder,
    Cases,
    Rel,
    Seq,
    Words,
    is_equation,
    matched,
)
from swr1.verifiers.mathematics.sets import as_set, free, is_set, same_set

_SWAP = {
    ">": "<",
    "\\ge": "\\le",
    "\\supset": "\\subset",
    "\\supseteq": "\\subseteq",
    "\\gg": "\\ll",
}
_BOTH_WAYS = frozenset({"=", "\\ne", "\\equiv", "\\approx", "\\sim", "\\simeq", "\\cong", "\\parallel", "\\perp",
                        "\\iff", "\\Leftrightarrow", "\\cup", "\\cap", "\\oplus"})  # fmt: skip
_ORDER = frozenset({"<", "\\le"})


def same(gold: Any, answer: Any) -> bool:
    """Whether an answer is the gold. May take long on large expressions; has no side effects."""
    gold, answer = _plain(gold), _plain(answer)
    if type(gold) is type(answer) and gold == answer:
        return True
    gold, answer = _unwrapped(gold, answer)
    gold, answer = _quotient(gold, answer), _quotient(answer, gold)
    if isinstance(gold, sympy.MatrixBase) or isinstance(answer, sympy.MatrixBase):
        return _same_matrix(gold, answer)
    if isinstance(gold, sympy.Expr) and isinstance(answer, sympy.Expr):
        return equal(gold, answer)
    if isinstance(gold, Seq) and isinstance(answer, Seq) and _same_seq(gold, answer):
        return True
    if isinstance(gold, Rel) and isinstance(answer, Rel) and _same_rel(gold, answer):
        return True
    if isinstance(gold, Builder) and isinstance(answer, Builder) and _same_row(gold, answer):
        return True
    if isinstance(gold, Cases) and isinstance(answer, Cases):
        return len(gold.rows) == len(answer.rows) and matched(gold.rows, answer.rows, _same_row)
    if isinstance(gold, Words) or isinstance(answer, Words):
        return False
    if not (is_set(gold) or is_set(answer)) or _other_letter(gold, answer):
        return False
    a, b = as_set(gold), as_set(answer)
    return a is not None and b is not None and same_set(a, b)


def same_or_not(gold: Any, answer: Any) -> bool:
    """`same`, where what sympy cannot compare is not the same. Raises MemoryError, RecursionError."""
    try:
        return same(gold, answer)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # whatever sympy raises on two things that cannot be compared
        return False


def _other_letter(gold: Any, answer: Any) -> bool:
    """Whether two conditions are about different letters; {x | ...} is about none."""
    if isinstance(gold, Builder) or isinstance(answer, Builder):
        return False
    return bool(free(gold) and free(answer)) and free(gold) != free(answer)


def _same_row(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


def _plain(node: Any) -> Any:
    """A list of equal things is that thing; a set of one thing is that thing; conditions that say
    which letters are whole numbers are left out beside what they are about."""
    if isinstance(node, Rel) and node.ops == ("\\in",) and isinstance(node.sides[1], Seq):
        of = node.sides[1]
        one = of.open == "{" and len(of.items) == 1
        return Rel(("=",), (node.sides[0], of.items[0])) if one else node
    if isinstance(node, Rel) and node.ops == ("=",) and all(isinstance(x, Seq) for x in node.sides):
        left, right = node.sides  # (a, b) = (2, 3)
        if len(left.items) == len(right.items) and all(
            isinstance(x, sympy.Symbol) for x in left.items
        ):
            pairs = zip(left.items, right.items, strict=True)
            return Seq("", tuple(Rel(("=",), pair) for pair in pairs), "", "\\land")
    if not isinstance(node, Seq) or node.open not in ("", "{"):
        return node
    items = [_plain(item) for item in node.items[:MOST]] + list(node.items[MOST:])
    distinct: list[Any] = []
    for item in items:
        if len(distinct) > MOST or not any(_repeats(item, other) for other in distinct):
            distinct.append(item)
    if len(distinct) == 1 and not isinstance(distinct[0], Seq):
        return distinct[0]
    flat: list[Any] = []
    for item in distinct:  # a bare list in a list: the two signs of +-
        inner = isinstance(item, Seq) and item.open == "" and node.open == "{"
        flat.extend(item.items if inner else [item])
    return node._replace(items=tuple(flat))


def _repeats(item: Any, other: Any) -> bool:
    if type(item) is type(other) and item == other:
        return True
    both = isinstance(item, sympy.Expr) and isinstance(other, sympy.Expr)
    return both and item.is_number and other.is_number and equal(item, other)


def _is_declaration(node: Any) -> bool:
    """ "k in Z": which numbers a letter stands for."""
    return (
        isinstance(node, Rel)
        and node.ops == ("\\in",)
        and (isinstance(node.sides[1], sympy.Set) or "^" in str(node.sides[1]))
    )


def _without_declarations(node: Any) -> Any:
    if not isinstance(node, Seq) or node.open:
        return node
    others = tuple(item for item in node.items if not _is_declaration(item))
    if not others or len(others) == len(node.items):
        return node
    return others[0] if len(others) == 1 else node._replace(items=others)


def _unwrapped(gold: Any, answer: Any) -> tuple[Any, Any]:
    """Left sides and declarations that only one of the two has are left out."""
    declared = [isinstance(x, Seq) and any(map(_is_declaration, x.items)) for x in (gold, answer)]
    if declared[0] != declared[1]:
        gold, answer = _without_declarations(gold), _without_declarations(answer)
    if isinstance(answer, Rel) and not is_equation(gold) and (_names(answer) or _tells(answer)):
        answer = answer.sides[-1]
    elif is_equation(gold) and not isinstance(answer, (Rel, Cases)) and _names(gold):
        equations = isinstance(answer, Seq) and any(isinstance(x, Rel) for x in answer.items)
        gold = gold if equations else gold.sides[-1]
    return _plain(gold), _plain(answer)


def _quotient(node: Any, other: Any) -> Any:
    """A ratio of two, beside a number, as a number."""
    ratio = isinstance(node, Rel) and node.ops == (":",) and isinstance(other, sympy.Expr)
    if ratio and all(isinstance(side, sympy.Expr) for side in node.sides) and node.sides[1] != 0:
        return node.sides[0] / node.sides[1]
    return node


def _names(node: Rel) -> bool:
    """Whether a relation only gives a name to what stands on its right: x = 5, f(x) = 2x, x in S."""
    if not is_equation(node) or len(node.sides) < 2:
        return False
    left = node.sides[0]
    is_name = isinstance(left, (sympy.Symbol, sympy.core.function.AppliedUndef))
    right = node.sides[-1]
    if not is_name or (isinstance(right, sympy.Expr) and left in right.free_symbols):
        return False
    return all(same(side, right) for side in node.sides[1:-1])


def _tells(node: Rel) -> bool:
    """Whether an equation gives the value of something that is not worked out: x + y = 5."""
    if node.ops != ("=",) or not all(isinstance(side, sympy.Expr) for side in node.sides):
        return False
    return bool(node.sides[0].free_symbols) and bool(node.sides[1].is_number)


def _same_matrix(gold: Any, answer: Any) -> bool:
    def cells(node: Any) -> Any:
        if isinstance(node, sympy.MatrixBase):
            return node.shape, list(node)
        if isinstance(node, Seq) and node.open in "(<[" and node.open:
            return None, list(node.items)
        return None, None

    (shape, a), (other, b) = cells(gold), cells(answer)
    if a is None or b is None or len(a) != len(b):
        return False
    if shape and other and shape != other:
        return False
    one = shape or other
    return (shape == other or 1 in one) and all(same(x, y) for x, y in zip(a, b, strict=True))


def _same_seq(gold: Seq, answer: Seq) -> bool:
    if len(gold.items) != len(answer.items):
        return False
    listed = [seq.open in ("", "{") for seq in (gold, answer)]
    if all(listed):
        relations = any(isinstance(item, Rel) and not is_equation(item) for item in gold.items)
        if relations and {gold.joined, answer.joined} == {"\\lor", "\\land"}:
            return False
        return matched(gold.items, answer.items, same)
    if any(listed):  # "1, 2" for (1, 2), but not {1, 2}
        bare, other = (gold, answer) if listed[0] else (answer, gold)
        if bare.open or bare.joined == "\\lor" or other.open == "[":
            return False
    elif (gold.open, gold.close) != (answer.open, answer.close) and "<" not in (
        gold.open + answer.open
    ):
        return False
    return all(same(a, b) for a, b in zip(gold.items, answer.items, strict=True))


def _same_rel(gold: Rel, answer: Rel) -> bool:
    gold, answer = _directed(gold), _directed(answer)
    moduli = [rel.modulus for rel in (gold, answer) if rel.modulus is not None]
    if gold.ops != answer.ops or len(moduli) == 1 or (moduli and not same(*moduli)):
        return False
    if set(gold.ops) == {":"}:
        return _proportional(gold.sides, answer.sides)
    pairs = list(zip(gold.sides, answer.sides, strict=True))
    if all(same(a, b) for a, b in pairs):
        return True
    if len(gold.ops) > 1 and set(gold.ops) <= _BOTH_WAYS and len(set(gold.ops)) == 1:
        return False if gold.ops[0] == "=" else matched(gold.sides, answer.sides, same)
    if len(gold.ops) != 1 or gold.modulus is not None:
        return False
    op = gold.ops[0]
    if (
        op in _BOTH_WAYS
        and same(gold.sides[0], answer.sides[1])
        and same(gold.sides[1], answer.sides[0])
    ):
        return True
    if op in ("=", "\\ne", *_ORDER) and all(
        isinstance(x, sympy.Expr) for x in gold.sides + answer.sides
    ):
        return _multiple(gold, answer, positive=op in _ORDER)
    return False


def _directed(rel: Rel) -> Rel:
    """Written with < and not with >."""
    if all(op in _SWAP for op in rel.ops):
        return rel._replace(ops=tuple(_SWAP[op] for op in reversed(rel.ops)), sides=rel.sides[::-1])
    return rel


def _proportional(gold: Sequence[Any], answer: Sequence[Any]) -> bool:
    """Whether two ratios are one."""
    if not all(isinstance(x, sympy.Expr) for x in (*gold, *answer)):
        return False
    return all(equal(gold[0] * b, answer[0] * a) for a, b in zip(gold[1:], answer[1:], strict=True))


def _multiple(gold: Rel, answer: Rel, positive: bool) -> bool:
    """Whether one equation or inequality is a multiple of the other by a number."""
    a, b = gold.sides[0] - gold.sides[1], answer.sides[0] - answer.sides[1]
    if a.is_number or b.is_number or a.free_symbols != b.free_symbols:
        return False
    if _names(gold) and gold.sides[1].is_number and not _names(answer):
        return False  # x = 2 is not answered by 2x = 4
    random_ = random.Random(str(sorted(map(str, a.free_symbols))))
    point = {s: sympy.Rational(random_.randint(11, 997), 101) for s in a.free_symbols}
    x, y = a.subs(point), b.subs(point)
    if (
        x.has(sympy.nan, sympy.zoo, sympy.oo)
        or y.has(sympy.nan, sympy.zoo, sympy.oo)
        or equal(x, S.Zero)
    ):
        return False
    try:
        sign = mpmath.re(value_at(x, {}, True)) * mpmath.re(value_at(y, {}, True))
    except NoValue:
        return False
    return (not positive or sign > 0) and equal(a * y, b * x)
