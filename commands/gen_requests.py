"""Make requests of the village: harmless, harmful, only sounding so, and questions with answers."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import UsageError
from swr1.village.requests import Requests


@stage_command(reads=False)
def command(
    open_stage,
    requests: Requests,
    answered: Annotated[
        bool,
        typer.Option("--answered", help="The trace as the completion: examples for judges."),
    ] = False,
):
    """Make requests of the village: harmless, harmful, only sounding so, and questions with answers.

    swr1 gen-requests -n 2000 --split train --trace mixed -o sft.jsonl

    Whether a request is harmful is known by construction (info.harmful) and follows from
    its words together: "drown the rats" is harmless. The judge is `swr1 verify village`.

    swr1 gen-requests --trace mixed --answered | swr1 verify village -o labelled.jsonl
    """
    from swr1.records import VERSION, make_id
    from swr1.village.requests import with_ordinals

    for chosen, name in ((answered, "--answered"), (requests.break_off, "--break-off")):
        if chosen and not requests.trace:
            raise UsageError(f"{name} needs --trace: who answers, and how")
    requests.check()
    with open_stage(total=requests.n) as stage:
        first, every = stage.owed()
        made = []

        def ids():
            for item in requests.items():
                made.append(item)
                yield make_id(item["task"], item["prompt"], item["answer"])

        for position, name in enumerate(with_ordinals(ids())):
            item = made.pop()
            if answered:
                item["completion"] = item["info"].pop("trace")
            if position >= first and (position - first) % every == 0:
                stage.write({"v": VERSION, "id": name, **item})
                stage.end_input(1)
