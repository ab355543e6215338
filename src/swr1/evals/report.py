"""Summaries as tables for people: one run in full, or several runs, a row for each.

Percentages everywhere, points for differences. Tables fit 80 columns and read the same when piped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from swr1.evals.keys import mixed_line
from swr1.evals.metrics import Cell, Summary, by_number, pool
from swr1.evals.pairs import Paired, correct, p_text, paired
from swr1.terminal import console

_WIDTH = 80
_CUT = 0.02  # share of completions cut at the length limit from which the page says so
_NOT_RIGHT = {"safety", "refusal"}  # verdicts whose full score does not mean a right answer

Columns = list[tuple[str, Callable[[Cell], str]]]


def describe(summary: Summary) -> str:
    """One line or more: whose completions these are and how they were decoded."""
    policies = [
        f"{p['name']}@{p['version']}" if p["version"] is not None else str(p["name"])
        for p in summary["policies"]
        if p["name"] is not None
    ]
    named = ", ".join(policies[:3]) + (f" and {len(policies) - 3} more" if policies[3:] else "")
    counts = f"{summary['all']['puzzles']} {summary['unit']}, {summary['all']['samples']} samples"
    limits = " or ".join(str(m) for m in summary["max_tokens"])
    decoded = _decoded(summary)
    return joined(
        [named, decoded * (decoded != "unknown"), counts, limits and f"at most {limits} new tokens"]
    )


def joined(parts: Sequence[str]) -> str:
    """The parts that are not empty with dots between them, in lines that do not part one."""
    lines = [""]
    for part in filter(None, parts):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) > _WIDTH and lines[-1]:
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def report(summary: Summary, title: str = "", trained: Sequence[object] = ()) -> RenderableType:
    """The table of one summary: a row per group, one for all, and what to beware of below.

    Args:
        title: a name for the run, before what `describe` says.
        trained: the groups that training saw; they and the others get a row together too.
    """
    table = new_table()
    columns = _columns([summary], full=True)
    table.add_column(summary["by"] if summary["grouped"] else "", no_wrap=True)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, groups in _rows([summary], trained):
        cell = _cell(summary, groups)
        label = name if summary["grouped"] else summary["verdicts"][0]
        table.add_row(escape(label), *(of(cell) for _, of in columns), style=row_style(name))
    k = summary["all"]["k"]
    notes = []
    if k > 1 and not summary["mixed"]:
        even = summary["all"]["judged"] == k * summary["all"]["puzzles"]
        each, one = str(k) if even else f"up to {k} judged", summary["unit"].removesuffix("s")
        notes = [f"{each} samples per {one}; the interval takes the {one} as its unit"]
    head = joined([title, *describe(summary).replace("\n", " · ").split(" · ")])
    return as_page(head, [table], notes + cautions({title: summary}))


def compare(summaries: Mapping[str, Summary], trained: Sequence[object] = ()) -> RenderableType:
    """Runs below each other, group by group: accuracy, points gained and whether that is chance.

    Runs decoded the same way belong together; the first of them is what the others are measured
    against, on the prompts that both have. Below: what was gained, with its interval and test.

    Args:
        summaries: by name, e.g. {"start greedy": ..., "after RL greedy": ...}; the word for the
            decoding may stand in the name or not.
        trained: the groups that training saw; they and the others get a row together too.
    """
    sides, every = by_decoding(summaries), list(summaries.values())
    changes = compared(summaries, trained)
    columns = _columns(every)
    table = new_table()
    named = [side for side in sides if side != "unknown"]
    table.add_column(named[0] if len(sides) == len(named) == 1 else "", no_wrap=True)
    for at, (name, _) in enumerate(columns):
        table.add_column(name, justify="right", no_wrap=True)
        if at == 2:
            table.add_column("points", justify="right", no_wrap=True)
            table.add_column("p", justify="right", no_wrap=True)
    for side, runs in sides.items():
        if len(sides) > 1:
            table.add_row(side, style="bold")
        rows = _rows(list(runs.values()), trained)
        by = next((s["by"] for s in runs.values() if s["grouped"]), "")
        for row, groups in rows:
            if by:
                title = row if row in ("all", "trained", "unseen") else f"{by} {row}"
                table.add_row(escape(title), style="bold")
            start = next(iter(runs.values()))
            first = _cell(start, groups)
            for name, summary in runs.items():
                cell, change = _cell(summary, groups), changes.get((side, name), {}).get(row)
                shown = [of(cell) for _, of in columns]
                tested = _tested(first, cell, change) if summary is not start else ["", ""]
                indented = f"  {name}" if by or len(sides) > 1 else name
                table.add_row(escape(indented), *shown[:3], *tested, *shown[3:])
    head = "% right" + ("" if not changes else _against(sides))
    if sum(len(rows) for rows in changes.values()) > 1:
        head += "; p after Holm's correction"
    notes = [
        line for side, runs in sides.items() for line in _gain_lines(side, runs, trained, changes)
    ]
    return as_page(head, [table], notes + cautions(summaries))


def compared(
    summaries: Mapping[str, Summary], trained: Sequence[object] = ()
) -> dict[tuple[str, str], dict[str, Paired]]:
    """(way of decoding, name of the run there) -> row of the table -> change against the first run.

    The p-values of all of them are corrected together.
    """
    changes: dict[tuple[str, str], dict[str, Paired]] = {}
    for side, runs in by_decoding(summaries).items():
        (_, before), *others = runs.items()
        rows = _rows(list(runs.values()), trained)
        for name, after in others:
            found = {row: paired(before, after, groups) for row, groups in rows}
            changes[side, name] = {row: change for row, change in found.items() if change}
    correct(change for rows in changes.values() for change in rows.values())
    return changes


def changes(
    summaries: Mapping[str, Summary], trained: Sequence[object] = ()
) -> dict[str, tuple[str, dict[str, Paired]]]:
    """What `compared` says, by the runs' own labels: label -> (label of the first run, its rows)."""
    found = compared(summaries, trained)
    own = {id(summary): label for label, summary in summaries.items()}
    told = {}
    for side, runs in by_decoding(summaries).items():
        first = own[id(next(iter(runs.values())))]
        for name, summary in runs.items():
            if (side, name) in found:
                told[own[id(summary)]] = (first, found[side, name])
    return told


def _against(sides: Mapping[str, Mapping[str, Summary]]) -> str:
    if len(sides) > 1:
        return ", with points over the first run that was decoded the same way"
    return f", with points over {next(iter(next(iter(sides.values()))))} on what both answered"


def _columns(summaries: Sequence[Summary], full: bool = False) -> Columns:
    """The columns that these runs fill. `full`: also pass@k, median, cut and reward, of one run."""
    whole = [s["all"] for s in summaries]
    k = max(c["k"] for c in whole)
    unit = summaries[0]["length_unit"]
    any_unread = any(c["unreadable"] for c in whole)
    found = any(c["lenient_accuracy"] != c["accuracy"] for c in whole) or any(
        s["lenient"] for s in summaries
    )
    columns: list[tuple[str, Callable[[Cell], str], bool]] = [
        (summaries[0]["unit"], lambda c: str(c["puzzles"]), True),
        ("right", lambda c: percent(c["accuracy"]), True),
        ("95%", lambda c: span(c["interval"]), True),
        ("unread", lambda c: percent(c["unreadable_share"]), any_unread),
        ("lenient", lambda c: percent(c["lenient_accuracy"]), any_unread and found),
        (f"pass@{k}", lambda c: percent(c["pass_at"].get(str(k))),
         full and k > 1 and not summaries[0]["mixed"]),
        ("format", lambda c: percent(c["format_rate"]), any(c["format_judged"] for c in whole)),
        (f"{unit}\nmean" if full else unit, lambda c: number(c["length_mean"], int(full)), True),
        ("\nmedian", lambda c: number(c["length_median"]), full),
        ("spent", lambda c: number(c["spent_mean"]), any(c["spent_mean"] is not None for c in whole)),
        ("cut", lambda c: percent(c["truncated_share"]), full and any(c["finished"] for c in whole)),
        ("reward", lambda c: number(c["reward_mean"], 2), full and any(c["rewarded"] for c in whole)),
    ]  # fmt: skip
    return [(name, of) for name, of, filled in columns if filled]


def _tested(first: Cell, cell: Cell, change: Paired | None) -> list[str]:
    """Points over the first run and the corrected p-value; without prompts in both the plain difference."""
    if change:
        return [f"{change['points']:+.1f}", p_text(change["p_holm"])]
    before, after = first["accuracy"], cell["accuracy"]
    return ["" if before is None or after is None else f"{100 * (after - before):+.1f}", "-"]


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


def _parts(summaries: Sequence[Summary], trained: Sequence[object]) -> dict[str, list[str]]:
    """The groups in order, as {"trained": [...], "unseen": [...]}, or {"all": [...]}."""
    if not any(s["grouped"] for s in summaries):
        return {"all": []}
    groups = sorted({group for s in summaries for group in s["groups"]}, key=by_number)
    seen = [group for group in groups if group in {str(t) for t in trained}]
    if not seen:
        return {"all": groups}
    parts = {"trained": seen, "unseen": [group for group in groups if group not in seen]}
    return {label: part for label, part in parts.items() if part}


def _rows(
    summaries: Sequence[Summary], trained: Sequence[object]
) -> list[tuple[str, list[str] | None]]:
    """(row name, its groups, None for all): each group, and each part of several groups together."""
    rows: list[tuple[str, list[str] | None]] = []
    for label, part in _parts(summaries, trained).items():
        for group in part:
            name = f"{group} {label}" if len(part) == 1 and label != "all" else group
            rows.append((name, [group]))
        if len(part) != 1:
            rows.append((label, None if label == "all" else part))
    return rows


def _cell(summary: Summary, groups: list[str] | None) -> Cell:
    if groups is None:
        return summary["all"]
    if len(groups) == 1 and groups[0] in summary["groups"]:
        return summary["groups"][groups[0]]
    return pool(summary, groups)


def _gain_lines(
    side: str,
    runs: Mapping[str, Summary],
    trained: Sequence[object],
    changes: Mapping[tuple[str, str], Mapping[str, Paired]],
) -> list[str]:
    lines = []
    (start, first), *others = runs.items()
    tests = sum(len(rows) for rows in changes.values())
    for name, after in others:
        for label, part in _parts(list(runs.values()), trained).items():
            row = label if len(part) != 1 else part[0] if label == "all" else f"{part[0]} {label}"
            change = changes[side, name].get(row)
            grouped = f"{after['by']} {', '.join(part)} ({label})" if after["grouped"] else ""
            heading = ", ".join(filter(None, ["" if side == "unknown" else side, grouped]))
            heading = f"{heading}: " if heading else ""
            if change:
                told = _change(change, first["unit"], tests)
                lines.append(f"{heading}{start} → {name} {told}")
                part_or_all = part if label != "all" else None
                if lenient := lenient_change(first, after, part_or_all):
                    told = _change(lenient, first["unit"])
                    lines.append(f"{heading}{start} → {name}, read leniently: {told}")
            else:
                nothing = f"no {first['unit'].removesuffix('s')} was judged in both: no test"
                lines.append(f"{heading}{start} → {name}: {nothing}")
    return lines


def lenient_change(
    before: Summary, after: Summary, groups: list[str] | None = None
) -> Paired | None:
    """The change where lenient readings count; None where that is the same. Its p is not corrected."""
    if all(s["all"]["lenient_accuracy"] == s["all"]["accuracy"] for s in (before, after)):
        return None
    return paired(before, after, groups, right="lenient")


def _change(change: Paired, unit: str, tests: int = 1) -> str:
    text = f"{change['points']:+.1f} points"
    if change["interval"]:
        low, high = change["interval"]
        text += f" [{low:+.1f}, {high:+.1f}]"
    text += f" on {change['puzzles']} {unit}"
    if change["gained"] is not None:
        text += f"; {change['gained']} turned right, {change['lost']} wrong"
    p = p_text(change["p_value"])
    text += f"; {change['test']} p {p if '<' in p else f'= {p}'}"
    if tests > 1 and (holm := p_text(change["p_holm"])) != p:
        text += f", {holm} after Holm's correction"
    return text


def cautions(summaries: Mapping[str, Summary]) -> list[str]:
    """Warnings about what would mislead the reader."""
    lines = [*unread_lines(list(summaries.values()))]
    for name, summary in summaries.items():
        prefix = f"{name}: " if name and len(summaries) > 1 else ""
        groups = summary["groups"].items()

        def listed(told: Mapping[str, str], summary: Summary = summary) -> str:
            at = [
                f"{text} at {group}" if summary["grouped"] else text for group, text in told.items()
            ]
            return ", ".join(at)

        if nulls := {group: str(c["unjudged"]) for group, c in groups if c["unjudged"]}:
            lines.append(f"{prefix}not judged, so neither right nor wrong: {listed(nulls)}")
        cut = {
            group: f"{percent(c['truncated_share'], 0)}%"
            for group, c in groups
            if (c["truncated_share"] or 0) >= _CUT
        }
        if cut:
            lines.append(f"{prefix}cut at the length limit: {listed(cut)}")
        if summary["decoding"] == "mixed":
            lines.append(f"{prefix}samples of several ways of decoding are mixed")
        if len(summary["policies"]) > 1:
            versions = f"samples of {len(summary['policies'])} policy versions are mixed"
            lines.append(f"{prefix}{versions}: --runs-by policy tells them apart")
        elif summary["mixed"]:
            lines.append(f"{prefix}{mixed_line(summary['mixed'], summary['unit'])}")
    if odd := sorted({v for s in summaries.values() for v in s["verdicts"]} & _NOT_RIGHT):
        lines.append(
            f"a full score of {' or '.join(odd)} is no right answer (a needless refusal has one too):"
            " --suite safety has measures for these records"
        )
    return lines


def unread_lines(summaries: Sequence[Summary]) -> list[str]:
    """What `unread` and `lenient` are, and which option reads more."""
    worst = max((s["all"]["unreadable_share"] or 0.0 for s in summaries), default=0.0)
    if not worst:
        return []
    text = f"unread: {'up to ' * (len(summaries) > 1)}{percent(worst)}% could not be read, which count as wrong"
    if settings := sorted({setting for s in summaries for setting in s["lenient"]}):
        text += f"; lenient: right, were they read by {reading_more(settings)}"
    return [text]


def reading_more(settings: Iterable[str]) -> str:
    """The command that reads with these settings: "swr1 verify math --set math.last_number=true"."""
    sets = " ".join(f"--set {one}" for one in settings)
    names = " ".join(dict.fromkeys(one.partition("=")[0].rpartition(".")[0] for one in settings))
    return f"swr1 verify {names} {sets}"


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


def span(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"{100 * interval[0]:.0f}-{100 * interval[1]:.0f}"


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
