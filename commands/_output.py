"""Figures on standard output: as a page for people, or as JSON."""

import csv
import io
from collections.abc import Callable
from typing import Any

from swr1.streams import standard
from swr1.terminal import put


def show(numbers: Any, as_json: bool, page: Callable[[], Any]) -> None:
    """Print the numbers as JSON, or the page, something that rich prints and that is made then."""
    if as_json:
        print_json(numbers)
    else:
        made = page()
        with standard.ours():
            put(made)


def show_as(form: str, numbers: Any, page: Any, rows: list[dict[str, Any]]) -> None:
    """Print figures in a form: "json", "csv" (of `rows`), "markdown" or "page" (of `page`)."""
    if form == "csv":
        with standard.ours():
            print(as_csv(rows), end="")
    elif form == "markdown":
        with standard.ours():
            print(as_markdown(page))
    else:
        show(numbers, form == "json", lambda: page)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """The rows under the names of all their columns; a cell that would be a spreadsheet's formula is quoted."""
    text = io.StringIO()
    columns = list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    return text.getvalue()


def _harmless(value: Any) -> Any:
    return (
        f"'{value}"
        if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") and value != "-"
        else value
    )


def as_markdown(page: Any) -> str:
    """A page of texts and tables (rich's) in Markdown."""
    from rich.table import Table
    from rich.text import Text

    def cell(text: Any, sep: str = " ") -> str:
        plain = Text.from_markup(text).plain if isinstance(text, str) else str(text)
        return sep.join(plain.split("\n")).strip().replace("|", "\\|")

    parts = []
    for part in page.renderables:
        if isinstance(part, Table):
            heads = [cell(column.header).replace("- ", "") for column in part.columns]
            lines = [heads, ["---:" if c.justify == "right" else "---" for c in part.columns]]
            lines += map(
                list, zip(*([cell(c) for c in col.cells] for col in part.columns), strict=True)
            )
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        elif str(part):
            parts.append(str(part).replace("\n", "  \n"))
    return "\n\n".join(parts)


def print_json(numbers: Any) -> None:
    """Indented; arrays of numpy are lists."""
    import orjson

    text = orjson.dumps(numbers, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode()
    with standard.ours():
        print(text)
