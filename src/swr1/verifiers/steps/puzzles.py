"""Steps about a Knights & Knaves puzzle: each line is licensed by what stands before it, or not.

The checker is that of swr1.puzzles; the verifier `trace` asks it through this file, too.
"""

from collections.abc import Iterable

from swr1.puzzles.checker import REASONS, Checker, StepVerdict
from swr1.puzzles.item import Puzzle, puzzle_of
from swr1.puzzles.trace_text import read_step
from swr1.records import Record
from swr1.verifiers.steps.turn import RIGHT, UNJUDGED, UNREAD, WRONG, Judged, Turn


def judge(record: Record, turn: Turn) -> list[Judged]:
    """By the checker. A step of several lines is wrong if one of them is."""
    puzzle = puzzle_of(record)
    lines = [[line for line in step.text.splitlines() if line.strip()] for step in turn.steps]
    verdicts, _ = judge_lines(puzzle, [line.strip() for some in lines for line in some])
    judged, at = [], 0
    for some in lines:
        judged.append(_together(verdicts[at : at + len(some)]))
        at += len(some)
    return judged


def judge_lines(puzzle: Puzzle, lines: Iterable[str]) -> tuple[list[StepVerdict], Checker]:
    """A verdict per line, and the checker after the last one."""
    checker = Checker(puzzle)
    return [checker.step(read_step(line, puzzle)) for line in lines], checker


def _together(verdicts: list[StepVerdict]) -> Judged:
    wrong = next((v for v in verdicts if v.ok is False), None)
    if wrong:
        return Judged(WRONG, REASONS[wrong.reason])
    unjudged = next((v for v in verdicts if v.ok is None), None)
    if unjudged:
        label = UNREAD if unjudged.reason == "unread" else UNJUDGED
        return Judged(label, REASONS[unjudged.reason])
    return Judged(RIGHT)
