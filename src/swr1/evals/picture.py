"""Two pictures: a training run over its steps, and accuracy by size before and after.

matplotlib is used through its object interface (no pyplot, no global state, no display). Colours
are those of Okabe and Ito, which colour-blind readers can distinguish; the order of runs is their order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1.errors import DataError, UsageError
from swr1.evals.metrics import Cell, Summary, by_number
from swr1.evals.report import by_decoding
from swr1.streams.files import write_atomically

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
INK, _FAINT = "#333333", "#DDDDDD"
_SMOOTHED_FROM = 8  # steps; shorter runs are drawn as they are
_SUFFIXES = (".png", ".svg", ".pdf")

# Panel title, the key in metrics.jsonl, and what a share is multiplied by for its axis.
_PANELS = (
    ("Reward", "reward_mean", 1),
    ("Accuracy, %", "accuracy", 100),
    ("Length, tokens", "length_mean", 1),
)


def training_picture(runs: Mapping[str, Sequence[dict[str, Any]]], out: str | Path) -> None:
    """Reward, accuracy and length over optimizer steps: every run's raw line, faint, and smoothed.

    Args:
        runs: label -> rows of streams.metrics.read_metrics; a row may lack any key.
        out: .png, .svg or .pdf; written whole or not at all.

    Raises:
        DataError: no run holds any of the three curves.
        UsageError: another suffix.
    """
    if not any(
        not math.isnan(_number(row, key))
        for rows in runs.values()
        for row in rows
        for _, key, _ in _PANELS
    ):
        keys = ", ".join(key for _, key, _ in _PANELS)
        raise DataError(f"nothing to draw: no step has any of {keys}", ", ".join(runs) or None)
    figure = new_figure(11, 3.6)
    for axes, (title, key, scale) in zip(figure.subplots(1, 3), _PANELS, strict=True):
        clean_axes(axes, title)
        drawn = False
        for index, (label, rows) in enumerate(runs.items()):
            drawn |= _curve(axes, rows, key, scale, label, COLOURS[index % len(COLOURS)])
        if key == "accuracy":
            axes.set_ylim(0, 100)
        elif key == "length_mean":
            axes.set_ylim(bottom=0)
        if drawn:
            axes.set_xlabel("optimizer step", color=INK)
            axes.xaxis.get_major_locator().set_params(integer=True)
        else:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, "not recorded", ha="center", color=INK, transform=axes.transAxes)
    _legend(figure)
    save_figure(figure, out)


def accuracy_picture(
    summaries: Mapping[str, Summary], out: str | Path, trained: Sequence[object] = ()
) -> None:
    """Accuracy by size as bars with 95% intervals, one colour per run; a panel per decoding.

    Args:
        summaries: by name, as for `report.compare`.
        out: .png, .svg or .pdf; written whole or not at all.
        trained: the sizes that training saw; the others are marked unseen.
    """
    sides = by_decoding(summaries)
    if not sides:
        raise UsageError("no summary to draw")
    sizes = sorted({size for s in summaries.values() for size in s["groups"]}, key=by_number)
    known = {str(t) for t in trained}
    ticks = [f"{size}\nunseen" if known and size not in known else size for size in sizes]
    names = list(dict.fromkeys(name for side in sides.values() for name in side))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    bars = max(len(side) for side in sides.values()) * len(sizes)
    figure = new_figure(len(sides) * min(9.0, max(4.2, 1.4 + 0.42 * bars)), 3.8)
    panels = figure.subplots(1, len(sides), squeeze=False, sharey=True)[0]
    for axes, (side, runs) in zip(panels, sides.items(), strict=True):
        drawn = "Greedy" if side == "greedy" else f"Sampled, {side}" if "=" in side else side
        clean_axes(axes, f"{drawn}: % right, 95% intervals")
        width = 0.8 / len(runs)
        for index, (name, summary) in enumerate(runs.items()):
            offset = (index - (len(runs) - 1) / 2) * width
            for at, size in enumerate(sizes):
                cell = summary["groups"].get(size)
                if cell and cell["accuracy"] is not None:
                    _bar(axes, at + offset, width * 0.92, cell, colours[name], name)
        axes.set_xticks(range(len(sizes)), ticks)
        axes.set_xlabel(next(iter(runs.values()))["by"], color=INK)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        axes.tick_params(left=axes is panels[0])
    _legend(figure)
    save_figure(figure, out)


def _curve(
    axes: Axes,
    rows: Sequence[dict[str, Any]],
    key: str,
    scale: float,
    label: str,
    colour: str,
) -> bool:
    import numpy as np

    steps = np.array([_number(row, "step") for row in rows])
    values = np.array([_number(row, key) for row in rows]) * scale
    present = ~np.isnan(values)
    if not present.any():
        return False
    steps, values = steps[present], values[present]
    if len(values) < _SMOOTHED_FROM:
        axes.plot(steps, values, color=colour, linewidth=1.8, marker="o", markersize=3, label=label)
        return True
    axes.plot(steps, values, color=colour, linewidth=0.7, alpha=0.25)
    axes.plot(steps, _smooth(values), color=colour, linewidth=2, label=label)
    return True


def _smooth(values: np.ndarray) -> np.ndarray:
    """Moving mean over about an eighth of the run; at either end over what there is of it."""
    import numpy as np

    window = max(5, len(values) // 8) | 1
    kernel = np.ones(window)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def _bar(axes: Axes, at: float, width: float, cell: Cell, colour: str, name: str) -> None:
    height = 100 * (cell["accuracy"] or 0.0)
    low, high = (100 * end for end in cell["interval"] or (height / 100, height / 100))
    axes.bar(at, height, width, color=colour, label=name)
    axes.errorbar(
        at,
        height,
        yerr=[[max(0.0, height - low)], [max(0.0, high - height)]],
        color=INK,
        linewidth=1,
        capsize=2.5,
    )
    axes.annotate(
        f"{height:.0f}",
        (at, high),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=INK,
    )


def _number(row: dict[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def new_figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(wspace=0.05)  # type: ignore[call-arg, union-attr]
    return figure


def clean_axes(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(colors=INK, color=_FAINT, labelsize=9)
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)


def _legend(figure: Figure) -> None:
    """One legend for all panels, below them; none where a single run needs no name."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if len(handles) > 1:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=min(len(handles), 5),
            frameon=False,
            fontsize=9,
            labelcolor=INK,
        )


def check_name(out: Path) -> None:
    """Raises UsageError where `out` is of no kind that can be drawn."""
    if out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"cannot draw {str(out)!r}: name it {', '.join(_SUFFIXES)}")


def save_figure(figure: Figure, out: str | Path) -> None:
    """Writes the whole file or none. Raises UsageError as `check_name` does."""
    out = Path(out)
    check_name(out)
    write_atomically(out, lambda file: figure.savefig(file, format=out.suffix[1:].lower(), dpi=150))
