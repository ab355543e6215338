"""An index and its answers for people."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from swr1.terminal import console, put

if TYPE_CHECKING:
    from rich.console import RenderableType

    from swr1.index.building import Counts
    from swr1.index.state import State

_SHOWN = 400  # characters of a passage


def summary(path: str, state: State, counts: Counts) -> str:
    """The one line at the end of a build."""
    names = {"new": counts.new, "changed": counts.changed, "as before": counts.as_before}
    names |= {"kept, not named": counts.kept, "dropped": counts.pruned, "bad": counts.bad}
    files = ", ".join(f"{n:,} {name}" for name, n in names.items() if n) or "none"
    return f"{path}: {state.passages:,} passages; files: {files}; digest {state.digest}"


def print_answer(answer: dict[str, Any]) -> None:
    """The passages of one query on standard output."""
    from rich.padding import Padding
    from rich.text import Text

    to = console(highlight=False)
    put(Text(" ".join(answer["query"].split())[:_SHOWN], style="bold"), to)
    for number, passage in enumerate(answer["passages"], 1):
        head = Text(f"{number}  {passage['score']:.4g}  ")
        head.append(" ".join(passage["title"].split()) or passage["id"], style="bold")
        head.append(f"  {passage['source']}:{passage['place']}", style="dim")
        put(Padding(head, (0, 0, 0, 2)), to)
        text = textwrap.shorten(passage["text"], _SHOWN, placeholder=" ...")
        put(Padding(Text(text or passage["text"][:_SHOWN]), (0, 0, 0, 5)), to)
    if not answer["passages"]:
        put(Text("  nothing found: no passage has any of these words"), to)


def facts_page(facts: dict[str, Any]) -> RenderableType:
    """What `swr1 index show` prints."""
    from rich.table import Table
    from rich.text import Text

    columns = {n: c for n, c in facts["columns"].items() if n != c}
    rows = {
        "passages": f"{facts['passages']:,}",
        "files": f"{facts['sources']:,}",
        "digest": facts["digest"],
        "backend": facts["backend"],
        "size": _size(facts["bytes"]),
        "split": f"at most {facts['words']} words, overlap {facts['overlap']}",
        "columns": ", ".join(f"{n}={c}" for n, c in columns.items()),
        "dropped": f"{facts['dropped']:,} bad rows" if facts["dropped"] else "",
        "unfinished": "a build was stopped; its command goes on" if facts["unfinished"] else "",
        "largest": "\n".join(f"{o['passages']:,}  {o['source']}" for o in facts["largest"]),
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value:
            table.add_row(Text(name), Text(value))
    return table


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.0f} kB"
