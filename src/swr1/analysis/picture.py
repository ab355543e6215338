"""The analysis of reasoning as a picture, after figures 4 to 6 of arXiv 2502.14768.

Four panels in one column: the answer score with and without each word; how many completions use it,
over the steps; their length; and how many are right. Whiskers are 95% intervals. Rows of steps are
joined where one follows the other, not where nothing was measured between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from swr1 import plotting
from swr1.analysis.features import label_of
from swr1.analysis.reasoning import STEP
from swr1.plotting import COLOURS, FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_COMPARED, _MOST_LINES = 12, 7
_FEWEST = 20  # completions with and without a word from which the two are compared
_SIDES = (("without", "#999999", "s"), ("with", COLOURS[0], "o"))
_HEIGHT = 2.1  # inches of a panel of lines
_STEPS = 3  # distances between rows from which it is known which distance is usual
Result = dict[str, Any]


def reasoning_picture(result: Result, out: str | Path) -> None:
    """Draw `reasoning_figure`; .png, .svg or .pdf, written whole or not at all.

    Raises UsageError for another suffix.
    """
    plotting.check_name(Path(out))
    plotting.save_figure(reasoning_figure(result), out)


def reasoning_figure(result: Result) -> Figure:
    """The four panels of what `Analysis.result` returns."""
    outcome = "score" if result["score"] else "right"
    compared = _compared(result, outcome)
    first = 1.1 + 0.26 * max(3, len(compared))
    heights = [first, 1.3 * _HEIGHT, _HEIGHT, _HEIGHT]
    figure = plotting.new_figure(7, sum(heights))
    top, words, length, right = figure.subplots(4, 1, height_ratios=heights)
    _compare(top, result, compared, outcome)
    by_step = result["by"] == STEP
    x = "training step (version of the policy)" if by_step else plotting.key(result["by"])
    _words(words, result, x)
    unit = "tokens or words" if result["length_unit"] == "mixed" else result["length_unit"]
    plotting.clean_axes(length, "Length", x=x, y=f"mean length, {unit}")
    _line(length, result, [row["length"] for row in result["rows"]])
    length.set_ylim(0, length.get_ylim()[1] * 1.05)
    judge = plotting.plain(", ".join(result["verdicts"]) or "not judged")
    plotting.clean_axes(right, f"Right answers ({judge})", x=x, y="% of completions")
    _line(right, result, [row["right"] for row in result["rows"]], 100)
    right.set_ylim(0, 102)
    return plotting.finish(figure)


def _compared(result: Result, outcome: str) -> list[str]:
    """Words, else other signs, that enough completions have and lack; the most frequent."""
    comparisons = result["with_and_without"]

    def least(sign: str) -> int:
        return min(comparisons[sign][outcome][side]["n"] for side in ("with", "without"))

    for kind in ("word:", "sign:"):
        names = [n for n in comparisons if n.startswith(kind) and least(n) >= _FEWEST]
        if names:
            names = sorted(names, key=least)[-_MOST_COMPARED:]
            return sorted(names, key=lambda n: comparisons[n][outcome]["all"]["difference"])
    return []


def _compare(axes: Axes, result: Result, names: list[str], outcome: str) -> None:
    if outcome == "score":
        scale, what, unit = 1, result["score"], f"mean {result['score']} of a completion"
    else:
        scale, what, unit = 100, "right answers", "right answers, % of completions"
    title = f"{what.capitalize()} with and without the word"
    plotting.clean_axes(axes, title, x=unit, y="word (% of completions\nwith it)", grid="x")
    if not names:
        why = f"no word that at least {_FEWEST} completions have and {_FEWEST} lack"
        plotting.nothing(axes, why)
        return
    handles: dict[str, Any] = {}
    for at, name in enumerate(names):
        comparison = result["with_and_without"][name][outcome]
        ends = [scale * comparison[side]["value"] for side, *_ in _SIDES]
        axes.plot(ends, [at, at], color=FAINT, linewidth=3, zorder=1)
        for (side, colour, marker), value in zip(_SIDES, ends, strict=True):
            handles[side] = axes.errorbar(
                value,
                at,
                xerr=_whiskers([comparison[side]], scale),
                fmt=marker,
                color=colour,
                markersize=5,
                linewidth=1.2,
                capsize=plotting.CAPS,
            )
    shares = [result["with_and_without"][n]["completions"] / result["records"] for n in names]
    labels = [f"{_label(n)}  ({100 * s:.0f}%)" for n, s in zip(names, shares, strict=True)]
    axes.set_yticks(range(len(names)), labels)
    axes.set_ylim(-0.7, len(names) - 0.3)
    _legend(axes, handles)


def _words(axes: Axes, result: Result, x: str) -> None:
    title = "Completions with the word (words side by side)"
    plotting.clean_axes(axes, title, x=x, y="% of completions")
    shares = result["all"]["signs"]
    for kind in ("word:", "sign:"):
        names = [n for n in shares if n.startswith(kind) and shares[n]["value"]]
        if names:
            break
    names = sorted(names, key=lambda n: -shares[n]["value"])[:_MOST_LINES]
    if not names:
        plotting.nothing(axes, "none of the words occurs")
        return
    handles = {}
    for index, name in enumerate(names):
        # Words of equal use would cover each other in one place.
        aside = (index - (len(names) - 1) / 2) / len(names)
        cells = [row["signs"][name] for row in result["rows"]]
        handles[name] = _line(axes, result, cells, 100, index, aside)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    last = result["rows"][-1]["signs"]
    names.sort(key=lambda n: -(last[n]["value"] or 0))  # as the lines end, from top to bottom
    _legend(axes, {_label(n): handles[n] for n in names if handles[n]})


def _legend(axes: Axes, handles: dict[str, Any]) -> None:
    plotting.legend(
        axes,
        [*handles.values(), plotting.whisker()],
        [*handles, "95% interval"],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        handlelength=1.8,
    )


def _line(
    axes: Axes,
    result: Result,
    cells: Sequence[Result],
    scale: float = 1,
    index: int = 0,
    aside: float = 0.0,
) -> Any:
    """One quantity over the rows, each value with its interval; what stands for it in a legend.

    `aside` (-0.5..0.5) is where in the width of a row it lies.
    """
    places, width = _places(result)
    known = [
        at
        for at, (place, cell) in enumerate(zip(places, cells, strict=True))
        if place is not None and cell["value"] is not None
    ]
    if not known:
        plotting.nothing(axes, "not recorded")
        return None
    x = {at: (places[at] or 0.0) + aside * width for at in known}
    y = {at: scale * cells[at]["value"] for at in known}
    look = plotting.look(index)
    for one, other in pairwise(known):
        if _joined(result, one, other):
            axes.plot([x[one], x[other]], [y[one], y[other]], color=look["color"], linewidth=1.4)
    if places == [0] or result["by"] != STEP:
        names = [plotting.plain(_row_name(row["name"], result["by"])) for row in result["rows"]]
        axes.set_xticks(range(len(places)), names)
        axes.set_xlim(-0.5, len(places) - 0.5)
    else:  # alike in all panels, wherever their quantities lie in a row's width
        ends = [place for place in places if place is not None]
        axes.set_xlim(ends[0] - width, ends[-1] + width)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)  # there is no half of a step
    return axes.errorbar(
        list(x.values()),
        list(y.values()),
        yerr=_whiskers([cells[at] for at in known], scale),
        fmt=look["marker"],
        color=look["color"],
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        linewidth=1,
        capsize=0 if aside else plotting.CAPS,
    )


def _whiskers(cells: Sequence[Result], scale: float) -> list[list[float]]:
    """[[down, ...], [up, ...]] from the values to the ends of their intervals."""
    ends = [cell["interval"] or [cell["value"]] * 2 for cell in cells]
    down = [scale * (cell["value"] - low) for cell, (low, _) in zip(cells, ends, strict=True)]
    up = [scale * (high - cell["value"]) for cell, (_, high) in zip(cells, ends, strict=True)]
    return [[max(0.0, one) for one in side] for side in (down, up)]


def _places(result: Result) -> tuple[list[float | None], float]:
    """Each row's place on the axis, and the width within which its quantities lie side by side."""
    if result["by"] != STEP:
        return [float(at) for at in range(len(result["rows"]))], 0.7
    places = [(r["from"] + r["to"]) / 2 if "from" in r else None for r in result["rows"]]
    # Records without a version have no place on the axis, unless nothing else is there.
    if places == [None]:
        return [0.0], 0.7
    known = [place for place in places if place is not None]
    nearest = min((b - a for a, b in pairwise(known)), default=1.0)
    return places, 0.9 * min(nearest, max(1.0, (known[-1] - known[0]) / 10))


def _joined(result: Result, one: int, other: int) -> bool:
    """Whether nothing lies between two rows of steps that was left out.

    Versions of a run may be published or evaluated every so many steps: what is usual among enough
    rows is no gap.
    """
    if result["by"] != STEP or other != one + 1:
        return False
    rows = [row for row in result["rows"] if "from" in row]
    gaps = [after["from"] - before["to"] for before, after in pairwise(rows)]
    usual = median(gaps) if len(gaps) >= _STEPS else 1
    return result["rows"][other]["from"] - result["rows"][one]["to"] <= 2 * usual


def _row_name(name: str, by: str) -> str:
    if name != "-":
        return name
    return "no version" if by == STEP else f"no {by}"


def _label(sign: str) -> str:
    return plotting.plain(label_of(sign))
