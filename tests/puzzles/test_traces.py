"""Traces say what is true, end where they should, and hasty ones are wrong as often as they say."""

import re
from random import Random

import pytest

from swr1.errors import UsageError
from swr1.puzzles.generator import generate
from swr1.puzzles.item import puzzle_of
from swr1.puzzles.statements import as_tuples, evaluate
from swr1.puzzles.traces import GUESS, STYLES, find_style

PUZZLES = list(generate(300, people=(2, 4), depth=2, seed=5)) + list(
    generate(60, people=(2, 4), depth=3, width=3, seed=6)
)


def told(puzzle, style, seed=0):
    return STYLES[style](puzzle_of(puzzle), Random(seed))


@pytest.mark.parametrize("style", ["search", "cases"])
def test_careful_styles_end_in_the_solution(style):
    for puzzle in PUZZLES:
        reasoning, answer = told(puzzle, style)
        assert answer == puzzle["answer"]
        assert reasoning.strip()


def check_lines(puzzle, reasoning):
    """Recompute every verdict of a case trace from its world; count the lines."""
    info, lines = puzzle["info"], reasoning.split("\n")
    people = {name: i for i, name in enumerate(info["names"])}
    for line in lines[:-1]:
        head, claim = line.split(" ; ", 1)
        world = [word.endswith("_honest") for word in head.split()[1:]]
        speaker, rest = claim.split(" says ", 1)
        person = people[speaker]
        truth = evaluate(as_tuples(info["statements"][person]), world)
        inside, verdict = rest.rsplit(" , ", 1)
        assert verdict.split()[2] == ("ok" if truth == world[person] else "bad")
        if " = " in inside:
            assert inside.rsplit(" = ", 1)[1] == ("yes" if truth else "no")
        for name, role in re.findall(r"(\S+) (honest|liar) (?:not )?(?:knight|knave)", inside):
            assert world[people[name]] == (role == "honest")
    return lines[-1]


def test_every_line_of_a_case_trace_is_true():
    for puzzle in PUZZLES:
        reasoning, answer = told(puzzle, "cases")
        last = check_lines(puzzle, reasoning)
        words = [f"{name}_{'honest' if role == 'knight' else 'liar'}" for name, role in answer]
        assert last == f"so {' '.join(words)}"


def test_hasty_guesses_or_stops_early_and_never_misstates():
    tellings = [(p, *told(p, "hasty", seed)) for seed, p in enumerate(PUZZLES)]
    guesses = [t for t in tellings if t[1] == "guess"]
    assert abs(len(guesses) / len(tellings) - GUESS) < 0.1
    early = 0
    for puzzle, reasoning, answer in tellings:
        if reasoning != "guess":
            check_lines(puzzle, reasoning)
            early += answer != puzzle["answer"]
    assert 0 < early < len(tellings) - len(guesses)
    right = sum(answer == puzzle["answer"] for puzzle, _, answer in tellings)
    assert 0.2 < right / len(tellings) < 0.6


def test_unknown_style():
    with pytest.raises(UsageError, match="Did you mean 'hasty'"):
        find_style("hastily")


def test_retelling_changes_the_people_and_nothing_else():
    once = list(generate(40, people=(2, 3), seed=3, names="few"))
    often = list(generate(200, people=(2, 3), seed=3, names="few", retell=5))
    for i, record in enumerate(often):
        size, turn = i % 2, i // 2
        assert record["info"]["statements"] == once[2 * (turn // 5) + size]["info"]["statements"]
    assert len({r["prompt"][0]["content"] for r in often}) == 200
    assert list(generate(7, people=(2, 3), seed=3, names="few", retell=5, start=33)) == often[33:40]


def test_retelling_has_an_end():
    with pytest.raises(UsageError, match="from 1 to 56"):
        generate(10, people=2, names="few", retell=57)
    with pytest.raises(UsageError, match=r"only 399 puzzles .*each 56 times"):
        generate(399 * 56 + 1, people=2, names="few", retell=56)
    last = list(generate(3, people=2, names="few", retell=56, start=399 * 56 - 3))
    assert len(last) == 3
