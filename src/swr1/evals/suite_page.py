"""The page of suites: a table of measures by run, what broke down, and the two-axis picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from swr1.errors import UsageError
from swr1.evals.plane_picture import Estimate, plane_picture
from swr1.evals.report import as_page, new_table, percent, span

SIGNIFICANT = 0.05
_WIDE = 4  # runs that fit side by side in 80 columns; more get several tables


def page(numbers: Mapping[str, Any], detail: bool = False) -> RenderableType:
    """Measures as rows (a section per benchmark), runs as columns; breakdowns with `detail`."""
    labels = list(numbers["axes"])
    tables = [_table(numbers, some, detail) for some in _few_at_a_time(labels)]
    head = (
        "%, with the 95% interval of one run"
        if len(labels) == 1
        else (
            f"%, with points against {numbers['first']} on the same prompts; * differs,"
            f" p < {SIGNIFICANT:g} after Holm's correction"
        )
    )
    return as_page(head, tables, list(_notes(numbers, labels)))


def _few_at_a_time(labels: Sequence[str]) -> list[list[str]]:
    """At most _WIDE - 1 runs at a time, each time with the first, which the others refer to."""
    if len(labels) <= _WIDE:
        return [list(labels)]
    first, *others = labels
    return [[first, *others[i : i + _WIDE - 2]] for i in range(0, len(others), _WIDE - 2)]


def _table(numbers: Mapping[str, Any], some: Sequence[str], detail: bool) -> Table:
    table = new_table()
    table.add_column("", no_wrap=True)
    table.add_column("prompts", justify="right", no_wrap=True)
    single = len(numbers["axes"]) == 1
    for label in some:
        table.add_column(escape(label), justify="right", no_wrap=True)
        if single:
            table.add_column("95%", justify="right", no_wrap=True)
    dataset = None
    for row in numbers["measures"]:
        if row["dataset"] != dataset:
            dataset = row["dataset"]
            table.add_row(escape(dataset), style="bold")
        arrow = "↓" if row["good"] == "low" else "↑"
        _add(table, f"  {row['name']} {arrow}", row["runs"], row["changes"], some, single)
        groups = {g: None for cell in row["runs"].values() for g in cell["groups"]}
        for group in groups if detail else ():
            cells = {
                label: cell["groups"][group]
                for label, cell in row["runs"].items()
                if group in cell["groups"]
            }
            _add(table, f"    {group}", cells, {}, some, single)
        passes = {label: cell["pass_at_k"] for label, cell in row["runs"].items()}
        if any(value is not None for value in passes.values()):
            k = max(cell["k"] for cell in row["runs"].values())
            shown = [percent(passes.get(label)) for label in some]
            table.add_row(f"    pass@{k}", "", *_spread(shown, single))
    for axis in ("safety", "ability"):
        means = [numbers["axes"][label].get(axis) for label in some]
        if any(means):
            shown = [percent(mean[0] if mean else None) for mean in means]
            table.add_row(f"{axis}, mean", "", *_spread(shown, single), style="bold")
    return table


def _spread(words: Sequence[str], single: bool) -> list[str]:
    """The words; a single word gets an empty cell in place of its interval."""
    return [*words, *([""] if single else [])]


def _add(
    table: Table,
    name: str,
    cells: Mapping[str, Any],
    changes: Mapping[str, Any],
    some: Sequence[str],
    single: bool,
) -> None:
    words = []
    for label in some:
        cell = cells.get(label)
        text = percent(cell["share"] if cell else None)
        if label in changes:
            star = "*" if changes[label]["p_holm"] < SIGNIFICANT else " "
            text += f" {changes[label]['points']:+6.1f}{star}"
        words.append(text)
        if single:
            words.append(span(cell["interval"] if cell else None))
    prompts = max((cell["prompts"] for cell in cells.values()), default=0)
    table.add_row(escape(name), str(prompts), *words)


def _notes(numbers: Mapping[str, Any], labels: Sequence[str]) -> Iterator[str]:
    for row in numbers["measures"]:
        lacking = sum(cell["lacking"] for cell in row["runs"].values())
        if lacking:
            judges = row["verdict"]
            names = [judges] if isinstance(judges, str) else list(dict.fromkeys(judges.values()))
            yield (
                f"{row['measure']}: {lacking} samples have no verdict {' or '.join(map(repr, names))}"
                f" (swr1 verify {' '.join(names)})"
            )
        unjudged = sum(cell["unjudged"] for cell in row["runs"].values())
        if unjudged:
            yield f"{row['measure']}: {unjudged} samples could not be judged and are left out"
    for label in labels:
        for dataset, count in numbers["unmeasured"][label].items():
            yield f"{label}: {count} records of {dataset!r} have no measure here (--measures FILE)"


def two_axes(
    numbers: Mapping[str, Any], out: str | Path, ladders: Sequence[Sequence[str]] = ()
) -> None:
    """Safety against ability, a point per run with 95% intervals.

    Raises UsageError where no run has both, for an unknown kind of file, and as `plane_figure` does.
    """
    points = {
        label: (_estimate(axes["ability"]), _estimate(axes["safety"]))
        for label, axes in numbers["axes"].items()
        if len(axes) == 2
    }
    if not points:
        raise UsageError(
            "the picture needs a safety and an ability measure that all runs have: choose --suite"
            " safety,ability, with records of both"
        )
    x, y = (f"{axis}: mean of its measures, %" for axis in ("ability", "safety"))
    plane_picture(points, out, x, y, ladders)


def _estimate(axis: tuple[float, float]) -> Estimate:
    """Value and interval of an axis, which is [mean, half width]."""
    mean, half = axis
    return mean, mean - half, mean + half
