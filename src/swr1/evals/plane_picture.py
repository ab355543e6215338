"""Runs as points of a plane, two measures against each other, with the 95% intervals of both.

Markers that would cover each other are moved apart, and a line leads from each to its place, where
its whiskers cross. Only runs that are said to follow one another are joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import cos, hypot, pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1 import plotting
from swr1.errors import UsageError
from swr1.registry import suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Estimate = tuple[float, float, float]  # a share of 0..1, and both ends of its 95% interval
Points = Mapping[str, tuple[Estimate, Estimate]]  # label -> (across, up)
Place = tuple[float, float]  # on the page, in points of 1/72 inch
_MARKER, _RING = 7.0, 13.0  # points: a marker's size; how far it is moved at a time
_ROOM = 0.08  # of what the intervals span, left at either end of an axis


def plane_picture(
    points: Points, out: str | Path, x: str, y: str, ladders: Sequence[Sequence[str]] = ()
) -> None:
    """Draw `plane_figure`; .png, .svg or .pdf, written whole or not at all."""
    plotting.check_name(Path(out))
    plotting.save_figure(plane_figure(points, x, y, ladders), out)


def plane_figure(points: Points, x: str, y: str, ladders: Sequence[Sequence[str]] = ()) -> Figure:
    """A point per run.

    Args:
        x, y: what the axes say, with the unit, %.
        ladders: labels of runs each of which follows the one before; arrows join them.

    Raises UsageError for a ladder with a label that is no run's.
    """
    from matplotlib.lines import Line2D

    for label in (label for ladder in ladders for label in ladder):
        if label not in points:
            raise UsageError(
                f"--ladder: the picture has no run {label!r}.{suggest(label, list(points))}"
                f" It has: {', '.join(points)}"
            )
    figure = plotting.new_figure(6.4, 5.8)
    axes = plotting.clean_axes(figure.subplots(), x=x, y=y, grid="both")
    looks = [
        {**plotting.look(i), "linestyle": "", "markersize": _MARKER} for i in range(len(points))
    ]
    for run, mark in zip(points.values(), looks, strict=True):
        (across, left, right), (up, low, high) = ([100 * v for v in one] for one in run)
        axes.errorbar(
            across,
            up,
            xerr=plotting.whiskers(across, left, right, 0, 100),
            yerr=plotting.whiskers(up, low, high, 0, 100),
            color=mark["color"],
            linewidth=1,
            alpha=0.6,
            capsize=plotting.CAPS,
        )
    for at, which in enumerate("xy"):
        ends = [100 * end for run in points.values() for end in run[at][1:]]
        # From the lowest interval up: runs that end in one corner stay distinct.
        room = max(1.0, _ROOM * (max(ends) - min(ends)))
        limits = max(-room / 2, min(ends) - room), min(100 + room / 2, max(ends) + room)
        axes.set(**{f"{which}lim": limits})
        plotting.begin_at_tick(axes, which)
        axis = axes.xaxis if which == "x" else axes.yaxis
        low, _ = axis.get_view_interval()
        axis.set_ticks([tick for tick in axis.get_ticklocs() if max(0, low) <= tick <= 100])
    plotting.finish(figure)
    handles: list[Any] = [Line2D([], [], markeredgecolor="white", **mark) for mark in looks]
    said = {plotting.plain(label): handle for label, handle in zip(points, handles, strict=True)}
    said["95% interval"] = plotting.whisker()
    if ladders:
        said["to the next stage"] = Line2D([], [], color=plotting.INK, marker=">", markersize=6)
    plotting.legend(figure, list(said.values()), list(said))
    homes = _homes(figure, axes, points)
    for before, after in (pair for ladder in ladders for pair in pairwise(ladder)):
        _arrow(axes, points, homes, before, after)
    if _draw_markers(axes, points, homes, looks):
        said["from a marker, moved to be seen, to its place"] = Line2D([], [], **_LEAD)
        figure.legends[0].remove()
        plotting.legend(figure, list(said.values()), list(said))
    return figure


_LEAD: dict[str, Any] = {"color": plotting.INK, "linewidth": 0.6}


def _homes(figure: Figure, axes: Axes, points: Points) -> dict[str, Place]:
    """Where on the page each run is, which is known only once the figure has been laid out."""
    plotting.lay_out(figure)
    places = axes.transData.transform(
        [(100 * across[0], 100 * up[0]) for across, up in points.values()]
    )
    return {
        label: (float(x) * 72 / figure.dpi, float(y) * 72 / figure.dpi)
        for label, (x, y) in zip(points, places, strict=True)
    }


def _arrow(axes: Axes, points: Points, homes: Mapping[str, Place], before: str, after: str) -> None:
    begin, end = ((100 * points[one][0][0], 100 * points[one][1][0]) for one in (before, after))
    apart = hypot(homes[after][0] - homes[before][0], homes[after][1] - homes[before][1])
    style: dict[str, Any] = {"arrowstyle": "-|>", "shrinkA": 5, "shrinkB": 5}
    if apart < 3 * _MARKER:  # no room for a head
        style = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, begin, arrowprops={**style, "color": plotting.INK, "alpha": 0.7})


def _draw_markers(
    axes: Axes, points: Points, homes: Mapping[str, Place], looks: Sequence[dict[str, Any]]
) -> bool:
    """Draw each marker where none covers another; whether one had to be moved."""
    from matplotlib.transforms import ScaledTranslation

    scale = axes.figure.dpi_scale_trans
    places: dict[str, Place] = {}
    for (label, run), mark in zip(points.items(), looks, strict=True):
        home = homes[label]
        free = (
            one
            for one in _around(home)
            if all(hypot(one[0] - x, one[1] - y) > 0.9 * _MARKER for x, y in places.values())
        )
        places[label] = next(free, home)
        at = 100 * run[0][0], 100 * run[1][0]
        moved = places[label][0] - home[0], places[label][1] - home[1]
        if moved != (0, 0):
            lead = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 0, **_LEAD}
            axes.annotate("", at, moved, textcoords="offset points", arrowprops=lead)
        axes.plot(
            *at,
            **mark,
            markeredgecolor="white",
            label=label,
            transform=axes.transData + ScaledTranslation(moved[0] / 72, moved[1] / 72, scale),
            zorder=4,
        )
    return places != homes


def _around(at: Place) -> Iterator[Place]:
    """The place itself, then places on rings about it: first those off the lines of its whiskers."""
    yield at
    for ring in range(1, 9):
        for step in (-2, -6, 2, 6, -1, -3, -5, -7, 1, 3, 5, 7):
            angle = step * pi / 8
            yield at[0] + ring * _RING * cos(angle), at[1] + ring * _RING * sin(angle)
