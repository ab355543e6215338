"""Make Knights and Knaves puzzles, each with exactly one solution, no two alike."""

from functools import partial
from typing import Annotated

from swr1.commands._stage import option, stage_command
from swr1.puzzles.config import PuzzleConfig


@stage_command(reads=False, quiet_options=("or_fewer",))
def command(
    open_stage,
    *,
    n: Annotated[int, option("How many puzzles.", "--n", "-n", usual=True)] = 100,
    start: Annotated[int, option("First position in the sequence: ranges never overlap.")] = 0,
    or_fewer: Annotated[
        bool, option("Fewer, or retold less often, where no more exist.", "--or-fewer")
    ] = False,
    kind: PuzzleConfig,
):
    """Make Knights and Knaves puzzles, each with exactly one solution, no two alike.

    swr1 gen-puzzles --n 5000 --people 3-7 --split train -o train.parquet
    """
    from swr1.puzzles.generator import as_possible, generate
    from swr1.records import VERSION, make_id

    wanted = n
    if or_fewer:
        n, kind = as_possible(n, kind, start)
    puzzles = partial(generate, config=kind)
    puzzles(n, start=start)  # wrong use is an error before anything is opened
    with open_stage(total=n) as stage:
        if n < wanted:
            stage.say(f"{n:,} of {wanted:,} puzzles: no more exist")
        first, every = stage.owed()
        for puzzle in puzzles(max(0, n - first), start=start + first, every=every):
            name = make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"])
            stage.write({"v": VERSION, "id": name, **puzzle})
            stage.end_input(1)
