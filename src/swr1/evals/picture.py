"""Two pictures: a training run over its steps, and accuracy by group before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1 import plotting
from swr1.errors import DataError, UsageError
from swr1.evals.metrics import Cell, Summary, by_number
from swr1.evals.report import by_decoding

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SMOOTHED_FROM = 8  # steps; shorter runs are drawn as they are
_MARKS = 8  # of a run, on each of its curves

# The key in metrics.jsonl, panel title, what the axis says, and what a value is multiplied by for it.
_PANELS = (
    ("reward_mean", "Reward", "mean reward of a completion", 1),
    ("accuracy", "Accuracy", "right answers, % of completions", 100),
    ("length_mean", "Length", "mean length, tokens", 1),
)
CURVES = tuple(key for key, *_ in _PANELS)
Runs = Mapping[str, Sequence[dict[str, Any]]]  # label -> rows of streams.metrics.read_metrics


def training_picture(runs: Runs, out: str | Path) -> None:
    """Draw `training_figure`; .png, .svg or .pdf, written whole or not at all.

    Raises:
        DataError: no run holds any of the three curves.
        UsageError: another suffix.
    """
    plotting.check_name(Path(out))
    plotting.save_figure(training_figure(runs), out)


def curves_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Which of the three curves a run has: keys of its rows that hold a number."""
    return [key for key in CURVES if any(not math.isnan(_number(row, key)) for row in rows)]


def drawn_and_left_out(runs: Runs) -> list[str]:
    """For people: the runs that the picture shows, then what of them it could not show."""
    shown = {label: rows for label, rows in runs.items() if curves_of(rows)}
    lines = [", ".join(f"{label} ({len(rows)} steps)" for label, rows in shown.items())]
    for label, rows in runs.items():
        missing = [key for key in CURVES if key not in curves_of(rows)]
        if label not in shown:
            lines.append(f"left out: {label} (its steps have none of {', '.join(CURVES)})")
        elif missing:
            lines.append(f"not in it: {', '.join(missing)} of {label} (not recorded)")
    return lines


def training_figure(runs: Runs) -> Figure:
    """Reward, accuracy and length over optimizer steps: each step thin, the running mean thick.

    A row may lack any key. Runs without any of the curves are left out; DataError where that is all.
    """
    from matplotlib.lines import Line2D

    drawn = {label: rows for label, rows in runs.items() if curves_of(rows)}
    if not drawn:
        named = ", ".join(label for label in runs if label) or None
        raise DataError(f"nothing to draw: no step has any of {', '.join(CURVES)}", named)
    longest = max(len(rows) for rows in drawn.values())
    window = max(5, longest // 8) | 1
    figure = plotting.new_figure(11, 3.9)
    for axes, (key, title, unit, scale) in zip(figure.subplots(1, 3), _PANELS, strict=True):
        plotting.clean_axes(axes, title, x="optimizer step", y=unit)
        curves = [
            _curve(axes, rows, key, scale, window, (index, len(drawn)))
            for index, rows in enumerate(drawn.values())
        ]
        if not any(curves):
            plotting.nothing(axes, "not recorded")
            continue
        axes.xaxis.get_major_locator().set_params(integer=True)
        begin, end = axes.get_xlim()
        if begin < 0.2 * end:  # steps are counted from 1: the axis need not leave out 0
            axes.set_xlim(min(0, begin), end)
        plotting.begin_at_tick(axes, "x")
        if key == "accuracy":
            axes.set_ylim(-2, 102)
        elif key == "length_mean":
            axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        plotting.begin_at_tick(axes, "y")
    lines = [Line2D([], [], linewidth=2, **plotting.look(i)) for i in range(len(drawn))]
    labels = [plotting.plain(label) for label in drawn]
    if longest >= _SMOOTHED_FROM:
        lines += [Line2D([], [], color="#888888", linewidth=w) for w in (2, 0.7)]
        labels += [f"thick: running mean over {window} steps", "thin: each step"]
    plotting.legend(figure, lines, labels)
    return plotting.finish(figure)


def accuracy_picture(
    summaries: Mapping[str, Summary], out: str | Path, trained: Sequence[object] = ()
) -> None:
    """Draw `accuracy_figure`; .png, .svg or .pdf, written whole or not at all."""
    plotting.check_name(Path(out))
    plotting.save_figure(accuracy_figure(summaries, trained), out)


def accuracy_figure(summaries: Mapping[str, Summary], trained: Sequence[object] = ()) -> Figure:
    """Accuracy by group as bars with 95% intervals, a marker of the run on each; a panel per decoding.

    Args:
        summaries: by name, as for `report.compare`.
        trained: the groups that training saw; the others are marked unseen.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    sides = by_decoding(summaries)
    if not sides:
        raise UsageError("no summary to draw")
    groups = sorted({group for s in summaries.values() for group in s["groups"]}, key=by_number)
    names = list(dict.fromkeys(name for side in sides.values() for name in side))
    bars = max(len(side) for side in sides.values()) * len(groups)
    each = min(9.0, max(4.2, 1.4 + 0.46 * bars))
    figure = plotting.new_figure(len(sides) * each, 4.0)
    panels = figure.subplots(1, len(sides), squeeze=False, sharey=True)[0]
    for axes, (side, runs) in zip(panels, sides.items(), strict=True):
        by = next(iter(runs.values()))["by"]
        ticks, x = _groups(groups, by, {str(t) for t in trained})
        plotting.clean_axes(axes, _decoded(side), x=x, y="right answers, %")
        width = 0.8 / len(runs)
        for index, (name, summary) in enumerate(runs.items()):
            offset = (index - (len(runs) - 1) / 2) * width
            for at, group in enumerate(groups):
                cell = summary["groups"].get(group)
                if cell and cell["accuracy"] is not None:
                    narrow = each * 72 * 0.8 / max(1, bars) < 24  # points
                    _bar(axes, at + offset, width * 0.92, cell, names.index(name), narrow)
        axes.set_xticks(range(len(groups)), ticks)
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_ylim(-2, 116 if bars * 20 > each * 72 else 109)
        axes.set_yticks(range(0, 101, 20))
        axes.tick_params(left=axes is panels[0])
        axes.label_outer()
    marks = [{**plotting.look(i), "markeredgecolor": "white"} for i in range(len(names))]
    handles: list[Any] = [
        (Patch(color=mark["color"]), Line2D([], [], linestyle="", markersize=7, **mark))
        for mark in marks
    ]
    names = [plotting.plain(name) for name in names]
    plotting.legend(figure, [*handles, plotting.whisker()], [*names, "95% interval"])
    return plotting.finish(figure)


def _decoded(side: str) -> str:
    """A panel's title: how completions were drawn, if that is known."""
    if side == "unknown":
        return ""
    return "Greedy" if side == "greedy" else f"Sampled, {side}" if "=" in side else side


def _groups(groups: Sequence[str], by: str, trained: set[str]) -> tuple[list[str], str]:
    """The ticks of the groups, and their axis's label; one group of everything needs neither."""
    if list(groups) == ["-"]:
        return ["all prompts"], ""
    named = {group: f"no {by}" if group == "-" else group for group in groups}
    ticks = [
        f"{plotting.plain(name)}\nunseen" if trained and group not in trained else name
        for group, name in named.items()
    ]
    return ticks, plotting.key(by)


def _curve(
    axes: Axes,
    rows: Sequence[dict[str, Any]],
    key: str,
    scale: float,
    window: int,
    place: tuple[int, int],
) -> bool:
    """Draw run number place[0] of place[1]; whether it has this curve."""
    import numpy as np

    steps = np.array([_number(row, "step") for row in rows])
    values = np.array([_number(row, key) for row in rows]) * scale
    present = ~np.isnan(values)
    if not present.any():
        return False
    steps, values = steps[present], values[present]
    index, runs = place
    # Each run's markers stand at other steps, so that none covers another's.
    every = max(1, len(values) // _MARKS)
    marks = (every * index // runs, every)
    line = {**plotting.look(index), "markersize": 6, "markeredgecolor": "white", "linewidth": 2}
    if len(values) >= _SMOOTHED_FROM:
        axes.plot(steps, values, color=line["color"], linewidth=0.7, alpha=0.25)
        values = _smooth(values, window)
    axes.plot(steps, values, markevery=marks, **line)
    return True


def _smooth(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of `window` neighbours; at either end of what there is of them."""
    import numpy as np

    sums = np.convolve(values, np.ones(window))
    counts = np.convolve(np.ones(len(values)), np.ones(window))
    inside = slice(window // 2, window // 2 + len(values))
    return sums[inside] / counts[inside]


def _bar(axes: Axes, at: float, width: float, cell: Cell, index: int, narrow: bool) -> None:
    height = 100 * (cell["accuracy"] or 0.0)
    low, high = (100 * end for end in cell["interval"] or (height / 100, height / 100))
    look = plotting.look(index)
    axes.bar(at, height, width, color=look["color"], alpha=0.75)
    axes.errorbar(
        at,
        height,
        yerr=plotting.whiskers(height, low, high, 0, 100),
        color=plotting.INK,
        linewidth=1,
        capsize=plotting.CAPS,
    )
    # A bar of height 0 has no colour to be known by, but a marker.
    axes.plot(at, height, markersize=7, markeredgecolor="white", linestyle="", zorder=3, **look)
    axes.annotate(
        plotting.percent(height),
        (at, max(high, height)),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        rotation=90 if narrow else 0,
        fontsize=plotting.SMALL,
        color=plotting.INK,
    )


def _number(row: dict[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan
