"""Summaries as tables for people: one run in full, or several side by side.

Percentages everywhere, points for differences. Tables fit 80 columns and read the same when piped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from swr1.evals.metrics import Cell, Paired, Summary, by_number, paired, pool
from swr1.terminal import console

_WIDE = 4  # runs that fit side by side in 80 columns; more get one table per way of decoding
_CUT = 0.02  # share of completions cut at the length limit from which the page says so


def describe(summary: Summary) -> str:
    """One line: whose completions these are and how they were decoded."""
    policies = [
        f"{p['name']}@{p['version']}" if p["version"] is not None else str(p["name"])
        for p in summary["policies"]
    ]
    named = ", ".join(policies[:3]) + (f" and {len(policies) - 3} more" if policies[3:] else "")
    counts = f"{summary['all']['puzzles']} puzzles, {summary['all']['samples']} samples"
    limits = " or ".join(str(m) for m in summary["max_tokens"])
    parts = [named, _decoded(summary), counts, limits and f"at most {limits} new tokens"]
    return " · ".join(part for part in parts if part)


def report(summary: Summary, title: str = "", trained: Sequence[object] = ()) -> RenderableType:
    """The table of one summary: a row per size, one for all, and what to beware of below.

    Args:
        title: a name for the run, before what `describe` says.
        trained: the sizes that training saw; they and the others get a row together too.
    """
    rows = _rows([summary], trained)
    k = summary["all"]["k"]
    table = new_table()
    columns: list[tuple[str, Callable[[Cell], str]]] = [
        ("puzzles", lambda c: str(c["puzzles"])),
        ("right", lambda c: percent(c["accuracy"])),
        ("95%", lambda c: span(c["interval"])),
        (f"pass@{k}", lambda c: percent(c["pass_at"].get(str(k)))),
        ("format", lambda c: percent(c["format_rate"])),
        (f"{summary['length_unit']}\nmean", lambda c: number(c["length_mean"])),
        ("\nmedian", lambda c: number(c["length_median"])),
        ("cut", lambda c: percent(c["truncated_share"])),
        ("reward", lambda c: number(c["reward_mean"], 2)),
    ]
    hidden = {
        f"pass@{k}": k < 2,
        "reward": not summary["all"]["rewarded"],
    }
    shown = [(name, of) for name, of in columns if not hidden.get(name)]
    table.add_column(summary["by"], no_wrap=True)
    for name, _ in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for name, (cell,) in rows:
        table.add_row(escape(name), *(of(cell) for _, of in shown), style=row_style(name))
    head = " · ".join(part for part in (title, describe(summary)) if part)
    notes = []
    if k > 1:
        even = summary["all"]["judged"] == k * summary["all"]["puzzles"]
        each = str(k) if even else f"up to {k} judged"
        notes = [f"{each} samples per puzzle; the interval takes the puzzle as its unit"]
    return as_page(head, [table], notes + cautions({title: summary}))


def compare(summaries: Mapping[str, Summary], trained: Sequence[object] = ()) -> RenderableType:
    """Runs side by side, a row per size: accuracy, points gained, length and format.

    Runs decoded the same way belong together; the first of them is what the others are measured
    against. Below: what was gained on the same puzzles, with its interval and McNemar's test.

    Args:
        summaries: by name, e.g. {"start greedy": ..., "after RL greedy": ...}; the word for the
            decoding may stand in the name or not.
        trained: the sizes that training saw; they and the others get a row together too.
    """
    sides = by_decoding(summaries)
    together = len(summaries) <= _WIDE
    apart = ({side: some} for side, runs in sides.items() for some in few_at_a_time(runs))
    blocks = [sides] if together else list(apart)
    tables = [_side_by_side(block, trained) for block in blocks]
    notes = [line for side, runs in sides.items() for line in _gain_lines(side, runs, trained)]
    head = "% right, with points over the first run that was decoded the same way"
    return as_page(head, tables, notes + cautions(summaries))


def as_text(page: RenderableType, width: int = 80) -> str:
    """The page as plain text, as it looks in a pipe or a README."""
    plain = console(width=width, color_system=None, force_terminal=False)
    with plain.capture() as capture:
        plain.print(page)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n") + "\n"


def by_decoding(summaries: Mapping[str, Summary]) -> dict[str, dict[str, Summary]]:
    """The runs under "greedy", "T=1", ..., their names without the word for the decoding."""
    sides: dict[str, dict[str, Summary]] = {}
    for name, summary in summaries.items():
        sides.setdefault(_decoded(summary), {})[name] = summary
    for side, runs in sides.items():
        short = [re.sub(r"[\s,:_-]*\b(greedy|sampled)\b", "", name).strip() for name in runs]
        if all(short) and len(set(short)) == len(short):
            sides[side] = dict(zip(short, runs.values(), strict=True))
    return sides


def few_at_a_time(runs: dict[str, Summary]) -> list[dict[str, Summary]]:
    """At most _WIDE - 1 runs at a time, each time with the first, which the others refer to."""
    first, *others = runs.items()
    step = _WIDE - 2
    return [dict([first, *others[i : i + step]]) for i in range(0, max(1, len(others)), step)]


def _side_by_side(sides: Mapping[str, dict[str, Summary]], trained: Sequence[object]) -> Table:
    summaries = [summary for runs in sides.values() for summary in runs.values()]
    rows = _rows(summaries, trained)
    table = new_table()
    table.add_column(summaries[0]["by"], no_wrap=True)
    table.add_column("puzzles", justify="right", no_wrap=True)
    for side, runs in sides.items():
        for name in runs:
            table.add_column(f"{side}\n{escape(name)}", justify="right")
    # Length and format of the runs of the first way of decoding, in order.
    first_runs = range(len(next(iter(sides.values()))))
    link = "→" if len(first_runs) == 2 else "/"
    table.add_column(summaries[0]["length_unit"], justify="right", no_wrap=True)
    table.add_column("format", justify="right", no_wrap=True)
    for size, cells in rows:
        row = [escape(size), str(max(cell["puzzles"] for cell in cells))]
        at = 0
        for runs in sides.values():
            first, *others = (cell["accuracy"] for cell in cells[at : at + len(runs)])
            row += [percent(first), *(_gained(first, other) for other in others)]
            at += len(runs)
        row.append(link.join(number(cells[i]["length_mean"], 0) for i in first_runs))
        row.append(link.join(percent(cells[i]["format_rate"], 0) for i in first_runs))
        table.add_row(*row, style=row_style(size))
    return table


def _parts(summaries: Sequence[Summary], trained: Sequence[object]) -> dict[str, list[str]]:
    """The sizes in order, as {"trained": [...], "unseen": [...]}, or {"all": [...]}."""
    sizes = sorted({size for s in summaries for size in s["groups"]}, key=by_number)
    seen = [size for size in sizes if size in {str(t) for t in trained}]
    if not seen:
        return {"all": sizes}
    parts = {"trained": seen, "unseen": [size for size in sizes if size not in seen]}
    return {label: part for label, part in parts.items() if part}


def _rows(summaries: Sequence[Summary], trained: Sequence[object]) -> list[tuple[str, list[Cell]]]:
    """(row name, one cell per summary): each size, and each part of several sizes together."""
    rows = []
    for label, part in _parts(summaries, trained).items():
        for size in part:
            name = f"{size} {label}" if len(part) == 1 and label != "all" else size
            rows.append((name, [s["groups"].get(size) or pool(s, [size]) for s in summaries]))
        if len(part) > 1:
            whole = label == "all"
            rows.append((label, [s["all"] if whole else pool(s, part) for s in summaries]))
    return rows


def _gain_lines(side: str, runs: Mapping[str, Summary], trained: Sequence[object]) -> list[str]:
    lines = []
    (start, before), *others = runs.items()
    for name, after in others:
        for label, part in _parts([before, after], trained).items():
            change = paired(before, after, part)
            if change:
                heading = f"{side}, {before['by']} {', '.join(part)} ({label})"
                lines.append(f"{heading}: {start} → {name} {_change(change)}")
    return lines


def _change(change: Paired) -> str:
    text = f"{change['points']:+.1f} points"
    if change["interval"]:
        low, high = change["interval"]
        text += f" [{low:+.1f}, {high:+.1f}]"
    text += f" on {change['puzzles']} puzzles"
    if change["p_value"] is not None:
        p = "< 0.0001" if change["p_value"] < 1e-4 else f"= {change['p_value']:.2g}"
        text += f"; {change['gained']} turned right, {change['lost']} wrong, McNemar p {p}"
    return text


def cautions(summaries: Mapping[str, Summary]) -> list[str]:
    """Warnings about what would mislead the reader."""
    lines = []
    for name, summary in summaries.items():
        prefix = f"{name}: " if name else ""
        groups = summary["groups"].items()
        nulls = [f"{cell['unjudged']} at {size}" for size, cell in groups if cell["unjudged"]]
        if nulls:
            lines.append(f"{prefix}not judged, so neither right nor wrong: {', '.join(nulls)}")
        cut = [
            f"{percent(cell['truncated_share'], 0)}% at {size}"
            for size, cell in groups
            if (cell["truncated_share"] or 0) >= _CUT
        ]
        if cut:
            lines.append(f"{prefix}cut at the length limit: {', '.join(cut)}")
        if summary["decoding"] == "mixed":
            lines.append(f"{prefix}samples of several ways of decoding are mixed")
        if len(summary["policies"]) > 1:
            lines.append(f"{prefix}samples of {len(summary['policies'])} policy versions are mixed")
    return lines


def as_page(head: str, tables: Sequence[Table], notes: Sequence[str]) -> RenderableType:
    parts: list[RenderableType] = [Text(head)]
    for table in tables:
        parts += [Text(), table]
    if notes:
        parts += [Text(), *(Text(note, style="dim") for note in notes)]
    return Group(*parts)


def new_table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def _decoded(summary: Summary) -> str:
    if summary["decoding"] == "sampled":
        return "T=" + "/".join(f"{t:g}" for t in summary["temperatures"])
    return summary["decoding"]


def row_style(row: str) -> str:
    return "bold" if row in ("trained", "unseen", "all") else ""


def percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}"


def _gained(before: float | None, after: float | None) -> str:
    points = "" if before is None or after is None else f"{100 * (after - before):+.1f}"
    return f"{percent(after)} {points:>5}"


def span(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"{100 * interval[0]:.0f}-{100 * interval[1]:.0f}"


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
