r"""Mathematical answers as people write them: cleaned, and read exactly where they are plain numbers.

"\$1{,}234.50", "1 1/2", "\dfrac{3}{4}", "1.5\times10^3", "45\%", "18 apples" are plain numbers.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_SIGNS = str.maketrans(
    {
        "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty ",
        "≤": "\\le ", "≥": "\\ge ", "°": "^\\circ", "，": ",", "（": "(", "）": ")", "％": "%",
        "＝": "=", "∅": "\\emptyset ", "∪": "\\cup ", "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "\u00a0": " ",
        "\u202f": " ", "²": "^{2}", "³": "^{3}", "¥": "", "￥": "", "€": "", "£": "", "。": "",
    }
)  # fmt: skip
_MARKUP = re.compile(
    r"\*\*|`|\\\$|\$|\\[()\[\]]|\\(?:displaystyle|left|right|mathrm\{~\})(?![a-zA-Z])"
)
_SPACE = re.compile(r"(?<!\\)\\[,;:! ]|\\quad|~|\s+")
_ROOT = re.compile(r"√\s*(\d+)")
_LEAD = re.compile(
    r"^(?:the\s+)?(?:final\s+)?(?:answer|result)(?:\s+is)?\s*[:：]?\s+|^答案(?:是|为|：|:)?\s*",
    re.I,
)
_WRAPPED = re.compile(r"^\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}$")
_BOLD = re.compile(r"\\(?:mathbf|textbf|bm)\s*\{([^{}]*)\}")

_DIGITS = r"\d{1,3}(?:(?:,|\{,\}| )\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+"
_FRACTION = re.compile(
    r"(?P<sign>[-+]?)\s*(?:(?P<whole>\d+)\s*(?=\\[dt]?frac)|(?P<mixed>\d+) (?=\d+ ?/))?"
    rf"(?:\\[dtc]?frac\s*(?:\{{(?P<a>-?(?:{_DIGITS}))\}}|(?P<a1>\d))\s*(?:\{{(?P<b>{_DIGITS})\}}|(?P<b1>\d))"
    rf"|(?P<p>{_DIGITS})\s*(?:/|\\div)\s*(?P<q>{_DIGITS}))"
)
_DECIMAL = re.compile(
    rf"(?P<sign>[-+]?)\s*(?P<number>{_DIGITS})"
    r"(?:\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*\{?(?P<exp>[-+]?\d{1,3})\}?|[eE](?P<e>[-+]?\d{1,3}))?"
)
_POWER_OF_TEN = re.compile(r"(?P<sign>[-+]?)10\s*\^\s*(?:\{(?P<a>-?\d{1,3})\}|(?P<b>\d))")
_PERCENT = re.compile(r"\s*(?:\\?%|\\text\s*\{\s*percent\s*\}|percent|per cent)$", re.I)
_WORD_SCALE = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_UNIT = re.compile(
    r"(?<=[\d})])\s*(?:\\(?:text|mathrm|mbox|textrm)\s*\{(?P<braced>[^{}]*)\}|(?P<bare>[A-Za-z][A-Za-z ./-]*"
    r"|[\u4e00-\u9fff]{1,4}))(?P<power>\^\{?[23]\}?)?$"
)
_LETTERS = re.compile(r"[A-Za-z\u4e00-\u9fff]+")
_NOT_UNITS = frozenset(
    """or and not maybe perhaps plus minus times over by divided dozen half score pi e i x y z n k
    to vs versus approximately about less more than either minus negative point mod modulo base
    choose factorial squared cubed root lakh crore gross pair pairs""".split()
)
# Other spellings of a unit; two different units in the table are not the same.
_UNITS = {
    spelled: name
    for name, spellings in {
        "mm": "millimeter millimeters millimetre millimetres 毫米",
        "cm": "centimeter centimeters centimetre centimetres 厘米",
        "m": "meter meters metre metres 米",
        "km": "kilometer kilometers kilometre kilometres 千米 公里",
        "in": "inch inches", "ft": "foot feet", "yd": "yard yards", "mi": "mile miles",
        "g": "gram grams 克", "kg": "kilogram kilograms 千克 公斤", "lb": "lbs pound pounds",
        "oz": "ounce ounces", "s": "sec second seconds 秒", "min": "mins minute minutes 分钟",
        "h": "hr hrs hour hours 小时", "day": "days 天", "week": "weeks", "month": "months 个月",
        "year": "years 年", "dollar": "dollars usd", "cent": "cents", "l": "liter liters litre litres 升",
        "ml": "milliliter milliliters 毫升", "degree": "degrees deg 度",
        "radian": "radians rad", "percent": "%",
    }.items()
    for spelled in (name, *spellings.split())
}  # fmt: skip


class Number(NamedTuple):
    """A plain number as it was written."""

    value: Fraction
    decimals: int  # digits after the point; 0 for whole numbers and fractions
    percent: bool

    def equals(self, other: Number, places: int | None = None) -> bool:
        """Whether these are one number. With six decimals or more, rounded is equal: 0.333333 = 1/3.

        A percent sign may be left out or worked in: 50% is 50 and 0.5. With `places` the numbers
        as they are written may also be rounded to so many decimals.
        """
        if places is not None and round(self.value, places) == round(other.value, places):
            return True
        mine = {self.value, self.value / 100} if self.percent else {self.value}
        theirs = {other.value, other.value / 100} if other.percent else {other.value}
        if mine & theirs:
            return True
        places = max(self.decimals, other.decimals)
        return places >= 6 and any(
            round(a, places) == round(b, places) for a in mine for b in theirs
        )


def clean(text: str) -> str:
    """An answer without what says nothing: delimiters, markup, "the answer is", a final full stop."""
    text = _ROOT.sub(r"\\sqrt{\1}", text).translate(_SIGNS).replace("\\varnothing", "\\emptyset")
    text = _SPACE.sub(" ", _MARKUP.sub("", text)).strip()
    text = _BOLD.sub(r"\1", _LEAD.sub("", text).rstrip(".,;").strip())
    wrapped = _WRAPPED.match(text)
    return wrapped[1].strip() if wrapped and number(wrapped[1].strip()) else text


def number(text: str) -> Number | None:
    """The number that a cleaned text is, with or without a unit; None for anything else."""
    if not any(map(str.isdigit, text)):
        return None
    while (
        len(text) > 2 and text[0] + text[-1] in ("()", "{}") and not set("(){}") & set(text[1:-1])
    ):
        text = text[1:-1].strip()
    text, scale = _without_unit(text)
    bare = _PERCENT.sub("", text)
    found = _read(bare.strip())
    if found is None:
        return None
    value, decimals = found
    return Number(value * 10**scale, decimals, len(bare) < len(text))


def _read(text: str) -> tuple[Fraction, int] | None:
    if match := _DECIMAL.fullmatch(text):
        digits = _plain(match["number"])
        exponent = int(match["exp"] or match["e"] or 0)
        value = Fraction(digits) * Fraction(10) ** exponent
        decimals = max(len(digits.partition(".")[2]) - exponent, 0)
    elif match := _FRACTION.fullmatch(text):
        top = Fraction(_plain(match["a"] or match["a1"] or match["p"]))
        bottom = Fraction(_plain(match["b"] or match["b1"] or match["q"]))
        if not bottom:
            return None
        value = Fraction(match["whole"] or match["mixed"] or 0) + top / bottom
        decimals = 0
    elif match := _POWER_OF_TEN.fullmatch(text):
        value, decimals = Fraction(10) ** int(match["a"] or match["b"]), 0
    else:
        return None
    return (-value if match["sign"] == "-" else value), decimals


def _plain(digits: str) -> str:
    return digits.replace("{,}", "").replace(",", "").replace(" ", "").rstrip(".") or "0"


def _unit(text: str) -> re.Match[str] | None:
    """Words after a number that may be a unit."""
    match = _UNIT.search(text)
    said = {
        word.casefold()
        for word in _LETTERS.findall((match["braced"] or match["bare"] or "") if match else "")
    }
    return match if said and not said & _NOT_UNITS else None


def _without_unit(text: str) -> tuple[str, int]:
    """A text without the unit at its end, and the power of ten that "million" and its like stand for."""
    text = re.sub(r"\s*\^\s*\{?\s*\\circ\s*\}?(?:\s*[CF])?$", "", text)
    match = _unit(text)
    if match is None or _PERCENT.search(text):
        return text, 0
    first, *rest = _LETTERS.findall(match["braced"] or match["bare"])
    if any(word.casefold() in _WORD_SCALE for word in rest):
        return text, 0
    return text[: match.start()], _WORD_SCALE.get(first.casefold(), 0)


def same_unit(gold: str, said: str) -> bool:
    """False where both answers have a unit that is known, and not the same one."""
    units = []
    for text in (gold, said):
        match = _unit(text)
        spelled = " ".join((match["braced"] or match["bare"]).split()).casefold() if match else ""
        units.append(
            (_UNITS.get(spelled.rstrip(".")), (match["power"] or "").strip("^{}") if match else "")
        )
    (a, p), (b, q) = units
    return a is None or b is None or (a, p) == (b, q)


def words(text: str) -> str | None:
    """An answer that is words, not symbols, in lower case; None for anything else."""
    inner = _WRAPPED.match(text)
    said = " ".join((inner[1] if inner else text).split()).casefold().rstrip(".!")
    letters = "".join(said.replace("-", "").split())
    is_word = letters.isalpha() and (len(letters) > 3 or (inner and len(letters) > 1))
    return said if is_word or (letters and "\u4e00" <= letters[0] <= "\u9fff") else None


def last_number(text: str) -> str | None:
    """The last plain number in a text, as it is written there."""
    found = re.findall(rf"(?<![\w.])-?(?:{_DIGITS})(?:/\d+)?%?", text)
    return found[-1].rstrip(".") if found else None
