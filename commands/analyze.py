"""How reasoning changes over training, and which of its signs go with being right."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._output import show
from swr1.commands._stage import WRITTEN, stage_command


@stage_command(files=False, writes=False)
def command(
    open_stage,
    rollouts: Annotated[
        list[str],
        typer.Argument(
            help="Rollouts with verdicts: files, globs, shard folders, or - (the default).",
            metavar="[FILES]...",
            show_default=False,
        ),
    ] = ("-",),  # type: ignore[assignment]
    by: Annotated[
        str, typer.Option(help="Rows: step (the policy's version) or a key of info.")
    ] = "step",
    bins: Annotated[int, typer.Option(min=1, help="Most rows of steps.")] = 10,
    words: Annotated[
        list[str] | None,
        typer.Option(
            help="Word list: reasoning (the default), terse, or a TOML file; repeatable.",
            metavar="NAME|FILE",
        ),
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(help="Which verdict says right or wrong; default: by the task.")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Policy or model folder; default: where each record's policy is.", metavar="PATH"
        ),
    ] = None,
    picture: Annotated[
        Path | None, WRITTEN, typer.Option(help="Draw it (.png, .svg, .pdf).", metavar="OUT")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
):
    """How reasoning changes over training, and which of its signs go with being right.

    Length, words of verification and reflection, scripts, repeated guessing, text outside the
    tags, answers that change: by step, and against the verdicts.

    swr1 analyze rollouts.jsonl --picture reasoning.png
    """
    from swr1.analysis.reasoning import Analysis
    from swr1.analysis.scripts import open_tokenizer
    from swr1.analysis.words import load_words

    if picture:
        from swr1.plotting import check_name

        check_name(picture)
    opened = open_tokenizer(tokenizer) if tokenizer else None
    analysis = Analysis(load_words(words or ["reasoning"]), by, verdict, opened, bins)
    for file in rollouts:  # one by one: the same samples of two versions may lie in two files
        with open_stage(inputs=[file]) as stage:
            for record in filter(None, stage.read()):
                analysis.add(record)
                stage.progress.advance(stage.came)
    result = analysis.result()
    if picture:
        from swr1.analysis.picture import reasoning_picture

        reasoning_picture(result, picture)
    from swr1.analysis.report import report

    show(result, as_json, lambda: report(result))
