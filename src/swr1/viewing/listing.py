"""The list of records on the terminal page: drawn line by line, read as far as somebody looks."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from swr1.records import Record
from swr1.viewing import filters
from swr1.viewing.columns import FIRST, Columns
from swr1.viewing.source import Source

AHEAD = 500  # records looked for beyond what is on the screen
BUDGET = 0.03  # seconds of reading between two looks at the keyboard


class RecordList(ScrollView, can_focus=True):
    """The records that meet a condition, as lines; only those on the screen are read.

    `cursor` is a line. A list that is sorted is in the file's order until all of it is read.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,b", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home,g", "move(-1000000000000)", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
    ]
    cursor = reactive(0)

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.test: Callable[[Record], bool] | None = None
        self.columns: Columns | None = None
        self.following = False
        self.to_the_end = False
        self.at_end = False
        self.by = ""  # the key that the list is sorted by, with - before it if downward
        self._numbers = array("Q")  # of the records that meet the condition
        self._keys: list[tuple[Any, ...]] = []  # theirs to sort by, as they were found
        self._sorted = 0  # how many of them are in order
        self._position = 0
        self._drawn: object = None  # what the lines on the screen were made of

    @property
    def _plain(self) -> bool:
        """Whether the lines are the file's records as they come: then none is remembered."""
        return self.test is None and not self.by

    @property
    def shown_count(self) -> int:
        return self.source.count if self._plain else len(self._numbers)

    @property
    def sorting(self) -> bool:
        """Whether it is still read what there is to sort."""
        return bool(self.by) and self._sorted < len(self._keys)

    @property
    def digits(self) -> int:
        """Cells of the records' numbers."""
        return max(len(str(self.source.count)), 3)

    def line(self, row: int) -> tuple[int, Record]:
        """(number, record) of a line of the list."""
        at = row if self._plain else self._numbers[row]
        return at, self.source[at]

    def keep(self, test: Callable[[Record], bool] | None, by: str | None = None) -> None:
        """Show the records that pass, from the first, sorted by a key (None: as they are now)."""
        before = self.line(self.cursor)[0] if self.shown_count else 0
        self.test, self.by = test, self.by if by is None else by
        self._numbers, self._position = array("Q"), 0
        self._keys, self._sorted = [], 0
        self._drawn = None
        self.at_end = False
        self.cursor = before if self._plain else 0
        self.advance()

    def advance(self) -> None:
        """Read on for a moment, if the lines on the screen and those after it are not all there."""
        needed = self.cursor + self.size.height + AHEAD
        stop = time.monotonic() + BUDGET
        if self.to_the_end or self.following or self.by or self.shown_count < needed:
            self.at_end = not (self._index(stop) if self._plain else self._match(stop))
        if self.at_end and self.sorting:
            self._sort()
        if self.columns is None and self.source.count:
            self.columns = Columns(self.first(), hide=True)
        self.virtual_size = Size(0, self.shown_count)
        if self.following or (self.at_end and self.to_the_end):
            self.to_the_end = False
            self.cursor = max(self.shown_count - 1, 0)
        drawn = (self.shown_count, self.by, self.sorting, self.columns and len(self.columns.same))
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def first(self) -> list[Record]:
        """The first records of the file: what decides about columns, and about keys that it has."""
        return [self.source[n] for n in range(min(self.source.count, FIRST))]

    def _sort(self) -> None:
        order = filters.order(self._keys, downward=self.by.startswith("-"))
        self._numbers = array("Q", [self._numbers[i] for i in order])
        self._keys = [self._keys[i] for i in order]
        self._sorted = len(self._keys)

    def _index(self, stop: float) -> bool:
        """Count on; False at the present end."""
        while time.monotonic() < stop:
            if not self.source.extend():
                return False
        return True

    def _match(self, stop: float) -> bool:
        for at, record in self.source.walk(self._position):
            self._position = at + 1
            if self.test is None or self.test(record):
                self._numbers.append(at)
                if self.by:
                    self._keys.append(filters.rank(record, self.by.removeprefix("-")))
            if time.monotonic() > stop:
                return True
        return False

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if self.columns is None or row >= self.shown_count:
            return Strip.blank(width, self.rich_style)
        at, record = self.line(row)
        self.columns.notice(record)  # the title says what is hidden: it is drawn again soon
        text = Text(end="", no_wrap=True).append(f"{at + 1:>{self.digits}}  ", "dim")
        text.append_text(self.columns.row(record, max(width - self.digits - 2, 10)))
        strip = Strip(text.render(self.app.console)).adjust_cell_length(width)
        return strip.apply_style(
            self.rich_style + Style(reverse=True) if row == self.cursor else self.rich_style
        )

    def validate_cursor(self, cursor: int) -> int:
        return min(max(cursor, 0), max(self.shown_count - 1, 0))

    def watch_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.refresh()

    def action_move(self, by: int) -> None:
        self.following = False
        self.cursor += by

    def action_page(self, by: int) -> None:
        self.action_move(by * max(self.size.height - 1, 1))

    def action_last(self) -> None:
        self.to_the_end = True

    def on_click(self, event: Any) -> None:
        self.cursor = self.scroll_offset.y + event.y
