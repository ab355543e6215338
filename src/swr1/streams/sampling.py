"""Which records to take, and in what order: filters, equal shares of each value, curricula.

Every decision about a record comes from a hash of (seed, id, epoch, sample), not from its place, so
the same records are taken however the input is ordered.
"""

import re
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any, NamedTuple

from swr1.errors import DataError, UsageError
from swr1.records import Record, key, pack, parse
from swr1.registry import suggest

ORDERS = ("rising", "falling", "shuffle")
SPOOL = 256 * 2**20  # bytes of records held in memory before they go to a temporary file

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})-({_NUMBER})")
_CONDITION = re.compile(r"([^=<>!]+)(>=|<=|!=|=|>|<)(.*)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda x, y: x >= y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    "<": lambda x, y: x < y,
}


def look_up(record: Record, path: str) -> Any:
    """The value at a dotted path, in the record or else in its `info`: "reward", "people",
    "info.difficulty.conflicts", "difficulty.alive.0". Raises DataError where there is none."""
    first = path.partition(".")[0]
    value: Any = record if first in record else record.get("info") or {}
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", part):
            try:
                value = value[int(part)]
            except IndexError:
                raise DataError(f"{path}: the list has {len(value)} entries") from None
        else:
            known = list(value) if isinstance(value, dict) else []
            raise DataError(f"it has no {path!r}: {part!r} is missing.{suggest(part, known)}")
    return value


def matches(value: Any, expected: str) -> bool:
    """Whether a value is the expected one, or a number in the range "LO-HI" (both included)."""
    if _is_number(value):
        if between := _RANGE.fullmatch(expected):
            return float(between[1]) <= value <= float(between[2])
        return re.fullmatch(_NUMBER, expected) is not None and value == float(expected)
    return (value if isinstance(value, str) else pack(value).decode()) == expected


def parse_condition(text: str) -> Callable[[Record], bool]:
    """A test of records: KEY=VALUE, KEY=LO-HI, KEY!=..., or KEY>=, <=, >, < NUMBER.

    Raises UsageError for another form; the test raises DataError for a record without the key.
    """
    parts = _CONDITION.fullmatch(text.strip())
    if not parts:
        raise UsageError(f"a condition is KEY=VALUE, KEY=LO-HI or KEY>=NUMBER, not {text!r}")
    path, sign, expected = (part.strip() for part in parts.groups())
    if sign in ("=", "!="):
        return lambda record: matches(look_up(record, path), expected) == (sign == "=")
    if not re.fullmatch(_NUMBER, expected):
        raise UsageError(f"{text!r}: {sign} needs a number, not {expected!r}")
    limit, compare = float(expected), _COMPARE[sign]

    def test(record: Record) -> bool:
        value = look_up(record, path)
        return _is_number(value) and compare(value, limit)

    return test


def parse_mix(text: str) -> dict[str, float]:
    """ "3=1,4-5=2" as weights of values or ranges. Raises UsageError."""
    weights = {}
    for part in text.split(","):
        value, _, weight = part.strip().rpartition("=")
        if not value or not re.fullmatch(_NUMBER, weight) or float(weight) <= 0:
            raise UsageError(f"--mix is VALUE=WEIGHT,..., weights above 0; {part!r} is not that")
        weights[value] = float(weight)
    return weights


class Held(NamedTuple):
    """A record that waits for its place. Hashes are 64 bits."""

    value: Any  # what the order and the shares go by
    luck: int  # the record's own hash: whether it is taken
    group: int  # hash that all samples of one prompt share: they stay together
    sample: int
    place: int  # in the input, from 0
    at: int  # byte at which it stands in the pool
    size: int


class Pool:
    """Records that are held to be ordered: about 0.4 KB each in memory, their text beyond SPOOL
    bytes in a temporary file (where TMPDIR says)."""

    def __init__(self, by: str | None, seed: int) -> None:
        self.by, self.seed = by, seed
        self.held: list[Held] = []
        self._file = tempfile.SpooledTemporaryFile(SPOOL)
        self._end = 0

    def add(self, record: Record) -> None:
        """Raises DataError where the record has no value to go by, or one that has no order."""
        value = look_up(record, self.by) if self.by else None
        if isinstance(value, list | dict):
            raise DataError(f"{self.by} is not one value: name an entry, such as {self.by}.0")
        name, epoch, sample = key(record)
        group = f"{self.seed}/{name}/{epoch}"
        luck = _hash64(f"{group}/{sample}/")
        text = pack(record)
        self._file.write(text)
        size = len(text)
        self.held.append(Held(value, luck, _hash64(group), sample, len(self.held), self._end, size))
        self._end += size

    def read(self, held: Held) -> Record:
        self._file.seek(held.at)
        return parse(self._file.read(held.size))


def take(
    held: Sequence[Held],
    n: int | None = None,
    balance: bool = False,
    bins: int | None = None,
    mix: dict[str, float] | None = None,
) -> list[Held]:
    """At most `n` at random; with `balance`, equally many of each value (or of each of `bins`
    quantile bins); with `mix`, in proportion to the weights, and nothing that is not in it.

    Raises UsageError for bins of what is not numbers and for a value in the mix that nothing has.
    """
    if not (balance or mix):
        lucky = sorted(held, key=lambda h: (h.luck, h.place))[:n]
        return sorted(lucky, key=lambda h: h.place)
    numbers = sorted(h.value for h in held if _is_number(h.value))
    if bins and held and not numbers:
        raise UsageError("--bins cuts numbers into quantiles, and there are none")

    def share_of(value: Any) -> Hashable | None:
        if mix:
            return next((entry for entry in mix if matches(value, entry)), None)
        if bins:
            return bisect_left(numbers, value) * bins // len(numbers) if _is_number(value) else None
        return _rank(value)

    shares: dict[Hashable, list[Held]] = {entry: [] for entry in mix or ()}
    for h in sorted(held, key=lambda h: (h.luck, h.place)):
        name = share_of(h.value)
        if name is not None:
            shares.setdefault(name, []).append(h)
    if empty := [str(name) for name, share in shares.items() if not share]:
        raise UsageError(f"--mix: no record has the value {empty[0]}")
    weights: dict[Any, float] = {name: mix[str(name)] if mix else 1.0 for name in shares}
    unit = min((len(share) / weights[name] for name, share in shares.items()), default=0.0)
    if n is not None and shares:
        unit = min(unit, n / sum(weights.values()))
    # the small addition is for 0.1 * 30 and the like
    chosen = [
        h for name, share in shares.items() for h in share[: int(unit * weights[name] + 1e-9)]
    ]
    return sorted(chosen, key=lambda h: h.place)


def arrange(held: Iterable[Held], order: str | None, soft: float = 0.0) -> list[Held]:
    """The records in order; ties at random, the samples of one prompt side by side.

    rising, falling: by value, null last in both. shuffle: at random. None: as they came.
    `soft` lets a curriculum overlap: a record moves back by up to that share of the whole.
    """
    if order is None:
        return sorted(held, key=lambda h: h.place)
    ordered = sorted(held, key=lambda h: (h.group, h.sample, h.place))
    if order != "shuffle":
        nulls = [h for h in ordered if h.value is None]
        rest = [h for h in ordered if h.value is not None]
        rest.sort(key=lambda h: _rank(h.value), reverse=order == "falling")  # stable both ways
        ordered = rest + nulls
    if soft:
        moved: list[tuple[float, Held]] = []
        for _, prompt in groupby(ordered, key=lambda h: (h.value, h.group)):
            rank = len(moved) / len(ordered)
            moved += [(rank + soft * h.group / 2**64, h) for h in prompt]
        moved.sort(key=lambda pair: pair[0])
        ordered = [h for _, h in moved]
    return ordered


def _rank(value: Any) -> tuple:
    """Numbers before texts, each in their order; true is 1."""
    if value is None:
        return (2,)
    return (1, value) if isinstance(value, str) else (0, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hash64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
