"""Endless, reproducible sequences of Knights & Knaves puzzles, each with exactly one solution.

One (seed, people, rules, split) means one sequence: no puzzle (ordered statements) comes twice, and
positions start .. start+n-1 are always the same puzzles, so ranges of one seed never overlap. Names,
roles and wording change the text of a position, never its statements. Sizes take turns: position i
has lo + i % (hi - lo + 1) people, and the puzzles of a size are the same in every range of people.

Up to 12 people a later position is reached by drawing what comes before it (without text), and
`seen.CodeSet` finds duplicates in bounded memory. From 13 people on each puzzle has a
random stream of its own (`large`), so any position is reached at once.
"""

import math
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import permutations
from random import Random
from typing import Any

from swr1.errors import UsageError
from swr1.puzzles.canonical import SPLITS, canonical_key, hash_sum, in_split, puzzle_code
from swr1.puzzles.config import PuzzleConfig
from swr1.puzzles.difficulty import difficulty as difficulty_of
from swr1.puzzles.item import Puzzle, as_item
from swr1.puzzles.large import LARGE, MOST_PEOPLE, draw_large
from swr1.puzzles.names import default_names, read_names
from swr1.puzzles.roles import Roles, find_roles
from swr1.puzzles.rules import PUBLISHED, Rules
from swr1.puzzles.seen import CodeSet
from swr1.puzzles.space import (
    BLOCK,
    count_puzzles,
    draw_planted,
    draw_puzzles,
    list_puzzles,
    random_words,
    statement_count,
)
from swr1.puzzles.statements import MAX_PEOPLE, world_roles
from swr1.puzzles.traces import check_wrong, find_style, trace_fields
from swr1.puzzles.wording import find_wording
from swr1.registry import suggest

MAX_DEPTH = 10
MAX_WIDTH = 16
RETRIES = 1 << 21  # candidates in a row without a new puzzle, after which drawing stops
COUNTED = 1 << 28  # spaces of at most so many puzzles are counted before the first one is made
LISTED = 1 << 20  # spaces of at most so many puzzles are listed to find the last ones
ADVICE = "Ask for fewer, retell them with other names, or raise depth, width or people."
TEXT_BLOCK = 64  # positions per block of random words for names and wording
DISTINCT = ("text", "form")

Drawn = tuple[tuple[tuple, ...], tuple[bool, ...]]  # statements, the only world that fits
Accepts = Callable[[tuple[tuple, ...]], bool]  # whether a puzzle belongs to the split


def parse_people(text: str) -> tuple[int, int]:
    """ "3-7" -> (3, 7) and "5" -> (5, 5). Raises UsageError for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", text)
    if not match:
        raise UsageError(f"people must be a number or a range such as 3-7, not {text!r}")
    return int(match[1]), int(match[2] or match[1])


def as_possible(n: int, config: PuzzleConfig, start: int = 0) -> tuple[int, PuzzleConfig]:
    """`n` and `config` with fewer puzzles, or tellings of each, where so many are known not to exist."""
    lo, hi = _sizes(config)
    retell = min(config.retell, math.perm(len(_pool(config, hi)[1]), lo))
    config = replace(config, retell=retell)
    ends = [_positions(size, lo, hi, config, config.chosen_rules) for size in range(lo, hi + 1)]
    return max(0, min([n, *(end - start for end, _ in filter(None, ends))])), config


def generate(
    n: int,
    people: tuple[int, int] | int | str | None = None,
    *,
    config: PuzzleConfig | None = None,
    start: int = 0,
    every: int = 1,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Puzzle records (all but `v` and `id`) for positions start .. start+n-1 of a sequence.

    Args:
        n, start: how many positions, and from which one on; `every` k takes every k-th of them.
        people, options: fields of PuzzleConfig that take the place of those of `config`.

    Raises UsageError before the first record for sizes that cannot be, and when a size is known
    to have fewer puzzles than the positions need; when that cannot be known, as soon as RETRIES
    candidates in a row brought nothing new.
    """
    if people is not None:
        options["people"] = people
    config = replace(config or PuzzleConfig(), **options)
    depth, width, seed, split = config.depth, config.width, config.seed, config.split
    trace, wrong, retell, rules = config.trace, config.wrong, config.retell, config.chosen_rules
    lo, hi = _sizes(config)
    _check(n, lo, hi, start, config, rules)
    if trace:
        find_style(trace)
        check_wrong(trace, wrong)
    elif wrong or config.steps:
        raise UsageError("wrong and steps apply to a trace: choose a trace style, too")
    called, pool = _pool(config, hi)
    if not 1 <= retell <= math.perm(len(pool), lo):
        raise UsageError(
            f"retell must be from 1 to {math.perm(len(pool), lo)}: so often can {len(pool)} names"
            f" be given to {lo} people, not {retell}"
        )
    for size in range(lo, hi + 1):
        _check_enough(size, start + n, lo, hi, config, rules)

    drawn: dict[str, Any] = {"depth": depth, "width": width, "seed": seed}
    facts = {"split": split, "test_share": config.test_share} if split else {}
    facts |= rules.changes()
    if config.knights is not None:
        facts["knights"] = config.knights
    if config.distinct != "text":
        facts["distinct"] = config.distinct

    def accepts(statements: tuple[tuple, ...]) -> bool:
        return split is None or in_split(hash_sum(statements), split, config.test_share)

    def records() -> Iterator[dict[str, Any]]:
        span = hi - lo + 1
        sizes = range(lo, hi + 1)
        puzzles = [
            numbered(s, depth, width, seed, accepts, rules, config.knights, config.distinct)
            for s in sizes
        ]
        tellers = [_teller(pool, size, seed, retell) for size in sizes]
        for index in range(start, start + n, every):
            turn, which = divmod(index, span)
            statements, solution = puzzles[which](turn // retell)
            chosen, words = tellers[which](turn)
            puzzle = Puzzle(chosen, statements, solution, called)
            info = {**drawn, "index": index, **facts}
            if config.difficulty:
                info["difficulty"] = difficulty_of(statements)
            if trace:
                rng = Random(f"{seed}/{lo + which}/{turn}/{trace}")
                info |= trace_fields(puzzle, trace, rng, wrong, config.steps)
            yield as_item(puzzle, config.wording, words, info)

    return records()


def numbered(
    people: int,
    depth: int,
    width: int,
    seed: int,
    accepts: Accepts,
    rules: Rules = PUBLISHED,
    knights: float | None = None,
    distinct: str = "text",
) -> Callable[[int], Drawn]:
    """The sequence of one size, as a function: number of a puzzle -> (statements, solution).

    Ask for increasing numbers (the last one may be asked for again). Up to 12 people they are drawn
    one after the other; the function raises UsageError after the last one.
    """
    key = f"knights/{seed}/{people}/{depth}/{width}"
    key += "".join(f"/{k}={v}" for k, v in rules.changes().items())
    key += "" if knights is None else f"/knights={knights!r}"
    if people >= LARGE:
        return lru_cache(maxsize=1)(
            lambda number: draw_large(
                people, depth, width, f"{key}/{number}", rules, knights, accepts
            )
        )
    puzzles = enumerate(
        _unique_puzzles(people, depth, width, key, accepts, rules, knights, distinct)
    )

    @lru_cache(maxsize=1)
    def puzzle(number: int) -> Drawn:
        statements, world = next(drawn for at, drawn in puzzles if at == number)
        return statements, world_roles(world, people)

    return puzzle


def _unique_puzzles(
    people: int,
    depth: int,
    width: int,
    key: str,
    accepts: Accepts,
    rules: Rules,
    knights: float | None,
    distinct: str,
) -> Iterator[tuple[tuple[tuple, ...], int]]:
    """(statements, number of the only world), no duplicates.

    Drawn at random until RETRIES candidates in a row brought nothing new. Then what is left of a
    space of at most LISTED puzzles comes in listed order; raises UsageError after the last one.
    """
    seen = CodeSet()

    def is_new(statements: tuple[tuple, ...]) -> bool:
        if not accepts(statements):
            return False
        if distinct == "form":
            return seen.add(int(canonical_key(statements)[:16], 16))
        return seen.add(puzzle_code(statements))

    if knights is None:
        draws = draw_puzzles(people, depth, width, key, rules)
    else:
        draws = draw_planted(people, depth, width, key, rules, knights)
    idle = 0
    for drawn in draws:
        if drawn is None:
            idle += BLOCK
            if idle > RETRIES:
                break
        elif is_new(drawn[0]):
            idle = 0
            yield drawn
    if knights is None and statement_count(people, depth, width, rules) ** people <= LISTED:
        listed = list_puzzles(people, depth, width, rules)
        yield from (puzzle for puzzle in listed if is_new(puzzle[0]))
    raise UsageError(
        f"only {len(seen)} such puzzles found for {people} people, depth {depth}, width {width}"
        f" ({RETRIES} candidates in a row brought nothing new). {ADVICE}"
    )


def _check(n: int, lo: int, hi: int, start: int, config: PuzzleConfig, rules: Rules) -> None:
    depth, width, split, share = config.depth, config.width, config.split, config.test_share
    knights, distinct = config.knights, config.distinct

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise UsageError(what)

    need(n >= 0, f"n must be 0 or more, not {n}")
    need(start >= 0, f"start must be 0 or more, not {start}")
    need(lo <= hi, f"people must go from few to many, such as 3-7, not {lo}-{hi}")
    need(lo >= 2, f"a puzzle needs at least 2 people, not {lo}: alone nobody can be told apart")
    need(hi <= MOST_PEOPLE, f"at most {MOST_PEOPLE} people, not {hi}")
    need(
        2 <= depth <= MAX_DEPTH,
        f"depth must be 2 to {MAX_DEPTH}, not {depth}"
        + " (at depth 1 no puzzle has exactly one solution)" * (depth == 1),
    )
    mentionable = lo - (not rules.self_reference)
    # Parts of a statement differ, and where none is trivial they are about different people.
    most = min(
        MAX_WIDTH, statement_count(lo, depth - 1, 2, rules) if rules.trivial else mentionable
    )
    need(
        2 <= width <= most,
        f"width must be 2 to {most} for {lo} people at depth {depth}, not {width}",
    )
    if split is not None and split not in SPLITS:
        raise UsageError(f"split must be train or test, not {split!r}.{suggest(split, SPLITS)}")
    need(0 < share <= 0.5, f"the test share must be above 0 and at most 0.5, not {share}")
    need(
        knights is None or 0 <= knights <= 1,
        f"the share of knights must lie between 0 and 1, not {knights}",
    )
    if distinct not in DISTINCT:
        raise UsageError(
            f"distinct must be text or form, not {distinct!r}.{suggest(distinct, DISTINCT)}"
        )
    need(
        rules.trivial or min(hi, width ** (depth - 1)) <= MAX_PEOPLE,
        f"trivial statements are found by truth tables, up to {MAX_PEOPLE} people in a statement:"
        " allow trivial ones, or lower depth, width or people",
    )


def _sizes(config: PuzzleConfig) -> tuple[int, int]:
    people = config.people
    if isinstance(people, str):
        people = parse_people(people)
    return (people, people) if isinstance(people, int) else people


def _pool(config: PuzzleConfig, most: int) -> tuple[Roles, list[str]]:
    """The role words, and the names that `most` people are drawn from."""
    language = find_wording(config.wording).language
    called = find_roles(config.roles, language)
    names = default_names(language, most) if config.names is None else config.names
    return called, read_names(names, called, most)


def _positions(
    size: int, lo: int, hi: int, config: PuzzleConfig, rules: Rules
) -> tuple[int, int] | None:
    """(positions of sizes lo .. hi that can be filled before `size` runs out, puzzles of it that
    exist), or None where there are too many to be counted."""
    depth, width, split = config.depth, config.width, config.split
    if statement_count(size, depth, width, rules) ** size > COUNTED:
        return None
    share = config.test_share if split else 0.0
    have = count_puzzles(size, depth, width, split, share, rules=rules)
    if have is None:
        return None
    return have * config.retell * (hi - lo + 1) + size - lo, have


def _check_enough(
    size: int, end: int, lo: int, hi: int, config: PuzzleConfig, rules: Rules
) -> None:
    """Refuses positions 0 .. end-1 of sizes lo .. hi when one size is known to run out."""
    depth, width, split = config.depth, config.width, config.split
    test_share, retell = config.test_share, config.retell
    span = hi - lo + 1
    known = _positions(size, lo, hi, config, rules)
    if known is None or end <= known[0]:
        return
    filled, have = known
    turns = f"; sizes {lo}-{hi} take turns, so only {filled} positions can be filled"
    times = f" (each {retell} times)" if retell > 1 else ""
    of_all = "half of all" if split == "train" else f"{test_share} of all"
    part = f" in the {split} split ({of_all})" if split else ""
    raise UsageError(
        f"only {have} puzzles with exactly one solution exist{times}"
        f" for {size} people, depth {depth}, width {width}{part}{turns if span > 1 else ''},"
        f" and start + n is {end}. {ADVICE}"
    )


def _teller(
    pool: Sequence[str], size: int, seed: int, retell: int
) -> Callable[[int], tuple[list[str], array]]:
    """Function of a size's position (only increasing ones) -> (names, words for the wording).

    No two tellings of a puzzle (`retell` positions in a row) are of the same people in the same
    roles of it.
    """
    words_at = _text_words(size, seed)
    namings: dict[tuple[str, ...], None] = {}  # of the puzzle at hand so far, in order
    first = 0  # the position of its first telling

    def tell(position: int) -> tuple[list[str], array]:
        nonlocal first
        if position - first >= retell:
            first = position - position % retell
            namings.clear()
        for telling in range(first + len(namings), position + 1):
            words = words_at(telling)
            chosen = tuple(_choose(pool, words[:size]))
            if chosen in namings:
                shuffled = _choose(pool, [*words, *words][: len(pool)])
                chosen = next(p for p in permutations(shuffled, size) if p not in namings)
            namings[chosen] = None
        return list(chosen), words[size:]

    return tell


def _text_words(size: int, seed: int) -> Callable[[int], array]:
    """Position of a size -> 2 * size random words: for the names and for the wording."""
    each = 2 * size

    @lru_cache(maxsize=1)
    def block(number: int) -> array:
        return next(random_words(f"knights/{seed}/{size}/text", each * TEXT_BLOCK, number))

    def words(position: int) -> array:
        at = position % TEXT_BLOCK * each
        return block(position // TEXT_BLOCK)[at : at + each]

    return words


def _choose(pool: Sequence[str], words: Sequence[int]) -> list[str]:
    """As many different names as there are random words (the start of a Fisher-Yates shuffle)."""
    names, left = list(pool), len(pool)
    for i, word in enumerate(words):
        j = i + (word * left >> 32)
        names[i], names[j] = names[j], names[i]
        left -= 1
    return names[: len(words)]
