"""What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths."""

from typing import Annotated

from swr1.commands._config import CONFIG
from swr1.commands._options import option, with_options
from swr1.commands._output import print_json
from swr1.planning.config import PlanConfig


@with_options
def command(
    planned: PlanConfig,
    as_json: Annotated[bool, option("Print the numbers as JSON.", "--json", usual=True)] = False,
    config: CONFIG = None,
):
    """What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths.

    swr1 plan --from-run runs/kk --lengths rollouts.jsonl --steps 1000 --max-lag 2

    swr1 plan --model 7B --batch 128 --samples 16 --length-mean 1500 --length-p95 4500
    --rollout-gpus 6 --train-gpus 2 --fsdp --max-lag 1

    It simulates the first steps of the pipe and prints every number that it rests on, with where that
    comes from: measured, given or assumed.
    """
    from swr1.planning.plan import make_plan

    plan = make_plan(planned)
    if as_json:
        print_json(plan)
        return
    from swr1.planning.page import page
    from swr1.viewing import console, put

    put(page(plan), console())
