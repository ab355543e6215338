"""Puzzles of more than 12 people: each is drawn on its own, from a key, so any can be had first.

Whole puzzles are drawn by the rules and kept iff exactly one world fits, as for fewer people; only
the test is a SAT solver's (`solver.unique`) instead of a truth table. So the distribution is exact.
Rejection goes on working since the share of candidates with one solution falls slowly with size
(by the published rules 32% at 8 people, 25% at 20, 15% at 100, 12% at 200, 9% at 1000), and stays
above 10% at 100 people for all weights of the connectives and shares of knights that were tried;
`benchmarks/puzzles.py` measures both.

That two puzzles of one size are alike is improbable rather than tested: two statements of a speaker
are equal with a chance below 0.003 by the published rules, so a million million puzzles of 13
people hold an equal pair with a chance below 1e-9 (and of more people, far below).
"""

from collections.abc import Callable
from itertools import chain

from swr1.errors import UsageError
from swr1.puzzles.rules import Rules, fitting, statement_drawer
from swr1.puzzles.solver import unique
from swr1.puzzles.space import PLANTED, random_words

LARGE = 13  # from so many people on; part of what a seed means
MOST_PEOPLE = 1000
TRIES = 1 << 16  # candidates for one puzzle, about a minute at 100 people


def draw_large(
    people: int,
    depth: int,
    width: int,
    key: str,
    rules: Rules,
    knights: float | None,
    accepts: Callable[[tuple[tuple, ...]], bool],
) -> tuple[tuple[tuple, ...], tuple[bool, ...]]:
    """The puzzle of this key: statements, and the only world that fits.

    With `knights` a planted world, as in space.draw_planted. Candidates that `accepts` refuses are
    passed over. Raises UsageError when TRIES candidates bring nothing.
    """
    draw = chain.from_iterable(random_words(key, 1 << 12)).__next__
    statement = statement_drawer(people, depth, width, rules, draw)
    roles: list[bool] = []
    for attempt in range(TRIES):
        if knights is None:
            statements = tuple([statement(speaker) for speaker in range(people)])
        else:
            if attempt % PLANTED == 0:
                roles = [draw() < knights * (1 << 32) for _ in range(people)]
            statements = fitting(statement, roles)
        if accepts(statements) and (world := unique(statements)):
            return statements, world
    raise UsageError(
        f"no puzzle with exactly one solution among {TRIES} candidates of {people} people: change"
        " the weights, the share of knights, or the number of people"
    )
