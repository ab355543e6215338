"""The space of puzzles of one size: counting it, listing it, drawing from it.

The distribution is the published one (Xie et al., "On Memorization of Large Language Models in
Logical Reasoning", 2024): each person's statement is, with probability 1/6 each, a leaf, not, and,
or, implies or iff; the parts are drawn the same way one level lower (leaves only at the lowest);
"and" and "or" have 2 .. width parts, equally likely; parts of one statement differ; nobody calls
themself a knave. Puzzles whose number of solutions is not one are dropped.

Randomness is SHAKE-128 over a text key, cut into 32-bit words: the same on every Python and
machine. A word becomes a number below k as word * k >> 32 (no outcome is favoured by more than
k / 2**32).
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache, reduce
from hashlib import shake_128
from itertools import chain, count, permutations, product
from math import perm
from operator import and_

from swr1.puzzles.canonical import shape_hash
from swr1.puzzles.statements import leaf_tables, truth_table

BLOCK = 512  # candidates per block of a stream; part of what a seed means
TABLE_LIMIT = 400_000  # table entries for fast drawing; also part of what a seed means

KINDS = ("leaf", "not", "and", "or", "implies", "iff")

Draw = tuple[tuple[tuple, ...], int]  # statements, number of the only world that fits


def random_words(key: str, size: int, first: int = 0) -> Iterator[array]:
    """Endless blocks of `size` uniform 32-bit words from block `first` on; the key says which."""
    for block in count(first):
        words = array("I", shake_128(f"{key}/{block}".encode()).digest(4 * size))
        if sys.byteorder == "big":
            words.byteswap()
        yield words


def leaves(people: int, speaker: int) -> list[tuple]:
    """The 2 * people - 1 leaves a speaker may say."""
    others = [("knave", i) for i in range(people) if i != speaker]
    return [("knight", i) for i in range(people)] + others


def statement_count(people: int, depth: int, width: int) -> int:
    """How many statements one person may make: 2L + 4L(L-1), L = 2*people-1, at depth 2, width 2."""
    simple = 2 * people - 1
    total = simple
    for _ in range(depth - 1):
        total = simple + total + 2 * sum(perm(total, k) for k in [2, *range(2, width + 1)])
    return total


def all_statements(people: int, speaker: int, depth: int, width: int) -> Iterator[tuple]:
    """Every statement the speaker may make, each once."""
    yield from leaves(people, speaker)
    if depth > 1:
        parts = list(all_statements(people, speaker, depth - 1, width))
        yield from (("not", s) for s in parts)
        for kind, most in (("and", width), ("or", width), ("implies", 2), ("iff", 2)):
            for k in range(2, most + 1):
                yield from ((kind, *chosen) for chosen in permutations(parts, k))


def fitting_worlds(statement: tuple, speaker: int, people: int) -> int:
    """The worlds in which the speaker is a knight iff the statement is true, one bit each."""
    full = (1 << (1 << people)) - 1
    return full ^ leaf_tables(people)[speaker] ^ truth_table(statement, people)


@lru_cache(maxsize=64)
def count_puzzles(
    people: int,
    depth: int = 2,
    width: int = 2,
    split: str | None = None,
    test_share: float = 0.1,
    effort: int = 1 << 20,
) -> int | None:
    """Exactly how many puzzles (ordered statements) have one solution, or None if that is too much.

    Statements are grouped by the worlds they fit (and, for a split, by the hash it goes by), and
    the groups combined person by person. `effort` bounds the listed statements and the
    combinations of any one person: the default is about a second. 2 people, depth 2, width 2: 399.
    """
    if statement_count(people, depth, width) * people > effort // 8:
        return None
    # (worlds that fit so far, sum of hashes so far) -> number of ways
    ways = Counter({((1 << (1 << people)) - 1, 0): 1})
    for speaker in range(people):
        groups: Counter[tuple[int, int]] = Counter()
        for s in all_statements(people, speaker, depth, width):
            groups[fitting_worlds(s, speaker, people), shape_hash(s, speaker) if split else 0] += 1
        if len(ways) * len(groups) > effort:
            return None
        wider: Counter[tuple[int, int]] = Counter()
        for (fits, total), n in ways.items():
            for (also, shape), m in groups.items():
                if both := fits & also:
                    wider[both, (total + shape) & (1 << 64) - 1] += n * m
        ways = wider
    wanted = split == "test"
    return sum(
        n
        for (fits, total), n in ways.items()
        if fits.bit_count() == 1 and (not split or (total < test_share * (1 << 64)) == wanted)
    )


def list_puzzles(people: int, depth: int, width: int) -> Iterator[Draw]:
    """Every puzzle with one solution, in a fixed order; feasible up to 3 people at depth 2."""
    told = [
        [(s, fitting_worlds(s, p, people)) for s in all_statements(people, p, depth, width)]
        for p in range(people)
    ]
    for choice in product(*told):
        fits = reduce(and_, [worlds for _, worlds in choice])
        if fits.bit_count() == 1:
            yield tuple([s for s, _ in choice]), fits.bit_length() - 1


def draw_puzzles(people: int, depth: int, width: int, key: str) -> Iterator[Draw | None]:
    """Endless puzzles with one solution, drawn at random: (statements, number of the solution).

    None comes after every BLOCK candidates, so that the caller can give up.
    """
    if depth == 2 and people <= 12 and 6 * _weight(people, width) * people <= TABLE_LIMIT:
        return _draw_from_tables(people, width, key)
    return _draw_nested(people, depth, width, key)


def _weight(people: int, width: int) -> int:
    """The weight of each of the six kinds: a number that each group of statements divides."""
    return (width - 1) * perm(2 * people - 1, width)


def _chances(people: int, width: int) -> list[int]:
    """Statement numbers (places in `all_statements`, depth 2), each as often as its weight.

    All six kinds weigh the same, and so do all statements of one kind and number of parts.
    """
    simple, weight = 2 * people - 1, _weight(people, width)
    groups = [(simple, weight), (simple, weight)]  # (statements, weight of them all)
    for most in (width, width, 2, 2):
        groups += [(perm(simple, k), weight // (most - 1)) for k in range(2, most + 1)]
    numbers, first = [], 0
    for size, total in groups:
        numbers += [first + i for i in range(size) for _ in range(total // size)]
        first += size
    return numbers


@lru_cache(maxsize=32)
def _tables(people: int, width: int) -> tuple[list[int], list[list[tuple]], list[list[int]]]:
    """Chances, statements[speaker][number], and fitting worlds[speaker][chance]."""
    chances = list(_chances(people, width))
    statements = [list(all_statements(people, p, 2, width)) for p in range(people)]
    worlds = []
    for p in range(people):
        fits = [fitting_worlds(s, p, people) for s in statements[p]]
        worlds.append([fits[number] for number in chances])
    return chances, statements, worlds


def _draw_from_tables(people: int, width: int, key: str) -> Iterator[Draw | None]:
    """Depth 2 and few statements: one word and one look-up per person."""
    chances, statements, worlds = _tables(people, width)
    outcomes = len(chances)
    for words in random_words(key, people * BLOCK):
        picks = [
            [word * outcomes >> 32 for word in words[p * BLOCK : (p + 1) * BLOCK]]
            for p in range(people)
        ]
        fits = list(map(worlds[0].__getitem__, picks[0]))
        for p in range(1, people):
            fits = list(map(and_, fits, map(worlds[p].__getitem__, picks[p])))
        for i, world in enumerate(fits):
            if world and not world & (world - 1):
                told = [s[chances[column[i]]] for s, column in zip(statements, picks, strict=True)]
                yield tuple(told), world.bit_length() - 1
        yield None


def _draw_nested(people: int, depth: int, width: int, key: str) -> Iterator[Draw | None]:
    """Any depth and width: statements drawn from the top down."""
    draw = chain.from_iterable(random_words(key, 1 << 14)).__next__
    everyone = [leaves(people, p) for p in range(people)]

    def below(k: int) -> int:
        return draw() * k >> 32

    def statement(speaker: int, level: int) -> tuple:
        kind = KINDS[below(6)] if level > 1 else "leaf"
        if kind == "leaf":
            return everyone[speaker][below(2 * people - 1)]
        if kind == "not":
            return (kind, statement(speaker, level - 1))
        parts: list[tuple] = []
        wanted = 2 + below(width - 1) if kind in ("and", "or") else 2
        while len(parts) < wanted:
            if (part := statement(speaker, level - 1)) not in parts:
                parts.append(part)
        return (kind, *parts)

    while True:
        for _ in range(BLOCK):
            fits = (1 << (1 << people)) - 1
            told: list[tuple] = []
            while fits and len(told) < people:
                told.append(statement(len(told), depth))
                fits &= fitting_worlds(told[-1], len(told) - 1, people)
            if fits and not fits & (fits - 1):
                yield tuple(told), fits.bit_length() - 1
        yield None
