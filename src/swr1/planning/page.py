"""A plan for people, on 80 columns: whether it fits, what was assumed, figures, knobs, memory."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from swr1.planning.shape import GIB

UNSAID = ("assumed", "default")
SHOWN = 6  # splits

_BINDS = {
    "turns": "K=0: the two sides take turns; --max-lag 1 or more lets them overlap",
    "longest": "the longest completions hold the run up, both sides wait: a larger K,"
    " or a smaller --max-tokens",
    "rollout": "rollout holds the run up: the trainer waits for completions",
    "train": "training holds the run up: engines wait at the bound on lag",
}


def page(plan: dict[str, Any]) -> RenderableType:
    """All of it: does it fit, what was assumed, figures, alternatives, memory, what they rest on."""
    time = plan["time"]
    parts: list[RenderableType] = [*_verdict(plan), _assumptions(plan), Text(), _figures(plan)]
    parts += [Text(), Text(_BINDS[plan["sides"]["binds"]])]
    if time["saving_seconds"] > 0.05 * time["step_seconds"]:
        saving = duration(time["saving_seconds"])
        parts.append(
            Text(
                f"{saving} a step go into versions and states: --checkpoint-every, --publish-every"
            )
        )
    if plan["splits"]:
        parts += [Text(), _splits(plan)]
    parts += [Text(), _alternatives(plan)]
    if plan["memory"]:
        parts += [Text(), _memory(plan["memory"])]
    return Group(*parts, Text(), _facts(plan["facts"]))


def _verdict(plan: dict[str, Any]) -> list[RenderableType]:
    """The first lines: whether it fits, and the split that the figures are of."""
    run, memory = plan["run"], plan["memory"]
    if not plan["fits"]:
        need = f" ({_gib(memory['training']['total'])} GiB)"
        return [
            Text(f"does not fit: {plan['misfit']}", style="bold red"),
            Text(f"what fits, and is shown here: {plan['shown']}{need}", style="bold"),
        ]
    number = len(plan["splits"])
    best = f", the fastest of {number} splits" if number > 1 else ""
    said = f"{run['gpus']:,} GPUs{best}: {plan['shown']}"
    if memory and memory["gpu"]:
        need = f"{_gib(memory['training']['total'])} of {_gib(memory['gpu'])} GiB in training"
        return [Text(f"fits {said} ({need})", style="bold")]
    return [Text(said, style="bold")]


def _assumptions(plan: dict[str, Any]) -> Text:
    """The numbers that nobody gave, each with the options that would."""
    facts = {fact["name"]: fact for fact in plan["facts"] if fact["source"] in UNSAID}
    lengths, run = plan["run"]["lengths"], plan["run"]
    said = []
    if "GPUs" in facts:
        said.append(f"{run['gpus']} GPUs, a node (--gpus, or --rollout-gpus and --train-gpus)")
    if facts.keys() & {"mean length", "spread of lengths"}:
        what = "" if "mean length" in facts else "the spread of "
        said.append(
            f"{what}lengths, mean {lengths['mean']:,.0f} tokens, 95% below {lengths['p95']:,.0f}"
            " (--lengths FILE, or --length-mean and --length-p95)"
        )
    if facts.keys() & {"engine speed of a replica", "training speed of a GPU"}:
        kind = facts.get("GPU", {}).get("value")
        data = f"speeds by the data sheet{f' of {kind}' if kind else ''}"
        said.append(f"{data} (--gpu, --from-run RUN, --rollout-speed, --train-speed)")
    sizes = [(n, run[n]) for n in ("batch", "samples", "steps") if n in facts]
    if sizes:
        shown = ", ".join(f"{n} {value:,}" for n, value in sizes)
        said.append(f"{shown} ({', '.join('--' + n for n, _ in sizes)})")
    if not said:
        return Text("everything that decides the time was given or measured")
    lines = "".join(f"\n  {line}" for line in said)
    return Text(f"rests on what you did not say:{lines}", style="yellow")


def duration(seconds: float) -> str:
    """0.35 s, 48 s, 12.5 min, 3.2 h, 4.1 d."""
    for limit, unit, size in ((100, "s", 1), (6000, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} d"


def _figures(plan: dict[str, Any]) -> Table:
    run, time, tokens, sides = (plan[key] for key in ("run", "time", "tokens", "sides"))
    lengths = run["lengths"]
    table = _table("", "")
    size = f"{run['steps']:,} steps of {run['batch']:,} prompts x {run['samples']} samples"
    table.add_row("run", f"{size}, K={run['max_lag']}")
    table.add_row(
        "tokens",
        f"{tokens['completions']:,.0f} in {run['completions']:,} completions;"
        f" mean {lengths['mean']:,.0f}, 95% below {lengths['p95']:,.0f}",
    )
    table.add_row("time", f"{duration(time['seconds'])} ({duration(time['step_seconds'])} a step)")
    cost = "" if time["price"] is None else f", price {time['price']:,.2f}"
    gpus = f"{run['rollout_gpus']:,} rollout + {run['train_gpus']:,} train GPUs"
    table.add_row("GPU hours", f"{time['gpu_hours']:,.3g} ({gpus}){cost}")
    table.add_row("speed", f"{tokens['per_second']:,.0f} trained tokens/s")
    table.add_row("lag", f"{sides['lag_mean']:.2f} steps in the mean, {sides['lag_max']} at most")
    table.add_row(
        "idle",
        f"rollout {sides['rollout_idle']:.0%}, trainer {sides['train_idle']:.0%} of the time",
    )
    table.add_row("in flight", f"{sides['in_flight']:,.0f} sequences a replica at work")
    if time["failures"]:
        lost = 1 - tokens["useful_share"]
        table.add_row("failures", f"{time['failures']:,.3g}; {lost:.1%} of the tokens lost")
    return table


def _splits(plan: dict[str, Any]) -> Table:
    table = _table("split: rollout + train", "GPUs an engine", "FSDP", "recompute", "a step")
    rows = plan["splits"]
    for row in rows[:SHOWN]:
        table.add_row(
            f"{row['rollout_gpus']:,} + {row['train_gpus']:,}",
            str(row["gpus_per_replica"]),
            "yes" if row["fsdp"] else "no",
            "yes" if row["gradient_checkpointing"] else "no",
            _about(row["step_seconds"], row["simulated"]),
        )
    if len(rows) > SHOWN:
        table.add_row(f"{len(rows) - SHOWN} slower ones", "", "", "", "")
    return table


def _alternatives(plan: dict[str, Any]) -> Table:
    table = _table("one knob turned", "time", "of this", "GPU hours")
    for row in plan["alternatives"]:
        table.add_row(
            row["knob"],
            _about(row["seconds"], row["simulated"]),
            f"{row['ratio']:.0%}",
            f"{row['gpu_hours']:,.3g}",
        )
    return table


def _about(seconds: float, simulated: bool) -> str:
    """`~`: by the formula, not by simulation."""
    return duration(seconds) if simulated else f"~{duration(seconds)}"


def _memory(memory: dict[str, Any]) -> Table:
    table = _table("memory of one rank or replica", "GiB")
    train, rollout = memory["training"], memory["rollout"]
    for name, size in train.items():
        label = "training, together" if name == "total" else f"training: {name}"
        table.add_row(label, _gib(size))
    table.add_row("rollout: weights", _gib(rollout["weights"]))
    table.add_row(f"rollout: cache of {rollout['in_flight']:,} sequences", _gib(rollout["cache"]))
    return table


def _facts(facts: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("rests on", "", "source"):
        table.add_column(heading, overflow="fold")
    for fact in facts:
        value = fact["value"]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        shown = f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if number else value
        why = "" if fact["why"] == "an option" else f": {fact['why']}"
        style = "yellow" if fact["source"] in UNSAID else ""
        table.add_row(
            fact["name"], f"{shown} {fact['unit']}".strip(), f"{fact['source']}{why}", style=style
        )
    return table


def _gib(size: float) -> str:
    return f"{size / GIB:,.3g}"


def _table(*headings: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_header=any(headings),
    )
    for at, heading in enumerate(headings):
        table.add_column(
            heading, justify="right" if at and len(headings) > 1 and any(headings) else "left"
        )
    return table
