"""The solver against plain brute force, by both of its routes, and at sizes brute force cannot do."""

from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.puzzles import solver
from swr1.puzzles.solver import Clauses, components, encode, renumbered, solve, unique
from swr1.puzzles.statements import MAX_PEOPLE
from tests.puzzles.brute import brute_solutions, holds, patient, puzzles, statement_of

BY_SAT, BY_TABLE = 0, MAX_PEOPLE  # values of TABLE_PEOPLE that force a route


def planted(people, seed):
    """A puzzle and its only world: each speaks of two before; person 0 says what is always true."""
    rng = Random(seed)
    world = (True, *(rng.random() < 0.5 for _ in range(people - 1)))
    said = [["or", ["knight", 0], ["knave", 0]]]
    for speaker in range(1, people):
        p, q = rng.randrange(speaker), rng.randrange(speaker)
        alike = ["iff", ["not", ["knave", p]], ["and", ["knight", q], ["knight", 0]]]
        true = alike if holds(alike, world) else ["not", alike]
        said.append(true if world[speaker] else ["not", true])
    new = rng.sample(range(people), people)
    told, fits = [()] * people, [False] * people
    for person, statement in enumerate(said):
        told[new[person]], fits[new[person]] = renumbered(statement, new), world[person]
    return told, tuple(fits)


def free(people, first=0):
    """All worlds fit, and everyone speaks of the next."""
    following = [first + (i + 1) % people for i in range(people)]
    return [
        ["iff", ["knight", first + i], ["or", ["knight", q], ["knave", q]]]
        for i, q in enumerate(following)
    ]


@patient
@given(puzzles(most=7), st.integers(0, 5), st.sampled_from([BY_SAT, BY_TABLE]))
def test_equals_brute_force(statements, most, route):
    expected = brute_solutions(statements)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "TABLE_PEOPLE", route)
        worlds, count, exact = solve(statements, most)
        only = unique(statements)
    assert (count, exact) == (len(expected), True)
    assert len(worlds) == len(set(worlds)) == min(most, len(expected))
    assert set(worlds) <= expected
    assert worlds == sorted(worlds, key=lambda w: w[::-1])
    assert only == (next(iter(expected)) if len(expected) == 1 else None)


@patient
@given(st.lists(statement_of(st.integers(0, 4)), min_size=1, max_size=3))
def test_the_literal_of_a_statement_is_equivalent_to_it(statements):
    from pysat.solvers import Solver

    clauses = Clauses(5)
    literals = [clauses.literal(s) for s in statements]
    with Solver(bootstrap_with=clauses.take()) as sat:
        for world in product([False, True], repeat=5):
            fixed = [i + 1 if knight else -i - 1 for i, knight in enumerate(world)]
            for literal, statement in zip(literals, statements, strict=True):
                assert sat.solve(assumptions=[*fixed, literal]) == holds(statement, world)
                assert sat.solve(assumptions=[*fixed, -literal]) != holds(statement, world)


def test_statements_are_told_and_dropped_under_selectors():
    from pysat.solvers import Solver

    clauses = Clauses(2)
    honest, liar = clauses.new(), clauses.new()
    clauses.tell(0, ["and", ["knight", 0], ["knight", 1]], honest)
    clauses.tell(0, ["knave", 1], liar)
    with Solver(bootstrap_with=clauses.take()) as sat:
        assert sat.solve(assumptions=[honest, 1, 2]) and sat.solve(assumptions=[liar, 1, -2])
        assert not sat.solve(assumptions=[honest, 1, -2])
        assert not sat.solve(assumptions=[liar, 1, 2])
        clauses.tell(1, ["knave", 0])
        for clause in clauses.take():
            sat.add_clause(clause)
        assert not sat.solve(assumptions=[honest, 1])
        assert sat.solve(assumptions=[liar, 1, -2])
    assert clauses.take() == []


@pytest.mark.parametrize("people", [16, 17, 20, 21, 100, 300])
def test_a_planted_world_is_the_only_one(people):
    statements, world = planted(people, seed=people)
    assert solve(statements) == ([world], 1, True)
    assert unique(statements) == world


def test_one_contradiction_leaves_no_world_among_a_hundred():
    statements, _ = planted(100, seed=1)
    statements[7] = ["knave", 7]
    assert solve(statements) == ([], 0, True)
    assert unique(statements) is None


def test_groups_that_do_not_speak_of_one_another_multiply():
    pairs = [["knight", i ^ 1] for i in range(120)]  # each pair is alike: two ways
    assert components(pairs) == [[i, i + 1] for i in range(0, 120, 2)]
    worlds, count, exact = solve(pairs, most=3)
    assert (count, exact) == (2**60, True)
    assert len(set(worlds)) == 3
    assert all(w[::2] == w[1::2] for w in worlds)


def test_a_large_group_with_many_worlds_is_counted_as_far_as_asked():
    assert solve(free(18), most=2)[1:] == (2**18, True)
    worlds, count, exact = solve(free(25), most=5)
    assert (len(set(worlds)), count, exact) == (5, 6, False)
    worlds, count, exact = solve(free(25) + free(2, first=25), most=5)
    assert (len(set(worlds)), count, exact) == (5, 4 * 6, False)
    assert solve([*free(25), ["knave", 25]], most=5) == ([], 0, True)


def test_components_are_the_connected_people():
    said = [
        ["knight", 2],
        ["not", ["knave", 1]],
        ["knight", 2],
        ["or", ["knight", 4], ["knave", 3]],
    ]
    assert sorted(components([*said, ["knight", 4]])) == [[0, 2], [1], [3, 4]]


@pytest.mark.parametrize("people", [3, 30])
@pytest.mark.parametrize(
    "bad", [["knight", 30], ["knave", -1], ["xor", ["knight", 0]], ["knight"], ["not"], [], 7]
)
def test_what_is_no_statement_is_refused(people, bad):
    for statement in (bad, ["not", bad], ["iff", ["knight", 0], bad]):
        with pytest.raises(DataError, match=f"not a statement about {people} people"):
            solve([["knight", 0]] * (people - 1) + [statement])


@pytest.mark.parametrize("kind", ["and", "or", "implies", "iff"])
def test_connectives_without_their_parts_are_refused(kind):
    for statement in ([kind], [kind, ["knight", 0]], ["not", [kind, ["knight", 0]]]):
        with pytest.raises(DataError):
            solve([statement, *free(20)[1:]])


def test_no_people_fit_one_empty_world():
    assert solve([]) == ([()], 1, True)
    assert encode([]).clauses == []


def test_an_answer_that_names_one_twice_and_another_not_does_not_fit():
    """Both say that the other is a knight: whatever the two roles are, they are equal."""
    record = {
        "task": "knights",
        "info": {"names": ["A", "B"], "statements": [["knight", 1], ["knight", 0]]},
    }
    for role in ("knight", "knave"):
        answers = [[["A", role], ["B", role]], [["A", role], ["A", role]], [["A", role]]]
        agrees = [solver.solve_record(record | {"answer": a})["agrees"] for a in answers]
        assert agrees == [True, False, False]
