"""Label steps by what became of completions that were continued behind them."""

from typing import Annotated

import typer

from swr1.commands._stage import option, stage_command
from swr1.errors import UsageError


def pairs(given: list[str], flag: str) -> dict[str, str]:
    """ "correctness=knights" as {"correctness": "knights"}; "knights" alone is both."""
    made = {}
    for pair in given:
        name, _, verdict = pair.partition("=")
        if not name:
            raise UsageError(f"--{flag} is DIMENSION=VERDICT, not {pair!r}")
        made[name.strip()] = (verdict or name).strip()
    return made


@stage_command()
def command(
    open_stage,
    continued: Annotated[
        list[str],
        option("Judged continuations: files of `rollout --continue steps`, then `verify`."),
    ],
    by: Annotated[
        list[str],
        option(
            "A dimension, and the verdict that says what a continuation is worth in it.",
            metavar="DIMENSION=VERDICT",
        ),
    ],
    agree: Annotated[
        list[str],
        option(
            "Keep a step's label only where this verdict of `verify steps` agrees, or says nothing.",
            metavar="DIMENSION=VERDICT",
        ),
    ] = (),  # type: ignore[assignment]
    rule: Annotated[
        str, option("The step rule that was continued by; default: the verdict's, else line.")
    ] = "",
    right_above: Annotated[
        float, typer.Option(min=0, max=1, help="To agree: right where more than this share is.")
    ] = 0.0,
    at_least: Annotated[
        int, typer.Option(min=1, help="Judged continuations that a label needs.")
    ] = 1,
):
    """Label steps by what became of completions that were continued behind them.

    Adds the verdict `values`: for each step the mean score of its continuations, in each dimension.
    `train-step process-model --dimensions` learns it. Records that nobody continued are left out.

    swr1 label-steps judged.jsonl --continued more.jsonl --by correctness=knights -o labelled.jsonl
    """
    from swr1.steps import StepRule
    from swr1.streams.reading import read
    from swr1.training.steps import STEPS, VALUES
    from swr1.verifiers.steps.labelling import Continued

    judges = pairs(agree, "agree")
    values = Continued(pairs(by, "by"), judges, right_above, at_least)
    if unknown := judges.keys() - values.by.keys():
        raise UsageError(f"--agree {min(unknown)}: no --by has this dimension")
    given = StepRule.of(rule) if rule else None
    with open_stage() as stage:
        values.read(r for r, _ in read(continued) if isinstance(r, dict))

        def label(record):
            verdicts = record.get("verdicts") or {}
            told = ((verdicts.get(STEPS) or {}).get("detail") or {}).get("rule") or "line"
            verdict = values.label(record, given or StepRule.of(told))
            if verdict is None:
                stage.tally("completion", "not continued")
                return None
            stage.tally("completion", verdict["label"] or "null")
            record["verdicts"] = {**verdicts, VALUES: verdict}
            return record

        stage.map(label, needs=("id", "completion"))
        for what, n in values.counts.items():
            stage.say(f"{what}: {n:,}")
