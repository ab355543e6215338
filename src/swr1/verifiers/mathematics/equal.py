"""Whether two expressions have one value: exactly, however small or near.

Numbers are compared with hundreds of digits, relative to their size, so 1/20! is not 2/20!. Expressions
with letters are compared at points where they are real; letters stand for positive numbers, as in
contests. Values are worked out by mpmath over a table of functions: nothing of an answer is ever run.
"""

import random
from collections.abc import Iterator
from typing import Any

import mpmath
import sympy
from mpmath import mp
from sympy import S

_COARSE, _FINE = 60, 400  # decimal digits: what is zero shrinks from one to the other
_SPARE = 100  # of the fine digits, for what is lost on the way
_MOST_DIGITS = 5000
_SHRUNK = mpmath.mpf(10) ** -200
_POINTS, _STEPS = 4, 40  # that both sides must agree on; where they go in steps

_SIGNED = (sympy.Abs, sympy.Max, sympy.Min)
_WHOLE = frozenset("nmkijNMK")  # letters that stand for whole numbers in floors and ceilings


class NoValue(Exception):
    """An expression without a value at a point."""


def equal(a: sympy.Expr, b: sympy.Expr) -> bool:
    """Whether two expressions have the same value, wherever both have a real one."""
    if a == b:
        return True
    if (a.is_Rational and b.is_Rational) or a.has(sympy.oo) or b.has(sympy.oo):
        return False
    a, b = _opaque(a), _opaque(b)
    if a == b:
        return True
    names = sorted(a.free_symbols | b.free_symbols, key=str)
    if a.free_symbols != b.free_symbols and (lowered := _lowered(a, b)):
        return equal(*lowered)
    is_complex = a.has(sympy.I) or b.has(sympy.I) or not names
    steps = a.has(sympy.floor, sympy.ceiling) or b.has(sympy.floor, sympy.ceiling)
    needed = (_STEPS if steps else _POINTS) if names else 1
    agreed = 0
    for point in _points(
        names, steps, signed=any(x.has(*_SIGNED) for x in (a, b)), most=4 * needed
    ):
        try:
            if not _agree(a, b, point, is_complex):
                return False
            agreed += 1
        except NoValue:
            continue
        if agreed == needed:
            return True
    return bool(agreed)


def rounds_to(value: sympy.Expr, decimal: sympy.Expr, places: int) -> bool:
    """Whether a number that is no fraction, rounded to so many places, is a decimal of five digits or more.

    Of the digits of a decimal 15 count: the sixteenth and later ones are a floating-point number's.
    """
    if not (value.is_number and decimal.is_Rational) or value.is_Rational or value.has(sympy.oo):
        return False
    try:
        with mp.workdps(places + 30):
            size = max(
                1, 1 + int(mpmath.floor(mpmath.log10(abs(value_at(decimal, {}, True)) or 1)))
            )
            places = max(min(places, 15 - size), 0) if size <= 15 else places
            gap = abs(value_at(value, {}, True) - value_at(decimal, {}, True))
            return bool(2 * gap <= mpmath.mpf(10) ** -places) and abs(decimal) * 10**places >= 10**4
    except NoValue:
        return False


def _opaque(expression: sympy.Expr) -> sympy.Expr:
    """The expression with unknown functions as symbols."""
    unknown = expression.atoms(sympy.core.function.AppliedUndef)
    return (
        expression.xreplace({f: sympy.Symbol(str(f)) for f in unknown}) if unknown else expression
    )


def _lowered(a: sympy.Expr, b: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr] | None:
    """Both with small letters, where that makes their letters the same and unites no two: C is c."""
    both = []
    for names in (a.free_symbols, b.free_symbols):
        small = {s: sympy.Symbol(s.name.lower()) for s in names}
        if len(set(small.values())) < len(small):
            return None
        both.append(small)
    if set(both[0].values()) != set(both[1].values()):
        return None
    return a.xreplace(both[0]), b.xreplace(both[1])


def _points(names: list[Any], steps: bool, signed: bool, most: int) -> Iterator[dict[Any, Any]]:
    """The points to compare at: positive numbers, small and large; whole ones for n, m, k where a side goes in
    steps, negative ones too where a side asks for signs."""
    if not names:
        yield {}
        return
    dice = random.Random("points")
    for attempt in range(most):
        point = {}
        for name in names:
            value = mpmath.mpf(dice.randint(1, 10**6)) / (10**6 if attempt % 3 == 1 else 10**5 + 3)
            if steps and str(name) in _WHOLE:
                value = mpmath.mpf(dice.randint(1, 60))
            point[name] = -value if signed and dice.random() < 0.5 else value
        yield point


def _agree(a: Any, b: Any, point: dict[Any, Any], is_complex: bool) -> bool:
    """Whether two expressions have one value at a point. Raises NoValue where one has none."""
    numbers = a.atoms(sympy.Rational) | b.atoms(sympy.Rational)
    bits = max((max(abs(n.p).bit_length(), n.q.bit_length()) for n in numbers), default=0)
    fine_digits = _FINE + min(bits // 3, _MOST_DIGITS)
    gaps = []
    for digits in (_COARSE, fine_digits):
        with mp.workdps(digits):
            x, y = value_at(a, point, is_complex), value_at(b, point, is_complex)
            gaps.append((abs(x - y), max(abs(x), abs(y))))
    (coarse, _), (fine, size) = gaps
    zero = mpmath.mpf(10) ** (_SPARE - fine_digits)
    return bool(fine <= zero * size or (coarse != 0 and fine <= _SHRUNK * coarse))


_FUNCTIONS = {
    sympy.exp: "exp", sympy.log: "log", sympy.sin: "sin", sympy.cos: "cos", sympy.tan: "tan", sympy.cot: "cot",
    sympy.sec: "sec", sympy.csc: "csc", sympy.sinh: "sinh", sympy.cosh: "cosh", sympy.tanh: "tanh",
    sympy.coth: "coth", sympy.asin: "asin", sympy.acos: "acos", sympy.atan: "atan", sympy.acot: "acot",
    sympy.asec: "asec", sympy.acsc: "acsc", sympy.asinh: "asinh", sympy.acosh: "acosh", sympy.atanh: "atanh",
    sympy.Abs: "fabs", sympy.floor: "floor", sympy.ceiling: "ceil", sympy.factorial: "factorial",
    sympy.binomial: "binomial", sympy.gamma: "gamma", sympy.re: "re", sympy.im: "im", sympy.conjugate: "conj",
}  # fmt: skip


def value_at(node: Any, point: dict[Any, Any], is_complex: bool) -> Any:
    """The value of an expression at mpmath's precision; nothing but arithmetic is ever run."""
    if node.is_Integer:
        return mpmath.mpf(int(node))
    if node.is_Rational:
        return mpmath.mpf(int(node.p)) / int(node.q)
    if node in point:
        return point[node]
    if node is S.Pi or node is S.Exp1:
        return +(mp.pi if node is S.Pi else mp.e)
    if node is S.ImaginaryUnit:
        return mpmath.mpc(0, 1)
    args = [value_at(arg, point, is_complex) for arg in node.args]
    try:
        if node.is_Add:
            value = mpmath.fsum(args)
        elif node.is_Mul:
            value = mpmath.fprod(args)
        elif node.is_Pow:
            value = mpmath.power(*args)
        elif isinstance(node, (sympy.Max, sympy.Min)):
            value = (max if isinstance(node, sympy.Max) else min)(args)
        elif node.func in _FUNCTIONS:
            value = getattr(mpmath, _FUNCTIONS[node.func])(*args)
        else:
            raise NoValue(str(node.func))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise NoValue(str(error)) from None
    if mpmath.isnan(value) or mpmath.isinf(value):
        raise NoValue("infinite")
    if isinstance(value, mpmath.mpc) and not is_complex:
        if value.imag != 0:
            raise NoValue("not real")
        value = value.real
    return value
