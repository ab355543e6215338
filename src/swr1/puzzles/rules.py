"""What people may say: the rules of statements, and drawing a statement at random.

The published rules (Xie et al., "On Memorization of Large Language Models in Logical Reasoning",
2024): a statement is, with probability 1/6 each, a leaf, not, and, or, implies or iff; the parts
are drawn the same way one level lower (leaves only at the lowest); "and" and "or" have 2 .. width
parts, equally likely; parts of one statement differ; nobody calls themself a knave. `Rules` change
the chances of the connectives, and leave out mentions of oneself or trivial statements.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from typing import Any, NamedTuple

from swr1.errors import UsageError
from swr1.puzzles.solver import renumbered
from swr1.puzzles.statements import evaluate, mentioned, truth_table
from swr1.registry import check_known

KINDS = ("leaf", "not", "and", "or", "implies", "iff")

MOST_WEIGHT = 1000  # sum of the weights of the connectives
REDRAWS = 1 << 18  # draws of one statement without one that will do, before giving up
NOTHING_TO_SAY = (
    "these rules leave a speaker (nearly) nothing to say: a connective has no parts that differ, or"
    " only trivial ones, or none that fits the speaker's role. Allow self-reference or trivial"
    " statements, raise people, or lower width."
)


class Rules(NamedTuple):
    """What people may say, beyond depth and width.

    weights: relative chances of KINDS, whole numbers without a common divisor.
    self_reference: whether speakers may mention themselves.
    trivial: whether a statement may be trivial, see `is_trivial`. If not, the parts of a trivial
        one are drawn again, so that the kinds keep their chances.
    """

    weights: tuple[int, ...] = (1,) * len(KINDS)
    self_reference: bool = True
    trivial: bool = True

    def changes(self) -> dict[str, Any]:
        """What differs from the published rules, as it stands in a record's info."""
        changed: dict[str, Any] = {}
        if self.weights != PUBLISHED.weights:
            changed["weights"] = dict(zip(KINDS, self.weights, strict=True))
        return changed | {
            name: False for name in ("self_reference", "trivial") if not getattr(self, name)
        }


PUBLISHED = Rules()


def parse_weights(text: str) -> tuple[int, ...]:
    """ "iff=2,leaf=0.5" as `Rules.weights`; kinds that are not named weigh 1.

    Raises UsageError for an unknown kind, or a weight that is not a number from 0 on.
    """
    weights = dict.fromkeys(KINDS, Fraction(1))
    for pair in filter(None, map(str.strip, text.split(","))):
        kind, _, number = (part.strip() for part in pair.partition("="))
        check_known("connective", kind, KINDS)
        try:
            weights[kind] = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise UsageError(f"a weight is a number, such as {kind}=2, not {pair!r}") from None
        if weights[kind] < 0:
            raise UsageError(f"a weight cannot be negative: {pair!r}")
    whole = [int(w * lcm(*(w.denominator for w in weights.values()))) for w in weights.values()]
    if sum(whole) == 0:
        raise UsageError(f"at least one weight must be above 0: {text!r}")
    divided = tuple(w // gcd(*whole) for w in whole)
    if sum(divided) > MOST_WEIGHT:
        raise UsageError(f"weights must be ratios of numbers up to {MOST_WEIGHT}, not {text!r}")
    return divided


@lru_cache(maxsize=1 << 14)
def is_trivial(statement: tuple) -> bool:
    """Whether a connective joins parts of which two are logically equal or opposite
    ("X or not X", "X iff not not X"), or whether any part, or the whole, is always true or always
    false. Who speaks does not matter. At most 20 people may be mentioned.
    """
    if statement[0] in ("knight", "knave"):
        return False
    if statement[0] == "not":
        return is_trivial(statement[1])
    if any(is_trivial(part) for part in statement[1:]):
        return True
    people = mentioned(statement)
    new = dict(zip(people, range(len(people)), strict=True))
    full = (1 << (1 << len(people))) - 1
    whole, *tables = (
        truth_table(renumbered(s, new), len(people)) for s in (statement, *statement[1:])
    )
    # Equal or opposite: the same table once the truth in world 0 is made false.
    return whole in (0, full) or len({t ^ (full if t & 1 else 0) for t in tables}) < len(tables)


def leaves(people: int, speaker: int, rules: Rules = PUBLISHED) -> list[tuple]:
    """The 2 * people - 1 leaves a speaker may say (2 * people - 2 without self-reference)."""
    others = [("knave", i) for i in range(people) if i != speaker]
    mentionable = range(people) if rules.self_reference else [i for _, i in others]
    return [("knight", i) for i in mentionable] + others


def statement_drawer(
    people: int, depth: int, width: int, rules: Rules, draw: Callable[[], int]
) -> Callable[[int], tuple]:
    """A function speaker -> statement at random, from the top down; `draw` gives 32-bit words."""
    kinds = [kind for kind, w in zip(KINDS, rules.weights, strict=True) for _ in range(w)]
    heard: dict[int, list[tuple]] = {}  # the leaves of those who have spoken

    def below(k: int) -> int:
        return draw() * k >> 32

    def parts_of(speaker: int, level: int, count: int) -> list[tuple]:
        parts: list[tuple] = []
        for _ in range(REDRAWS):
            if (part := statement(speaker, level)) not in parts:
                parts.append(part)
                if len(parts) == count:
                    return parts
        raise UsageError(NOTHING_TO_SAY)

    def statement(speaker: int, level: int) -> tuple:
        kind = kinds[below(len(kinds))] if level > 1 else "leaf"
        if kind == "leaf":
            if speaker not in heard:
                heard[speaker] = leaves(people, speaker, rules)
            return heard[speaker][below(len(heard[speaker]))]
        if kind == "not":
            return (kind, statement(speaker, level - 1))
        count = 2 + below(width - 1) if kind in ("and", "or") else 2
        for _ in range(REDRAWS):
            drawn = (kind, *parts_of(speaker, level - 1, count))
            if rules.trivial or not is_trivial(drawn):
                return drawn
        raise UsageError(NOTHING_TO_SAY)

    return lambda speaker: statement(speaker, depth)


def fitting(statement: Callable[[int], tuple], roles: Sequence[bool]) -> tuple[tuple, ...]:
    """One statement per person, each drawn with `statement` until it fits the world `roles`."""
    statements = []
    for speaker, role in enumerate(roles):
        for _ in range(REDRAWS):
            if evaluate(candidate := statement(speaker), roles) == role:
                break
        else:
            raise UsageError(NOTHING_TO_SAY)
        statements.append(candidate)
    return tuple(statements)
