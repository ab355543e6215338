"""Add reasoning to puzzles, right or wrong on purpose, step by step if asked."""

from random import Random
from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import UsageError


@stage_command()
def command(
    open_stage,
    style: Annotated[
        str, typer.Option(help="search, propagate, cases, or hasty (often wrong).")
    ] = "search",
    wrong: Annotated[
        str | None,
        typer.Option(
            help="Make it wrong: answer, shuffled, replaced (one step), early; any picks one.",
            metavar="KIND",
        ),
    ] = None,
    steps: Annotated[
        bool, typer.Option("--steps", help="Add info.steps: text, form, and whether it is right.")
    ] = False,
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs",
            help="Right reasoning, and info.pair: chosen (the same), rejected (wrong by --wrong,"
            " default any), fault; both are assistant turns after `prompt`, as DPO takes them.",
        ),
    ] = False,
    completion: Annotated[
        bool,
        typer.Option(
            "--completion", help="Write it as the completion, too, so that `verify` can judge it."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of what is random in a style or a fault.")] = 0,
):
    """Add reasoning to puzzles, right or wrong on purpose, step by step if asked.

    Each record gets info.trace, the whole assistant turn, with trace_style,
    trace_answer, and trace_fault: null, or what is wrong and from which step on.

    swr1 trace puzzles.jsonl --style propagate --steps -o traced.jsonl
    """
    from swr1.puzzles.item import puzzle_of
    from swr1.puzzles.traces import check_wrong, find_style, pair_fields, trace_fields

    find_style(style)
    if pairs and completion:
        raise UsageError("--pairs has two completions of each puzzle: leave out --completion")
    if pairs:
        wrong = wrong or "any"
    check_wrong(style, wrong)

    with open_stage() as stage:

        def add(record):
            rng = Random(f"{seed}/{record['id']}/{style}/{wrong}")
            fields = pair_fields if pairs else trace_fields
            added = fields(puzzle_of(record), style, rng, wrong, steps)
            fault = added["pair"]["fault"] if pairs else added["trace_fault"]
            stage.tally("fault", fault["kind"] if fault else "none")
            record["info"] = {**record["info"], **added}
            return record | {"completion": added["trace"]} if completion else record

        stage.map(add, needs=("id", "task", "answer", "info"))
