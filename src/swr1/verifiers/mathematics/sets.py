"""Sets of real numbers that answers say: intervals, unions, inequalities, {x | ...}."""

from typing import Any

import sympy
from sympy import S

from swr1.verifiers.mathematics.equal import equal
from swr1.verifiers.mathematics.nodes import Builder, Rel, Seq, is_equation, matched

_SOLVED = 8  # the highest degree of a polynomial inequality that is solved


def is_set(node: Any) -> bool:
    """Whether something can only be meant as a set of numbers: an inequality, a union, [1, 2), (0, oo)."""
    if isinstance(node, Seq):
        bounds = node.open in ("(", "[") and len(node.items) == 2
        half = bounds and {"(": ")", "[": "]"}[node.open] != node.close
        endless = bounds and any(isinstance(x, sympy.Expr) and x.is_infinite for x in node.items)
        return half or endless or (not node.open and any(map(is_set, node.items)))
    return isinstance(node, (sympy.Set, Builder)) or (
        isinstance(node, Rel) and not set(node.ops) <= {"=", ":"}
    )


def as_set(node: Any) -> sympy.Set | None:
    """The set of real numbers that an answer says, or None."""
    try:
        return _as_set(node)
    except Exception:  # whatever sympy raises on bounds that it cannot compare
        return None


def _as_set(node: Any) -> sympy.Set | None:
    if isinstance(node, sympy.Set):
        return node
    if isinstance(node, sympy.Expr):
        return sympy.FiniteSet(node) if node.is_number else None
    if isinstance(node, Builder):
        return _condition(node)
    if isinstance(node, Rel):
        if node.ops[0] in _JOINS:
            a, b = _as_set(node.sides[0]), _as_set(node.sides[1])
            if a is None or b is None:
                return None
            return _JOINS[node.ops[0]](a, b)
        if node.ops == ("\\in",) and isinstance(node.sides[0], sympy.Symbol):
            return _as_set(node.sides[1])
        if node.ops == ("\\notin",) and isinstance(node.sides[0], sympy.Symbol):
            inner = _as_set(node.sides[1])
            return None if inner is None else sympy.Complement(S.Reals, inner)
        return _solutions(node)
    if not isinstance(node, Seq):
        return None
    if node.open in ("(", "[") and node.close in (")", "]"):
        numbers = all(isinstance(x, sympy.Expr) and x.is_number for x in node.items)
        if len(node.items) != 2 or not numbers or node.items[0] >= node.items[1]:
            return None
        return sympy.Interval(*node.items, node.open == "(", node.close == ")")
    parts = [_as_set(item) for item in node.items]
    if any(part is None for part in parts):
        return None
    if node.open == "{":
        return (
            sympy.FiniteSet(*node.items)
            if all(isinstance(x, sympy.Expr) for x in node.items)
            else None
        )
    if not any(isinstance(item, Rel) for item in node.items):
        return sympy.Union(*parts)
    if len({name for item in node.items for name in free(item)}) != 1:
        return None
    both = sympy.Intersection(*parts)
    if node.joined == "\\land":
        return both
    equations = all(is_equation(item) for item in node.items)
    return (
        sympy.Union(*parts) if node.joined == "\\lor" or equations or both is S.EmptySet else both
    )


_MAKES = {"<": sympy.StrictLessThan, ">": sympy.StrictGreaterThan, "\\le": sympy.LessThan,
          "\\ge": sympy.GreaterThan, "=": sympy.Eq, "\\ne": sympy.Ne}  # fmt: skip
_JOINS = {"\\cup": sympy.Union, "\\cap": sympy.Intersection, "\\setminus": sympy.Complement}


def free(node: Any) -> set[str]:
    """The letters that stand in something."""
    if isinstance(node, (Rel, Seq)):
        return set().union(*map(free, node.sides if isinstance(node, Rel) else node.items))
    return {str(s) for s in node.free_symbols} if isinstance(node, sympy.Basic) else set()


def _condition(node: Builder) -> sympy.Set | None:
    domain: sympy.Set = S.Reals
    variable = node.element
    if isinstance(variable, Rel) and variable.ops == ("\\in",):
        inner = _as_set(variable.sides[1])
        if inner is None:
            return None
        domain, variable = inner, variable.sides[0]
    items = node.condition.items if isinstance(node.condition, Seq) else (node.condition,)
    if not isinstance(variable, sympy.Symbol) or any(free(x) - {str(variable)} for x in items):
        return None
    holds = _as_set(node.condition)
    return None if holds is None else sympy.Intersection(domain, holds)


def _solutions(rel: Rel) -> sympy.Set | None:
    """The real numbers for which a chain of relations in one letter holds."""
    if not all(isinstance(side, sympy.Expr) for side in rel.sides):
        return None
    symbols = set().union(*(side.free_symbols for side in rel.sides))
    if len(symbols) != 1 or not set(rel.ops) <= _MAKES.keys():
        return None
    x = sympy.Symbol("x", real=True)
    sides = [side.xreplace(dict.fromkeys(symbols, x)) for side in rel.sides]
    parts = []
    for op, a, b in zip(rel.ops, sides, sides[1:], strict=False):
        made = _MAKES[op](a, b)
        if made in (S.true, S.false):
            parts.append(S.Reals if made is S.true else S.EmptySet)
        elif _linear(a, x) and _linear(b, x):
            parts.append(made.as_set())
        elif _degree(a - b, x) > _SOLVED:
            return None
        else:
            parts.append(sympy.solveset(made, x, S.Reals))
    return sympy.Intersection(*parts)


def _degree(side: Any, x: Any) -> int:
    """The degree of a polynomial; 0 for anything else."""
    return int(sympy.degree(side, x)) if side.is_polynomial(x) else 0


def _linear(side: Any, x: Any) -> bool:
    return side.is_number or side == x


def same_set(a: sympy.Set, b: sympy.Set) -> bool:
    if a == b:
        return True
    first, second = _pieces(a), _pieces(b)
    if first is not None and second is not None:
        return len(first) == len(second) and matched(first, second, _same_piece)
    try:
        return a.symmetric_difference(b) is S.EmptySet
    except Exception:
        return False


def _pieces(whole: sympy.Set) -> list[Any] | None:
    """Intervals and single numbers that make up a set."""
    pieces: list[Any] = []
    for part in whole.args if isinstance(whole, sympy.Union) else (whole,):
        if isinstance(part, sympy.FiniteSet):
            pieces.extend(part.args)
        elif isinstance(part, sympy.Interval):
            pieces.append(part)
        else:
            return None
    return pieces


def _same_piece(a: Any, b: Any) -> bool:
    if isinstance(a, sympy.Interval) != isinstance(b, sympy.Interval):
        return False
    if not isinstance(a, sympy.Interval):
        return equal(a, b)
    opens = (a.left_open, a.right_open) == (b.left_open, b.right_open)
    return opens and equal(a.start, b.start) and equal(a.end, b.end)
