"""Put shards of records together: in order, complete, no duplicates."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.errors import DataError, UsageError
from swr1.records import key


@stage_command()
def command(
    open_stage,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="Accept groups in which samples are missing, and some files of a shard folder.",
        ),
    ] = False,
):
    """Put shards of records together: in order, complete, no duplicates.

    swr1 merge rollouts/ -o rollouts.parquet
    """
    from swr1.merging.shards import merge_records

    stage = open_stage()
    if stage.shard:
        raise UsageError("merge puts all shards together: it has no --shard of its own")
    with stage:
        done = stage.writer.done
        for record, place in merge_records(stage.inputs, partial, stage.on_bad):
            stage.came += 1
            if record is not None and (not done or key(record) not in stage):
                try:
                    stage.write(record)
                except DataError as error:  # a picture of it, say, is gone
                    stage.drop(error.reason, place, record)
