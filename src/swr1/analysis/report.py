"""The analysis of reasoning as tables of 80 columns: over the steps, and with or without a sign."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from swr1.analysis.features import label_of
from swr1.analysis.words import load_words
from swr1.evals.report import as_page, new_table, number, percent, span

_TERSE = "terse"  # the word list for small policies, which reason in telegram style
_MOST_GROUPS = 6  # columns of word groups that fit
Result = dict[str, Any]


def report(result: Result) -> RenderableType:
    """Tables of the result of `Analysis.result`, with warnings below."""
    tables = [_rows_table(result), _shares_table(result, "group"), _shares_table(result, "sign")]
    if result["verdicts"]:
        tables.append(_with_and_without(result))
    return as_page(_head(result), list(filter(None, tables)), list(_notes(result)))


def _head(result: Result) -> str:
    policies = result["policies"]
    named = ", ".join(policies[:3]) + (f" and {len(policies) - 3} more" if policies[3:] else "")
    counts = f"{result['records']:,} completions of {result['puzzles']:,} puzzles"
    right = f"right by {', '.join(result['verdicts'])}" if result["verdicts"] else ""
    return " · ".join(part for part in (named, counts, right) if part)


def _rows_table(result: Result) -> Table:
    """A row per step (or size): how many, how right, how long."""
    rows, unit = _all_rows(result), result["length_unit"]
    columns: dict[str, Callable[[Result], str]] = {
        "n": lambda r: str(r["completions"]),
        "right": lambda r: percent(r["right"]["value"]),
        "95%": lambda r: span(r["right"]["interval"] or None),
        "score": lambda r: number(r["score"]["value"], 2),
        unit: lambda r: number(r["length"]["value"]),
        "95% ": lambda r: _whole_range(r["length"]["interval"]),
        "worlds": lambda r: number(r["worlds"]["value"]),
        "changes": lambda r: number(r["changes"]["value"]),
        "repeated": lambda r: percent(r["rates"]["repeated"]["value"]),
        "cjk": lambda r: percent(r["rates"]["cjk"]["value"]),
    }
    whole = result["all"]
    empty = {
        "score": whole["score"]["value"] is None,
        "right": whole["right"]["value"] is None,
        "95%": whole["right"]["value"] is None,
        "worlds": not whole["worlds"]["value"],
        "changes": not whole["worlds"]["value"],
        "cjk": not whole["rates"]["cjk"]["value"],
    }
    shown = {name: of for name, of in columns.items() if not empty.get(name)}
    return _filled(
        result["by"], list(shown), [[of(r) for of in shown.values()] for r in rows], rows
    )


def _shares_table(result: Result, kind: str) -> Table | None:
    """A row per step: the share of completions with a word of each group, or with each sign."""
    shares = result["all"]["signs"]
    names = [n for n, s in shares.items() if n.startswith(f"{kind}:") and s["value"]]
    if kind == "group":
        common = sorted(names, key=lambda n: -shares[n]["value"])[:_MOST_GROUPS]
        names = [n for n in names if n in common]
    if not names:
        return None
    labels = [label_of(name).replace(" ", "\n") for name in names]
    rows = _all_rows(result)
    cells = [[percent(r["signs"][n]["value"]) for n in names] for r in rows]
    title = "% of completions with a word of" if kind == "group" else "% of completions with"
    return _filled(result["by"], labels, cells, rows, title)


def _with_and_without(result: Result) -> Table:
    rows, cells = [], []
    for sign in _in_order(result):
        comparison = result["with_and_without"][sign]
        right = comparison["right"]
        indent = "  " if sign.startswith("word:") else ""
        rows.append({"name": indent + label_of(sign), "bold": sign.startswith("group:")})
        cells.append(
            [
                percent(result["all"]["signs"][sign]["value"]),
                percent(right["with"]["value"]),
                percent(right["without"]["value"]),
                _points(right["same_prompt"]),
                _points(right["same_prompt_and_length"]),
            ]
        )
    columns = ("% of all", "with", "without", "same prompt", "same length too")
    return _filled("", columns, cells, rows, "% right with and without")


def _in_order(result: Result) -> Iterator[str]:
    """The signs that occur: each group before its words, then the others."""
    comparisons = result["with_and_without"]
    of = result["word_groups"]
    for group in dict.fromkeys(of.values()):
        names = [f"group:{group}", *(f"word:{word}" for word, its in of.items() if its == group)]
        yield from (name for name in names if comparisons[name]["completions"])
    yield from (n for n, f in comparisons.items() if n.startswith("sign:") and f["completions"])


def _notes(result: Result) -> Iterator[str]:
    words = set(result["word_groups"])
    never = sum(not result["all"]["signs"][f"word:{w}"]["value"] for w in words)
    if never:
        terse = {word.name for word in load_words([_TERSE])}
        fits = never > len(words) / 2 and not terse <= words
        yield f"{never} of {len(words)} words never occur{f': try --words {_TERSE}' if fits else ''}"
    if result["verdicts"]:
        yield (
            "same prompt: points gained within the completions of one prompt by one version, so"
            " neither difficulty nor the step explains them; same length too: of those, within a"
            " factor of 1.4. [95%], or (n): no interval, n puzzles have both kinds. None shows a"
            " cause."
        )
    if result["score"]:
        yield f"score: {result['score']}"
    scripts = {
        "tokens": "scripts are counted by token",
        "letters": "scripts are counted by letter, for want of token ids and a tokenizer"
        " (--tokenizer)",
        "mixed": "scripts are counted by token where there are ids and a tokenizer, else by letter",
    }
    yield scripts[result["script_unit"]]
    if result["length_unit"] == "mixed":
        yield "length: tokens where there are ids, else words: not to be compared"
    if len(result["policies"]) > 1:
        yield f"completions of {len(result['policies'])} policies are mixed"
    for why, count in result["unused"].items():
        yield f"{count} of {count + result['records']} records left out: {why}"
    for why, count in result["lacks"].items():
        yield f"{count} of {result['records']}: {why}"


def _filled(
    by: str,
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    rows: Sequence[Result],
    title: str | None = None,
) -> Table:
    table = new_table()
    table.title, table.title_justify, table.title_style = title, "left", ""
    table.add_column(by, no_wrap=True)
    for column in columns:
        table.add_column(escape(column), justify="right", no_wrap=True)
    for row, texts in zip(rows, cells, strict=True):
        table.add_row(escape(row["name"]), *texts, style="bold" if row.get("bold") else "")
    return table


def _all_rows(result: Result) -> list[Result]:
    return [*result["rows"], {"name": "all", "bold": True, **result["all"]}]


def _points(gain: Result | None) -> str:
    if gain is None:
        return "-"
    text = f"{100 * gain['difference']:+.0f}"
    if gain["interval"]:
        low, high = gain["interval"]
        return f"{text} [{100 * low:+.0f}, {100 * high:+.0f}]"
    return f"{text} ({gain['puzzles']})"


def _whole_range(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.0f}-{interval[1]:.0f}" if interval else "-"
