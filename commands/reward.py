"""Turn verdicts into the number that the policy is trained on, with its parts."""

from contextlib import AbstractContextManager, closing, nullcontext
from typing import Annotated

import typer

from swr1.commands._help import completing
from swr1.commands._stage import stage_command
from swr1.errors import DataError, UsageError
from swr1.streams import standard


def parse_on_null(text: str) -> float | str:
    """ "fail", "skip", or the reward to give."""
    if text in ("fail", "skip"):
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--on-null is fail, skip or a number, not {text!r}") from None


def _names() -> list[str]:
    from swr1.rewards import recipe_names

    return recipe_names()


@stage_command(quiet_options=("explain", "outcomes", "timeout"))
def command(
    open_stage,
    recipe: Annotated[
        str,
        typer.Argument(
            help="logic-rl, safeladder-stage1, safeladder-stage2, safe-efficient,"
            " safe-efficient-plain, a recipe FILE.toml, or ./mine.py:reward",
            autocompletion=completing(_names),
        ),
    ],
    on_null: Annotated[
        str, typer.Option(help="When a verifier could not judge: fail, skip, or a number.")
    ] = "fail",
    set: Annotated[
        list[str],
        typer.Option(
            help="Change a number of the recipe: PART.weight, PART.map.LABEL, GATE.cap, ...",
            metavar="NAME=VALUE",
        ),
    ] = (),  # type: ignore[assignment]
    unordered: Annotated[
        bool, typer.Option("--unordered", help="Warn of numbers that contradict the order; go on.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            min=0, max=86400, help="Seconds a reward from a file may take for one record."
        ),
    ] = 10.0,
    explain: Annotated[
        str | None,
        typer.Option(help="Print how this record got its number, and stop.", metavar="ID[/SAMPLE]"),
    ] = None,
    outcomes: Annotated[
        bool,
        typer.Option("--outcomes", help="Print the recipe's outcomes and their totals, and stop."),
    ] = False,
):
    """Turn verdicts into the number that the policy is trained on, with its parts.

    swr1 reward logic-rl judged.jsonl -o rewarded.jsonl

    swr1 reward logic-rl judged.jsonl --explain 3f2a9c0d11e84b57/2
    """
    from swr1.registry import digest_of_files
    from swr1.rewards import Recipe, describe_outcomes, explain_one, open_reward

    warnings: list[str] = []
    fallback = parse_on_null(on_null)
    score = open_reward(recipe, set, unordered=unordered, warn=warnings.append, timeout=timeout)
    if isinstance(score, Recipe):
        digest: dict = {"recipe_digest": score.digest()}
        process: AbstractContextManager = nullcontext()
        whose = "a verifier"
    else:
        digest = {"timeout": timeout} | (
            {"files": file_digests} if (file_digests := digest_of_files(recipe)) else {}
        )
        process, whose = closing(score), "it"

    if outcomes:
        page = describe_outcomes(score)
        with standard.ours():
            print(page, *warnings, sep="\n")
        return
    if explain is not None:
        with open_stage(output=None, quiet=True) as stage:
            page = explain_one(score, explain, stage.read(needs=("id", "verdicts")))
        with standard.ours():
            print(page)
        return

    with process, open_stage(options=digest) as stage:
        for warning in warnings:
            stage.say(f"warning: {warning}")

        def add(record):
            result = score(record)
            if result["reward"] is None:
                stage.tally("null", result.get("error", "?").partition(":")[0])
                if fallback == "fail":
                    raise DataError(
                        f"{whose} could not judge id {record['id']}: {result.get('error')};"
                        " decide with --on-null skip or --on-null NUMBER"
                    )
                if fallback == "skip":
                    stage.count_drop("could not judge")
                    return None
                result = result | {"reward": fallback}
            record["reward"], record["reward_parts"] = result["reward"], result["reward_parts"]
            return record

        stage.map(add, needs=("id", "verdicts"))
