"""Which world a record is of, whose rules can judge its steps, and how its reasoning is split."""

from collections.abc import Callable
from typing import NamedTuple

from swr1.records import Record
from swr1.steps import StepRule
from swr1.verifiers.steps.turn import Judged, Turn


class World(NamedTuple):
    """`rule`: the step rule that its traces are written for."""

    rule: StepRule
    judge: Callable[[Record, Turn], list[Judged]]


def world_of(record: Record) -> World | None:
    """None for a record that no rule can judge."""
    info = record.get("info") or {}
    if "scene" in info:
        from swr1.verifiers.steps import scenes

        return World(StepRule("line"), scenes.judge)
    if record.get("task") == "knights" and "statements" in info:
        from swr1.verifiers.steps import puzzles

        return World(StepRule("line"), puzzles.judge)
    if info.get("dataset") == "village":
        from swr1.verifiers.steps import village

        return World(StepRule("sentence"), village.judge)
    if info.get("dataset") == "facts":
        from swr1.verifiers.steps import facts

        return World(StepRule("line"), facts.judge)
    return None
