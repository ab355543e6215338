"""Puzzles of many people: solved right, alone, the same from anywhere; and what has been seen."""

from functools import partial
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysat.solvers import Solver

from swr1.errors import UsageError
from swr1.puzzles import generator, large
from swr1.puzzles.generator import generate
from swr1.puzzles.rules import PUBLISHED, Rules
from swr1.puzzles.seen import HASHES, CodeSet

from .brute import brute_solutions, holds, patient


def truths(s, solver):
    """A literal for a statement, clauses added on the way: apart from the code under test."""
    kind, *parts = s
    if kind in ("knight", "knave"):
        return (parts[0] + 1) * (1 if kind == "knight" else -1)
    a, *more = [truths(p, solver) for p in parts]
    for b in more or [a]:
        new = max(solver.nof_vars(), 2000) + 1
        for x in (True, False):
            for y in (True, False):
                value = holds([kind, ["knight", 0], ["knight", 1]][: 3 if more else 2], [x, y])
                solver.add_clause([-a if x else a, -b if y else b, new if value else -new])
        a = new
    return a


def is_alone(statements, world):
    """Whether this world fits and no other does."""
    assert all(holds(s, world) == role for s, role in zip(statements, world, strict=True))
    with Solver("cadical153") as solver:
        for person, s in enumerate(statements, 1):
            t = truths(s, solver)
            solver.add_clause([-person, t])
            solver.add_clause([person, -t])
        assert solver.solve()
        solver.add_clause([-p if role else p for p, role in enumerate(world, 1)])
        return not solver.solve()


@pytest.mark.parametrize(
    ("people", "options"),
    [
        (13, {}),
        (25, {"depth": 3, "width": 3}),
        (40, {"knights": 0.2}),
        (100, {"rules": Rules(self_reference=False, trivial=False)}),
        (200, {}),
    ],
)
def test_puzzles_of_many_people_have_one_solution(people, options):
    records = list(generate(3, people, seed=1, **options))
    assert len({repr(r["info"]["statements"]) for r in records}) == 3
    for r in records:
        assert len(set(r["info"]["names"])) == people
        world = [role == "knight" for _, role in r["answer"]]
        assert is_alone(r["info"]["statements"], world)
        if people == 13:
            assert brute_solutions(r["info"]["statements"]) == {tuple(world)}


def test_the_other_way_to_solve_sees_second_solutions():
    """The check above can fail."""
    assert not is_alone([["knight", 0], ["iff", ["knight", 0], ["knight", 1]]], [True, True])


def test_any_position_is_had_at_once_and_is_the_same(monkeypatch):
    whole = list(generate(12, (12, 15), seed=4))
    assert list(generate(4, (12, 15), seed=4, start=8)) == whole[8:]
    assert list(generate(12, (12, 15), seed=4, every=5)) == whole[::5]
    drawn = []
    original = large.draw_large
    monkeypatch.setattr(generator, "draw_large", lambda *a: drawn.append(a[3]) or original(*a))
    (far,) = generate(1, 30, start=10**12)
    assert far["info"]["index"] == 10**12
    assert len(drawn) == 1


def test_splits_of_many_people_do_not_meet():
    parts = [list(generate(20, 15, split=s, test_share=0.4)) for s in ("train", "test")]
    told = [{repr(r["info"]["statements"]) for r in part} for part in parts]
    assert [len(t) for t in told] == [20, 20]
    assert not told[0] & told[1]


def test_retelling_many_people():
    records = list(generate(6, 20, retell=3))
    assert [r["info"]["statements"] == records[0]["info"]["statements"] for r in records] == (
        [True] * 3 + [False] * 3
    )
    assert len({r["prompt"][0]["content"] for r in records}) == 6


def test_what_never_has_one_solution_is_given_up(monkeypatch):
    monkeypatch.setattr(large, "TRIES", 20)
    with pytest.raises(UsageError, match="among 20 candidates of 30 people"):
        list(generate(1, 30, rules=Rules((1, 0, 0, 0, 0, 0))))


def test_the_first_candidate_with_one_solution_is_taken():
    """The SAT way equals drawing and trying every world."""
    told = []
    statements, world = large.draw_large(
        6, 2, 2, "first", PUBLISHED, None, lambda s: told.append(s) or True
    )
    assert told[-1] == statements
    assert [len(brute_solutions(s)) == 1 for s in told] == [False] * (len(told) - 1) + [True]
    assert brute_solutions(statements) == {world}


# What has been seen


@patient
@given(st.lists(st.integers(0, 2**64 - 1).filter(lambda c: c != 1), max_size=60))
def test_code_set_is_a_set(codes):
    ours, theirs = CodeSet(), set()
    for code in codes + codes:
        assert ours.add(code) == (code not in theirs)
        theirs.add(code)
    assert len(ours) == len(theirs)


def test_code_set_grows():
    codes = CodeSet()
    assert all(codes.add(i * 1024) for i in range(3000))  # all start at the same slot
    assert not any(codes.add(i * 1024) for i in range(3000))


def hashed(i):
    return (i + 1) * 0x9E3779B97F4A7C15 * 0xBF58476D1CE4E5B9 & (1 << 64) - 1


def test_a_full_code_set_stays_in_bounds_and_never_forgets():
    codes, n = CodeSet(exact=1000, bits=16), 20_000
    mixed = [hashed(i) ^ hashed(i) >> 31 for i in range(n)]
    new = [codes.add(code) for code in mixed]
    assert all(new[:1000])
    assert not any(codes.add(code) for code in mixed)  # not one of them comes twice
    assert len(codes._filter) == 1 << 13
    assert len(codes._slots) == 0
    # The chance to leave one out, as the formula has it: 1 - exp(-HASHES * n / bits), to the HASHES
    marked, wanted = 0, 0.0
    for i, added in enumerate(new):
        if i >= 1000:
            wanted += (1 - 2.718281828 ** (-HASHES * i / (1 << 16))) ** HASHES
            marked += not added
    assert marked == pytest.approx(wanted, rel=0.15)
    assert marked > 100


def test_sequences_have_no_duplicates_beyond_the_exact_set(monkeypatch):
    monkeypatch.setattr(generator, "CodeSet", partial(CodeSet, exact=50, bits=20))
    records = list(generate(300, 2, seed=1))
    assert len({repr(r["info"]["statements"]) for r in records}) == 300


def test_forms_are_told_apart_when_asked(monkeypatch):
    monkeypatch.setattr(generator, "RETRIES", 5000)
    records = list(generate(60, 2, distinct="form", seed=3))
    pairs = combinations([r["info"]["statements"] for r in records], 2)
    swap = str.maketrans("01", "10")
    for a, b in pairs:
        assert repr(a) != repr(b[::-1]).translate(swap)
    assert {r["info"]["distinct"] for r in records} == {"form"}
    with pytest.raises(UsageError, match="only 95 such puzzles"):
        list(generate(399, 2, distinct="form"))
