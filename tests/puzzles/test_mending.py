"""In place of any step there is a right one, which the checker accepts behind what stands before."""

from random import Random

import pytest

from swr1 import make_puzzles
from swr1.puzzles.checker import Checker
from swr1.puzzles.item import puzzle_of
from swr1.puzzles.mending import right_step
from swr1.puzzles.trace_text import read_step, tell
from swr1.puzzles.traces import STYLES

PUZZLES = [puzzle_of(record) for record in make_puzzles(8, people=3)]


def lines_of(puzzle, style, seed=0):
    return [tell(puzzle, style, form) for form in STYLES[style](puzzle, Random(seed))]


def accepts(puzzle, before, line):
    checker = Checker(puzzle)
    for one in before:
        checker.step(read_step(one, puzzle))
    return checker.step(read_step(line, puzzle)).ok


@pytest.mark.parametrize("style", STYLES)
def test_wherever_reasoning_goes_wrong_a_right_step_is_known(style):
    for puzzle in PUZZLES:
        lines = lines_of(puzzle, style)
        for at in range(len(lines)):
            assert accepts(puzzle, lines[:at], right_step(puzzle, lines[:at], "nonsense"))


@pytest.mark.parametrize("style", ["search", "propagate", "cases"])
def test_it_is_the_step_that_the_style_itself_would_take(style):
    for puzzle in PUZZLES:
        lines = lines_of(puzzle, style)
        wrong = "try x" if style == "cases" else "x"
        mended = [right_step(puzzle, lines[:at], wrong) for at in range(1, len(lines))]
        assert mended == lines[1:]


def test_a_world_of_two_that_was_concluded_too_early_is_tried_on():
    puzzle = PUZZLES[0]
    lines = lines_of(puzzle, "cases")
    before, said = lines[:-2], lines[-1]
    assert not accepts(puzzle, before, said)
    assert right_step(puzzle, before, said) == lines[-2]


def test_behind_a_conclusion_nothing_is_right():
    puzzle = PUZZLES[0]
    assert right_step(puzzle, lines_of(puzzle, "cases"), "so again") is None


def test_a_line_is_read_where_a_tokenizer_of_words_left_the_spaces_before_marks_out():
    for puzzle in PUZZLES:
        for line in lines_of(puzzle, "cases")[:-1]:
            tight = line.replace(" ;", ";").replace(" ,", ",").replace(" .", ".")
            assert tight != line
            assert read_step(tight, puzzle) == read_step(line, puzzle)
