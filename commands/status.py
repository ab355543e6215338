"""What a run is doing: stages that run, shards done and owed, version, last step, last error."""

import json
from typing import Annotated

import typer


def command(
    path: Annotated[
        str,
        typer.Argument(
            help="A policy folder, a shard folder, a folder that holds such, or an output file.",
            metavar="RUN|FOLDER",
        ),
    ] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
):
    """What a run is doing: stages that run, shards done and owed, version, last step, last error.

    swr1 status runs/kk

    It only looks. Stages are those of this machine: the processes that hold the policy, write an
    output's journal (FILE.part) or name the policy, and the rest of their pipe. Errors are the last
    that a stage wrote into a log (*.log, *.out, *.err) in the folder.
    """
    from swr1.viewing import console
    from swr1.viewing.status import inspect

    report = inspect(path)
    if as_json:
        print(json.dumps(report, indent=1))
        return
    from swr1.viewing.status_page import print_report

    print_report(report, console())
