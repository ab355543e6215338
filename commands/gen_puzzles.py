"""Make Knights and Knaves puzzles, each with exactly one solution, no two alike."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command


@stage_command(reads=False)
def command(
    open_stage,
    n: Annotated[int, typer.Option("--n", "-n", help="How many puzzles.")] = 100,
    people: Annotated[
        str, typer.Option(help="Inhabitants: a number or LO-HI (sizes take turns).")
    ] = "3-7",
    depth: Annotated[int, typer.Option(help="Levels of a statement.")] = 2,
    width: Annotated[int, typer.Option(help='Most parts of an "and" or "or".')] = 2,
    seed: Annotated[int, typer.Option(help="Names the sequence of puzzles.")] = 0,
    start: Annotated[
        int, typer.Option(help="First position in the sequence: ranges never overlap.")
    ] = 0,
    split: Annotated[
        str | None,
        typer.Option(help="train or test: no puzzle is in both, up to names and order."),
    ] = None,
    test_share: Annotated[float, typer.Option(help="Share of puzzles in the test split.")] = 0.1,
    wording: Annotated[str, typer.Option(help="plain, varied, or terse (tiny models).")] = "plain",
    names: Annotated[str, typer.Option(help="common, few, or a file with one a line.")] = "common",
    trace: Annotated[
        str | None, typer.Option(help="Add a reasoning text in this style, for SFT.")
    ] = None,
    retell: Annotated[
        int, typer.Option(help="Tell each puzzle so often, each time of other people.")
    ] = 1,
):
    """Make Knights and Knaves puzzles, each with exactly one solution, no two alike.

    swr1 gen-puzzles --n 5000 --people 3-7 --split train -o train.parquet
    """
    from itertools import islice

    from swr1.puzzles.generator import generate
    from swr1.records import VERSION, make_id

    puzzles = generate(
        n,
        people=people,
        depth=depth,
        width=width,
        seed=seed,
        start=start,
        split=split,
        test_share=test_share,
        wording=wording,
        names=names,
        trace=trace,
        retell=retell,
    )
    with open_stage(total=n) as stage:
        index, shards = stage.shard
        mine = islice(puzzles, index, None, shards)
        for done, puzzle in enumerate(mine):
            if done >= stage.writer.lines_done:
                name = make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"])
                stage.write({"v": VERSION, "id": name, **puzzle})
            stage.end_input(1)
