"""Draw pictures, and ask about them: counting, comparing, looking up, charts, puzzles, harm."""

from swr1.commands._stage import stage_command
from swr1.scenes.config import Pictures


@stage_command(reads=False)
def command(open_stage, pictures: Pictures):
    """Draw pictures, and ask about them: counting, comparing, looking up, charts, puzzles, harm.

    swr1 gen-pictures -n 5000 --split train --trace mixed -o sft.jsonl

    swr1 gen-pictures -n 400 --split test --kinds harm -o requests.jsonl

    The scene (info.scene) is known, so rules judge the answer and what a policy says it sees:

    swr1 verify format exact knights visual-focus rollouts.jsonl
    """
    from swr1.records import VERSION, make_id

    pictures.check()
    with open_stage(total=pictures.n) as stage:
        first, every = stage.owed()
        for item in pictures.items(first, every):
            name = make_id(item["task"], item["prompt"], item["answer"])
            stage.write({"v": VERSION, "id": name, **item})
            stage.end_input(1)
