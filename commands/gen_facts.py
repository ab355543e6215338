"""Make questions about a world whose facts must be looked up, and the documents that hold them."""

from pathlib import Path
from typing import Annotated

from swr1.commands._stage import WRITTEN, option, stage_command
from swr1.facts.questions import Questions


@stage_command(reads=False, quiet_options=("documents",))
def command(
    open_stage,
    questions: Questions,
    documents: Annotated[
        Path | None, option("Write the world's documents here, for `swr1 index`."), WRITTEN
    ] = None,
):
    """Make questions about a world whose facts must be looked up, and the documents that hold them.

    swr1 gen-facts -n 400 --world 1 --documents docs.jsonl -o questions.jsonl

    swr1 gen-facts -n 9000 --trace -o sft.jsonl
    """
    from swr1.facts.world import World
    from swr1.records import VERSION, make_id, pack
    from swr1.streams.files import write_atomically
    from swr1.village.requests import with_ordinals

    questions.check()
    if documents:
        world = World(questions.world, questions.missing, questions.people)
        found = world.documents(questions.sources)
        text = b"".join(pack(one) + b"\n" for one in found)
        write_atomically(documents, lambda file: file.write(text))
    with open_stage(total=questions.n) as stage:
        first, every = stage.owed()
        made = []

        def ids():
            for item in questions.items():
                made.append(item)
                yield make_id(item["task"], item["prompt"], item["answer"])

        for position, name in enumerate(with_ordinals(ids())):
            item = made.pop()
            if position >= first and (position - first) % every == 0:
                stage.write({"v": VERSION, "id": name, **item})
                stage.end_input(1)
