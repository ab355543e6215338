"""A completion before and after an edit, side by side, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from swr1.intervention.history import State, named
from swr1.intervention.journal import Entry
from swr1.intervention.known import MOST, Offer

CONTEXT = 3  # kept lines that are shown
# mark and style of a part: the mark says it where there are no colours
KEPT, OLD, DROPPED = (" ", "dim"), ("-", "red strike"), ("~", "red")
NEW, WROTE = ("+", "bold green"), (">", "cyan")
Part = tuple[tuple[str, str], str]


def parts(state: State) -> tuple[list[Part], list[Part]]:
    """The completion before and after its last edit, each in parts."""
    edit, before = state.levels[-1].edit, state.before
    at, old = edit["at"], edit["old"]
    kept = (KEPT, before[:at])
    level, end = state.levels[-1], at + len(edit["new"])
    if level.continued:  # the tokenizer may have written other spaces
        turns = level.continued["generation"].get("turns") or [{"characters": [end, 0]}]
        end = turns[-1]["characters"][0]
    return (
        [kept, (OLD, old), (DROPPED, before[at + len(old) :])],
        [kept, (NEW, level.text[at:end]), (WROTE, level.text[end:])],
    )


def print_edit(state: State, console: Any) -> None:
    """Both columns: the same lines before the change, then what was and what is."""
    from rich.table import Table

    before, after = (_lines(side) for side in parts(state))
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    skipped = max(0, same - CONTEXT)
    edit = state.levels[-1].edit
    about = f"{named(state.record)}, edit {edit['edit']} by {edit.get('who', '?')}"
    about += f", taken from {edit['from']}" if edit.get("from") else ""
    about += f": {edit['why']}" if edit.get("why") else ""
    table = Table(
        box=None, expand=True, title=_plain(about), title_justify="left", padding=(0, 1, 0, 0)
    )
    for head in ("before", "after"):
        table.add_column("", no_wrap=True, width=1)
        table.add_column(head, ratio=1, overflow="fold")
    if skipped:
        table.add_row("", f"... {skipped} lines kept", "", "", style="dim")
    for left, right in zip_longest(before[skipped:], after[skipped:], fillvalue=()):
        table.add_row(*_cells(left), *_cells(right))
    console.print(table)
    console.print("- replaced  ~ dropped  + put in  > written by the policy", style="dim")


def print_list(states: Sequence[State], console: Any) -> None:
    """A line for each completion that was edited."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("record", "sample", "edit", "who", "when", "", "change"):
        table.add_column(head, overflow="fold", no_wrap=head in ("record", "edit", "when"))
    for state in states:
        for level in state.levels:
            edit = level.edit
            change = changed(edit)
            change += f"  taken from {edit['from']}" if edit.get("from") else ""
            went = "" if level.continued else "pending"
            when = edit.get("when", "")[:16].replace("T", " ")
            cells = [edit["id"], edit["sample"], edit["edit"], edit.get("who", ""), when]
            table.add_row(*(_plain(str(cell)) for cell in [*cells, went, change]))
    console.print(table)


def print_offers(offers: Sequence[Offer], console: Any) -> None:
    """A line for each known edit that is offered."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.title = "known edits where the prompt is similar"
    for head in ("edit", "similar", "who", "when", "change"):
        table.add_column(head, overflow="fold", no_wrap=head in ("edit", "when"))
    for offer in offers[:MOST]:
        edit = offer.edit
        cells = [offer.name, f"{offer.similarity:.2f}", edit.get("who", "")]
        cells += [edit.get("when", "")[:16].replace("T", " "), changed(edit) + fits(offer)]
        table.add_row(*map(_plain, cells))
    console.print(table)
    if more := len(offers[MOST:]):
        console.print(f"and {more} more", style="dim")


def fits(offer: Offer) -> str:
    """Where an offer fits, for people; "" where it has one place."""
    if offer.place is None:
        return "  [does not fit: what it replaced is not here]"
    return f"  [the first of {offer.place.among} places]" if offer.place.among > 1 else ""


def changed(edit: Entry) -> str:
    """What became what, and why."""
    why = f"  ({edit['why']})" if edit.get("why") else ""
    return f"{_short(edit['old'])} -> {_short(edit['new'])}{why}"


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= 40 else f"{words[:37]}...")


def _lines(side: Sequence[Part]) -> list[tuple[tuple[tuple[str, str], str], ...]]:
    """Lines, each a row of its parts."""
    lines: list[list[Any]] = [[]]
    for kind, text in side:
        first, *others = text.split("\n")
        if first:
            lines[-1].append((kind, first))
        for line in others:
            lines.append([(kind, line)])
    return [tuple(line) for line in lines]


def _cells(line: Sequence[Part]) -> list[Any]:
    """The mark of what matters most in a line, and the line with its parts in their styles."""
    from rich.text import Text

    marks = [mark for (mark, _), text in line if text]
    mark = next((m for m in ("+", "-", ">", "~") if m in marks), "")
    return [mark, Text.assemble(*((text, style) for (_, style), text in line))]
