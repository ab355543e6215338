"""Arithmetic, exact: `<calculator>(3 + 4) * 2 / 7</calculator>`.

+ - * / // % ** and brackets, on whole numbers and decimals. Fractions stay exact, and a decimal is
shown where the fraction is none of few digits.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from fractions import Fraction

LONGEST = 200  # characters
DIGITS = 60  # of a result, and so of everything on the way to it
_BINARY: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: operator.mod,
}
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**"})


def tool(query: str) -> str:
    """The value of an expression. Raises ValueError for what is none, or too large."""
    text = query.strip().removesuffix("=").translate(_SIGNS).replace("^", "**")
    if len(text) > LONGEST:
        raise ValueError(f"an expression has at most {LONGEST} characters")
    try:
        tree = ast.parse(text.replace(",", ""), mode="eval")
        return _shown(_value(tree.body))
    except ZeroDivisionError:
        raise ValueError("division by zero") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("no expression of numbers, + - * / // % ** and brackets") from None


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _bounded(Fraction(str(node.value)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            return _power(left, right)
        if act := _BINARY.get(type(node.op)):
            return _bounded(act(left, right))
    raise ValueError("no expression of numbers, + - * / // % ** and brackets")


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > 1000:
        raise ValueError("an exponent is a whole number, at most 1000")
    size = max(len(str(base.numerator)), len(str(base.denominator)))
    if size * abs(exponent) > 4 * DIGITS and abs(base) not in (0, 1):
        raise ValueError(f"the result has more than {DIGITS} digits")
    return _bounded(base ** int(exponent))


def _bounded(value: Fraction) -> Fraction:
    if max(abs(value.numerator), value.denominator) >= 10**DIGITS:
        raise ValueError(f"the result has more than {DIGITS} digits")
    return value


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    decimal = f"{float(value):.10g}"
    return decimal if Fraction(decimal) == value else f"{value} = about {decimal}"
