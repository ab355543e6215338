"""`swr1 view` on a terminal: a run's curves and files, a list of records, one record in full.

Three screens: RunScreen -> ListScreen -> RecordScreen, Escape goes back, q leaves. The list draws
only the lines on the screen and reads on only as far as somebody looks, so a file may be of any
size and may grow while it is shown.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Footer, Input, OptionList, Static

from swr1.errors import SwrError
from swr1.records import Record
from swr1.streams.metrics import MetricsReader
from swr1.viewing import BAD, GOOD, filters, number
from swr1.viewing.curves import with_speed
from swr1.viewing.page import COLOURINGS, Columns, in_full
from swr1.viewing.run import Run, curves, find, heading
from swr1.viewing.source import Source, record_files
from swr1.viewing.tokens import Tokenizers

AHEAD = 500  # records looked for beyond what is on the screen
BUDGET = 0.03  # seconds of reading between two looks at the keyboard


def show(what: str, condition: str, tokenizer: str | None, colouring: str) -> None:
    """Run the page until the user leaves.

    Raises UsageError, and DataError for a file that holds no records, before it starts.
    """
    run = find(what)
    filters.parse(condition)
    if len(run.records) == 1:
        Source(record_files(run.records[0])).extend()
    near = [*run.path.absolute().parents, run.path]
    ViewApp(run, condition, Tokenizers(tokenizer, near), colouring).run()


class ViewApp(App[None]):
    """The page; `run` says what it is over."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    .title { height: 1; background: $panel; color: $text; text-style: bold; }
    .columns { height: 1; color: $text-muted; }
    #filter { display: none; height: 3; }
    #filter.open { display: block; }
    #curves { height: auto; max-height: 75%; padding: 0 1; }
    RecordList { overflow-x: hidden; }
    OptionList { height: 1fr; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "quit", "Quit")]

    def __init__(
        self, run: Run, condition: str, tokenizers: Tokenizers, colouring: str = "probability"
    ) -> None:
        super().__init__()
        self.shown = run
        self.condition = condition
        self.tokenizers = tokenizers
        self.colouring = colouring

    def on_mount(self) -> None:
        alone = not self.shown.policies and len(self.shown.records) == 1
        self.push_screen(
            ListScreen(self.shown.records[0], self.condition) if alone else RunScreen(self.shown)
        )

    def action_up(self) -> None:
        if len(self.screen_stack) > 2:  # below the first screen lies textual's own, empty
            self.pop_screen()
        else:
            self.exit()


class RunScreen(Screen[None]):
    """Curves of a policy, drawn again every second, and the record files of the run."""

    app: ViewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other", "Other policy", priority=True),
        Binding("escape", "app.up", "Back", show=False),
    ]

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.at = 0
        self.readers = [MetricsReader(p / "metrics.jsonl") for p in run.policies]

    def compose(self) -> ComposeResult:
        yield Static(Text(str(self.run.path)), classes="title")
        with VerticalScroll(id="curves"):
            yield Static(id="drawn")
        yield Static("Records, Enter opens:", classes="columns", id="hint")
        yield OptionList(*(Text(name) for name in self.run.records))
        yield Footer()

    def on_mount(self) -> None:
        files = self.query_one(OptionList)
        files.display = self.query_one("#hint").display = bool(self.run.records)
        self.query_one("#curves").display = bool(self.run.policies)
        (files if self.run.records else self.query_one("#curves")).focus()
        self.draw()
        self.set_interval(1, self.draw)

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        if not self.readers:
            return
        reader = self.readers[self.at]
        reader.poll()
        rows = with_speed(reader.rows())
        width = max(self.size.width - 4, 20)
        lines = [heading(self.run.policies[self.at], reader, rows), *curves(rows, width)]
        self.query_one("#drawn", Static).update(Text("\n").join(lines))

    def action_other(self) -> None:
        self.at = (self.at + 1) % max(len(self.readers), 1)
        self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "other" or len(self.readers) > 1

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.app.push_screen(ListScreen(self.run.records[event.option_index], self.app.condition))


class RecordList(ScrollView, can_focus=True):
    """The records that meet a condition, as lines; only those on the screen are read.

    `cursor` is a line; `found` is the number of lines so far.
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
        self._numbers = array("Q")  # of the records that meet the condition
        self._position = 0

    @property
    def shown_count(self) -> int:
        return self.source.count if self.test is None else len(self._numbers)

    def line(self, row: int) -> tuple[int, Record]:
        """(number, record) of a line of the list."""
        at = row if self.test is None else self._numbers[row]
        return at, self.source[at]

    def keep(self, test: Callable[[Record], bool] | None) -> None:
        """Show the records that pass, from the first."""
        self.test = test
        self._numbers, self._position = array("Q"), 0
        self.at_end = False
        self.cursor = 0
        self.advance()

    def advance(self) -> None:
        """Read on for a moment, if the lines on the screen and those after it are not all there."""
        needed = self.cursor + self.size.height + AHEAD
        stop = time.monotonic() + BUDGET
        if self.to_the_end or self.following or self.shown_count < needed:
            self.at_end = not (self._match(stop) if self.test else self._index(stop))
        if self.columns is None and self.source.count:
            self.columns = Columns([self.source[n] for n in range(min(self.source.count, 64))])
        self.virtual_size = Size(0, self.shown_count)
        if self.following or (self.at_end and self.to_the_end):
            self.to_the_end = False
            self.cursor = max(self.shown_count - 1, 0)
        self.refresh()

    def _index(self, stop: float) -> bool:
        """Count on; False at the present end."""
        while time.monotonic() < stop:
            if not self.source.extend():
                return False
        return True

    def _match(self, stop: float) -> bool:
        assert self.test is not None
        for at, record in self.source.walk(self._position):
            self._position = at + 1
            if self.test(record):
                self._numbers.append(at)
            if time.monotonic() > stop:
                return True
        return False

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if self.columns is None or row >= self.shown_count:
            return Strip.blank(width, self.rich_style)
        at, record = self.line(row)
        text = Text(end="", no_wrap=True).append(f"{at + 1:>7}  ", "dim")
        text.append_text(self.columns.row(record, max(width - 9, 10)))
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


class ListScreen(Screen[None]):
    """The list of one file's or folder's records, with a filter."""

    app: ViewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("f", "follow", "Follow"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, name: str, condition: str = "") -> None:
        super().__init__()
        self.file = name
        self.condition = condition
        self.trouble = ""

    def compose(self) -> ComposeResult:
        yield Static(classes="title")
        yield Static(classes="columns")
        self.records = RecordList(Source(record_files(self.file)))
        yield self.records
        yield Input(
            self.condition,
            placeholder="people=3 knights=correct reward<1 word  (KEY = != < <= > >= ~ VALUE)",
            id="filter",
        )
        yield Footer()

    def on_mount(self) -> None:
        self.records.focus()
        if self.condition:
            self.records.keep(filters.parse(self.condition))
        self.tick()
        self.set_interval(0.06, self.tick)

    def tick(self) -> None:
        """Read on, and say how far."""
        if self.app.screen is not self and self.records.columns is not None:
            return
        try:
            self.records.advance()
        except (SwrError, OSError) as error:
            self.trouble = str(error)
        some = "" if self.records.at_end else "+"
        title = Text.assemble(f" {number(self.records.shown_count)}{some}")
        if self.records.test is not None:
            title.append(f" of {number(self.records.source.count)}{some} with {self.condition}")
        if self.records.following:
            title.append("  following", GOOD)
        if self.trouble:
            title.append(f"  {self.trouble}", BAD)
        title.append(f"  {self.file}", "dim")  # last, for it may be longer than the line
        self.query_one(".title", Static).update(title)
        if self.records.columns:
            head = Text("record".rjust(7) + "  ", no_wrap=True)
            head.append_text(self.records.columns.head(max(self.size.width - 9, 10)))
            self.query_one(".columns", Static).update(head)

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.add_class("open")
        box.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            test = filters.parse(event.value) if event.value.strip() else None
        except SwrError as error:
            self.notify(str(error), severity="error")
            return
        self.condition = event.value.strip()
        self.records.keep(test)
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").remove_class("open")
        self.records.focus()

    def action_leave(self) -> None:
        if self.query_one("#filter").has_class("open"):
            self._close_filter()
        else:
            self.app.action_up()

    def action_follow(self) -> None:
        self.records.following = not self.records.following

    def action_open(self) -> None:
        if self.records.shown_count:
            self.app.push_screen(RecordScreen(self.records))


class RecordScreen(Screen[None]):
    """One record in full; left and right go through the list."""

    app: ViewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,n", "step(1)", "Next", key_display="→"),
        Binding("left,p", "step(-1)", "Previous", key_display="←"),
        Binding("c", "colour", "Colour tokens"),
        Binding("down,j", "scroll(1)", "Scroll", show=False),
        Binding("up,k", "scroll(-1)", "Scroll", show=False),
        Binding("escape,backspace", "app.up", "Back", key_display="esc"),
    ]

    def __init__(self, records: RecordList) -> None:
        super().__init__()
        self.records = records

    def compose(self) -> ComposeResult:
        yield Static(classes="title")
        with VerticalScroll():
            yield Static(id="record")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.draw()

    def draw(self) -> None:
        at, record = self.records.line(self.records.cursor)
        title = f" record {number(at + 1)}"
        if self.records.test is not None:
            title += f", match {number(self.records.cursor + 1)}"
        colouring = (
            f"tokens by {self.app.colouring}" if self.app.colouring != "none" else "no colours"
        )
        self.query_one(".title", Static).update(Text(f"{title}   {colouring}"))
        try:
            tokenizer = self.app.tokenizers.of(record)
        except SwrError as error:
            tokenizer = None
            self.notify(str(error), severity="warning")
        self.query_one("#record", Static).update(in_full(record, tokenizer, self.app.colouring))

    def action_step(self, by: int) -> None:
        self.records.cursor += by
        self.records.advance()
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self.draw()

    def action_colour(self) -> None:
        colourings: Sequence[str] = COLOURINGS
        self.app.colouring = colourings[
            (colourings.index(self.app.colouring) + 1) % len(colourings)
        ]
        self.draw()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
