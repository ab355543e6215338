"""Judge completions: one verdict per verifier, null where it could not judge."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command


@stage_command(files=False)
def command(
    open_stage,
    names: Annotated[
        list[str],
        typer.Argument(
            help="Verifiers (format, knights, ./mine.py:check), then files to read (default: -).",
            metavar="VERIFIER... [FILE...]",
        ),
    ],
    grader: Annotated[
        str | None, typer.Option(help="published: Logic-RL's own rules, quirks included.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds a verifier from a file may take for one record.")
    ] = 10.0,
    set: Annotated[
        list[str],
        typer.Option(help="Change an option of a verifier.", metavar="VERIFIER.NAME=VALUE"),
    ] = (),  # type: ignore[assignment]
):
    """Judge completions: one verdict per verifier, null where it could not judge.

    swr1 verify format knights rollouts.jsonl -o judged.jsonl
    """
    from swr1.verifiers._running import judges, split_names

    verifiers, files = split_names(names)
    with (
        judges(verifiers, grader=grader, timeout=timeout, settings=set) as judge,
        open_stage(inputs=files or ["-"], options={"names": verifiers}) as stage,
    ):

        def add(record):
            verdicts = judge(record)
            for name, verdict in verdicts.items():
                stage.tally(name, verdict["label"])
            record["verdicts"] = {**record.get("verdicts", {}), **verdicts}
            return record

        stage.map(add, needs=("id", "completion"))
