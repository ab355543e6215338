r"""Numbers that are not written in plain digits: in words, in Chinese, in another base; times of day."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from swr1.verifiers.mathematics.units import unit

_ONES = dict(
    zip(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
        sixteen seventeen eighteen nineteen""".split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(
    zip(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),
        range(20, 100, 10),
        strict=True,
    )
)
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
          "eighth": 8, "ninth": 9, "tenth": 10}  # fmt: skip
_DIGITS = {digit: n for n, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POSITIONS = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "亿": 10**8}
_CHINESE = "[零〇一二三四五六七八九十百千万亿两]+"
_CHINESE_NUMBER = re.compile(
    rf"(?P<sign>负|-)?(?:(?P<bottom>{_CHINESE})分之(?P<top>{_CHINESE})"
    rf"|(?P<digits>\d+(?:\.\d+)?)\s*(?P<large>[千百]?[万亿])|(?P<whole>{_CHINESE})(?:点(?P<point>[零〇一二三四五六七八九]+))?)"
    r"(?P<unit>.*)"
)
_BASES = {name: n for name, n in _ONES.items() if n > 1} | {"sixteen": 16}
_BASED = re.compile(
    r"[({]?\s*(?:\\(?:text|mathrm)\s*\{)?\s*(?P<digits>-?[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)?)\s*\}?\s*[)}]?"
    r"(?:\s*_\s*\{?|,?\s*(?:\\text\s*\{)?\s*\(?(?:in\s+)?(?=base))\s*(?:\\(?:text|mathrm)\s*\{)?\s*(?:base\s*\}?\s*)?"
    r"(?P<base>\d{1,2}|[a-z]+)\s*\}?\s*\}?\s*\)?\s*\}?"
)
_CLOCK = re.compile(
    r"(?P<early>上午|下午)?\s*(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?)?"
    r"\s*(?:(?P<half>[ap])\.?\s?m\.?|(?P<word>noon|midnight)|(?P<full>o'?clock))?",
    re.I,
)
_FLAT = re.compile(r"\\(?:text|mathrm)\s*\{([^{}]*)\}|[{}]")


def in_digits(text: str) -> str:
    """A number in English or Chinese words in digits; any other text as it is."""
    if not text.isascii():
        return _chinese(text)
    digits = _english(text.removeprefix("-"))
    return f"-{digits}" if text.startswith("-") else digits


def _english(text: str) -> str:
    flat = _FLAT.sub(r" \1 ", text) if "\\text" in text else text
    marks = flat.casefold().replace("-", " ").split()
    if not 0 < len(marks) <= 12 or not marks[0].isalpha():
        return text
    if marks[0] in ("a", "an") and len(marks) == 2 and marks[1] in _PARTS:
        marks[0] = "one"
    if marks == ["half"]:
        marks = ["one", "half"]
    value, rest = _count(marks)
    if len(rest) == len(marks):
        return text
    part = rest and (rest[0] if rest[0] in _PARTS else rest[0].removesuffix("s"))
    if len(rest) == 1 and part in _PARTS:
        return f"\\frac{{{value}}}{{{_PARTS[part]}}}"
    stated_unit = unit(" ".join(rest))
    return text if stated_unit is None or stated_unit.words else f"{value} {' '.join(rest)}".strip()


def _count(marks: list[str]) -> tuple[int, list[str]]:
    """The number that words begin with, and the words behind it."""
    total = group = 0
    for at, mark in enumerate(marks):
        if mark in _ONES or mark in _TENS:
            group += _ONES.get(mark, _TENS.get(mark, 0))
        elif mark == "hundred" and group:
            group *= 100
        elif mark in SCALES and group:
            total, group = total + group * SCALES[mark], 0
        elif mark != "and" or not (total or group):
            return total + group, marks[at:]
    return total + group, []


def _chinese(text: str) -> str:
    flat = _FLAT.sub(r" \1 ", text).strip() if "\\" in text else text
    match = _CHINESE_NUMBER.fullmatch(flat)
    stated_unit = unit(match["unit"]) if match else None
    if match is None or stated_unit is None or (stated_unit.words and not match["digits"]):
        return text
    sign, end = "-" if match["sign"] else "", f" {match['unit'].strip()}".rstrip()
    if match["bottom"]:
        top, bottom = _chinese_integer(match["top"]), _chinese_integer(match["bottom"])
        if match["bottom"] == "百":
            return f"{sign}{top}\\%{end}"
        return f"{sign}\\frac{{{top}}}{{{bottom}}}{end}" if bottom else text
    if match["digits"]:
        value = Fraction(match["digits"])
        for scale in match["large"]:
            value *= _LARGE.get(scale) or _POSITIONS[scale]
        return f"{sign}{value}{end}"
    point = match["point"]
    decimals = "." + "".join(str(_DIGITS[c]) for c in point) if point else ""
    return f"{sign}{_chinese_integer(match['whole'])}{decimals}{end}"


def _chinese_integer(text: str) -> int:
    if not set(text) & (_POSITIONS.keys() | _LARGE.keys()):
        return int("".join(str(_DIGITS[c]) for c in text))
    total = group = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _POSITIONS:
            group, digit = group + (digit or 1) * _POSITIONS[char], 0
        else:
            total, group, digit = (total + group + digit) * _LARGE[char], 0, 0
    return total + group + digit


class Based(NamedTuple):
    """Digits in a base that is not ten by default."""

    digits: str
    base: int


def based(text: str) -> Based | None:
    """A number whose base is said: 110_2, (123)_5, 2A_{16}, 1010_{two}, "101 base 2"."""
    if "_" not in text and "base" not in text:
        return None
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    base = int(match["base"]) if match["base"].isdigit() else _BASES.get(match["base"], 0)
    digits = match["digits"].casefold()
    values = [int(c, 36) for c in digits if c not in "-."]
    if not 2 <= base <= 36 or max(values) >= base or (len(digits) == 1 and digits.isalpha()):
        return None
    return Based(plain_digits(digits), base)


def plain_digits(digits: str) -> str:
    """Digits of a number without what does not change it: zeros in front, case."""
    sign = "-" if digits.startswith("-") else ""
    whole, _, part = digits.lstrip("+-").casefold().partition(".")
    return f"{sign}{whole.lstrip('0') or '0'}{'.' if part.rstrip('0') else ''}{part.rstrip('0')}"


_HALF_DAY = 12 * 3600


class Clock(NamedTuple):
    """A time of day: seconds after midnight, or after noon too where the half of the day is not said."""

    seconds: int
    half: bool  # whether it is known which half of the day it is

    def is_same(self, other: Clock) -> bool:
        if self.half and other.half:
            return self.seconds == other.seconds
        return self.seconds % _HALF_DAY == other.seconds % _HALF_DAY


def clock(text: str) -> Clock | None:
    """A time of day with a colon or with its half: 12:30, 7 AM, 3:30 p.m."""
    if not (text[:1].isdigit() or text[:1] in "上下\\{n") or len(text) > 40:
        return None
    flat = " ".join(_FLAT.sub(r" \1 ", text).split()).replace(" :", ":").replace(": ", ":")
    if flat.casefold() in ("noon", "midnight"):
        return Clock(12 * 3600 if flat.casefold() == "noon" else 0, True)
    match = _CLOCK.fullmatch(flat)
    half = match and (match["half"] or {"noon": "p", "midnight": "a", "上午": "a", "下午": "p", None: ""}[
        (match["word"] or "").casefold() or match["early"] or None])  # fmt: skip
    if not match or int(match["hour"]) > 24 or not (match["minute"] or half or match["full"]):
        return None
    hour = int(match["hour"])
    if half and hour <= 12:
        hour = hour % 12 + (12 if half.casefold() == "p" else 0)
    seconds = hour * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0)
    return Clock(seconds % 86400, bool(half) or hour > 12 or match["hour"] == "00")
