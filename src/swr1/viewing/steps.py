"""The steps of a completion, each with what its judges say of it: a mark per verdict that has steps."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from swr1.records import Record
from swr1.viewing import BAD, GOOD, UNSURE, number
from swr1.viewing.columns import cleaned

# Told apart without colours, too.
MARKS = {
    "right": ("+", GOOD),
    "wrong": ("x", BAD),
    "unread": ("?", UNSURE),
    "unjudged": (".", "dim"),
}
FIRST = ("X", f"bold reverse {BAD}")
LEGEND = "+ right  x wrong (X the first)  ? unread  . unjudged"


def by_step(record: Record) -> list[RenderableType]:
    """A table per way in which the verdicts of a record split its completion; none without steps.

    Args: record: as it is read, since places count its characters; what is shown is cleaned here.
    """
    text, verdicts = record.get("completion"), record.get("verdicts")
    groups: dict[tuple, list[tuple[str, list[dict[str, Any]]]]] = {}
    for name, verdict in verdicts.items() if isinstance(verdicts, dict) else ():
        if steps := _steps(verdict, text):
            places = tuple((step["start"], step["end"]) for step in steps)
            groups.setdefault(places, []).append((name, steps))
    if not isinstance(text, str) or not groups:
        return []
    parts: list[RenderableType] = [Text("\nsteps", "bold")]
    for places, judges in groups.items():
        parts.append(Padding(_table(text, places, judges), (0, 0, 0, 2), expand=False))
    return [*parts, Text(f"  {LEGEND}", "dim")]


def _steps(verdict: Any, text: Any) -> list[dict[str, Any]]:
    """The steps of a verdict, where they are some and lie within the text."""
    detail = verdict.get("detail") if isinstance(verdict, dict) else None
    steps = detail.get("steps") if isinstance(detail, dict) else None
    if not isinstance(steps, list) or not isinstance(text, str):
        return []
    fine = all(
        isinstance(s, dict)
        and type(s.get("start")) is int
        and type(s.get("end")) is int
        and 0 <= s["start"] <= s["end"] <= len(text)
        for s in steps
    )
    return steps if fine else []


def _table(
    text: str, places: tuple, judges: list[tuple[str, list[dict[str, Any]]]]
) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("", justify="right", style="dim")
    for name, _ in judges:
        table.add_column(Text(cleaned(name)), no_wrap=True)
    table.add_column("", overflow="fold")
    firsts = [
        next((n for n, s in enumerate(steps) if s.get("label") == "wrong"), None)
        for _, steps in judges
    ]
    for n, (start, end) in enumerate(places):
        said = Text(cleaned(text[start:end].strip()))
        cells = []
        for (_, steps), first in zip(judges, firsts, strict=True):
            cells.append(_mark(steps[n], first == n))
            if why := steps[n].get("why"):
                said.append(
                    f"  {cleaned(why)}",
                    f"italic {BAD if steps[n].get('label') == 'wrong' else 'dim'}",
                )
        table.add_row(str(n), *cells, said)
    return table


def _mark(step: dict[str, Any], first: bool) -> Text:
    """ "X .12": its label, and how likely it is right, or what it is worth in each dimension."""
    label = step.get("label")
    mark = Text()
    if label is not None:
        mark.append(*(FIRST if first else MARKS.get(str(label), (cleaned(str(label)), ""))))
    score, values = step.get("score"), step.get("values")
    if isinstance(values, dict) and values:
        told = cleaned(" ".join(f"{name} {number(value)}" for name, value in values.items()))
        mark.append(f" {told}" if label is not None else told, "dim")
    elif score is not None:
        mark.append(f" {number(score)}", "dim")
    return mark
