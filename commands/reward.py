"""Turn verdicts into the number that the policy is trained on, with its parts."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import DataError, UsageError


def parse_on_null(text: str) -> float | str:
    """ "fail", "skip", or the reward to give."""
    if text in ("fail", "skip"):
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--on-null is fail, skip or a number, not {text!r}") from None


@stage_command()
def command(
    open_stage,
    recipe: Annotated[str, typer.Argument(help="logic-rl, or a file: ./mine.py:reward")],
    on_null: Annotated[
        str, typer.Option(help="When a verifier could not judge: fail, skip, or a number.")
    ] = "fail",
    set: Annotated[
        list[str], typer.Option(help="Change a number of the recipe.", metavar="NAME=VALUE")
    ] = (),  # type: ignore[assignment]
):
    """Turn verdicts into the number that the policy is trained on, with its parts.

    swr1 reward logic-rl judged.jsonl -o rewarded.jsonl
    """
    from swr1.registry import Registry, parse_options

    score = Registry("reward", "swr1.rewards", "reward").get(recipe)
    numbers = parse_options(score, set)
    fallback = parse_on_null(on_null)

    with open_stage() as stage:

        def add(record):
            result = score(record, **numbers)
            if result["reward"] is None:
                stage.tally("null", result.get("error", "?").partition(":")[0])
                if fallback == "fail":
                    raise DataError(
                        f"a verifier could not judge id {record['id']}: {result.get('error')};"
                        " decide with --on-null skip or --on-null NUMBER"
                    )
                if fallback == "skip":
                    stage.count_drop("could not judge")
                    return None
                result = result | {"reward": fallback}
            record["reward"], record["reward_parts"] = result["reward"], result["reward_parts"]
            return record

        stage.map(add, needs=("id", "verdicts"))
