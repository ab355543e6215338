r"""Units of measurement, as they stand behind a number (or before it, where it is money).

A unit that the table knows has a dimension and a factor, so 300 cm is 3 m and 5 J is not 5 kJ. Words
that it does not know ("apples") are compared as words. A unit may always be left out.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """Powers of base units, how many of them one is, and words that are no known unit."""

    powers: tuple[tuple[str, int], ...] = ()
    factor: Fraction = Fraction(1)
    words: frozenset[str] = frozenset()

    def conflicts(self, other: Unit) -> bool:
        """Whether answers with these units cannot be the same; without a unit nothing conflicts."""
        if self.powers and other.powers:
            if self.powers != other.powers:
                return True
        elif (self.powers and other.words) or (other.powers and self.words):
            return True
        return bool(self.words and other.words) and not (
            self.words <= other.words or other.words <= self.words
        )

    def times(self, other: Unit, power: int = 1) -> Unit:
        powers = dict(self.powers)
        for base, n in other.powers:
            powers[base] = powers.get(base, 0) + n * power
        nonzero = tuple(sorted((base, n) for base, n in powers.items() if n))
        return Unit(nonzero, self.factor * other.factor**power, self.words | other.words)


# factor | base units with their powers | spellings
_TABLE = """
1 | m | m meter meters metre metres 米
127/5000 | m | in inch inches 英寸
381/1250 | m | ft foot feet 英尺
1143/1250 | m | yd yds yard yards
201168/125 | m | mi mile miles 英里
1 | g | g gm gram grams 克
500 | g | 斤
1000000 | g | t ton tons tonne tonnes 吨
1 | ounce | oz ounce ounces
16 | ounce | lb lbs pound pounds
1 | s | s sec secs second seconds 秒
60 | s | min mins minute minutes 分钟 分
3600 | s | h hr hrs hour hours 小时 时
86400 | s | day days 天 日
604800 | s | week weeks wk wks 周 星期
1 | month | month months 个月 月
12 | month | year years yr yrs 年
1/1000 | m 3 | l L liter liters litre litres ltr 升
16 | cup | gallon gallons gal
4 | cup | quart quarts qt
2 | cup | pint pints pt
1 | cup | cup cups
1 | acre | acre acres
10000 | m 2 | ha hectare hectares 公顷
1 | dollar | dollar dollars USD US$ $ 美元
1/100 | dollar | cent cents ¢
1 | euro | euro euros EUR € 欧元
1 | sterling | £ GBP 英镑
1 | yuan | yuan RMB CNY ¥ 元 块 人民币
1/10 | yuan | 角
1 | yen | yen JPY 日元
1 | rupee | rupee rupees Rs INR ₹
1 | won | won KRW ₩
1000 | g, m, s -2 | N newton newtons 牛 牛顿
1000 | g, m 2, s -2 | J joule joules 焦 焦耳
1000 | g, m 2, s -3 | W watt watts 瓦
1000 | g, m -1, s -2 | Pa pascal pascals 帕
1000 | g, m 2, s -3, ampere -1 | V volt volts 伏
1 | ampere | A ampere amperes amp amps 安
1000 | g, m 2, s -3, ampere -2 | \\Omega ohm ohms 欧
1 | ampere, s | C coulomb coulombs
1 | farad | F farad farads
1 | tesla | T tesla teslas
1 | s -1 | Hz hertz
3600000 | g, m 2, s -2 | Wh
3600000000 | g, m 2, s -2 | kWh 千瓦时 度电
1 | mol | mol mole moles 摩尔
1 | kelvin | K kelvin kelvins
1 | celsius | ^\\circC celsius
1 | fahrenheit | ^\\circF fahrenheit
1 | calorie | cal calorie calories
1 | electronvolt | eV
1 | bit | bit bits
8 | bit | byte bytes
1 | degree | ^\\circ degree degrees deg 度
1/60 | degree | arcminute arcminutes arcmin
1/3600 | degree | arcsecond arcseconds arcsec
1 | radian | rad rads radian radians 弧度
1 | revolution | revolution revolutions rev revs
1/60 | revolution, s -1 | rpm
1397/3125 | m, s -1 | mph
5/18 | m, s -1 | kph kmph kmh
1/1000000 | m 3 | cc
1000 | m | 千米 公里
1/100 | m | 厘米
1/1000 | m | 毫米
1/10 | m | 分米
1000 | g | 千克 公斤
1/1000000 | m 3 | 毫升
1000000 | g, m 2, s -3 | 千瓦
"""
_METRIC = frozenset(
    """m g s l L N J W Pa V A Hz mol cal bit eV F T \\Omega meter meters metre metres gram grams liter
    liters litre litres watt watts joule joules volt volts hertz calorie calories""".split()
)
_PREFIXES = {
    "k": "1000", "c": "1/100", "m": "1/1000", "d": "1/10", "\\mu": "1/1000000", "n": "1/1000000000",
    "M": "1000000", "G": "1000000000", "h": "100",
}  # fmt: skip
_PREFIX_WORDS = {
    "kilo": "1000", "centi": "1/100", "milli": "1/1000", "deci": "1/10", "micro": "1/1000000",
    "nano": "1/1000000000", "mega": "1000000", "giga": "1000000000", "hecto": "100",
}  # fmt: skip
# Words after a number that make it no plain quantity: they negate, count or compare.
_NOT_UNITS = frozenset(
    """or and not maybe perhaps plus minus times over by divided dozen half score pi e i to vs versus
    approximately about less than more fewer either neither negative point mod modulo base choose
    factorial root lakh crore gross pair pairs at most least if when but for otherwise only unless
    hundred thousand million billion trillion am pm is are no nor between up down""".split()
)
_FILLERS = frozenset(
    "of the a an total altogether each all unit units approx extra integer integers".split()
)
_MEASURE_WORDS = "个只名位条张件种次本支枚"
_POWERS = {
    "square": 2,
    "sq": 2,
    "squared": 2,
    "cubic": 3,
    "cu": 3,
    "cubed": 3,
    "平方": 2,
    "立方": 3,
}
_FLAT = re.compile(r"\\(?:text|mathrm)\s*\{([^{}]*)\}")
_EXPONENT = re.compile(r"\^\s*\{\s*(-?\d)\s*\}")
_RATIO = re.compile(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ASIDE = re.compile(r"\(([^()]*)\)")
_MARK = re.compile(
    r"(?P<power>\^\s*\{?\s*(-?\d)\s*\}?)|(?P<over>/|\bper\b|每)|(?P<times>\\cdot|\\times|\*|[-,.\s])"
    r"|(?P<chinese>平方|立方|[\u4e00-\u9fff]+)|(?P<name>(?:[kMG]|\\mu)\s*\\Omega|\\mu\s*[A-Za-z]+|\\Omega|\^\\circ\s*[CF]?|US\$|[A-Za-z]+|\\?[$¢€£¥₹₩])"
)


@lru_cache(maxsize=1)
def _known() -> dict[str, Unit]:
    known: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        factor, powers, spellings = (part.strip() for part in line.split("|"))
        pairs = [(*power.split(), "1")[:2] for power in powers.split(",")]
        unit = Unit(tuple(sorted((base, int(n)) for base, n in pairs)), Fraction(factor))
        known |= dict.fromkeys(spellings.split(), unit)
    for base in _METRIC:
        for prefix, size in (
            _PREFIX_WORDS if base.islower() and len(base) > 3 else _PREFIXES
        ).items():
            unit = known[base]._replace(factor=known[base].factor * Fraction(size))
            known.setdefault(prefix + base, unit)
    return known


def _find(name: str) -> Unit | None:
    known = _known()
    name = name.replace(" ", "").replace("\\$", "$")
    return known.get(name) or (known.get(name.casefold()) if len(name) > 1 else None)


def is_known(name: str) -> bool:
    """Whether a word is a unit of the table."""
    return _find(name) is not None


@lru_cache(maxsize=4096)
def unit(text: str) -> Unit | None:
    """The unit that a text is, which may be no unit at all ("units"); None where it is something else."""
    flat = _FLAT.sub(r" \1 ", _EXPONENT.sub(r"^\1", text))
    flat = _RATIO.sub(r" \1 / \2 ", flat)
    if not all(map(_is_aside, _ASIDE.findall(flat))):
        return None
    flat = _ASIDE.sub(" ", flat).replace("{", " ").replace("}", " ")
    total, last, sign, raised, at = Unit(), None, 1, 1, 0
    while at < len(flat):
        mark = _MARK.match(flat, at)
        if mark is None:
            return None
        at = mark.end()
        if mark["power"]:
            if last is None:
                return None
            total = total.times(last._replace(words=frozenset()), sign * (int(mark[2]) - 1))
        elif mark["over"]:
            sign = -1
        elif not mark["times"]:
            name = mark["chinese"] or mark["name"]
            low = name.casefold()
            power = _POWERS.get(low)
            if power and low.endswith("ed"):
                total = total.times(last or Unit(), sign * (power - 1))
            elif power:
                raised = power
            elif low == "in" and flat[at:].strip(" .^23"):
                continue
            elif (low in _FILLERS and name != "A") or name in _MEASURE_WORDS:
                last = Unit()
            else:
                one = _word(name)
                if one is None:
                    return None
                last = one
                total, raised = total.times(one, sign * raised), 1
    return None if last is None and flat.strip(" .,") else total


def _is_aside(text: str) -> bool:
    """Whether brackets behind a number hold words that change nothing: "(total)", "(cm)"; not (x + 1)."""
    marks = text.casefold().split()
    return _NOT_UNITS.isdisjoint(marks) and all(
        mark.isalpha() and (len(mark) > 3 or not mark.isascii() or is_known(mark)) for mark in marks
    )


def _word(name: str) -> Unit | None:
    """A known unit or a word; None for what is neither."""
    one = _find(name)
    if one is not None:
        return one
    if name[0] in _MEASURE_WORDS and len(name) > 1:
        return _word(name[1:])
    low = name.casefold()
    if low in _NOT_UNITS or (name.isascii() and (len(name) < 2 or not name.isalpha())):
        return None
    return Unit(
        words=frozenset({low[:-1] if low.endswith("s") and not low.endswith("ss") else low})
    )
