"""The analysis of reasoning as a picture, after figures 4 to 6 of arXiv 2502.14768.

Four panels in one column: the answer score with and without each word; how many completions use it,
over the steps; their length; and how many are right. Bands and bars are 95% intervals.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1.analysis.features import MARKERS
from swr1.analysis.reasoning import STEP
from swr1.evals.picture import COLOURS, INK, clean_axes, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COMPARED, _MOST_LINES = 12, 7
_FEWEST = 20  # completions with and without a word from which the two are compared
_PALE = "#999999"
_HEIGHT = 1.9  # inches of a panel of lines
Result = dict[str, Any]


def reasoning_picture(result: Result, out: str | Path) -> None:
    """Draw the result of `Analysis.result`; .png, .svg or .pdf, written whole or not at all.

    Raises UsageError for another suffix.
    """
    outcome = "score" if result["score"] else "right"
    compared = _compared(result, outcome)
    first = 0.9 + 0.26 * max(3, len(compared))
    figure = new_figure(6.2, first + 3 * _HEIGHT)
    axes = figure.subplots(4, 1, height_ratios=[first, _HEIGHT, _HEIGHT, _HEIGHT])
    _compare(axes[0], result, compared, outcome)
    _words(axes[1], result)
    rows = result["rows"]
    unit = result["length_unit"]
    clean_axes(axes[2], f"Length, {'tokens or words' if unit == 'mixed' else unit}")
    _line(axes[2], result, [row["length"] for row in rows], COLOURS[0])
    axes[2].set_ylim(0, axes[2].get_ylim()[1] * 1.05)
    clean_axes(
        axes[3], f"Right, % of completions ({', '.join(result['verdicts']) or 'not judged'})"
    )
    _line(axes[3], result, [row["right"] for row in rows], COLOURS[0], 100)
    axes[3].set_ylim(0, 100)
    by_step = result["by"] == STEP
    axes[3].set_xlabel(
        "training step (version of the policy)" if by_step else result["by"], color=INK
    )
    save_figure(figure, out)


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
    scale = 1 if outcome == "score" else 100
    what = "Mean score" if outcome == "score" else "% right"
    if result["score"] == "answer score" and outcome == "score":
        what = "Answer score"
    clean_axes(axes, f"{what} with and without the word")
    if not names:
        _nothing(axes, f"no word that at least {_FEWEST} completions have and {_FEWEST} lack")
        return
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    for at, name in enumerate(names):
        comparison = result["with_and_without"][name][outcome]
        ends = [scale * comparison[side]["value"] for side in ("without", "with")]
        axes.plot(ends, [at, at], color="#DDDDDD", linewidth=3, zorder=1)
        for side, colour in (("without", _PALE), ("with", COLOURS[0])):
            value = scale * comparison[side]["value"]
            low, high = (scale * end for end in comparison[side]["interval"] or [value / scale] * 2)
            axes.errorbar(
                value,
                at,
                xerr=[[max(0.0, value - low)], [max(0.0, high - value)]],
                fmt="o" if side == "with" else "s",
                color=colour,
                markersize=5,
                linewidth=1.2,
                capsize=2.5,
                label=side if at == 0 else None,
            )
    comparison = result["with_and_without"]
    total = result["records"]
    axes.set_yticks(
        range(len(names)),
        [f"{_label(n)}  ({100 * comparison[n]['completions'] / total:.0f}%)" for n in names],
    )
    axes.set_ylim(-0.7, len(names) - 0.3)
    _legend(axes)
    axes.set_xlabel("in brackets: share of the completions with the word", color=INK, fontsize=8.5)


def _words(axes: Axes, result: Result) -> None:
    clean_axes(axes, "Completions with the word, %")
    shares = result["all"]["signs"]
    for kind in ("word:", "sign:"):
        names = [n for n in shares if n.startswith(kind) and shares[n]["value"]]
        if names:
            break
    names = sorted(names, key=lambda n: -shares[n]["value"])[:_MOST_LINES]
    if not names:
        _nothing(axes, "none of the words occurs")
        return
    for index, name in enumerate(names):
        aside = 0.09 * (index - (len(names) - 1) / 2)
        cells = [row["signs"][name] for row in result["rows"]]
        colour = COLOURS[index % len(COLOURS)]
        _line(axes, result, cells, colour, 100, _label(name), index, aside)
    axes.set_ylim(bottom=0)
    _legend(axes)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=1.8,
    )


def _line(
    axes: Axes,
    result: Result,
    cells: list[Result],
    colour: str,
    scale: float = 1,
    label: str | None = None,
    style: int = 0,
    aside: float = 0.0,
) -> None:
    """A line with its band over the steps; over other rows points, `aside` of their places."""
    steps = result["by"] == STEP
    places = [
        ((row["from"] + row["to"]) / 2 if "from" in row else None) if steps else at
        for at, row in enumerate(result["rows"])
    ]
    # Records without a version have no place on the axis, unless nothing else is there.
    if places == [None]:
        places = [0]
    points = [
        (at, cell)
        for at, cell in zip(places, cells, strict=True)
        if at is not None and cell["value"] is not None
    ]
    if not points:
        _nothing(axes, "not recorded")
        return
    x = [at for at, _ in points]
    y = [scale * cell["value"] for _, cell in points]
    low, high = (
        [scale * (cell["interval"] or [cell["value"]] * 2)[end] for _, cell in points]
        for end in (0, 1)
    )
    marker = "osD^vPX"[style % 7]
    if steps and len(x) > 1:
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, y, color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=label)
    else:
        errors = [
            [max(0.0, v - e) for v, e in zip(y, low, strict=True)],
            [max(0.0, e - v) for v, e in zip(y, high, strict=True)],
        ]
        x = [at + aside for at in x]
        axes.errorbar(
            x, y, yerr=errors, fmt=marker, color=colour, markersize=5, capsize=2.5, label=label
        )
    if not steps or places == [0]:
        axes.set_xticks(range(len(places)), [row["name"] for row in result["rows"]])
        axes.set_xlim(-0.5, len(places) - 0.5)


def _nothing(axes: Axes, why: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, why, ha="center", va="center", color=INK, transform=axes.transAxes)


def _label(sign: str) -> str:
    kind, _, name = sign.partition(":")
    return MARKERS[name] if kind == "sign" else name
