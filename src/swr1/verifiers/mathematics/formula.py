r"""A mathematical answer in LaTeX, read as a whole or not at all, into sympy's numbers and expressions.

The reader takes no part of a text for the answer: what it cannot read to the end is `Unread`. Decimals
are exact fractions. A command that it does not know is a symbol of its own, so `\star 4` is not 4.
Letters: `i` is the imaginary unit and `e` Euler's number; capitals side by side (ABC) are one name,
in order; small ones are a product. Integrals, sums and limits are not worked out.

Powers and factorials that would not fit in memory are refused, so reading is bounded.
"""

import re
from typing import Any

import sympy
from sympy import I, Integer, Rational, Symbol, oo

from swr1.verifiers.mathematics.latex import Unread, tokens
from swr1.verifiers.mathematics.nodes import (
    ACCENTS,
    BIG,
    CALLED,
    CLOSING,
    FENCES,
    FUNCTIONS,
    LOGS,
    OF_MANY,
    OPAQUE,
    RELATIONS,
    SETS,
    SHAPES,
    STOPS,
    Builder,
    Cases,
    Rel,
    Seq,
    Words,
    binomial_of,
    expr,
    factorial_of,
    nonzero,
    power_of,
)

_BOTH_SIGNS = re.compile(r"\\(?:pm|mp)(?![A-Za-z])")
_AND_OR = re.compile(
    r"\\text\s*\{\s*,?\s*(?:and|or)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|\\text\s*\{\s*[和或与及且]\s*\}|[和或与及且]"
)
_TO = re.compile(r"^([\d.]+)\s*(?:to|\\text\s*\{\s*to\s*\}|比)\s*([\d.]+)$")
_DEPTH = 60  # brackets in brackets


def read(text: str) -> tuple[Any, bool]:
    r"""What a cleaned answer says, and whether it leaves a sum or a product of numbers to be worked out.

    An expression or a matrix of sympy, or Seq, Rel, Builder, Cases. `\pm` stands for both signs.
    Raises Unread.
    """
    # "and", "or" and "to" between things as signs
    text = _AND_OR.sub(lambda m: " \\lor " if "or" in m[0] or "或" in m[0] else " \\land ", text)
    text = _TO.sub(r"\1:\2", text)
    try:
        if _BOTH_SIGNS.search(text):
            signs = {"\\pm": "+-", "\\mp": "-+"}
            both = [_whole(_BOTH_SIGNS.sub(lambda m: signs[m[0]][k], text)) for k in (0, 1)]  # noqa: B023
            items: list[Any] = []
            for node, _ in both:
                items.extend(node.items if isinstance(node, Seq) and not node.open else [node])
            return Seq("", tuple(items), ""), any(flag for _, flag in both)
        return _whole(text)
    except Unread:
        raise
    except (RecursionError, MemoryError):
        raise Unread("too large") from None
    except Exception as error:  # what sympy refuses: a matrix with rows of different lengths, ...
        raise Unread(str(error)) from None


def _whole(text: str) -> tuple[Any, bool]:
    reader = _Reader(tokens(text))
    node = reader.listing()
    if reader.peek() is not None:
        raise Unread(f"something before {reader.peek()!r} is missing")
    return node, reader.arithmetic


class _Reader:
    """Recursive descent over tokens."""

    def __init__(self, marks: list[str]) -> None:
        self.marks, self.at, self.depth = marks, 0, 0
        self.arithmetic = False
        self.bar = False  # inside |...| or before the bar of a set: the next bar ends it
        self.colon = False  # inside a set: a colon ends its element

    def peek(self) -> str | None:
        return self.marks[self.at] if self.at < len(self.marks) else None

    def take(self, *expected: str) -> str:
        mark = self.peek()
        if mark is None or (expected and mark not in expected):
            raise Unread(f"expected {' or '.join(expected) or 'more'}, found {mark!r}")
        self.at += 1
        return mark

    # Lists and relations

    def listing(self, open_: str = "", close: tuple[str, ...] = ()) -> Any:
        """Items up to a closing bracket, which is taken, or the end."""
        self.depth += 1
        if self.depth > _DEPTH:
            raise Unread("too many brackets")
        items: list[Any] = []
        joined = ","
        while self.peek() not in (None, *close, "\\\\", "&") or not items:
            if not items and self.peek() in close:
                break
            items.append(self.relation())
            if self.peek() not in (",", ";", "\\lor", "\\land"):
                break
            mark = self.take()
            joined = mark if mark[0] == "\\" else joined
            while self.peek() in (",", "\\lor", "\\land"):  # ", and"
                mark = self.take()
                joined = mark if mark[0] == "\\" else joined
        self.depth -= 1
        ended = self.take(*close) if close else ""
        if len(items) == 1 and (not open_ or (open_, ended) in (("(", ")"), ("[", "]"))):
            return items[0]
        return Seq(open_, tuple(items), ended if open_ else "", joined)

    def relation(self) -> Any:
        if self.peek() == "\\not":
            raise Unread("a denial of nothing")
        sides, ops, modulus = [self.union()], [], None
        while (mark := self.peek()) in RELATIONS or mark == "\\not":
            if (mark == ":" and self.colon) or (mark == "\\mid" and self.bar):
                break
            negated = mark == "\\not" and bool(self.take())
            op = RELATIONS.get(self.take())
            if op is None or (negated and op not in ("=", "\\in")):
                raise Unread("an unknown relation")
            ops.append({"=": "\\ne", "\\in": "\\notin"}[op] if negated else op)
            sides.append(self.union())
        if self.peek() in ("\\pmod", "(") and "\\equiv" in ops:
            if self.take() == "(":
                self.take("\\mod", "\\bmod")
                modulus = self.sum()
                self.take(")")
            else:
                modulus = self.argument()
        return Rel(tuple(ops), tuple(sides), modulus) if ops else sides[0]

    def union(self) -> Any:
        node = self.sum()
        while self.peek() in ("\\cup", "\\cap", "\\setminus", "\\backslash"):
            op = self.take().replace("backslash", "setminus")
            node = Rel((op,), (node, self.sum()))
        return node

    # Expressions

    def sum(self) -> Any:
        node = self.product()
        while self.peek() in ("+", "-"):
            sign, other = self.take(), self.product()
            self.arithmetic = True
            node = expr(node) + (expr(other) if sign == "+" else -expr(other))
        return node

    def product(self) -> Any:
        sign = 1
        while self.peek() in ("+", "-"):
            sign *= 1 if self.take() == "+" else -1
        node = self.implicit()
        while (mark := self.peek()) in ("*", "/", "\\cdot", "\\times", "\\div"):
            self.take()
            other = self.signed()
            if mark in ("/", "\\div"):
                node = expr(node) / nonzero(other)
            else:
                self._note(node, other)
                node = expr(node) * expr(other)
        return node if sign == 1 else -expr(node)

    def signed(self) -> Any:
        if self.peek() in ("+", "-"):
            return self.implicit() if self.take() == "+" else -expr(self.implicit())
        return self.implicit()

    def implicit(self, stop_at_function: bool = False) -> Any:
        """Factors without a sign between them."""
        number = self.is_number()
        node = self.factor()
        while self.starts_factor() and not (stop_at_function and self.is_function()):
            if self.is_number():
                if number:
                    raise Unread("two numbers side by side")
                number = True
            mixed = number and self.peek() == "\\frac"
            other = self.factor()
            if isinstance(node, Symbol) and isinstance(other, Seq) and other.open == "(":
                node = sympy.Function(str(node))(*map(expr, other.items))
            elif mixed and node.is_Integer and other.is_Rational and 0 < other < 1:
                node = node + other
            else:
                self._note(node, other)
                node = expr(node) * expr(other)
            number = False
        return node

    def _note(self, left: Any, right: Any) -> None:
        """A product of two numbers is arithmetic, unless one is a power of ten or a root."""
        a, b = (isinstance(x, sympy.Expr) and x.is_Rational and x != 1 for x in (left, right))
        ten = isinstance(right, sympy.Rational) and bool(
            re.fullmatch(r"(?:1/)?10+", str(right)[:400])
        )
        both = all(isinstance(x, sympy.Expr) and x.is_number for x in (left, right))
        if (a and b and not ten) or (both and not (a and b) and (left * right).is_Rational):
            self.arithmetic = True

    def is_number(self) -> bool:
        mark = self.peek()
        return mark is not None and (mark[0].isdigit() or (mark[0] == "." and len(mark) > 1))

    def is_function(self) -> bool:
        mark = self.peek() or ""
        return mark[:1] == "\\" and (mark[1:] in FUNCTIONS or mark[1:] in LOGS or mark in BIG)

    def starts_factor(self) -> bool:
        mark = self.peek()
        if (
            mark is None
            or mark in RELATIONS
            or mark in CLOSING
            or mark in STOPS
            or mark == "\\not"
            or mark.startswith("\\end")
        ):
            return False
        if mark in ("|", "\\|"):
            return not self.bar
        return mark not in ("^", "_", "!", "'", "%", "\\%")

    def factor(self) -> Any:
        node, raised = self.base(), False
        while (mark := self.peek()) in ("^", "!", "%", "\\%"):
            self.take()
            if mark == "!":
                node = factorial_of(node)
            elif mark != "^":
                node = expr(node) / 100
            elif self.peek() == "\\circ":
                self.take()
                node = expr(node) * sympy.pi / 180
            elif raised:
                raise Unread("a power of a power without braces")
            else:
                node, raised = power_of(node, self.exponent()), True
        return node

    def exponent(self) -> Any:
        """What stands after ^: a group, or a number or letter with its sign."""
        if self.peek() in ("+", "-"):
            return self.exponent() if self.take() == "+" else -expr(self.exponent())
        if self.is_number():
            return Rational(self.take())
        if self.peek() == "(":
            return self.base()
        return self.argument()

    def argument(self) -> Any:
        """What LaTeX gives a command: a group in braces, a digit, a letter, or a command."""
        mark = self.peek()
        if mark == "{":
            self.take()
            bar, self.bar = self.bar, False
            node = self.listing("", ("}",))
            self.bar = bar
            return node
        if mark is not None and (mark.isdigit() or mark.isalpha()) and len(mark) > 1:
            self.marks[self.at : self.at + 1] = [mark[0], mark[1:]]
        return self.base()

    def raw(self) -> str:
        """The marks of a subscript, as text."""
        if self.peek() != "{":
            return self.take()
        marks: list[str] = []
        depth = 0
        while True:
            mark = self.take()
            depth += (mark == "{") - (mark == "}")
            if not depth:
                return re.sub(r"^\\(?:text|mathrm)\{(.*)\}$", r"\1", "".join(marks[1:]))
            marks.append(mark)

    def base(self) -> Any:
        mark = self.take()
        if mark[0].isdigit() or (mark[0] == "." and len(mark) > 1):
            return Rational(mark) if self.peek() != "_" else self.named(mark)
        if mark.isalpha():
            return self.letters(mark)
        if mark in FENCES:
            return self.bracket(mark)
        if mark in ("|", "\\|"):
            bar, self.bar = self.bar, True
            inner = self.sum()
            self.take(mark)
            self.bar = bar
            if mark == "|" and isinstance(inner, sympy.MatrixBase):
                return inner.det()
            return (sympy.Abs if mark == "|" else sympy.Function("norm"))(expr(inner))
        if mark == "{":
            node = self.listing("", ("}",))
            return self.named("{}") if isinstance(node, Seq) and not node.items else node
        if mark in ("\\lfloor", "\\lceil"):
            inner = expr(self.sum())
            self.take("\\rfloor" if mark == "\\lfloor" else "\\rceil")
            return (sympy.floor if mark == "\\lfloor" else sympy.ceiling)(inner)
        if mark[0] == "\\" and len(mark) > 1:
            return self.command(mark)
        raise Unread(f"{mark!r} was not expected")

    def bracket(self, mark: str) -> Any:
        bar, colon = self.bar, self.colon
        if mark not in ("\\{", "\\lbrace"):
            self.bar = self.colon = False
            ends = (")", "]") if mark in "([" else (FENCES[mark],)
            node = self.listing({"\\langle": "<"}.get(mark, mark), ends)
        else:
            self.bar = self.colon = True
            begun = self.at
            node = None if self.peek() in ("\\}", "\\rbrace") else self.relation()
            if self.peek() in ("\\mid", "|", ":"):
                self.take()
                self.bar = self.colon = False
                node = Builder(node, self.listing("", ("\\}", "\\rbrace")))
            else:
                self.at, self.bar, self.colon = begun, False, False
                node = self.listing("{", ("\\}", "\\rbrace"))
        self.bar, self.colon = bar, colon
        return node

    def letters(self, run: str) -> Any:
        """A run of letters: a function's name, a name in capitals, or a product of variables."""
        if run in FUNCTIONS or run in LOGS or run in OF_MANY or run == "sqrt":
            return self.command("\\" + run)
        if len(run) > 3 or (len(run) > 1 and run.isupper()) or re.fullmatch("d[a-z]", run):
            return self.named(run)
        first, rest = run[0], run[1:]
        if rest:
            self.marks.insert(self.at, rest)
        if not rest and self.peek() == "(" and first in CALLED:
            return self.applied(first)
        return self.named(first)

    def applied(self, name: str) -> Any:
        """An unknown function of what stands in the bracket."""
        self.take("(")
        node = self.bracket("(")
        items = node.items if isinstance(node, Seq) else (node,)
        return sympy.Function(name)(*[expr(item) for item in items])

    def named(self, name: str) -> Any:
        """A symbol with its subscript and primes; e and i are numbers."""
        plain = True
        while self.peek() in ("_", "'", "\\prime"):
            plain = False
            name += "_" + self.raw() if self.take() == "_" else "'"
        if plain and name in ("e", "i"):
            return sympy.E if name == "e" else I
        if self.peek() == "(" and not plain and "'" in name:
            return self.applied(name)
        return Symbol(name)

    def command(self, mark: str) -> Any:
        name = mark[1:]
        if name in ("frac", "binom", "tbinom", "dbinom"):
            top, bottom = self.argument(), self.argument()
            if name == "frac":
                return expr(top) / nonzero(bottom)
            return binomial_of(expr(top), expr(bottom))
        if name == "sqrt":
            return self.root()
        if name in FUNCTIONS or name in LOGS:
            return self.function(name)
        if name in OF_MANY:
            node = self.base()
            items = node.items if isinstance(node, Seq) else (node,)
            self.arithmetic = True
            return OF_MANY[name](*[expr(item) for item in items])
        if name.startswith("begin"):
            return self.environment(name[5:].strip("{} "))
        if name in ("pi", "infty"):
            return sympy.pi if name == "pi" else oo
        if name in ("emptyset", "varnothing"):
            return sympy.S.EmptySet
        if (
            match := re.fullmatch(r"mathbb\s*\{([RZNQC])\}|([RZNQC])", name)
        ) and self.peek() not in ("^", "_"):
            return SETS[match[1] or match[2]]
        if name in ("ldots", "dots", "cdots", "dotsc", "dotsb", "vdots"):
            return Symbol("...")
        if mark in BIG:
            return self.big(name)
        if mark in SHAPES:
            return self.named(name + " " + (self.take() if (self.peek() or "").isalpha() else ""))
        if name in ACCENTS:
            first = name + "{" + self.raw() + "}"
            return self.named(
                first + (self.raw() if name in ("overset", "underset", "stackrel") else "")
            )
        if name in OPAQUE and self.peek() == "(":
            return self.applied(name)
        if single := re.fullmatch(r"(?:text|mathrm)\s*\{\s*([A-Za-z])\s*\}", name):
            return self.letters(single[1])
        if re.match(
            r"text\s*\{|(?:begin|end|left|right|limits|over|forall|exists|neg|lnot|nexists)\b", name
        ):
            raise Unread(f"{mark} stands in the formula")
        if re.match(r"(?:mathrm|operatorname|math[a-z]+)\s*\{", name):
            name = re.sub(r"\s", "", name)
            return self.applied(name) if self.peek() == "(" else self.named(name)
        if not name.isalpha():
            raise Unread(f"{mark} stands in the formula")
        return self.named(name)

    def root(self) -> Any:
        degree: Any = Integer(2)
        if self.peek() == "[":
            self.take()
            degree = expr(self.sum())
            self.take("]")
        inside = expr(self.argument() if self.peek() != "(" else self.base())
        if inside.is_Rational and inside < 0 and degree.is_Integer and degree % 2:
            return -power_of(-inside, 1 / degree)
        return power_of(inside, 1 / degree)

    def function(self, name: str) -> Any:
        base, power = None, None
        while self.peek() in ("^", "_"):
            if self.take() == "^":
                power = expr(self.exponent())
            else:
                base = expr(Rational(self.take()) if self.is_number() else self.argument())
        if self.peek() in ("(", "{", "[", "|"):
            inside = expr(self.factor() if self.peek() == "|" else self.base())
        else:
            inside = expr(
                self.implicit(stop_at_function=True) if not self.is_function() else self.factor()
            )
        if name == "exp":
            value = power_of(sympy.E, inside)
        elif name in LOGS or (name == "ln" and base is not None):
            value = sympy.log(inside) / sympy.log(base if base is not None else LOGS[name])
        elif power == -1 and hasattr(sympy, "a" + name):
            return getattr(sympy, "a" + name)(inside)
        else:
            value = FUNCTIONS[name](inside)
        return value if power is None else power_of(value, power)

    def big(self, name: str) -> Any:
        """A sum, product, integral or limit, not worked out: what stands below, above and behind it."""
        below = above = ""
        while self.peek() in ("^", "_", "\\limits"):
            mark = self.take()
            if mark == "_":
                below = self.raw()
            elif mark == "^":
                above = self.raw()
        return sympy.Function(name)(Symbol("_" + below), Symbol("^" + above), expr(self.implicit()))

    def environment(self, name: str) -> Any:
        if name == "array" and self.peek() == "{":
            self.raw()
        rows: list[list[Any]] = [[]]
        while not (self.peek() or "").startswith("\\end"):
            mark = self.peek()
            if mark in ("&", "\\\\"):
                self.take()
                if mark == "\\\\":
                    rows.append([])
                continue
            if name in ("cases", "array", "aligned") and re.match(r"\\text\s*\{", mark or ""):
                text = re.sub(r"^\\text\s*\{\s*|\s*\}$", "", self.take())
                if text.rstrip(",. ") not in ("if", "for", "when", "where"):
                    rows[-1].append(Words(text.rstrip(",. ").casefold()))
                continue
            node = self.listing()
            rows[-1].append(node)
            if self.peek() not in ("&", "\\\\") and not re.match(
                r"\\end|\\text", self.peek() or ""
            ):
                raise Unread("a cell does not end")
        self.take()
        rows = [row for row in rows if row]
        if name in ("cases", "aligned"):
            if all(len(row) == 1 for row in rows):
                return Seq("", tuple(row[0] for row in rows), "", "\\land")
            return Cases(tuple(tuple(row) for row in rows))
        matrix = sympy.ImmutableMatrix([[expr(cell) for cell in row] for row in rows])
        if name == "vmatrix":
            self.arithmetic = True
            return matrix.det()
        return matrix
