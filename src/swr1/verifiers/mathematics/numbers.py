r"""A cleaned answer as a quantity: what stands before the unit, the unit, and the plain number that it is.

"1,234.50", "1 1/2", "\frac{3}{4}", "1.5\times 10^3", "45\%", "18 apples", "\$5" are plain numbers, read
exactly. Where the value is no plain number ("2\sqrt{3} cm") the unit is still found.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from swr1.verifiers.mathematics.numerals import SCALES, in_digits
from swr1.verifiers.mathematics.units import Unit, is_known, unit

_DIGITS = r"\d{1,3}(?:(?:,|\{,\}| )\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d\d)+,\d{3}|\d+(?:\.\d*)?|\.\d+"
_WHOLE = re.compile(r"[-+]?\d{1,40}", re.ASCII)
_FRACTION = re.compile(
    r"(?P<sign>[-+]?)\s*(?:(?P<whole>\d+)\s*(?=\\frac)|(?P<mixed>\d+) (?=\d+ ?/))?"
    rf"(?:\\frac\s*(?:\{{\s*(?P<a>-?\s*(?:{_DIGITS}))\s*\}}|(?P<a1>\d))\s*(?:\{{\s*(?P<b>-?\s*(?:{_DIGITS}))\s*\}}|(?P<b1>\d))"
    rf"|(?P<p>{_DIGITS})\s*(?:/|\\div)\s*(?P<q>{_DIGITS}))(?![\d.])"
)
_DECIMAL = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<number>{_DIGITS})"
    r"(?:\s*(?:\\times|\\cdot|\*|x)\s*\{?10\}?\s*\^\s*\{?\s*(?P<exp>[-+]?\d{1,3})\s*\}?(?!\d)|[eE](?P<e>[-+]?\d{1,3})(?!\d))?"
)
_POWER_OF_TEN = re.compile(
    r"(?P<sign>[-+]?)10\s*\^\s*(?:\{\s*(?P<a>[-+]?\d{1,3})\s*\}|(?P<b>\d{1,3}))(?!\d)"
)
_PERCENT = re.compile(
    r"\s*(?:\\?%|\\(?:text|mathrm)\s*\{\s*(?:\\?%|percent(?:age)?|per cent|pct)\s*\}|percentage|percent|per cent|pct)$",
    re.I,
)
_SCALE = re.compile(
    r"\s*(?:\\text\s*\{\s*)?(?P<scale>hundred|thousand|million|billion|trillion)(?![A-Za-z])(?P<brace>\s*\})?",
    re.I,
)
_MONEY = re.compile(
    r"(?P<sign>[-+]?)\s*(?P<money>\\\$|[€£¥₹₩]|\\text\s*\{\s*(?:Rs\.?|USD|EUR|GBP|INR|RMB|CNY)\s*\}"
    r"|(?:Rs\.?|USD|US\\\$|US\$|EUR|GBP|INR|RMB|CNY|HK\\\$)(?![A-Za-z]))\s*(?=[-+]?\s*[\d.\\({])"
)
_MINUTES = re.compile(
    r"(?P<sign>-?)(?P<d>\d+)\s*\^\\circ\s*(?P<m>\d+(?:\.\d+)?)\s*'(?!')(?:\s*(?P<s>\d+(?:\.\d+)?)\s*'')?"
)
_PARTS = re.compile(
    r"(\d+(?:\.\d+)?)\s*(?:\\text\s*\{\s*)?([A-Za-z]+)\.?\s*\}?(?:\s*,?\s*and\s|[\s,])*"
)
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_TAIL = re.compile(
    r"\\(?:text|mathrm)\s*\{|\\frac\s*\{\s*\\(?:text|mathrm)|\^\\circ|(?<=[\d})\]\s])(?:[A-Za-z]{2,}|\\Omega|\\mu)"
)
# Letters that are taken for a unit even where no blank stands before them; in a gold they may be algebra.
_CLOSE = frozenset("mgshlLNJWVK")


class Number(NamedTuple):
    """A plain number as it was written."""

    value: Fraction
    decimals: int = 0  # digits after the point; 0 for whole numbers and fractions
    percent: bool = False

    def equals(self, other: Number, places: int | None = None) -> bool:
        """Whether these are one number; rounded to six decimals and five digits is equal: 0.333333 = 1/3.

        A percent sign may be left out or worked in on one side: 50% is 50 and 0.5; two percents are
        compared as written. With `places` both may also be rounded to so many decimals.
        """
        if self.percent and other.percent:
            mine, theirs = {self.value}, {other.value}
        else:
            mine = {self.value, self.value / 100} if self.percent else {self.value}
            theirs = {other.value, other.value / 100} if other.percent else {other.value}
        if places is not None and round(self.value, places) == round(other.value, places):
            return True
        if mine & theirs:
            return True
        places = max(self.decimals, other.decimals)
        return places >= 6 and any(
            round(a, places) == round(b, places) != 0
            and abs(round(a, places)) * 10**places >= 10**4
            for a in mine
            for b in theirs
        )


class Quantity(NamedTuple):
    """An answer: `whole` as cleaned, `text` without its unit, the plain number that it is, or None."""

    whole: str
    text: str
    number: Number | None = None
    unit: Unit = Unit()
    close: bool = False  # the unit is one letter at the number, which may be algebra: 5m
    percent: bool = False


def number(text: str) -> Number | None:
    """The plain number that a cleaned answer is, with or without a unit; None for anything else."""
    return quantity(text).number


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity:
    """A cleaned answer taken apart."""
    if _WHOLE.fullmatch(text):
        return Quantity(text, text, Number(Fraction(int(text))))
    whole = text = in_digits(_bare(text))
    stated_unit = Unit()
    if money := _MONEY.match(text):
        stated_unit = unit(money["money"].replace("HK", "").rstrip(".")) or Unit()
        text = money["sign"] + text[money.end() :].removesuffix("\\$").strip()
    elif text.endswith("\\$"):
        stated_unit, text = unit("\\$") or Unit(), text[:-2].strip()
    if not any(map(str.isdigit, text)):
        return _expression(whole, text, stated_unit)
    if parts := _degrees(text) or _sum(text):
        return Quantity(whole, text, *parts)
    text = _bare(text)
    if head := _head(text):
        value, decimals, end = head
        rest, scale = text[end:], 1
        bare = _PERCENT.sub("", rest)
        if bare == "" and rest:
            return Quantity(whole, text, Number(value, decimals, True), stated_unit, percent=True)
        if match := _SCALE.match(rest):
            scale, rest = (
                SCALES[match["scale"].lower()],
                ("\\text{" if not match["brace"] and "{" in match[0] else "") + rest[match.end() :],
            )
        close = rest in _CLOSE
        of = None if _is_algebra(rest) else unit(rest)
        if of is not None:
            return Quantity(
                whole, text[:end], Number(value * scale, decimals), stated_unit.times(of), close
            )
    return _expression(whole, text, stated_unit)


def _bare(text: str) -> str:
    """Remove brackets or braces around the whole text, or braces around a number at its start."""
    while len(text) > 2 and text[0] + text[-1] in ("()", "{}") and _closes(text) == len(text) - 1:
        if "," in text:
            break
        text = text[1:-1].strip()
    return re.sub(r"^(-?)\s*\{\s*(\d[\d.,]*)\s*\}(?![\s\d]*\})", r"\1\2", text)


def _closes(text: str) -> int:
    depth = 0
    for at, char in enumerate(text):
        depth += (char in "({") - (char in ")}")
        if not depth:
            return at
    return -1


def _is_algebra(rest: str) -> bool:
    """Letters at the number that are no unit: one, or up to three (after a blank up to two)."""
    match = re.match(r"(\s*)([A-Za-z]+)(?![A-Za-z.])", rest)
    if match is None or rest in _CLOSE:
        return False
    name = match[2]
    if len(name) == 1:
        return rest.strip() == name and (not match[1] or not is_known(name))
    return (
        len(name) < (3 if match[1] else 4)
        and not is_known(name)
        and name.islower()
        and name != "sq"
    )


def _head(text: str) -> tuple[Fraction, int, int] | None:
    """The plain number at the start of a text: value, decimals, where it ends."""
    if match := _FRACTION.match(text):
        top = Fraction(_plain(match["a"] or match["a1"] or match["p"]))
        bottom = Fraction(_plain(match["b"] or match["b1"] or match["q"]))
        if not bottom:
            return None
        value, decimals = Fraction(match["whole"] or match["mixed"] or 0) + top / bottom, 0
    elif match := _POWER_OF_TEN.match(text):
        value = Fraction(10) ** int(match["a"] or match["b"])
        decimals = 0
    elif match := _DECIMAL.match(text):
        digits = _plain(match["number"])
        exponent = int(match["exp"] or match["e"] or 0)
        value = Fraction(digits) * Fraction(10) ** exponent
        decimals = max(len(digits.partition(".")[2]) - exponent, 0)
    else:
        return None
    return (-value if match["sign"] == "-" else value), decimals, match.end()


def _plain(digits: str) -> str:
    return re.sub(r"\{,\}|[, ]", "", digits).rstrip(".") or "0"


def _degrees(text: str) -> tuple[Number, Unit] | None:
    """Degrees with minutes and seconds."""
    match = _MINUTES.fullmatch(text)
    if match is None:
        return None
    value = Fraction(match["d"]) + Fraction(match["m"]) / 60 + Fraction(match["s"] or 0) / 3600
    return Number(-value if match["sign"] else value), unit("degree") or Unit()


def _sum(text: str) -> tuple[Number, Unit] | None:
    """ "5 feet 3 inches": parts in units of one kind, each smaller than the one before."""
    parts: list[tuple[Fraction, Unit]] = []
    at = 0
    while match := _PARTS.match(text, at):
        of = unit(match[2])
        if of is None or not of.powers:
            return None
        if parts and (of.powers != parts[-1][1].powers or of.factor >= parts[-1][1].factor):
            return None
        parts.append((Fraction(match[1]), of))
        at = match.end()
    if at < len(text) or len(parts) < 2:
        return None
    total = sum((value * of.factor for value, of in parts), Fraction(0))
    return Number(total), parts[0][1]._replace(factor=Fraction(1))


def _expression(whole: str, text: str, stated_unit: Unit) -> Quantity:
    """What is no plain number: its unit, if it ends with one that is known or stands upright."""
    percent = _PERCENT.sub("", text)
    if percent != text and percent:
        return Quantity(whole, percent, None, stated_unit, percent=True)
    begun = max(len(text) - 100, 1)
    for match in _TAIL.finditer(text, begun):
        tail = text[match.start() :]
        if tail.startswith("^") and _TRIGONOMETRY.search(text):
            continue
        of = unit(tail)
        if (
            of is not None
            and (of.powers or tail[0] == "\\")
            and (not of.words or tail.startswith("\\text"))
        ):
            rest = re.sub(re.escape(tail.strip()) + r"\s*(?=[,;])", "", text[: match.start()])
            return Quantity(whole, rest.strip(), None, stated_unit.times(of))
    return Quantity(whole, text, None, stated_unit)


_WRAPPED = re.compile(r"^\\(?:text|mathrm)\s*\{([^{}]*)\}$")


# Words that would otherwise be products of their letters.
_SHORT_WORDS = frozenset("yes no odd on off all any red tie win up".split())


def words(text: str) -> str | None:
    """An answer that is words, not symbols, in lower case; None for anything else."""
    inner = _WRAPPED.match(text)
    plain = " ".join((inner[1] if inner else text).split()).casefold().rstrip(".!")
    letters = "".join(plain.replace("-", "").split())
    if plain in _SHORT_WORDS:
        return plain
    is_word = letters.isalpha() and (len(letters) > 3 or (inner and len(letters) > 1))
    return plain if is_word or (letters and "\u4e00" <= letters[0] <= "\u9fff") else None


def last_number(text: str) -> str | None:
    """The last plain number in a text, as it is written there."""
    numbers = re.findall(rf"(?<![\w.])-?(?:{_DIGITS})(?:/\d+)?%?", text)
    return numbers[-1].rstrip(".") if numbers else None
