"""Which shard a run writes, and the plan that a folder of shards freezes at its first start."""

import os
import re
import time
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.streams.files import naming, open_to_write
from swr1.streams.markers import pretty, read_plan


def shard_of(
    folder: Path, requested: tuple[int, int] | None, environ: dict[str, str]
) -> tuple[int, int]:
    """(i, n) for a run that writes into `folder`; n is what its plan froze at the first start.

    Without --shard, a Slurm array gives it, when the array is 0..n-1 or the folder has a plan.
    Raises UsageError, with the command to use, when n is not the planned one.
    """
    plan = read_plan(folder)
    planned = plan["shards"] if plan else None
    if requested is None and "SLURM_ARRAY_TASK_ID" in environ:
        task = _of_slurm(environ, "ID", 0)
        low = _of_slurm(environ, "MIN", 0)
        high = _of_slurm(environ, "MAX", 0)
        tasks = _of_slurm(environ, "COUNT", 1)
        whole = low == 0 and high == tasks - 1
        if planned is None and not whole:
            raise UsageError(
                f"this Slurm array is {low}-{high} with {tasks} tasks, not 0-{tasks - 1}: give"
                " --shard $SLURM_ARRAY_TASK_ID/N with the N of the whole run"
            )
        if planned is not None and task < planned:
            # a rerun of some tasks (--array=3,6) keeps the rows of the first start
            if whole and tasks > planned:
                raise UsageError(_other_plan(folder, planned, tasks))
            return task, planned
        requested = (task, tasks)
    requested = requested or (0, planned or 1)
    if planned is not None and requested[1] != planned:
        raise UsageError(_other_plan(folder, planned, requested[1]))
    return requested


def _of_slurm(environ: dict[str, str], name: str, default: int) -> int:
    text = environ.get(f"SLURM_ARRAY_TASK_{name}", str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"SLURM_ARRAY_TASK_{name} is {text[:40]!r}, no number: give --shard I/N")
    return int(text)


def _other_plan(folder: Path, planned: int, requested: int) -> str:
    return (
        f"{folder} was started with {planned} shards, not {requested}: use --shard I/{planned}"
        f" (under Slurm: --array=0-{planned - 1}), or another folder"
    )


def freeze_plan(folder: Path, shards: int, run: dict[str, Any]) -> None:
    """Write the folder's plan once; a later start with other options is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = {"shards": shards, "stage": run["stage"], "options": run["options"]}
    aside = folder / f".plan.{os.getpid()}.{time.monotonic_ns()}"
    with naming(aside), open_to_write(aside, new=True) as file:
        file.write(pretty(plan))
    try:
        os.link(aside, folder / "plan.json")  # fails when another task was first: theirs holds
    except FileExistsError:
        held = read_plan(folder)
        assert held is not None
        if held["shards"] != shards:
            raise UsageError(_other_plan(folder, held["shards"], shards)) from None
        if held["options"] != plan["options"]:
            raise UsageError(
                f"{folder}/plan.json holds other options than this run ({held['options']}):"
                " use the same ones, or another folder"
            ) from None
    finally:
        aside.unlink(missing_ok=True)
