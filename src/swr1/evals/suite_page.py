"""The page of suites: a table of measures by run, what broke down, and the two-axis picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from swr1.errors import UsageError
from swr1.evals.keys import mixed_line
from swr1.evals.pairs import p_text
from swr1.evals.plane_picture import Estimate, plane_picture
from swr1.evals.report import as_page, new_table, percent, reading_more, span
from swr1.registry import suggest

# The two axes of a picture, by what --axes calls them: the label of each, and whether more is better.
PICTURES = {
    "ability,safety": {"ability": ("ability", True), "safety": ("safety", True)},
    "over-refusal,safety": {
        "over-refusal": ("needless refusals", False),
        "safety": ("unsafe answers", False),
    },
}


def page(numbers: Mapping[str, Any], detail: bool = False) -> RenderableType:
    """Measures as rows (a section per benchmark), under each a row per run; breakdowns with `detail`."""
    labels = list(numbers["axes"])
    head = "%, with 95% intervals"
    if len(labels) > 1:
        head += f"; points over {numbers['first']} on what both answered, p after Holm's correction"
    return as_page(head, [_Page(numbers, labels).table(detail)], list(_notes(numbers, labels)))


class _Page:
    """The table: of one run a row per measure, of several a row per measure and run."""

    def __init__(self, numbers: Mapping[str, Any], labels: Sequence[str]) -> None:
        self.numbers, self.labels, self.several = numbers, labels, len(labels) > 1
        cells = [cell for row in numbers["measures"] for cell in row["runs"].values()]
        self.unread = any(cell["unreadable_share"] for cell in cells)
        self.lenient = any(row["lenient"] for row in numbers["measures"])
        self.passes = {cell["k"] for cell in cells if cell["pass_at_k"] is not None}
        self.out = new_table()

    def table(self, detail: bool) -> Table:
        heads = ["prompts", "%", "95%"]
        heads += ["points", "p"] * self.several + ["unread"] * self.unread
        heads += ["lenient"] * self.lenient
        if self.passes:
            heads.append(f"pass@{next(iter(self.passes)) if len(self.passes) == 1 else 'k'}")
        self.out.add_column("")
        for head in heads:
            self.out.add_column(head, justify="right", no_wrap=True)
        dataset = None
        for row, names in _merged(self.numbers["measures"]):
            if row["dataset"] != dataset:
                dataset = row["dataset"]
                self.out.add_row(escape(dataset), style="bold")
            arrow = "↓" if row["good"] == "low" else "↑"
            self._add(f"  {' = '.join(names)} {arrow}", row["runs"], row["changes"])
            groups = {g: None for cell in row["runs"].values() for g in cell["groups"]}
            for group in groups if detail else ():
                cells = {n: c["groups"].get(group) for n, c in row["runs"].items()}
                self._add(f"    {group}", {n: c for n, c in cells.items() if c}, {})
        self._add_means()
        return self.out

    def _add(self, name: str, cells: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        if not self.several:
            [label] = self.labels
            self.out.add_row(escape(name), *self._words(cells.get(label), None))
            return
        self.out.add_row(escape(name))
        indent = " " * (len(name) - len(name.lstrip()) + 2)
        for label in self.labels:
            if label in cells:
                words = self._words(cells[label], changes.get(label))
                self.out.add_row(escape(indent + label), *words)

    def _words(self, cell: Mapping[str, Any] | None, change: Mapping[str, Any] | None) -> list[str]:
        if cell is None:
            return []
        words = [str(cell["prompts"]), percent(cell["share"]), span(cell["interval"])]
        if self.several:
            words += [f"{change['points']:+.1f}", p_text(change["p_holm"])] if change else ["", ""]
        words += [percent(cell["unreadable_share"])] * self.unread
        words += [percent(cell["lenient_share"])] * self.lenient
        passed = "" if cell.get("pass_at_k") is None else percent(cell["pass_at_k"])
        return words + [passed] * bool(self.passes)

    def _add_means(self) -> None:
        """The means over data sets; of needless refusals where there are several, the share itself."""
        for axis, sets in self.numbers["means"].items():
            bad = axis == "over-refusal"
            if not sets or (bad and len(sets) == 1):
                continue
            name = f"{axis}, mean{' ↓' if bad else ''}"
            if self.several:
                self.out.add_row(name, style="bold")
            for label in self.labels:
                mean, half = self.numbers["axes"][label][axis]
                mean = 1 - mean if bad else mean
                ends = max(0.0, mean - half), min(1.0, mean + half)
                words = ["", percent(mean), span(ends)]
                self.out.add_row(
                    escape(f"  {label}") if self.several else name,
                    *words,
                    style="" if self.several else "bold",
                )


def _merged(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """The measures, those of one data set that have the same figures as one, with all their names."""
    shown: list[tuple[dict[str, Any], list[str]]] = []
    for row in rows:
        for before, names in shown:
            if all(before[k] == row[k] for k in ("dataset", "verdict", "good", "runs")):
                names.append(row["name"])
                break
        else:
            shown.append((row, [row["name"]]))
    yield from shown


def _notes(numbers: Mapping[str, Any], labels: Sequence[str]) -> Iterator[str]:
    for axis, sets in numbers["means"].items():
        if sets and (axis != "over-refusal" or len(sets) > 1):
            yield f"{axis}, mean: over {_over(numbers, sets, labels)}"
    settings: dict[str, None] = {}
    for row in numbers["measures"]:
        settings |= dict.fromkeys(row["lenient"])
        for label, cell in row["runs"].items():
            name = f"{row['measure']}, {label}" if len(labels) > 1 else row["measure"]
            if cell["lacking"]:
                judges = row["verdict"]
                names = (
                    [judges] if isinstance(judges, str) else list(dict.fromkeys(judges.values()))
                )
                yield (
                    f"{name}: {cell['lacking']} samples have no verdict"
                    f" {' or '.join(map(repr, names))} (swr1 verify {' '.join(names)})"
                )
            if cell["unjudged"]:
                total = cell["samples"]
                yield f"{name}: {cell['unjudged']} of {total} samples could not be judged and are left out"
    if any(
        cell["unreadable_share"] for row in numbers["measures"] for cell in row["runs"].values()
    ):
        text = "unread: could not be read, which counts as wrong"
        if settings:
            text += f"; lenient: were they read by {reading_more(settings)}"
        yield text
    for label in labels:
        if numbers["mixed"][label]:
            prefix = f"{label}: " if len(labels) > 1 else ""
            yield f"{prefix}{mixed_line(numbers['mixed'][label], 'prompts')}"
        for dataset, count in numbers["unmeasured"][label].items():
            yield f"{label}: {count} records of {dataset!r} have no measure here (--measures FILE)"


def _over(numbers: Mapping[str, Any], sets: Mapping[str, Sequence[str]], labels: Any) -> str:
    """What a mean is over: data sets, their measures, how many prompts."""
    parts = []
    for dataset, names in sets.items():
        counts = {
            row["runs"][label]["prompts"]
            for row in numbers["measures"]
            if row["dataset"] == dataset and row["name"] in names
            for label in labels
        }
        few, many = min(counts), max(counts)
        prompts = f"{few} prompts" if few == many else f"{few} to {many} prompts"
        parts.append(f"{dataset} ({', '.join(names)}: {prompts})")
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def two_axes(
    numbers: Mapping[str, Any],
    out: str | Path,
    ladders: Sequence[Sequence[str]] = (),
    axes: str | None = None,
) -> str:
    """Two axes against each other, a point per run with 95% intervals; why not, where there are none.

    Args:
        axes: a key of PICTURES; None: the first that the runs have both axes of.

    Raises UsageError for unknown axes, for an unknown kind of file, and as `plane_figure` does.
    """
    if axes is not None and axes not in PICTURES:
        raise UsageError(
            f"--axes is {' or '.join(PICTURES)}, not {axes!r}.{suggest(axes, PICTURES)}".rstrip(".")
        )
    means = numbers["means"]
    wanted = [axes] if axes else list(PICTURES)
    chosen = next((pair for pair in wanted if all(means[axis] for axis in pair.split(","))), None)
    if chosen is None:
        empty = sorted({axis for pair in wanted for axis in pair.split(",") if not means[axis]})
        return f"no picture: {'; '.join(_empty(numbers, axis) for axis in empty)}"
    looks = PICTURES[chosen]
    points = {
        label: tuple(_estimate(of[axis], up) for axis, (_, up) in looks.items())
        for label, of in numbers["axes"].items()
    }
    x, y = (
        f"{name}, % (mean over {', '.join(means[axis])})" if len(means[axis]) < 4
        else f"{name}, % (mean over {len(means[axis])} data sets)"
        for axis, (name, _) in looks.items()
    )  # fmt: skip
    plane_picture(points, out, x, y, ladders)  # type: ignore[arg-type]
    return ""


def _empty(numbers: Mapping[str, Any], axis: str) -> str:
    """Why nothing is on an axis."""
    of = [row for row in numbers["measures"] if row["axis"] == axis]
    unmeasured = sum(sum(counts.values()) for counts in numbers["unmeasured"].values())
    if of:
        lacking = ", ".join(
            f"{row['measure']} ({label})"
            for row in of
            for label in numbers["axes"]
            if (row["runs"].get(label) or {}).get("share") is None
        )
        return f"no measure of {axis} is judged in every run: missing are {lacking}"
    return f"no record has a measure of {axis}" + (
        f" ({unmeasured} records have no measure at all)" if unmeasured else ""
    )


def _estimate(axis: Sequence[float], up: bool) -> Estimate:
    """Value and interval of an axis, which is [mean of the good shares, half width]."""
    mean, half = axis
    mean = mean if up else 1 - mean
    return mean, mean - half, mean + half
