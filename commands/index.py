"""An index of passages, made of files: for `swr1 index query`, and for policies that search."""

from typing import Annotated

import typer

from swr1.commands._stage import stage_command
from swr1.index.config import IndexConfig


@stage_command(writes=False, files=False)
def command(
    open_stage,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Rows (.jsonl .parquet .json .csv .tsv), Markdown, text; folders with such; globs.",
            metavar="FILE|FOLDER...",
        ),
    ],
    config: IndexConfig,
):
    """An index of passages, made of files: for `swr1 index query`, and for policies that search.

    swr1 index docs/ corpus.jsonl -o docs.index/

    A row is a passage; Markdown is split by headings, text by paragraphs. Run it again with more or
    changed files: only these are read. A kill leaves the index as it was, and the same command goes
    on. Of a folder the files .jsonl, .parquet, .md and .txt are taken.
    """
    from swr1.index.building import build_index
    from swr1.index.page import summary

    with open_stage(inputs=None, options={"sources": list(sources)}) as stage:

        def on_bad(location: str, reason: str, raw: object) -> None:
            stage.drop(reason, location, raw)
            if stage.drops.total() > 3:  # the stage names the first three only
                stage.say(f"dropped {location}: {reason}")

        state, counts = build_index(sources, config, on_bad, stage.progress.advance, stage.say)
        stage.came, stage.went = state.sources, state.passages
        stage.summary = summary(config.output, state, counts)
