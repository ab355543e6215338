"""Put shards of records together: in order, complete, no duplicates."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.records import key


@stage_command()
def command(
    open_stage,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accept groups in which samples are missing.")
    ] = False,
):
    """Put shards of records together: in order, complete, no duplicates.

    swr1 merge rollouts/ -o rollouts.parquet
    """
    from swr1.merging.shards import merge_records

    with open_stage() as stage:
        done = stage.writer.done
        for record, _ in merge_records(stage.inputs, partial):
            stage.came += 1
            if not done or key(record) not in stage:
                stage.write(record)
