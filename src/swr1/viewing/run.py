"""A run as `swr1 view` sees it: its policy folders with their curves, and its record files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from swr1.errors import SwrError, UsageError
from swr1.streams.metrics import MetricsReader, Row
from swr1.viewing import ago, number
from swr1.viewing.curves import curve, figures, sparkline
from swr1.viewing.processes import age
from swr1.viewing.source import BROKEN, Source, is_record_file, record_files


@dataclass
class Run:
    """What an argument of `view` stands for.

    `records` are names to open as one source each: a file, or a folder of shards. `told` says of
    those of a folder what their first record has: verdicts, a reward.
    """

    path: Path
    policies: list[Path] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)

    def order(self) -> None:
        """Put record files with verdicts first; the others follow by name."""
        self.told = {name: _told(name) for name in self.records}
        self.records.sort(key=lambda name: (not self.told[name], name))


def find(name: str) -> Run:
    """The policies and record files behind an argument. Raises UsageError when there are none."""
    path = Path(name)
    if not path.is_dir():
        record_files(name)
        return Run(path, records=[name])
    if (path / "versions").is_dir():
        run = Run(path, policies=[path])
        run.records = [str(p) for p in sorted(path.iterdir()) if _has_records(p)]
        run.order()
        return run
    if (path / "plan.json").is_file():
        return Run(path, records=[name])
    run = Run(path)
    for below in sorted(path.iterdir()):
        if (below / "versions").is_dir():
            run.policies.append(below)
        elif _has_records(below):
            run.records.append(str(below))
    run.order()
    # The policy at work, or last at work, first.
    run.policies.sort(key=lambda p: age(p / "metrics.jsonl") or float("inf"))
    if not run.policies and not run.records:
        raise UsageError(f"no policy folder (versions/) and no record file in {name}")
    return run


def _told(name: str) -> str:
    """The verdicts of the first record behind a name, and whether it has a reward."""
    try:
        record = Source(record_files(name))[0]
    except (SwrError, OSError, IndexError):
        return ""
    verdicts = [] if BROKEN in record else sorted(record.get("verdicts") or {})
    return ", ".join([*verdicts, *["reward"] * (bool(verdicts) and "reward" in record)])


def _has_records(path: Path) -> bool:
    if path.is_dir():
        return any(map(is_record_file, path.iterdir())) if path.name != "versions" else False
    return is_record_file(path)


def heading(policy: Path, reader: MetricsReader, rows: Sequence[Row]) -> Text:
    """Name, last step and its age, in one line."""
    silent = age(reader.path)
    text = Text.assemble((str(policy), "bold"))
    if not rows or silent is None:
        return text.append("  no metrics yet: a training run writes them")
    last = rows[-1]
    stage = " ".join(str(last[k]) for k in ("stage", "objective") if k in last)
    return text.append(
        f"  {stage} step {number(last.get('step'))}, version {number(last.get('version'))},"
        f" {ago(silent)} ago"
    )


def curves(rows: Sequence[Row], width: int) -> list[Text]:
    """A line for each figure that the run has: name, first, curve, last; its range if it fits."""
    lines = []
    wide = width >= 100  # room for the range, too
    drawn = max(width - (60 if wide else 40), 8)
    for key, title in figures(rows).items():
        values = curve(rows, key)
        if not values:
            continue
        lines.append(
            Text.assemble(
                f"{title:<18.18}",
                (f"{number(values[0]):>9} ", "dim"),
                (sparkline(values, drawn).ljust(min(drawn, len(values))), "cyan"),
                (f" {number(values[-1]):<9}", "bold"),
                (f" {number(min(values))} to {number(max(values))}" if wide else "", "dim"),
                no_wrap=True,
            )
        )
    return lines
