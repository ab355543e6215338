"""Solver, counts and canonical form against brute force written apart from them."""

import random
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.puzzles import canonical, space
from swr1.puzzles.generator import generate
from swr1.puzzles.statements import (
    as_lists,
    as_tuples,
    evaluate,
    mentioned,
    solution_table,
)

from .brute import brute_solutions, holds, patient, puzzles, shared_puzzles, solutions


@patient
@given(puzzles())
def test_solver_equals_brute_force(statements):
    found = solutions(statements)
    assert set(found) == brute_solutions(statements)
    assert len(found) == len(set(found)) == solution_table(statements).bit_count()


@patient
@given(puzzles(), st.data())
def test_three_valued_truth_never_contradicts_a_completion(statements, data):
    people = len(statements)
    known = data.draw(
        st.lists(st.sampled_from([True, False, None]), min_size=people, max_size=people)
    )
    for statement in statements:
        settled = evaluate(statement, known)
        ways = [[k] if k is not None else [True, False] for k in known]
        truths = {holds(statement, world) for world in product(*ways)}
        if settled is not None:
            assert truths == {settled}
        if None not in [known[i] for i in mentioned(statement)]:
            assert settled is not None


def test_twelve_people_in_a_ring_of_accusations():
    """Each calls the next a knave: two worlds when the ring is even, none when it is odd."""
    even = solutions([["knave", (i + 1) % 12] for i in range(12)])
    assert even == [tuple(i % 2 == k for i in range(12)) for k in (0, 1)]
    assert solution_table([["knave", (i + 1) % 13] for i in range(13)]) == 0


@patient
@given(puzzles())
def test_lists_and_tuples_hold_the_same(statements):
    for s in statements:
        assert as_lists(as_tuples(s)) == s
        assert as_lists(s) is not s


@pytest.mark.parametrize(
    "bad",
    [
        ["knight", 2],
        ["knight", -1],
        ["knight", "0"],
        ["knight"],
        ["and", ["knight", 0]],
        ["not"],
        ["iff", ["knight", 0], ["knight", 1], ["knave", 0]],
        ["xor", ["knight", 0], ["knight", 1]],
        "knight",
        [],
        None,
        7,
    ],
)
def test_what_is_no_statement_is_refused(bad):
    with pytest.raises(DataError, match="not a statement"):
        solutions([bad, ["knight", 0]])


def test_too_many_people_are_refused():
    with pytest.raises(DataError, match="21 people"):
        solution_table([["knight", 0]] * 21)


# Canonical form


def renumber(s, new):
    if s[0] in ("knight", "knave"):
        return [s[0], new[s[1]]]
    return [s[0], *[renumber(p, new) for p in s[1:]]]


def shuffled(s, rng):
    if s[0] in ("knight", "knave"):
        return s
    parts = [shuffled(p, rng) for p in s[1:]]
    if s[0] in ("and", "or", "iff"):
        rng.shuffle(parts)
    return [s[0], *parts]


def variant(statements, rng):
    new = rng.sample(range(len(statements)), len(statements))
    told = [None] * len(new)
    for person, s in enumerate(statements):
        told[new[person]] = shuffled(renumber(s, new), rng)
    return told


def sorted_parts(s):
    if s[0] in ("knight", "knave"):
        return tuple(s)
    parts = [sorted_parts(p) for p in s[1:]]
    return (s[0], *(sorted(parts) if s[0] in ("and", "or", "iff") else parts))


def brute_form(statements):
    """The smallest of all renumberings: a canonical form by definition."""
    forms = []
    for new in permutations(range(len(statements))):
        told = [None] * len(new)
        for person, s in enumerate(statements):
            told[new[person]] = sorted_parts(renumber(s, new))
        forms.append(tuple(told))
    return min(forms)


@patient
@given(puzzles(), st.randoms())
def test_variants_share_the_canonical_form_and_the_split(statements, rng):
    other = variant(statements, rng)
    assert canonical.canonical_form(other) == canonical.canonical_form(statements)
    assert canonical.canonical_key(other) == canonical.canonical_key(statements)
    assert canonical.split_of(other, 0.5) == canonical.split_of(statements, 0.5)


@patient
@given(puzzles(most=4), puzzles(most=4))
def test_equal_forms_mean_the_same_puzzle(a, b):
    same = len(a) == len(b) and brute_form(a) == brute_form(b)
    assert (canonical.canonical_form(a) == canonical.canonical_form(b)) == same


def test_canonical_classes_of_all_small_puzzles():
    """All 2-person puzzles, and many 3- and 4-person ones of few leaves, against brute force."""
    some = [list(p) for p, _ in space.list_puzzles(2, 2, 2)]
    rng = random.Random(0)
    for people in (3, 4):  # few different statements, so that many puzzles are alike
        leaves = [["knight", i] for i in range(people)] + [["knave", i] for i in range(people)]
        some += [[rng.choice(leaves) for _ in range(people)] for _ in range(300)]
    forms = [canonical.canonical_form(p) for p in some]
    brute = [brute_form(p) for p in some]
    assert len(set(forms)) == len(set(brute)) == len(set(zip(forms, brute, strict=True)))
    assert 10 < len(set(forms)) < len(some) / 2


@pytest.mark.parametrize(
    "statements",
    [
        [["knight", (i + 1) % 20] for i in range(20)],
        [["knave", i ^ 1] for i in range(20)],
        [["knight", i] for i in range(20)],
        [["iff", ["knight", i // 4 * 4 + (i + 1) % 4], ["knave", i ^ 2]] for i in range(16)],
    ],
    ids=["ring", "pairs", "alone", "rings"],
)
def test_symmetric_puzzles_of_many_people(statements):
    """Without the use of symmetry these would take longer than anybody waits."""
    other = variant(statements, random.Random(1))
    assert canonical.canonical_form(other) == canonical.canonical_form(statements)
    changed = [["not", statements[0]], *statements[1:]]
    assert canonical.canonical_form(changed) != canonical.canonical_form(statements)


def test_shared_puzzles_are_found_under_other_names():
    records = list(generate(40, (2, 6), seed=3))
    rng, hidden = random.Random(5), []
    for r in records[:3]:
        hidden.append({"info": {"statements": variant(r["info"]["statements"], rng)}})
    others = [*generate(20, (2, 6), seed=3, start=1000), *hidden]
    pairs = shared_puzzles(records, others)
    assert [a["info"]["index"] for a, b in pairs if b in hidden] == [0, 1, 2]
    assert shared_puzzles(records[:20], []) == []


# The space


def test_399_of_the_900_puzzles_of_two_people_have_one_solution():
    everything = list(
        product(*(list(space.all_statements(2, person, 2, 2)) for person in range(2)))
    )
    assert len(everything) == 900
    unique = {p for p in everything if len(brute_solutions(p)) == 1}
    assert len(unique) == 399 == space.count_puzzles(2)
    assert {p for p, _ in space.list_puzzles(2, 2, 2)} == unique


@pytest.mark.parametrize(("people", "depth", "width"), [(2, 2, 2), (3, 2, 2), (2, 3, 2), (4, 2, 4)])
def test_statements_are_listed_once_and_counted(people, depth, width):
    found = list(space.all_statements(people, 1, depth, width))
    assert len(found) == len(set(found)) == space.statement_count(people, depth, width)
    assert ("knave", 1) not in found


def test_published_statement_counts():
    """30, 90, 306 and 870 statements at 2, 3, 5 and 8 people (2L + 4L(L-1), L = 2n - 1)."""
    assert [space.statement_count(n, 2, 2) for n in (2, 3, 5, 8)] == [30, 90, 306, 870]


def test_counting_by_groups_equals_listing():
    listed = [p for p, _ in space.list_puzzles(2, 2, 3)]
    assert space.count_puzzles(2, 2, 3) == len(listed)
    for split in ("train", "test"):
        of_it = sum(canonical.split_of(p, 0.25) == split for p in listed)
        assert 0 < space.count_puzzles(2, 2, 3, split, 0.25) == of_it
    assert space.count_puzzles(8) is None  # too many to count in a second
