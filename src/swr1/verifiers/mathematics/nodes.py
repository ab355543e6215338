r"""What a formula says once it is read: lists, relations and definitions by cases around sympy's expressions.

Here stand the marks that the reader knows, and arithmetic that refuses what would not fit in memory.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sympy
from sympy import Symbol

from swr1.verifiers.mathematics.latex import Unread


class Seq(NamedTuple):
    """Several things in brackets: open and close are "(", "[", "{", "<" or "" for a bare list."""

    open: str
    items: tuple[Any, ...]
    close: str
    joined: str = ","  # "," or how a bare list is joined: "\lor", "\land"


class Rel(NamedTuple):
    """A chain of relations: sides[0] ops[0] sides[1] ops[1] ..."""

    ops: tuple[str, ...]
    sides: tuple[Any, ...]
    modulus: Any = None


class Builder(NamedTuple):
    """{ element | condition }."""

    element: Any
    condition: Any


class Cases(NamedTuple):
    """The rows of a definition by cases."""

    rows: tuple[tuple[Any, ...], ...]


class Words(NamedTuple):
    """Words in a definition by cases."""

    text: str


_BITS = 1 << 17  # of the largest number that is worked out
MOST = 40  # items of a list that are compared each with each

RELATIONS = {
    "=": "=", "<": "<", ">": ">", "\\lt": "<", "\\gt": ">", "\\le": "\\le", "\\leq": "\\le",
    "\\leqslant": "\\le", "\\ge": "\\ge", "\\geq": "\\ge", "\\geqslant": "\\ge", "\\ne": "\\ne",
    "\\neq": "\\ne", ":": ":", "\\colon": ":",
} | {
    op: op
    for op in r"""\in \notin \ni \subset \subseteq \supset \supseteq \equiv \approx \sim \simeq \cong \propto
    \parallel \perp \to \rightarrow \longrightarrow \mapsto \Rightarrow \implies \iff \Leftrightarrow
    \leftarrow \mid \nmid \oplus \otimes \ll \gg \prec \succ \ast \wedge \vee \bmod \mod \models \vdash""".split()
}  # fmt: skip
SETS = {"R": sympy.S.Reals, "Z": sympy.S.Integers, "N": sympy.S.Naturals, "Q": sympy.S.Rationals,
         "C": sympy.S.Complexes}  # fmt: skip
FUNCTIONS = {
    name: getattr(sympy, function)
    for name, function in {
        **{f: f for f in "sin cos tan cot sec csc sinh cosh tanh coth exp".split()},
        **{f"arc{f}": f"a{f}" for f in "sin cos tan cot sec csc sinh cosh tanh".split()},
        "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh", "ln": "log",
    }.items()
}  # fmt: skip
LOGS = {"log": 10, "lg": 10, "lb": 2}
OF_MANY = {"gcd": sympy.gcd, "lcm": sympy.lcm, "max": sympy.Max, "min": sympy.Min}
OPAQUE = frozenset(r"Re Im arg deg dim ker Pr sup inf det sgn rank tr trace varphi phi psi".split())
ACCENTS = frozenset(
    r"""overline vec bar hat tilde dot ddot overrightarrow overleftarrow widehat widetilde
    overset underset stackrel overbrace underbrace mathbb mathcal mathfrak mathscr""".split()
)
SHAPES = frozenset({"\\angle", "\\triangle", "\\odot", "\\square", "\\measuredangle"})
BIG = frozenset({"\\sum", "\\prod", "\\int", "\\iint", "\\oint", "\\lim", "\\bigcup", "\\bigcap"})
FENCES = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle", "\\lbrace": "\\rbrace"}
CLOSING = frozenset(
    {")", "]", "}", "\\}", "\\rangle", "\\rbrace", "\\rfloor", "\\rceil", "&", "\\\\"}
)
STOPS = frozenset({",", ";", "\\lor", "\\land", "+", "-", "*", "/", "\\cdot", "\\times", "\\div",
                    "\\cup", "\\cap", "\\setminus", "\\backslash", "\\pmod"})  # fmt: skip
CALLED = frozenset("fgFGOP")  # letters that are functions before a bracket


def expr(node: Any) -> Any:
    if isinstance(node, (sympy.Expr, sympy.MatrixBase)):
        if node.has(sympy.nan, sympy.zoo):
            raise Unread("not a number")
        return node
    raise Unread("a list or a relation where a number was expected")


def nonzero(node: Any) -> Any:
    if (value := expr(node)) == 0:
        raise Unread("a division by zero")
    return value


def power_of(base: Any, exponent: Any) -> Any:
    if base in SETS.values():
        return Symbol(f"{base}^{exponent}")
    base, exponent = expr(base), expr(exponent)
    if base.is_Rational and exponent.is_Rational:
        bits = max(abs(base.p).bit_length(), base.q.bit_length())
        if abs(base) != 1 and base != 0 and bits * abs(exponent) > _BITS:
            raise Unread("the power is too large")
        if base == 0 and exponent < 0:
            raise Unread("a division by zero")
    return base**exponent


def factorial_of(node: Any) -> Any:
    value = expr(node)
    if value.is_Rational and not (value.is_Integer and 0 <= value <= 5000):
        raise Unread("the factorial is too large")
    return sympy.factorial(value)


def binomial_of(top: Any, bottom: Any) -> Any:
    if top.is_Rational and bottom.is_Rational and max(abs(top), abs(bottom)) > 5000:
        raise Unread("the binomial is too large")
    return sympy.binomial(top, bottom)


def is_equation(node: Any) -> bool:
    return isinstance(node, Rel) and set(node.ops) <= {"=", "\\in"}


def matched(
    gold: Sequence[Any], answer: Sequence[Any], is_same: Callable[[Any, Any], bool]
) -> bool:
    """Whether the one is the other in some order; long lists are compared in order."""
    left = list(answer)
    if len(left) > MOST:
        return len(gold) == len(left) and all(
            is_same(a, b) for a, b in zip(gold, left, strict=True)
        )
    for item in gold:
        hit = next((k for k, other in enumerate(left) if is_same(item, other)), None)
        if hit is None:
            return False
        del left[hit]
    return not left
