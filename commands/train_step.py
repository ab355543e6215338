"""Train a policy on records: an RL step per batch of groups, SFT, DPO, or a judge."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from swr1.commands._help import completing
from swr1.commands._options import AnyOf
from swr1.commands._stage import option, stage_command
from swr1.objectives.presets import Objective
from swr1.terminal import put
from swr1.training.config import RLConfig
from swr1.training.modes import MODES
from swr1.training.running import TrainStep

OPTIONS = AnyOf(RLConfig, Objective, *(mode.config for mode in MODES.values()))


def list_objectives(requested: bool) -> None:
    """Print the table of presets and stop."""
    if requested:
        from swr1.objectives.presets import as_table
        from swr1.training import modes

        put(as_table())
        put(modes.as_table())
        raise typer.Exit


def _names() -> list[str]:
    from swr1.objectives.presets import PRESETS

    return [*MODES, *PRESETS]


@stage_command(
    writes=False, opens_models=True, quiet_options=("device", "threads", "allow_fewer_steps")
)
def command(
    open_stage,
    objective: Annotated[
        str,
        typer.Argument(
            help="sft, reinforce++, grpo, ... (--list shows them all)",
            autocompletion=completing(_names),
        ),
    ],
    policy: Annotated[Path, option("The policy folder to train.", usual=True)],
    options: Annotated[dict[str, Any], OPTIONS],
    threads: Annotated[
        int | None, option("CPU threads; default: 1 in a pipe, else all.", panel="The run")
    ] = None,
    allow_fewer_steps: Annotated[
        bool,
        option("No error where the input ends before --steps (or any).", "--allow-fewer-steps"),
    ] = False,
    list: Annotated[
        bool,
        option(
            "Show all objectives.", "--list", callback=list_objectives, is_eager=True, usual=True
        ),
    ] = False,
):
    """Train a policy on records: an RL step per batch of groups, SFT, DPO, or a judge.

    swr1 train-step sft traces.jsonl --policy runs/kk --epochs 2

    swr1 train-step reinforce++ rewarded.jsonl --policy runs/kk --batch 64
    """
    job = TrainStep(objective, policy, options)
    # Of several ranks only the first reads, writes and speaks (swr1.training.parallel).
    others = {"quiet": True} if os.environ.get("RANK", "0") != "0" else {}
    with open_stage(total=job.config.steps, **others) as stage:
        job.run(stage, threads, allow_fewer_steps)
