"""How every plot looks, and how it is written: palette, markers, sizes of text, axes, legends.

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
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1.errors import UsageError
from swr1.streams.files import write_atomically
from swr1.terminal import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

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
    _readable(figure)
    figure.draw_without_rendering()


def _readable(figure: Figure) -> None:
    """Give every text a font that has its characters; what no installed font has is escaped, and said."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.text import Text as _Text

    usual = _characters(findfont(FontProperties()))
    texts = [t for t in figure.findobj(_Text) if isinstance(t, _Text)]
    missing = {ord(c) for t in texts for c in t.get_text() if c.isprintable()} - usual
    if not missing:
        return
    font, known = _font_of(frozenset(missing))
    lacking = missing - known
    for text in texts:
        if font and known & {*map(ord, text.get_text())}:
            text.set_fontfamily([*FontProperties().get_family(), font])
        text.set_text(_without(lacking, text))
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = axis.get_ticklabels()  # which the axis writes anew when it is drawn
        if any(lacking & {*map(ord, label.get_text())} for label in labels):
            axis.set_ticks(axis.get_ticklocs(), [_without(lacking, label) for label in labels])
    if lacking:
        sample = "".join(_escaped(chr(c)) for c in sorted(lacking)[:3])
        say(
            "pictures",
            f"no installed font has {len(lacking)} of the characters: {sample} is written",
        )


def _without(lacking: Set[int], text: Text) -> str:
    return "".join(_escaped(c) if ord(c) in lacking else c for c in text.get_text())


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()


@cache
def _characters(file: str) -> frozenset[int]:
    """The characters of a font's file; none of one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@cache
def _font_of(missing: frozenset[int]) -> tuple[str | None, frozenset[int]]:
    """The installed font with most of these characters, by name, and which of them it has."""
    from matplotlib.font_manager import fontManager

    best: tuple[str | None, frozenset[int]] = (None, frozenset())
    for font in sorted(fontManager.ttflist, key=lambda f: (f.name, f.fname)):
        if "Last Resort" in font.name:  # boxes with the name of a script
            continue
        has = missing & _characters(font.fname)
        if len(has) > len(best[1]):
            best = (font.name, has)
        if has == missing:
            break
    return best


def save_figure(figure: Figure, out: str | Path) -> None:
    """Writes the whole file or none. Raises UsageError as `check_name` does."""
    out = Path(out)
    check_name(out)
    kind = out.suffix[1:].lower()
    _readable(figure)
    write_atomically(out, lambda file: figure.savefig(file, format=kind, dpi=150))
