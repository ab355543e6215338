"""The space of puzzles of one size: counting it, listing it, drawing from it.

Statements are drawn by `Rules`, each apart from the others; puzzles whose number of solutions is
not one are dropped. Up to 12 people and depth 2 that takes one look-up per statement.

Randomness is SHAKE-128 over a text key, cut into 32-bit words: the same on every Python and
machine. A word becomes a number below k as word * k >> 32 (no outcome is favoured by more than
k / 2**32).
"""

import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, reduce
from hashlib import shake_128
from itertools import chain, count, permutations, product
from math import lcm, perm
from operator import and_

from swr1.errors import UsageError
from swr1.puzzles.canonical import in_split, shape_hash
from swr1.puzzles.rules import (
    KINDS,
    NOTHING_TO_SAY,
    PUBLISHED,
    Rules,
    fitting,
    is_trivial,
    leaves,
    statement_drawer,
)
from swr1.puzzles.statements import leaf_tables, truth_table, world_roles

BLOCK = 512  # candidates per block of a stream; part of what a seed means
TABLE_LIMIT = 400_000  # table entries for fast drawing; also part of what a seed means

PLANTED = 512  # candidates for one planted world

Draw = tuple[tuple[tuple, ...], int]  # statements, number of the only world that fits


def random_words(key: str, size: int, first: int = 0) -> Iterator[array]:
    """Endless blocks of `size` uniform 32-bit words from block `first` on; the key says which."""
    for block in count(first):
        words = array("I", shake_128(f"{key}/{block}".encode()).digest(4 * size))
        if sys.byteorder == "big":
            words.byteswap()
        yield words


def _numbers_of_parts(kind: str, width: int) -> range:
    return range(2, (width if kind in ("and", "or") else 2) + 1)


def statement_count(people: int, depth: int, width: int, rules: Rules = PUBLISHED) -> int:
    """How many statements one person may make: 2L + 4L(L-1), L = 2*people-1, at depth 2, width 2.

    Without trivial ones it is an upper bound.
    """
    simple = 2 * people - 1 - (not rules.self_reference)
    total = simple
    for _ in range(depth - 1):
        below, total = total, 0
        for kind, weight in zip(KINDS, rules.weights, strict=True):
            if weight:
                joined = sum(perm(below, k) for k in _numbers_of_parts(kind, width))
                total += {"leaf": simple, "not": below}.get(kind, joined)
    return total


def all_statements(
    people: int, speaker: int, depth: int, width: int, rules: Rules = PUBLISHED
) -> Iterator[tuple]:
    """Every statement the speaker may make, each once, by kind and number of parts."""
    for _, group in _groups(people, speaker, depth, width, rules):
        yield from group


def _groups(
    people: int, speaker: int, depth: int, width: int, rules: Rules
) -> Iterator[tuple[Fraction, Iterator[tuple]]]:
    """(chance that a statement has this kind and number of parts, all such statements)."""
    if depth == 1:
        yield Fraction(1), iter(leaves(people, speaker, rules))
        return
    parts = list(all_statements(people, speaker, depth - 1, width, rules))
    for kind, weight in zip(KINDS, rules.weights, strict=True):
        chance = Fraction(weight, sum(rules.weights))
        if not weight:
            continue
        if kind == "leaf":
            yield chance, iter(leaves(people, speaker, rules))
        elif kind == "not":
            yield chance, (("not", s) for s in parts)
        else:
            sizes = _numbers_of_parts(kind, width)
            for k in sizes:
                candidates = ((kind, *chosen) for chosen in permutations(parts, k))
                choices = (
                    candidates if rules.trivial else (s for s in candidates if not is_trivial(s))
                )
                yield chance / len(sizes), choices


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
    rules: Rules = PUBLISHED,
) -> int | None:
    """Exactly how many puzzles (ordered statements) have one solution, or None if that is too much.

    Statements are grouped by the worlds they fit (and, for a split, by the hash it goes by), and
    the groups combined person by person. `effort` bounds the listed statements and the
    combinations of any one person: the default is about a second. 2 people, depth 2, width 2: 399.
    """
    if statement_count(people, depth, width, rules) * people > effort // 8:
        return None
    # (worlds that fit so far, sum of hashes so far) -> number of ways
    ways = Counter({((1 << (1 << people)) - 1, 0): 1})
    for speaker in range(people):
        groups: Counter[tuple[int, int]] = Counter()
        for s in all_statements(people, speaker, depth, width, rules):
            groups[fitting_worlds(s, speaker, people), shape_hash(s, speaker) if split else 0] += 1
        if len(ways) * len(groups) > effort:
            return None
        wider: Counter[tuple[int, int]] = Counter()
        for (fits, total), n in ways.items():
            for (also, shape), m in groups.items():
                if both := fits & also:
                    wider[both, (total + shape) & (1 << 64) - 1] += n * m
        ways = wider
    return sum(
        n
        for (fits, total), n in ways.items()
        if fits.bit_count() == 1 and (not split or in_split(total, split, test_share))
    )


def list_puzzles(people: int, depth: int, width: int, rules: Rules = PUBLISHED) -> Iterator[Draw]:
    """Every puzzle with one solution, in a fixed order; feasible up to 3 people at depth 2."""
    by_speaker = [
        [(s, fitting_worlds(s, p, people)) for s in all_statements(people, p, depth, width, rules)]
        for p in range(people)
    ]
    for choice in product(*by_speaker):
        fits = reduce(and_, [worlds for _, worlds in choice])
        if fits.bit_count() == 1:
            yield tuple([s for s, _ in choice]), fits.bit_length() - 1


def draw_puzzles(
    people: int, depth: int, width: int, key: str, rules: Rules = PUBLISHED
) -> Iterator[Draw | None]:
    """Endless puzzles with one solution, drawn at random: (statements, number of the solution).

    None comes after every BLOCK candidates, so that the caller can give up.
    """
    if depth == 2 and people <= 12 and _outcomes(people, width, rules) * people <= TABLE_LIMIT:
        return _draw_from_tables(people, width, key, rules)
    return _draw_nested(people, depth, width, key, rules)


@lru_cache(maxsize=64)
def _group_sizes(people: int, width: int, rules: Rules) -> list[tuple[Fraction, int]]:
    """(chance, number of statements) of each group of `_groups` at depth 2.

    A formula gives them where it can, since for most sizes the only question is whether tables fit.
    """
    if not rules.trivial:
        groups = _groups(people, 0, 2, width, rules)
        return [(chance, sum(1 for _ in group)) for chance, group in groups]
    simple, total, sizes = len(leaves(people, 0, rules)), sum(rules.weights), []
    for kind, weight in zip(KINDS, rules.weights, strict=True):
        numbers = [1] if kind in ("leaf", "not") else _numbers_of_parts(kind, width)
        if weight:
            chance = Fraction(weight, total * len(numbers))
            sizes += [(chance, perm(simple, k)) for k in numbers]
    return sizes


def _outcomes(people: int, width: int, rules: Rules) -> int:
    """The number of equally likely outcomes by which statements of depth 2 get their chances."""
    if perm(2 * people - 1, width) > TABLE_LIMIT:
        return TABLE_LIMIT + 1
    sizes = _group_sizes(people, width, rules)
    if any(size == 0 for _, size in sizes):
        raise UsageError(NOTHING_TO_SAY)
    return lcm(*[(chance / size).denominator for chance, size in sizes])


@lru_cache(maxsize=32)
def _tables(
    people: int, width: int, rules: Rules = PUBLISHED
) -> tuple[list[int], list[list[tuple]], list[list[int]]]:
    """Chances (statement numbers, each as often as its share of the outcomes),
    statements[speaker][number], and fitting worlds[speaker][outcome]; depth 2.
    """
    outcomes, chances, first = _outcomes(people, width, rules), [], 0
    for chance, size in _group_sizes(people, width, rules):
        each = int(chance * outcomes) // size
        chances += [number for number in range(first, first + size) for _ in range(each)]
        first += size
    statements = [list(all_statements(people, p, 2, width, rules)) for p in range(people)]
    worlds = []
    for p in range(people):
        fits = [fitting_worlds(s, p, people) for s in statements[p]]
        worlds.append([fits[number] for number in chances])
    return chances, statements, worlds


def _draw_from_tables(people: int, width: int, key: str, rules: Rules) -> Iterator[Draw | None]:
    """Depth 2 and few statements: one word and one look-up per person."""
    chances, statements, worlds = _tables(people, width, rules)
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
                chosen = [
                    s[chances[column[i]]] for s, column in zip(statements, picks, strict=True)
                ]
                yield tuple(chosen), world.bit_length() - 1
        yield None


def _draw_nested(
    people: int, depth: int, width: int, key: str, rules: Rules
) -> Iterator[Draw | None]:
    """Any depth and width."""
    draw = chain.from_iterable(random_words(key, 1 << 14)).__next__
    statement = statement_drawer(people, depth, width, rules, draw)
    while True:
        for _ in range(BLOCK):
            fits = (1 << (1 << people)) - 1
            statements: list[tuple] = []
            while fits and len(statements) < people:
                statements.append(statement(len(statements)))
                fits &= fitting_worlds(statements[-1], len(statements) - 1, people)
            if fits and not fits & (fits - 1):
                yield tuple(statements), fits.bit_length() - 1
        yield None


def draw_planted(
    people: int, depth: int, width: int, key: str, rules: Rules, knights: float
) -> Iterator[Draw | None]:
    """Puzzles whose solution was chosen first: each person a knight with the chance `knights`.

    Each statement is drawn until it fits the planted world, and all of them until no other world
    fits. Statements are independent, so this is exactly the distribution of `draw_puzzles` given
    its solution, and the solutions come with exactly the given chances. A world is given up
    after PLANTED candidates, which happens where it can hardly be an only solution.
    """
    draw = chain.from_iterable(random_words(key, 1 << 14)).__next__
    statement = statement_drawer(people, depth, width, rules, draw)
    worlds = lru_cache(maxsize=1 << 14)(fitting_worlds)
    while True:
        world = sum([(draw() < knights * (1 << 32)) << person for person in range(people)])
        roles = world_roles(world, people)
        for _ in range(PLANTED):
            statements = fitting(statement, roles)
            fits = reduce(and_, [worlds(s, p, people) for p, s in enumerate(statements)])
            if not fits & (fits - 1):
                yield statements, world
                break
        yield None
