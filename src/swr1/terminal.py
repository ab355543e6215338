"""The way of every text to a person: control and direction characters are shown, never obeyed.

A completion, a server's reply, a file name or a chat template may hold sequences that set a
terminal's title, clear its screen, hide text or turn it around. `guard` puts `shown` behind
everything that is printed, by us, by libraries and by Python itself, and `console` behind the
tables. Records do not pass here: their writer has the bytes' own way out.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# A line break and a tab may stay; the other controls have a picture in Unicode. What has none is
# written as JSON escapes it, so that printed JSON stays the same JSON.
_PICTURES = {c: chr(0x2400 + c) for c in range(32) if chr(c) not in "\n\t"}
_ESCAPED = [
    *range(0x7F, 0xA0),  # DEL and the 8-bit controls
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),  # marks of direction, separators of lines
    *range(0x202A, 0x202F),  # embeddings and overrides of direction
    *range(0x2066, 0x2070),  # isolates and other old marks
    *range(0xD800, 0xE000),  # half of a character: what a file name is not UTF-8 by
]
_NEW_LINE, INDENTED = re.compile(r"\n(?=\S)"), "\n  "
_TABLE = _PICTURES | {c: f"\\u{c:04x}" for c in _ESCAPED}


def shown(text: str) -> str:
    """The text as a person may see it: no terminal obeys anything in it."""
    return text if text.isascii() and text.isprintable() else text.translate(_TABLE)


def say(who: str, text: str) -> None:
    """A message on stderr, "WHO: TEXT"; further lines are indented, so that none looks like ours."""
    print(f"{who}: {_NEW_LINE.sub(INDENTED, text)}", file=sys.stderr, flush=True)


class Shown(io.TextIOWrapper):
    """A text stream beside `stream` that shows what it is given; a line goes out in one write.

    `lossy`: what cannot be written (a full disk, a reader that left) is lost without an error.
    """

    def __init__(self, stream: Any, lossy: bool) -> None:
        by_line = lossy or stream.isatty()
        out = open(stream.fileno(), "wb", closefd=False)
        super().__init__(out, stream.encoding, "backslashreplace", line_buffering=by_line)
        self.stream, self.lossy = stream, lossy

    @property
    def rich_proxied_file(self) -> Any:
        """Where rich writes instead, codes of its own included; `console` keeps others' out."""
        self.flush()
        return self.stream

    def write(self, text: str) -> int:
        with self._losing():
            super().write(shown(text))
        return len(text)

    def flush(self) -> None:
        with self._losing():
            super().flush()

    def _losing(self) -> contextlib.AbstractContextManager:
        return contextlib.suppress(OSError) if self.lossy else contextlib.nullcontext()


def guard() -> None:
    """Make everything that this process prints from now on safe for a terminal."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, Shown):
            stream.flush()
            with contextlib.suppress(io.UnsupportedOperation):  # what no file stands behind
                setattr(sys, name, Shown(stream, lossy=name == "stderr"))


def console(**settings: Any) -> Console:
    """A rich console whose own codes reach the terminal, and no code of the texts it prints."""
    from rich.console import Console
    from rich.segment import Segment

    class Showing(Console):
        def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else shown(text), style, control)

    if settings.get("stderr") and isinstance(sys.stderr, Shown):
        # Named, since a progress bar takes the place of sys.stderr while it is drawn.
        settings["file"] = sys.stderr.stream
    return Showing(**settings)


def put(what: RenderableType, to: Console | None = None) -> None:
    """Print `what` on standard output; in a pipe or file without the spaces that rich fills lines with.

    There a table of figures is as wide as its cells need, so that none is cut; other text stays within 80
    columns, or what COLUMNS says.
    """
    from rich.console import Group
    from rich.table import Table

    to = to or console(highlight=False)
    if to.is_terminal:
        to.print(what)
        return
    width = to.width
    with to.capture() as text:
        for part in what.renderables if isinstance(what, Group) else [what]:
            if isinstance(part, Table) and not part.show_lines:
                to.width = 10_000
                to.width = max(width, to.measure(part).maximum)
            to.print(part)
            to.width = width
    print("\n".join(line.rstrip() for line in text.get().splitlines()))
