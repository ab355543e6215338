"""The report of `swr1 status` as a page of plain tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from swr1.terminal import put
from swr1.viewing import BAD, GOOD, UNSURE, ago, number
from swr1.viewing.curves import CURVES

COLOURS = {
    "training": GOOD,
    "running": GOOD,
    "recent": UNSURE,
    "stopped": BAD,
    "failed": BAD,
    "empty": BAD,
    "owed": UNSURE,
    "done": "default",
    "idle": "default",
}
SHOWN = (
    "reward_mean",
    "accuracy",
    "format_rate",
    "loss",
    "length_mean",
    "tokens_per_s",
    "waiting",
    "lag",
)


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print what `status.inspect` found."""
    root = Path(report["path"])
    for policy in report["policies"]:
        _policy(policy, root, console)
    if report["outputs"]:
        _outputs(report["outputs"], root, console)
    _stages(report, console)
    for error in report["errors"]:
        console.print(
            f"last error in {_short(error['where'], root)} ({ago(error['age_s'])} ago):",
            style=BAD,
        )
        console.print(f"  {error['error']}", markup=False, soft_wrap=True)


def _policy(policy: dict[str, Any], root: Path, console: Console) -> None:
    version, state = policy["version"], policy["state"]
    shown = state
    if policy["steps"] is not None:
        shown += f" at step {policy['step']} of {policy['steps']}"
        shown += (
            ": run the line again"
            if policy["failure"]
            else " (its process is gone): run the line again"
        )
    head = Text.assemble(
        ("policy ", "bold"), (_short(policy["path"], root), "bold"), "  ", (shown, COLOURS[state])
    )
    if version is not None:
        head.append(
            f", version {version} ({ago(policy['version_age_s'])} ago, {len(policy['versions'])} kept)"
        )
    else:
        head.append(", no complete version")
    console.print(head)
    trainer = policy["trainer"]
    if trainer:
        process = f" (pid {trainer['pid']} on {trainer['host']})" if trainer["pid"] else ""
        plan = f", batches of {policy['batch']} groups" if policy["batch"] else ", not begun"
        console.print(f"  held by {trainer['what']}{process}{plan}", markup=False)
    if policy["failure"]:
        console.print(f"  {policy['failure']}", style=BAD, markup=False, soft_wrap=True)
    if policy["trouble"]:
        console.print(f"  {policy['trouble']}", style=BAD, markup=False)
    if last := policy["last"]:
        figures = [f"{CURVES[k]} {number(last[k])}" for k in SHOWN if last.get(k) is not None]
        console.print(
            f"  step {number(last.get('step'))} ({ago(policy['metrics_age_s'])} ago): "
            + ", ".join(figures),
            markup=False,
        )


def _outputs(outputs: list[dict[str, Any]], root: Path, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("output", "stage", "state"):
        table.add_column(name, no_wrap=name != "output", overflow="fold")
    for name in ("records", "done", "at work", "stopped", "owed", "written"):
        table.add_column(name, justify="right", no_wrap=True)
    for out in outputs:
        shards = out["kind"] == "shards"
        cells = [""] * 4
        if shards:
            at_work = len(out["running"]) + len(out["recent"])
            counts = (at_work, len(out["stopped"]), len(out["owed"]))
            cells = [f"{len(out['done'])}/{out['shards']}", *map(number, counts)]
        written = "-" if out["age_s"] is None else f"{ago(out['age_s'])} ago"
        table.add_row(
            _short(out["path"], root) + ("/" if shards else ""),
            out["stage"] or "-",
            Text(out["state"], COLOURS[out["state"]]),
            number(out["records"]),
            *cells,
            written,
        )
    put(table, console)
    for out in outputs:
        for line in _advice(out):
            console.print(f"  {_short(out['path'], root)}: {line}", markup=False, soft_wrap=True)


def _advice(out: dict[str, Any]) -> list[str]:
    lines = []
    if out["drops"]:
        lines.append("dropped: " + ", ".join(f"{n} {why}" for why, n in out["drops"].items()))
    if out["kind"] == "shards":
        if out["running"]:
            lines.append(f"running here: {_list(out['running'])}")
        if out["recent"]:
            lines.append(
                f"written to lately, by no process seen here: {_list(out['recent'])}"
                " (another machine's, or just stopped)"
            )
        if out["stopped"]:
            lines.append(f"stopped (killed or failed) in the middle: {_list(out['stopped'])}")
        again = sorted(out["stopped"] + out["owed"])
        if again and (out["stopped"] or not (out["running"] or out["recent"])):
            lines.append(
                f"to finish: run the stage again with --shard I/{out['shards']}"
                f" (under Slurm: --array={_list(again)})"
            )
    elif out["state"] == "stopped":
        lines.append("stopped in the middle: run its stage again with the same -o to go on")
    return lines


def _stages(report: dict[str, Any], console: Console) -> None:
    if not report["stages"]:
        console.print("no stage of it runs on this machine")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pid", justify="right")
    table.add_column("for", justify="right")
    table.add_column("runs", no_wrap=True, overflow="ellipsis")
    for stage in report["stages"]:
        table.add_row(str(stage["pid"]), ago(stage["seconds"]), Text(f"swr1 {stage['command']}"))
    put(table, console)


def _list(numbers: list[int]) -> str:
    """2,5-7 for 2, 5, 6, 7: as --array takes it."""
    spans: list[list[int]] = []
    for n in numbers:
        if spans and n == spans[-1][1] + 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _short(path: str, root: Path) -> str:
    """The path relative to the given folder."""
    short = os.path.relpath(path, root) if root.is_dir() else path
    return path if short == "." else short
