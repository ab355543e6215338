"""Seeing a run: what its processes and folders say (status), its records and figures (view)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swr1 import terminal

if TYPE_CHECKING:
    from rich.console import Console

# Mid tones, distinct on dark and light grounds and, by brightness, without colours.
GOOD, BAD, UNSURE = "#5faf5f", "#e05561", "#c39a3b"


def console() -> Console:
    """Standard output: as wide as the terminal, without wrapping or colours in a pipe or file.

    `NO_COLOR` is respected (by rich).
    """
    plain = terminal.console(highlight=False)
    if plain.is_terminal:
        return plain
    return terminal.console(highlight=False, width=10_000, no_color=True)


def ago(seconds: float) -> str:
    """A length of time for people: 12 s, 5 min, 3.2 h, 4 d."""
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def number(value: object) -> str:
    """A figure in about four digits; "-" for none."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e6):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
