"""Take the pictures from questions: does a policy look at them at all?"""

from typing import Annotated

from swr1.commands._stage import option, stage_command
from swr1.errors import UsageError


@stage_command()
def command(
    open_stage,
    swap: Annotated[
        bool, option("Another record's pictures instead of grey ones.", "--swap")
    ] = False,
):
    """Take the pictures from questions: does a policy look at them at all?

    Every picture becomes a grey one of its size, or, with --swap, that of another record, of the
    same kind where there is one. Ids and answers stay, and info.pictures says what was done. What
    was completed or judged is left out.

    swr1 blind test.jsonl -o grey.jsonl

    swr1 blind test.jsonl --swap -o swapped.jsonl

    swr1 eval pictures=a.jsonl grey=b.jsonl swapped=c.jsonl --by kind
    """
    from swr1.picture_parts import has_pictures
    from swr1.prompts.blinding import Swaps, without_sight
    from swr1.records import key

    with open_stage() as stage:

        def is_seen(record):
            if not has_pictures(record):
                stage.count_drop("no picture")
            return has_pictures(record)

        if not swap:
            opener = stage.pictures
            stage.map(
                lambda record: without_sight(record, opener) if is_seen(record) else None,
                needs=("id", "prompt"),
            )
            return
        if stage.shard[1] > 1:
            raise UsageError("--swap: pictures go from record to record, there are no shards here")
        swaps = Swaps()

        def write(made):
            if key(made) not in stage:
                stage.write(made)

        for record in stage.read(needs=("id", "prompt")):
            if record is not None and is_seen(record):
                for made in swaps.add(record):
                    write(made)
        for late in swaps.rest():
            if late is None:
                stage.count_drop("no other record has another picture")
            else:
                write(late)
