"""How every picture looks, and how it is written: palette, markers, sizes of text, axes, legends.

    figure = new_figure(6, 4)
    axes = clean_axes(figure.subplots(), "Throughput", x="GPUs", y="tokens a second")
    axes.plot(xs, ys, **look(0), label=plain(label))
    save_figure(finish(figure), "out.png")

A run is a colour and a marker, so that a grey print tells runs apart too. The colours are those of
Okabe and Ito, which colour-blind readers can distinguish. `finish` says in an axis's label what the
eye may miss: a logarithmic scale, and where an axis that leaves out zero begins.

matplotlib is used through its object interface (no pyplot, no global state, no display).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1.errors import UsageError
from swr1.streams.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
MARKERS = "os^DvX<>"  # one more than colours: the 56 first runs differ in one of the two
INK, FAINT = "#333333", "#DDDDDD"
TITLE, TEXT, SMALL = 11, 9.5, 8.5  # points
CAPS = 2.5  # of a whisker, in points
SUFFIXES = (".png", ".svg", ".pdf")


def look(index: int) -> dict[str, Any]:
    """The colour and the marker of run number `index`, as matplotlib takes them."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def plain(label: object) -> str:
    """A user's text as it may stand in a picture: nothing in it is obeyed, no formula is typeset."""
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(label))
    return visible.replace("$", r"\$")


def key(name: str) -> str:
    """What the axis of a key of info says."""
    return "people in a puzzle" if name == "people" else plain(name)


def percent(value: float) -> str:
    """A share of 0..100 to a tenth. Only what is all or nothing reads 100 or 0."""
    text = f"{value:.1f}".removesuffix(".0")
    if text == "100" and value < 100:
        return ">99.9"
    return "<0.1" if text == "0" and value > 0 else text


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of so many inches; its parts make room for each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(wspace=0.06, hspace=0.06)  # type: ignore[call-arg, union-attr]
    return figure


def clean_axes(axes: Axes, title: str = "", *, x: str, y: str, grid: str = "y") -> Axes:
    """Title, both labels (with their units), and faint lines across `grid`: "x", "y" or "both"."""
    axes.set_title(title, loc="left", fontsize=TITLE, color=INK)
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, color=FAINT, labelsize=SMALL)
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    return axes


def whiskers(value: float, low: float, high: float, floor: float, top: float) -> list[list[float]]:
    """[[down], [up]] for matplotlib's error bars: an interval around its value, cut at the bounds."""
    return [[max(0.0, value - max(low, floor))], [max(0.0, min(high, top) - value)]]


def nothing(axes: Axes, why: str) -> None:
    """In place of a curve: why there is none."""
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
    axes.text(
        0.5, 0.5, why, ha="center", va="center", color=INK, fontsize=TEXT, transform=axes.transAxes
    )


def legend(
    where: Axes | Figure, handles: Sequence[Any], labels: Sequence[str], **more: Any
) -> None:
    """A legend without a frame; of a figure, below all its panels. One run has a legend too."""
    from matplotlib.figure import Figure
    from matplotlib.legend_handler import HandlerTuple

    style: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": INK}
    if isinstance(where, Figure):
        wide = sum(0.6 * SMALL * len(label) + 50 for label in labels)  # points, about
        rows = math.ceil(wide / (72 * where.get_figwidth()))
        style |= {"loc": "outside lower center", "ncols": math.ceil(len(labels) / rows)}
    together = {tuple: HandlerTuple(ndivide=1)}  # a patch with its marker on it
    where.legend(list(handles), list(labels), handler_map=together, **style | more)


def whisker() -> Any:
    """What stands for an interval in a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="", marker="|", markersize=10, color=INK)


def finish(figure: Figure) -> Figure:
    """Say in the axes' labels what their scales are."""
    for axes in figure.axes:
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            text = axis.get_label_text()
            if not text:
                continue
            if axis.get_scale() == "log":
                axis.set_label_text(f"{text}, log scale")
            elif min(low, high) > 0:
                axis.set_label_text(f"{text}\n(axis begins at {min(low, high):.4g}, not at 0)")
    return figure


def begin_at_tick(axes: Axes, which: str) -> None:
    """Let an axis that leaves out zero begin at one of its ticks, so that the beginning can be read."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    if low > 0:
        ticks = (axes.xaxis if which == "x" else axes.yaxis).get_major_locator()
        low = max((t for t in ticks.tick_values(low, high) if t <= low), default=low)
        axes.set(**{f"{which}lim": (0.0 if math.isclose(low, 0, abs_tol=1e-12) else low, high)})


def check_name(out: Path) -> None:
    """Raises UsageError where `out` is of no kind that can be drawn."""
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot draw {str(out)!r}: name it {', '.join(SUFFIXES)}")


def lay_out(figure: Figure) -> None:
    """Give all parts their room: from now on it is known where on the page a value lies."""
    with _any_script():
        figure.draw_without_rendering()


def _any_script() -> warnings.catch_warnings:
    """No warning for a label in a script that the font lacks: it is drawn as empty boxes."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def save_figure(figure: Figure, out: str | Path) -> None:
    """Writes the whole file or none. Raises UsageError as `check_name` does."""
    out = Path(out)
    check_name(out)
    kind = out.suffix[1:].lower()
    with _any_script():
        write_atomically(out, lambda file: figure.savefig(file, format=kind, dpi=150))
