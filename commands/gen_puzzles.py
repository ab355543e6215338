"""Make Knights and Knaves puzzles, each with exactly one solution, no two alike."""

from functools import partial
from typing import Annotated

from swr1.commands._stage import option, stage_command
from swr1.puzzles.config import PuzzleConfig


@stage_command(reads=False)
def command(
    open_stage,
    *,
    n: Annotated[int, option("How many puzzles.", "--n", "-n", usual=True)] = 100,
    start: Annotated[int, option("First position in the sequence: ranges never overlap.")] = 0,
    kind: PuzzleConfig,
):
    """Make Knights and Knaves puzzles, each with exactly one solution, no two alike.

    swr1 gen-puzzles --n 5000 --people 3-7 --split train -o train.parquet
    """
    from swr1.puzzles.generator import generate
    from swr1.records import VERSION, make_id

    puzzles = partial(generate, config=kind)
    puzzles(n, start=start)  # wrong use is an error before anything is opened
    with open_stage(total=n) as stage:
        first, every = stage.owed()
        for puzzle in puzzles(max(0, n - first), start=start + first, every=every):
            name = make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"])
            stage.write({"v": VERSION, "id": name, **puzzle})
            stage.end_input(1)
