"""Difficulty measures and the search behind them, against naive versions written apart."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given

from swr1.puzzles import difficulty as module
from swr1.puzzles.difficulty import difficulty
from swr1.puzzles.search import search
from tests.puzzles.brute import brute_solutions, holds, patient, puzzles

# Zoey, Oliver: "Oliver is a knave", "Zoey and I are knights" (worked out by hand below)
PAIR = [["knave", 1], ["and", ["knight", 0], ["knight", 1]]]


def people_in(s):
    if s[0] in ("knight", "knave"):
        return [s[1]]
    return [p for part in s[1:] for p in people_in(part)]


def settled(s, roles):
    """Truth by parts: the open parts of a connective may be anything, each for itself."""
    if s[0] in ("knight", "knave"):
        known = roles.get(s[1])
        return None if known is None else known == (s[0] == "knight")
    parts = [settled(p, roles) for p in s[1:]]
    as_leaves = [s[0], *[["knight", i] for i in range(len(parts))]]
    outcomes = {
        holds(as_leaves, world)
        for world in product([False, True], repeat=len(parts))
        if all(part in (None, value) for part, value in zip(parts, world, strict=True))
    }
    return outcomes.pop() if len(outcomes) == 1 else None


def naive(statements, roles, count):
    """Recursive depth-first search that checks everybody at every step."""
    if len(roles) == len(statements):
        return True
    named = [q for p in roles for q in people_in(statements[p]) if q not in roles]
    person = [*named, *(p for p in range(len(statements)) if p not in roles)][0]
    for role in (True, False):
        tried = {**roles, person: role}
        count["assume"] += 1
        if any(settled(statements[p], tried) not in (None, tried[p]) for p in tried):
            count["conflict"] += 1
        elif naive(statements, tried, count):
            return True
    count["back"] += 1
    return False


@patient
@given(puzzles(most=7))
def test_the_search_is_the_naive_one(statements):
    count = Counter(assume=0, conflict=0, back=0)
    solved = naive(statements, {}, count)
    told = difficulty(statements)
    assert [told[k] for k in ("assumptions", "conflicts", "backtracks")] == list(count.values())
    assert solved == bool(brute_solutions(statements))
    if solved:
        extra = told["conflicts"] + told["backtracks"]
        assert told["assumptions"] == len(statements) + extra


@patient
@given(puzzles(most=6))
def test_the_events_are_true_and_end_in_a_world_that_fits(statements):
    roles, events = {}, list(search(statements))
    for event in events:
        match event:
            case ("assume", person, role):
                roles[person] = role
            case ("conflict", person, truth):
                assert settled(statements[person], roles) is truth is not roles[person]
            case ("back", person):
                assert roles.pop(person) is False
    if events[-1] == ("solved",):
        assert tuple(roles[p] for p in range(len(statements))) in brute_solutions(statements)
    else:
        assert not roles and not brute_solutions(statements)


@patient
@given(puzzles(most=6))
def test_worlds_alive_and_roles_that_follow(statements):
    told = difficulty(statements)
    worlds = list(product([False, True], repeat=len(statements)))
    alive = []
    for speaker, s in enumerate(statements):
        worlds = [w for w in worlds if holds(s, w) == w[speaker]]
        alive.append(len(worlds))
    assert told["alive"] == alive
    if worlds:  # what follows is the same in all worlds that fit
        same = sum(len({w[p] for w in worlds}) == 1 for p in range(len(statements)))
        assert told["forced"] <= same


def test_a_puzzle_by_hand():
    # Zoey a knight: Oliver a knight? Her words are false. A knave? All fits.
    assert list(search(PAIR)) == [
        ("assume", 0, True),
        ("assume", 1, True),
        ("conflict", 0, False),
        ("assume", 1, False),
        ("solved",),
    ]
    assert difficulty(PAIR) == {
        "people": 2,
        "depth": 2,
        "width": 2,
        "leaves": 3,
        "assumptions": 3,
        "conflicts": 1,
        "backtracks": 0,
        "forced": 0,  # Zoey's words leave both open, and so do Oliver's
        "alive": [2, 1],
    }


@pytest.mark.parametrize("people", [5, 40])
def test_a_chain_of_forced_roles(people):
    # What the first says is always true; each calls the one before a knave.
    first = ["or", ["knight", 0], ["knave", 0]]
    told = difficulty([first, *(["knave", p] for p in range(people - 1))])
    assert told["forced"] == people
    assert ("alive" in told) == (people <= module.MAX_TABLE)
    # Nobody knows where it starts when the first speaks of the last.
    assert difficulty([["knight", (p - 1) % people] for p in range(people)])["forced"] == 0


def test_equal_figures_by_local_and_by_whole_tables(monkeypatch):
    puzzle = [
        ["and", ["knave", 0], ["knave", 1]],
        ["knight", 3],
        ["iff", ["knight", 0], ["knight", 3]],
    ]
    puzzle.append(["or", ["knave", 1], ["knight", 2]])
    whole = difficulty(puzzle)
    monkeypatch.setattr(module, "MAX_TABLE", 3)
    local = difficulty(puzzle)
    assert whole.pop("alive")[-1] == len(brute_solutions(puzzle))
    assert local == whole and whole["forced"] > 0


def test_a_search_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    told = difficulty(PAIR)
    assert told["assumptions"] is told["conflicts"] is told["backtracks"] is None
    assert told["alive"] == [2, 1]
    monkeypatch.setattr(module, "MAX_EVENTS", 5)
    assert difficulty(PAIR)["assumptions"] == 3
