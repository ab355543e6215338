"""Edits as records for `train-step sft`, `dpo` and `process-model`."""

from typing import Annotated

import typer

from swr1.commands._help import completing
from swr1.commands._stage import option, stage_command


def _kinds() -> list[str]:
    from swr1.intervention.exporting import EXPORTS

    return [*EXPORTS]


@stage_command()
def command(
    open_stage,
    kind: Annotated[
        str,
        typer.Argument(
            help="sft, dpo or process-labels", metavar="KIND", autocompletion=completing(_kinds)
        ),
    ],
    verdict: Annotated[
        str | None,
        option("Which verdict says that a completion is right; default: the first that can."),
    ] = None,
):
    """Edits as records for `train-step sft`, `dpo` and `process-model`.

    swr1 verify knights rollouts.edited.jsonl | swr1 intervene export sft > sft.jsonl

    sft: what was put in is learned, and what the policy wrote behind it if a verdict says right. dpo:
    that against what stood there before, where no verdict says wrong. process-labels: the last kept
    step is right, the first replaced one wrong, what was put in right. Records that nobody edited are
    left out.
    """
    from swr1.intervention.exporting import EXPORTS, is_edited, rightness
    from swr1.registry import check_known

    check_known("kind of export", kind, EXPORTS)

    def made(record):
        if not is_edited(record):
            stage.count_drop("not edited")
            return
        stage.tally("continuation", rightness(record, verdict))
        found = list(EXPORTS[kind](record, verdict))
        if not found:
            stage.count_drop("nothing in it to learn")
        yield from found

    with open_stage() as stage:
        stage.flat_map(made, needs=("id", "prompt", "completion"))
