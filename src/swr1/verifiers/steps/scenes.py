"""Steps about a drawn picture: every stated cell against the scene, and every count of what was asked for.

The sentences are those of swr1.scenes.traces: `b1 circle red small`, `b1 none`, `red 2` for how many there
are so far, or, behind `so`, in all. What else a line says, of a puzzle or of the village, their own rules judge.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from swr1.records import Record
from swr1.scenes.scene import ALL_SHAPES, COLOURS, SIZES, Scene, Stated, stated
from swr1.verifiers.steps import puzzles, village
from swr1.verifiers.steps.claims import CANNOT_READ, holds, together
from swr1.verifiers.steps.turn import WRONG, Judged, Turn

_CELL = re.compile(r"\b[a-h][1-8]\b")
_COUNT = re.compile(r"\b(?P<cell>[a-h][1-8])\b|\b(?P<so>so)\b|\b(?P<word>[a-z]+) (?P<number>\d+)\b")
_CHECK = re.compile(r"\b(?:check|plan) :")  # where the village's sentences begin


def judge(record: Record, turn: Turn) -> list[Judged]:
    """By the record's `info.scene`."""
    info = record.get("info") or {}
    scene = Scene.of(info.get("scene"), f"record {record.get('id')}")
    others = _others(record, turn)
    judged = []
    for step, other in zip(turn.steps, others, strict=True):
        claims = list(_claims(scene, step.text))
        if other is not None and (not claims or other.label == WRONG):
            claims.append(other)
        judged.append(together(claims) if claims else CANNOT_READ)
    return judged


def _others(record: Record, turn: Turn) -> list[Judged | None]:
    """What the rules of another world say of each step."""
    if record.get("task") == "knights":
        asked = [bool(_CELL.search(step.text)) for step in turn.steps]
        rest = turn._replace(
            steps=[s for s, ours in zip(turn.steps, asked, strict=True) if not ours]
        )
        said = iter(puzzles.judge(record, rest))
        return [None if ours else next(said) for ours in asked]
    if (record.get("info") or {}).get("dataset") == "village":
        found = [_CHECK.search(step.text) for step in turn.steps]
        steps = [
            replace(step, text=step.text[place.start() :]) if place else step
            for step, place in zip(turn.steps, found, strict=True)
        ]
        return list(village.judge(record, turn._replace(steps=steps)))
    return [None] * len(turn.steps)


def _claims(scene: Scene, text: str) -> Iterator[Judged]:
    for one in stated(text):
        yield _of_cell(scene, one)
    so_far: list[str] = []  # the cells that a count is about
    for match in _COUNT.finditer(text.lower()):
        if match["cell"]:
            so_far = list(_until(scene, match["cell"]))
        elif match["so"]:
            so_far = list(scene.cells())
        elif so_far and match["word"] in (*ALL_SHAPES, *COLOURS, *SIZES):
            things = [thing for thing in scene.having(match["word"]) if thing.cell in so_far]
            where = f"up to {so_far[-1]} it is" if len(so_far) < len(scene.cells()) else "it is"
            yield holds(
                int(match["number"]) == len(things), f"{where} {match['word']} {len(things)}"
            )


def _of_cell(scene: Scene, one: Stated) -> Judged:
    if one.cell not in scene.cells():
        return holds(False, f"there is no cell {one.cell}")
    there = scene.at(one.cell)
    return holds(one.thing == there, f"there is {there or f'{one.cell} none'}")


def _until(scene: Scene, cell: str) -> Iterator[str]:
    """The cells in reading order, up to this one."""
    for one in scene.cells():
        yield one
        if one == cell:
            return
