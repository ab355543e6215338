"""Calibration for people: a table, and a picture of reliability and of risk against coverage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from swr1 import plotting
from swr1.evals.calibration import Case, case_of, figures
from swr1.evals.report import as_page, new_table, number, percent, span
from swr1.records import Record

MOST_COLUMNS = 8  # runs beside one another
OF_MANY = ("accuracy", "sure", "reliable", "false_certain", "ece_width", "brier", "auroc")
OF_ATTACKS = (
    "accuracy",
    "sure",
    "false_certain",
    "read_attack",
    "attack_success",
    "attack_certain",
)
_INTERVALS = "of so many runs intervals and all other figures are in --csv and --json"

# figure: how it is called, and whether it is a share (shown in percent)
FIGURES = {
    "accuracy": ("right", True),
    "accuracy_of_answerable": ("right, of answerable", True),
    "sure": ("sure", True),
    "reliable": ("reliable", True),
    "false_certain": ("false-certain", True),
    "read_attack": ("read an attack", True),
    "attack_success": ("attack success", True),
    "attack_certain": ("attack success, sure", True),
    "ece_width": ("ECE, equal width", False),
    "ece_mass": ("ECE, equal mass", False),
    "brier": ("Brier", False),
    "auroc": ("AUROC", False),
}


class Calibrating:
    """What is made of one run's records, one by one."""

    def __init__(self, verdict: str | None = None) -> None:
        self._verdict = verdict or "reliability"
        self._found: list[Case | None] = []

    def add(self, record: Record) -> None:
        """Raises UsageError where the record lacks the verdict."""
        self._found.append(case_of(record, self._verdict))

    def figures(self) -> dict[str, Any]:
        return figures(self._found, self._verdict)


def rows(runs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per run and figure, for CSV."""
    return [
        {"run": run, "figure": name, "value": cell["value"]}
        | dict(zip(("low", "high"), cell["interval"] or (None, None), strict=True))
        for run, numbers in runs.items()
        for name, cell in _cells(numbers)
    ]


def _cells(numbers: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The figures of a run that have a value and an interval, by name."""
    cells = [(name, numbers[name]) for name in FIGURES if name in numbers]
    cells += [(name, cell) for name, cell in numbers.get("voting", {}).items() if cell]
    for kind, calls in numbers.get("calls", {}).items():
        cells += [
            (f"{tool} a question, {kind or 'all'}", cell)
            for tool, cell in calls.items()
            if tool != "completions"
        ]
    return cells


def page(runs: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """A column per run, a row per figure, each with its interval; of many runs a row per run."""
    if len(runs) > MOST_COLUMNS:
        return as_page("Stated confidence against what was right", [_long(runs)], [_INTERVALS])
    table: Table = new_table()
    table.add_column("")
    for run in runs:
        table.add_column(escape(run or "all"), justify="right", no_wrap=True)
        table.add_column("95%", justify="right", no_wrap=True)
    names = list(dict.fromkeys(name for numbers in runs.values() for name, _ in _cells(numbers)))
    for name in names:
        said, share = FIGURES.get(name, (name.replace("_", " "), "_of_" in name))
        line = [escape(said)]
        for numbers in runs.values():
            cell = dict(_cells(numbers)).get(name)
            line += _shown(cell, share) if cell else ["-", ""]
        table.add_row(*line)
    notes = [
        f"{escape(run or 'all')}: {numbers['completions']:,} completions of"
        f" {numbers['prompts']:,} prompts"
        + (f"; {numbers['unstated']:,} state no confidence" if numbers["unstated"] else "")
        + (f"; {numbers['unjudged']:,} not judged" if numbers["unjudged"] else "")
        for run, numbers in runs.items()
    ]
    return as_page("Stated confidence against what was right", [table], notes)


def _long(runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row per run, a column per figure, without intervals."""
    attacked = any("attack_success" in numbers for numbers in runs.values())
    names = OF_ATTACKS if attacked else OF_MANY
    table: Table = new_table()
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(FIGURES[name][0], justify="right", min_width=5)
    for run, numbers in runs.items():
        cells = [numbers.get(name) for name in names]
        shown = [
            _shown(c, FIGURES[n][1])[0] if c else "-" for n, c in zip(names, cells, strict=True)
        ]
        table.add_row(escape(run or "all"), *shown)
    return table


def _shown(cell: Mapping[str, Any], share: bool) -> list[str]:
    interval = cell["interval"]
    if share:
        return [percent(cell["value"]), span(interval)]
    bounds = f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else ""
    return [number(cell["value"], 2), bounds]


def picture(runs: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Two panels: accuracy by stated confidence, and the risk among the answers that are kept."""
    figure = plotting.new_figure(9, 4)
    left, right = figure.subplots(1, 2)
    plotting.clean_axes(
        left, "Reliability", x="stated confidence, 0 to 1", y="share right", grid="both"
    )
    plotting.clean_axes(
        right,
        "Risk against coverage",
        x="coverage: share of answers kept, the surest first",
        y="risk: share wrong among them",
        grid="both",
    )
    (even,) = left.plot([0, 1], [0, 1], color=plotting.INK, linewidth=1, linestyle=":")
    handles: list[Any] = [even]
    labels = ["as sure as right"]
    for index, (run, numbers) in enumerate(runs.items()):
        if not numbers.get("bins"):
            continue
        look = plotting.look(index)
        bins, curve = numbers["bins"], numbers["selective"]
        (line,) = left.plot(
            [b["confidence"] for b in bins], [b["accuracy"] for b in bins], linewidth=1.2, **look
        )
        right.plot(
            [p["coverage"] for p in curve],
            [1 - p["accuracy"] for p in curve],
            linewidth=1.2,
            **look,
        )
        handles.append(line)
        labels.append(plotting.plain(run or "all"))
    for axes in (left, right):
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    plotting.legend(figure, handles, labels)
    plotting.save_figure(plotting.finish(figure), path)
