"""Accuracy over the tokens that were spent: what guidance, votes and longer reasoning buy.

A run METHOD:K is a point of the curve of METHOD; K is a number, such as that of the candidates. With
METHOD:K@SEED there may be several of a K: the curve goes through their means, and each is a dot. A
run of another name is a point alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from swr1 import plotting
from swr1.errors import DataError
from swr1.evals.metrics import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAME = re.compile(r"(?P<method>.+):(?P<k>\d+)(?:@[^@]*)?", re.DOTALL)


@dataclass(frozen=True)
class Point:
    """A run. tokens: of all candidates, per completion; right, low, high: %, with its 95% interval."""

    tokens: float
    right: float
    low: float
    high: float


Curves = Mapping[str, Mapping[int, list[Point]]]  # method -> K -> runs, one a seed


def cost_picture(summaries: Mapping[str, Summary], out: str | Path) -> None:
    """Draw `cost_figure`; .png, .svg or .pdf, written whole or not at all.

    Raises:
        DataError: a run has no verdict, or does not say its tokens.
        UsageError: another suffix.
    """
    plotting.check_name(Path(out))
    plotting.save_figure(cost_figure(curves_of(summaries)), out)


def curves_of(summaries: Mapping[str, Summary]) -> Curves:
    """The runs by method and K; a run of another name is a method of its own, with K 0."""
    curves: dict[str, dict[int, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for label, summary in summaries.items():
        found = _NAME.fullmatch(label)
        method, k = (found["method"], int(found["k"])) if found else (label, 0)
        curves[method][k].append(_point(label, summary))
    return {method: dict(sorted(by_k.items())) for method, by_k in curves.items()}


def _point(label: str, summary: Summary) -> Point:
    whole = summary["all"]
    if whole["accuracy"] is None or whole["interval"] is None:
        raise DataError("no right or wrong to draw: no sample has a verdict", label)
    tokens = whole["spent_mean"]
    if tokens is None:
        tokens = whole["length_mean"] if summary["length_unit"] == "tokens" else None
    if not tokens:
        raise DataError("its completions do not say how many tokens they have", label)
    low, high = whole["interval"]
    return Point(tokens, 100 * whole["accuracy"], 100 * low, 100 * high)


def cost_figure(curves: Curves) -> Figure:
    """A curve per method. One run of a K has its interval; of several, each is a dot."""
    figure = plotting.new_figure(7.2, 4.6)
    axes = plotting.clean_axes(
        figure.subplots(), x="tokens of all candidates, per completion", y="right answers, %"
    )
    handles: list[Any] = []
    alone = several = False
    for index, by_k in enumerate(curves.values()):
        look = plotting.look(index)
        middle = [
            (fmean(p.tokens for p in points), fmean(p.right for p in points))
            for points in by_k.values()
        ]
        handles += axes.plot(
            *zip(*middle, strict=True), linewidth=1.6, markersize=6, markeredgecolor="white", **look
        )
        for points in by_k.values():
            if len(points) == 1:
                [p] = points
                ends = plotting.whiskers(p.right, p.low, p.high, 0, 100)
                axes.errorbar(
                    p.tokens, p.right, yerr=ends, color=look["color"], alpha=0.5, linewidth=1,
                    capsize=plotting.CAPS,
                )  # fmt: skip
                alone = True
            else:
                x, y = [p.tokens for p in points], [p.right for p in points]
                axes.scatter(x, y, s=10, color=look["color"], alpha=0.5, linewidths=0, zorder=1)
                several = True
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_ylim(-2, 102)
    labels = [plotting.plain(method) for method in curves]
    if alone:
        handles, labels = [*handles, plotting.whisker()], [*labels, "95% interval"]
    if several:
        from matplotlib.lines import Line2D

        dot = Line2D([], [], linestyle="", marker="o", markersize=3, color=plotting.INK, alpha=0.5)
        handles, labels = [*handles, dot], [*labels, "one seed"]
    plotting.legend(figure, handles, labels)
    return plotting.finish(figure)
