"""Make Knights and Knaves puzzles, each with exactly one solution, no two alike."""

from functools import partial
from typing import Annotated

from swr1.commands._stage import option, stage_command

said = partial(option, panel="What people say")
told = partial(option, panel="How it is told")
added = partial(option, panel="What is added")


@stage_command(reads=False)
def command(
    open_stage,
    n: Annotated[int, option("How many puzzles.", "--n", "-n")] = 100,
    people: Annotated[
        str, option("Inhabitants: a number or LO-HI (sizes take turns), 2 to 1000.")
    ] = "3-7",
    seed: Annotated[int, option("Names the sequence of puzzles.")] = 0,
    start: Annotated[int, option("First position in the sequence: ranges never overlap.")] = 0,
    split: Annotated[
        str | None,
        option("train or test: no puzzle is in both, up to names and order."),
    ] = None,
    test_share: Annotated[
        float, option("Share of all puzzles in the test split, up to 0.5; train is the other half.")
    ] = 0.1,
    distinct: Annotated[
        str, option("No two alike: as text, or as form (up to names and order).")
    ] = "text",
    depth: Annotated[int, said("Levels of a statement, 2 to 10.")] = 2,
    width: Annotated[int, said('Most parts of an "and" or "or".')] = 2,
    weights: Annotated[
        str,
        said(
            'Relative chances, such as "iff=2,not=0", of leaf, not, and, or, implies, iff; 1 each.'
        ),
    ] = "",
    self_reference: Annotated[bool, said("Speakers may mention themselves.")] = True,
    trivial: Annotated[
        bool,
        said(
            "Statements may join equal or opposite parts (X or not X), or be always true or"
            " always false."
        ),
    ] = True,
    knights: Annotated[
        float | None,
        said("Share of truth tellers, 0 to 1; as it comes (0.55) if not given."),
    ] = None,
    wording: Annotated[
        str,
        told("plain, varied, chinese, chinese-varied, or terse (tiny models)."),
    ] = "plain",
    roles: Annotated[
        str,
        told(
            'Words for the two kinds, truth teller first: saint/sinner, "elf:elves/orc",'
            " knave/knight (flipped)."
        ),
    ] = "knight/knave",
    names: Annotated[
        str | None,
        told(
            "common, few, latin, accented, chinese, or a file with one a line; goes with the"
            " wording and size if not given."
        ),
    ] = None,
    retell: Annotated[
        int,
        told("Tell each puzzle so often, each time of other people."),
    ] = 1,
    trace: Annotated[
        str | None,
        added("Add a reasoning text: search, propagate, cases, or hasty."),
    ] = None,
    wrong: Annotated[
        str | None,
        added("Make the reasoning wrong in this way: answer, shuffled, replaced, early."),
    ] = None,
    steps: Annotated[
        bool,
        added("Add the machine-checkable steps of the trace.", "--steps"),
    ] = False,
    difficulty: Annotated[
        bool,
        added("Add info.difficulty, for curricula.", "--difficulty"),
    ] = False,
):
    """Make Knights and Knaves puzzles, each with exactly one solution, no two alike.

    swr1 gen-puzzles --n 5000 --people 3-7 --split train -o train.parquet
    """
    from swr1.puzzles.generator import generate
    from swr1.puzzles.rules import Rules, parse_weights
    from swr1.records import VERSION, make_id

    puzzles = partial(
        generate,
        people=people,
        depth=depth,
        width=width,
        seed=seed,
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
    )
    puzzles(n, start=start)  # wrong use is told before anything is opened
    with open_stage(total=n) as stage:
        first, every = stage.owed()
        for puzzle in puzzles(max(0, n - first), start=start + first, every=every):
            name = make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"])
            stage.write({"v": VERSION, "id": name, **puzzle})
            stage.end_input(1)
