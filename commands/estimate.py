"""How many groups would teach nothing, for groups of 2, 4, 8, 16: from a small judged sample."""

from typing import Annotated

import typer

from swr1.commands._output import show
from swr1.commands._stage import stage_command
from swr1.errors import UsageError


@stage_command(writes=False)
def command(
    open_stage,
    by: Annotated[str, typer.Option(help="Group by this key of info.")] = "people",
    value: Annotated[
        str | None,
        typer.Option(
            help="What must differ within a group: reward, or correct (right or wrong); default:"
            " the reward where records have one.",
            metavar="reward|correct",
        ),
    ] = None,
    sizes: Annotated[str, typer.Option(help="Samples per group, with commas.")] = "2,4,8,16",
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
):
    """How many groups would teach nothing, for groups of 2, 4, 8, 16: from a small judged sample.

    swr1 rollout some.jsonl --policy runs/kk --samples 4 | swr1 verify format knights
    | swr1 reward logic-rl | swr1 estimate
    """
    from swr1.evals.estimate import estimate, report

    try:
        group_sizes = sorted({int(size) for size in sizes.split(",")})
    except ValueError:
        raise UsageError(f"--sizes is whole numbers such as 2,4,8,16, not {sizes!r}") from None
    with open_stage() as stage:
        result = estimate(filter(None, stage.read()), by, value, group_sizes, seed=seed)
    show(result, as_json, lambda: report(result))
