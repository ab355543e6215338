"""Make Knights and Knaves puzzles, each with exactly one solution, no two alike."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command

RULES = "What people say"
TELLING = "How it is told"
ADDED = "What is added"


@stage_command(reads=False)
def command(
    open_stage,
    n: Annotated[int, typer.Option("--n", "-n", help="How many puzzles.")] = 100,
    people: Annotated[
        str, typer.Option(help="Inhabitants: a number or LO-HI (sizes take turns), 2 to 1000.")
    ] = "3-7",
    seed: Annotated[int, typer.Option(help="Names the sequence of puzzles.")] = 0,
    start: Annotated[
        int, typer.Option(help="First position in the sequence: ranges never overlap.")
    ] = 0,
    split: Annotated[
        str | None,
        typer.Option(help="train or test: no puzzle is in both, up to names and order."),
    ] = None,
    test_share: Annotated[float, typer.Option(help="Share of puzzles in the test split.")] = 0.1,
    distinct: Annotated[
        str, typer.Option(help="No two alike: as text, or as form (up to names and order).")
    ] = "text",
    depth: Annotated[
        int, typer.Option(help="Levels of a statement, 2 to 10.", rich_help_panel=RULES)
    ] = 2,
    width: Annotated[
        int, typer.Option(help='Most parts of an "and" or "or".', rich_help_panel=RULES)
    ] = 2,
    weights: Annotated[
        str,
        typer.Option(
            help='Relative chances, such as "iff=2,not=0", of leaf, not, and, or, implies, iff;'
            " 1 each.",
            rich_help_panel=RULES,
        ),
    ] = "",
    self_reference: Annotated[
        bool, typer.Option(help="Speakers may mention themselves.", rich_help_panel=RULES)
    ] = True,
    trivial: Annotated[
        bool,
        typer.Option(
            help="Statements may join equal or opposite parts (X or not X), or be always true or"
            " always false.",
            rich_help_panel=RULES,
        ),
    ] = True,
    knights: Annotated[
        float | None,
        typer.Option(
            help="Share of truth tellers, 0 to 1; as it comes (0.55) if not given.",
            rich_help_panel=RULES,
        ),
    ] = None,
    wording: Annotated[
        str,
        typer.Option(
            help="plain, varied, chinese, chinese-varied, or terse (tiny models).",
            rich_help_panel=TELLING,
        ),
    ] = "plain",
    roles: Annotated[
        str,
        typer.Option(
            help='Words for the two kinds, truth teller first: saint/sinner, "elf:elves/orc",'
            " knave/knight (flipped).",
            rich_help_panel=TELLING,
        ),
    ] = "knight/knave",
    names: Annotated[
        str | None,
        typer.Option(
            help="common, few, latin, accented, chinese, or a file with one a line; goes with the"
            " wording and size if not given.",
            rich_help_panel=TELLING,
        ),
    ] = None,
    retell: Annotated[
        int,
        typer.Option(
            help="Tell each puzzle so often, each time of other people.", rich_help_panel=TELLING
        ),
    ] = 1,
    trace: Annotated[
        str | None,
        typer.Option(
            help="Add a reasoning text: search, propagate, cases, or hasty.",
            rich_help_panel=ADDED,
        ),
    ] = None,
    wrong: Annotated[
        str | None,
        typer.Option(
            help="Make the reasoning wrong in this way: answer, shuffled, replaced, early.",
            rich_help_panel=ADDED,
        ),
    ] = None,
    steps: Annotated[
        bool,
        typer.Option(
            "--steps", help="Add the machine-checkable steps of the trace.", rich_help_panel=ADDED
        ),
    ] = False,
    difficulty: Annotated[
        bool,
        typer.Option(
            "--difficulty", help="Add info.difficulty, for curricula.", rich_help_panel=ADDED
        ),
    ] = False,
):
    """Make Knights and Knaves puzzles, each with exactly one solution, no two alike.

    swr1 gen-puzzles --n 5000 --people 3-7 --split train -o train.parquet
    """
    from swr1.puzzles.generator import generate
    from swr1.puzzles.rules import Rules, parse_weights
    from swr1.records import VERSION, make_id

    def puzzles(start, n, every):
        return generate(
            n,
            people=people,
            depth=depth,
            width=width,
            seed=seed,
            start=start,
            split=split,
            test_share=test_share,
            rules=Rules(parse_weights(weights), self_reference, trivial),
            knights=knights,
            distinct=distinct,
            wording=wording,
            names=names,
            roles=roles,
            trace=trace,
            wrong=wrong,
            steps=steps,
            difficulty=difficulty,
            retell=retell,
            every=every,
        )

    puzzles(start, n, 1)  # wrong use is told before anything is opened
    with open_stage(total=n) as stage:
        index, shards = stage.shard
        done = stage.writer.lines_done
        for _ in range(done):
            stage.end_input(1)
        first = index + done * shards  # this shard takes every so many-th position
        for puzzle in puzzles(start + first, max(0, n - first), shards):
            name = make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"])
            stage.write({"v": VERSION, "id": name, **puzzle})
            stage.end_input(1)
