"""`swr1 view` on a terminal: a run's curves and files, a list of records, one record in full.

Three screens: RunScreen -> ListScreen -> RecordScreen, Escape goes back, q leaves. The list draws
only the lines on the screen and reads on only as far as somebody looks, so a file may be of any
size and may grow while it is shown.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, OptionList, Static

from swr1.errors import SwrError
from swr1.picture_parts import has_pictures
from swr1.streams.metrics import MetricsReader
from swr1.viewing import BAD, GOOD, filters, number
from swr1.viewing.curves import with_speed
from swr1.viewing.listing import RecordList
from swr1.viewing.page import COLOURINGS, in_full
from swr1.viewing.run import Run, curves, find, heading
from swr1.viewing.shown_pictures import open_outside
from swr1.viewing.source import Source, record_files
from swr1.viewing.tokens import Tokenizers

HELP = """\
[b]Everywhere[/b]  esc back   q quit   ? this page
[b]List[/b]        up down j k, PgUp PgDn, g G   Enter opens
            / filter   s sort   esc clears them   f follows the file
[b]Record[/b]      right left n p: the next, the one before
            c: tokens coloured by probability, mask, not at all
            o: the prompt's pictures in the system's own viewer

[b]Filter[/b]      words that must all hold: KEY OP VALUE, or a text
            people=3  knights=correct  reward<1  end!=stop  liar
            OP is = != < <= > >= or ~ (contains)
            KEY is a field, a path (generation.policy.version), or a
            name in info, generation, verdicts or reward_parts
[b]Sort[/b]        reward: upward; -reward: downward; nothing: as read

A column that has one value everywhere stands in the title.
A narrow terminal leaves out columns: a record shows them all.\
"""


def show(what: str, condition: str, tokenizer: str | None, colouring: str) -> None:
    """Run the page until the user leaves.

    Raises UsageError, and DataError for a file that holds no records, before it starts.
    """
    run = find(what)
    filters.parse(condition)
    if len(run.records) == 1:
        Source(record_files(run.records[0])).extend()
    near = [*run.path.absolute().parents, run.path]
    app = ViewApp(run, condition, Tokenizers(tokenizer, near), colouring)
    app.run()
    if isinstance(app.failed, SwrError | OSError):
        raise app.failed
    if app.failed:
        what = f"{type(app.failed).__name__}: {app.failed}"
        raise SwrError(f"the page cannot show this ({what}); --plain prints the records as text")


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
    HelpScreen { align: center middle; }
    HelpScreen Static { width: auto; max-width: 100%; background: $panel; padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self, run: Run, condition: str, tokenizers: Tokenizers, colouring: str = "probability"
    ) -> None:
        super().__init__()
        self.shown = run
        self.condition = condition
        self.tokenizers = tokenizers
        self.colouring = colouring
        self.failed: Exception | None = None

    def _handle_exception(self, error: Exception) -> None:
        """End with one line and an exit code, where textual prints a traceback and ends with 0."""
        if self.is_headless:  # a test
            super()._handle_exception(error)
        else:
            self.failed = self.failed or error
            self.exit(return_code=1)

    def on_mount(self) -> None:
        alone = not self.shown.policies and len(self.shown.records) == 1
        self.push_screen(
            ListScreen(self.shown.records[0], self.condition) if alone else RunScreen(self.shown)
        )

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def action_up(self) -> None:
        if len(self.screen_stack) > 2:  # below the first screen lies textual's own, empty
            self.pop_screen()
        else:
            self.exit()


class HelpScreen(ModalScreen[None]):
    """The keys, and how filters are written; any key closes it."""

    def compose(self) -> ComposeResult:
        yield Static(HELP)

    def on_key(self) -> None:
        self.dismiss()


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
        width = max([len(Path(name).name) for name in self.run.records], default=0)
        yield OptionList(*(
            Text.assemble(Path(name).name.ljust(width), "  ", (self.run.told.get(name, ""), "dim"))
            for name in self.run.records
        ))  # fmt: skip
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


class ListScreen(Screen[None]):
    """The list of one file's or folder's records, with a filter and an order."""

    app: ViewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("slash", "ask('filter')", "Filter", key_display="/"),
        Binding("s", "ask('sort')", "Sort"),
        Binding("f", "follow", "Follow"),
        Binding("escape", "clear", "Clear"),
        Binding("escape", "leave", "Back"),
    ]
    ASKED: ClassVar[dict[str, str]] = {
        "filter": "people=3 knights=correct reward<1 word  (KEY = != < <= > >= ~ VALUE)",
        "sort": "reward, or -reward: largest first; nothing: as in the file",
    }

    def __init__(self, name: str, condition: str = "") -> None:
        super().__init__()
        self.file = name
        self.condition = condition
        self.asked = "filter"  # what the box at the bottom is for
        self.checked = False  # whether the keys of condition and order are in the file
        self.doubt = self.trouble = ""
        self._drawn: object = None  # what the title and the heads were made of

    def compose(self) -> ComposeResult:
        yield Static(classes="title")
        yield Static(classes="columns")
        self.records = RecordList(Source(record_files(self.file)))
        yield self.records
        yield Input(id="filter")
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
            self.trouble = ""
        except (SwrError, OSError) as error:
            self.trouble = str(error)
        if self.records.columns and not self.checked:
            self._check_keys()
        title = self._title()
        if (title, self.size) == self._drawn:
            return  # a page that nobody touches costs nothing
        self._drawn = (title, self.size)
        self.query_one(".title", Static).update(title)
        if self.records.columns:
            head = Text("#".rjust(self.records.digits) + "  ", no_wrap=True)
            width = max(self.size.width - self.records.digits - 2, 10)
            head.append_text(self.records.columns.head(width, self.records.by))
            self.query_one(".columns", Static).update(head)

    def _title(self) -> Text:
        records = self.records
        some = "" if records.at_end else "+"
        title = Text.assemble(f" {number(records.shown_count)}{some}")
        if records.test is not None:
            title.append(f" of {number(records.source.count)}{some}")
            title.append("" if self.doubt else f" with {self.condition}")
        if records.by:
            title.append(f", {'sorting' if records.sorting else 'sorted'} by {records.by}")
        if records.following:
            title.append("  following", GOOD)
        if trouble := self.trouble or self.doubt:
            title.append(f"  {trouble}", BAD)
        title.append(f"  {Path(self.file).name}", "dim")
        if records.columns and (same := records.columns.said()):
            title.append(f"  all: {same}", "dim")  # last, for it may be longer than the line
        return title

    def _check_keys(self) -> None:
        """Doubt a key that the first records do not have: it may be a typing error."""
        first = self.records.first()
        keys = [*filters.keys_in(self.condition), *filter(None, [self.records.by.lstrip("-")])]
        self.doubt = filters.unknown(keys, first, f"the first {len(first)} records") or ""
        self.checked = True

    def action_ask(self, what: str) -> None:
        box = self.query_one("#filter", Input)
        self.asked = what
        box.placeholder = self.ASKED[what]
        box.value = self.condition if what == "filter" else self.records.by
        box.add_class("open")
        box.focus()
        self.refresh_bindings()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        try:
            if self.asked == "filter":
                test = filters.parse(text) if text else None
                self.condition = text
                self.records.keep(test)
            else:
                self.records.keep(self.records.test, text)
        except SwrError as error:
            self.notify(str(error), severity="error")
            return
        self.checked = False
        self._close_box()

    def _close_box(self) -> None:
        self.query_one("#filter").remove_class("open")
        self.records.focus()
        self.refresh_bindings()

    @property
    def _asking(self) -> bool:
        return self.query_one("#filter").has_class("open")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape clears a filter or an order before it leaves."""
        if action not in ("clear", "leave"):
            return True
        changed = self.records.test is not None or bool(self.records.by)
        return (action == "clear") == (changed and not self._asking)

    def action_clear(self) -> None:
        self.condition, self.doubt = "", ""
        self.records.keep(None, "")
        self.refresh_bindings()

    def action_leave(self) -> None:
        if self._asking:
            self._close_box()
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
        Binding("o", "open", "Open pictures"),
        Binding("down,j", "scroll(1)", "Scroll", show=False),
        Binding("up,k", "scroll(-1)", "Scroll", show=False),
        Binding("escape,backspace", "app.up", "Back", key_display="esc"),
    ]

    def __init__(self, records: RecordList) -> None:
        super().__init__()
        self.records = records
        self.folder: Path | None = None  # of pictures for another viewer, which may still read them

    def compose(self) -> ComposeResult:
        yield Static(classes="title")
        with VerticalScroll():
            yield Static(id="record")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.draw()

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        at, record = self.records.line(self.records.cursor)
        title = f" record {number(at + 1)}"
        if self.records.test is not None:
            title += f", match {number(self.records.cursor + 1)}"
        if (record.get("generation") or {}).get("token_ids"):
            coloured = self.app.colouring != "none"
            title += f"   tokens by {self.app.colouring}" if coloured else "   no colours"
        self.query_one(".title", Static).update(Text(title))
        try:
            tokenizer = self.app.tokenizers.of(record)
        except SwrError as error:
            tokenizer = None
            self.notify(str(error), severity="warning")
        self.refresh_bindings()
        full = in_full(record, tokenizer, self.app.colouring, self.size.width)
        self.query_one("#record", Static).update(full)

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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "open" or has_pictures(self.records.line(self.records.cursor)[1])

    def action_open(self) -> None:
        self.folder = self.folder or Path(tempfile.mkdtemp(prefix="swr1-view-"))
        _, record = self.records.line(self.records.cursor)
        self.notify(open_outside(record.get("prompt") or [], self.folder), markup=False)

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
