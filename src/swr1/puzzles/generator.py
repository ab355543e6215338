"""Endless, reproducible sequences of Knights & Knaves puzzles, each with exactly one solution.

One (seed, people, depth, width, split) means one sequence: no puzzle (ordered statements) comes
twice, and positions start .. start+n-1 are always the same puzzles, so ranges of one seed never
overlap. Names and wording change the text of a position, never its statements. Sizes take turns:
position i has lo + i % (hi - lo + 1) people, and the puzzles of a size are the same in every range
of people. A later `start` is reached by drawing what comes before it (without text).

Memory: 12 to 24 bytes per puzzle drawn, to tell duplicates by a 64-bit code. None ever comes
twice; the chance that a code clash leaves one out is below 1e-7 in a million puzzles.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice, permutations
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.puzzles.canonical import SPLITS, in_test, puzzle_code
from swr1.puzzles.item import Puzzle, as_item
from swr1.puzzles.names import read_names
from swr1.puzzles.roles import find_roles
from swr1.puzzles.space import (
    BLOCK,
    count_puzzles,
    draw_puzzles,
    list_puzzles,
    random_words,
    statement_count,
)
from swr1.puzzles.statements import MAX_PEOPLE, world_roles
from swr1.puzzles.traces import find_style, trace_fields
from swr1.puzzles.wording import find_wording
from swr1.registry import suggest

MAX_DEPTH = 10
MAX_WIDTH = 16
RETRIES = 1 << 21  # candidates in a row without a new puzzle, after which drawing stops
COUNTED = 1 << 28  # spaces of at most so many puzzles are counted before the first one is made
LISTED = 1 << 20  # spaces of at most so many puzzles are listed to find the last ones
ADVICE = "Ask for fewer, retell them with other names, or raise depth, width or people."
TEXT_BLOCK = 64  # positions per block of random words for names and wording


def parse_people(text: str) -> tuple[int, int]:
    """ "3-7" -> (3, 7) and "5" -> (5, 5). Raises UsageError for anything else."""
    found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", text)
    if not found:
        raise UsageError(f"people must be a number or a range such as 3-7, not {text!r}")
    return int(found[1]), int(found[2] or found[1])


def generate(
    n: int,
    people: tuple[int, int] | int | str = (3, 7),
    depth: int = 2,
    width: int = 2,
    seed: int = 0,
    start: int = 0,
    split: str | None = None,
    test_share: float = 0.1,
    wording: str = "plain",
    names: str | Sequence[str] = "common",
    roles: str = "knight/knave",
    trace: str | None = None,
    retell: int = 1,
) -> Iterator[dict[str, Any]]:
    """Puzzle records (all but `v` and `id`) for positions start .. start+n-1 of a sequence.

    Args:
        n, start: how many puzzles, and from which position on.
        people: (lo, hi) or "lo-hi" or one number, 2 to 20; sizes take turns.
        depth: levels of a statement, from 2 (depth 1 never has exactly one solution).
        width: most parts of an "and" or "or", from 2.
        split: None for all puzzles, or "train" or "test": see canonical.split_of.
        test_share: the share of "test" among all puzzles.
        wording: a name in wording.WORDINGS; names: a list in names.LISTS, a file, or names.
        roles: what truth tellers and liars are called, see roles.find_roles.
        trace: a style in traces.STYLES; its text is put in info.trace.
        retell: how often each puzzle comes, each time told of other people, for small spaces.

    Raises UsageError before the first record for sizes that cannot be, and when a size is known
    to have fewer puzzles than the positions need; when that cannot be known, as soon as RETRIES
    candidates in a row brought nothing new.
    """
    if isinstance(people, str):
        people = parse_people(people)
    lo, hi = (people, people) if isinstance(people, int) else people
    _check(n, lo, hi, depth, width, start, split, test_share)
    pool = read_names(names)
    if trace:
        find_style(trace)
    called = find_roles(roles, find_wording(wording).language)
    if len(pool) < hi:
        raise UsageError(f"{hi} people need {hi} names, and there are {len(pool)} ({names!r})")
    if not 1 <= retell <= math.perm(len(pool), lo):
        raise UsageError(
            f"retell must be from 1 to {math.perm(len(pool), lo)}: so often can {len(pool)} names"
            f" be given to {lo} people, not {retell}"
        )
    for size in range(lo, hi + 1):
        _check_enough(size, start + n, lo, hi, depth, width, split, test_share, retell)

    def records() -> Iterator[dict[str, Any]]:
        span = hi - lo + 1
        sources = []
        for size in range(lo, hi + 1):
            skip = len(range(size - lo, start, span))
            puzzles = unique_puzzles(size, depth, width, seed, split, test_share)
            for _ in range(skip // retell if n else 0):
                next(puzzles)
            tellings = _tellings(puzzles, pool, size, seed, skip - skip % retell, retell)
            sources.append((size, islice(tellings, skip % retell, None)))
        for index in range(start, start + n):
            size, tellings = sources[index % span]
            statements, world, chosen, words = next(tellings)
            puzzle = Puzzle(chosen, statements, world_roles(world, size), called)
            info: dict[str, Any] = {"depth": depth, "width": width, "seed": seed, "index": index}
            if split:
                info |= {"split": split, "test_share": test_share}
            if trace:
                rng = Random(f"{seed}/{size}/{index // span}/{trace}")
                info |= trace_fields(puzzle, trace, rng)
            yield as_item(puzzle, wording, words, info)

    return records()


def unique_puzzles(
    people: int, depth: int, width: int, seed: int, split: str | None, test_share: float
) -> Iterator[tuple[tuple[tuple, ...], int]]:
    """The sequence of one size: (statements as tuples, number of the only world), no duplicates.

    Drawn at random until RETRIES candidates in a row brought nothing new. Then what is left of a
    space of at most LISTED puzzles comes in listed order; raises UsageError after the last one.
    """
    seen = CodeSet()

    def is_new(statements: tuple[tuple, ...]) -> bool:
        wanted = split is None or in_test(statements, test_share) == (split == "test")
        return wanted and seen.add(puzzle_code(statements))

    idle = 0
    for drawn in draw_puzzles(people, depth, width, f"knights/{seed}/{people}/{depth}/{width}"):
        if drawn is None:
            idle += BLOCK
            if idle > RETRIES:
                break
        elif is_new(drawn[0]):
            idle = 0
            yield drawn
    if statement_count(people, depth, width) ** people <= LISTED:
        yield from (listed for listed in list_puzzles(people, depth, width) if is_new(listed[0]))
    raise UsageError(
        f"only {len(seen)} puzzles found {_sized(people, depth, width, split, test_share)}"
        f" ({RETRIES} candidates in a row brought nothing new). {ADVICE}"
    )


def _sized(people: int, depth: int, width: int, split: str | None, test_share: float) -> str:
    part = f" in the {split} split (test share {test_share})" if split else ""
    return f"for {people} people, depth {depth}, width {width}{part}"


def _check(
    n: int, lo: int, hi: int, depth: int, width: int, start: int, split: str | None, share: float
) -> None:
    def need(holds: bool, what: str) -> None:
        if not holds:
            raise UsageError(what)

    need(n >= 0, f"n must be 0 or more, not {n}")
    need(start >= 0, f"start must be 0 or more, not {start}")
    need(lo <= hi, f"people must go from few to many, such as 3-7, not {lo}-{hi}")
    need(lo >= 2, f"a puzzle needs at least 2 people, not {lo}: alone nobody can be told apart")
    need(hi <= MAX_PEOPLE, f"at most {MAX_PEOPLE} people, not {hi}")
    need(
        2 <= depth <= MAX_DEPTH,
        f"depth must be 2 to {MAX_DEPTH}, not {depth}"
        + " (at depth 1 no puzzle has exactly one solution)" * (depth == 1),
    )
    most = min(MAX_WIDTH, statement_count(lo, depth - 1, 2))  # parts of a statement differ
    need(
        2 <= width <= most,
        f"width must be 2 to {most} for {lo} people at depth {depth}, not {width}",
    )
    if split is not None and split not in SPLITS:
        raise UsageError(f"split must be train or test, not {split!r}.{suggest(split, SPLITS)}")
    need(0 < share < 1, f"the test share must lie between 0 and 1, not {share}")


def _check_enough(
    size: int,
    end: int,
    lo: int,
    hi: int,
    depth: int,
    width: int,
    split: str | None,
    test_share: float,
    retell: int,
) -> None:
    """Refuses positions 0 .. end-1 of sizes lo .. hi when one size is known to run out."""
    span = hi - lo + 1
    if statement_count(size, depth, width) ** size > COUNTED:
        return
    have = count_puzzles(size, depth, width, split, test_share if split else 0.0)
    if have is None or len(range(size - lo, end, span)) <= have * retell:
        return
    filled = have * retell * span + size - lo
    turns = f"; sizes {lo}-{hi} take turns, so only {filled} positions can be filled"
    times = f" (each {retell} times)" if retell > 1 else ""
    raise UsageError(
        f"only {have} puzzles with exactly one solution exist{times}"
        f" {_sized(size, depth, width, split, test_share)}{turns if span > 1 else ''},"
        f" and start + n is {end}. {ADVICE}"
    )


def _tellings(
    puzzles: Iterator[tuple], pool: Sequence[str], size: int, seed: int, skip: int, retell: int
) -> Iterator[tuple[tuple, int, list[str], array]]:
    """(statements, world, names, words for the wording), each puzzle `retell` times in a row.

    No two tellings of a puzzle are of the same people in the same roles of it. `skip` positions of
    this size, whole puzzles, came before.
    """
    dice = _text_words(size, seed, skip)
    for statements, world in puzzles:
        told: set[tuple[str, ...]] = set()
        for _ in range(retell):
            words = next(dice)
            chosen = _choose(pool, words[:size])
            if tuple(chosen) in told:
                chosen = list(next(p for p in _arrangements(pool, words) if p not in told))
            told.add(tuple(chosen))
            yield statements, world, chosen, words[size:]


def _arrangements(pool: Sequence[str], words: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Every way to name the people (half of `words`), in an order that the words shuffle."""
    return permutations(_choose(pool, [*words, *words][: len(pool)]), len(words) // 2)


def _text_words(size: int, seed: int, skip: int) -> Iterator[array]:
    """Per position of a size, 2 * size random words: for the names and for the wording."""
    each = 2 * size
    blocks = random_words(f"knights/{seed}/{size}/text", each * TEXT_BLOCK, skip // TEXT_BLOCK)
    first = skip % TEXT_BLOCK
    for block in blocks:
        for i in range(first, TEXT_BLOCK):
            yield block[i * each : (i + 1) * each]
        first = 0


def _choose(pool: Sequence[str], words: Sequence[int]) -> list[str]:
    """As many different names as there are random words (the start of a Fisher-Yates shuffle)."""
    names, left = list(pool), len(pool)
    for i, word in enumerate(words):
        j = i + (word * left >> 32)
        names[i], names[j] = names[j], names[i]
        left -= 1
    return names[: len(words)]


class CodeSet:
    """A set of 64-bit numbers in 12 to 24 bytes each (a Python set takes about 80).

    Open addressing with linear probing in one array, at most two thirds full; 0 marks a free slot,
    so 0 itself is kept as 1.
    """

    def __init__(self) -> None:
        self._slots, self._size = array("Q", bytes(8 << 10)), 0

    def __len__(self) -> int:
        return self._size

    def add(self, code: int) -> bool:
        """Whether the number is new; it is in the set afterwards."""
        slots, mask = self._slots, len(self._slots) - 1
        code = code or 1
        slot = code & mask
        while slots[slot]:
            if slots[slot] == code:
                return False
            slot = (slot + 1) & mask
        slots[slot] = code
        self._size += 1
        if 3 * self._size > 2 * len(slots):
            self._slots, self._size = array("Q", bytes(16 * len(slots))), 0
            for old in slots:
                if old:
                    self.add(old)
        return True
