"""What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths."""

from typing import Annotated

import typer

from swr1.commands._config import CONFIG
from swr1.commands._options import option, with_options
from swr1.commands._output import print_json
from swr1.errors import SwrError
from swr1.planning.config import PlanConfig


@with_options
def command(
    planned: PlanConfig,
    as_json: Annotated[bool, option("Print the numbers as JSON.", "--json", usual=True)] = False,
    config: CONFIG = None,
):
    """What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths.

    swr1 plan --from-run runs/kk --lengths rollouts.jsonl --steps 1000 --max-lag 2

    swr1 plan --model 7B --gpus 8 --batch 128 --samples 16 --length-mean 1500 --length-p95 4500
    --max-lag 1

    It simulates the first steps of the pipe and prints every number that it rests on, with where that
    comes from: measured, given, a default or assumed. With --gpus it tries the ways to split them. A
    plan that does not fit into memory says so in its first line, shows one that does, and ends with 1.
    """
    from swr1.planning.plan import make_plan

    plan = make_plan(planned)
    if as_json:
        print_json(plan)
    else:
        from swr1.planning.page import page
        from swr1.terminal import put
        from swr1.viewing import console

        put(page(plan), console())
    if not plan["fits"]:
        raise typer.Exit(SwrError.exit_code)
