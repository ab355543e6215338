"""Records as the files that TRL, verl and OpenAI read; `swr1 load` reads them back."""

from typing import Annotated

import typer

from swr1.commands._stage import WRITTEN, option, stage_command


@stage_command(writes=False)
def command(
    open_stage,
    shape: Annotated[
        str, typer.Argument(help="trl, verl or openai.", metavar="FORMAT", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option(help="Model of the requests that prompts become (openai).")
    ] = None,
    system_prompt: Annotated[
        str | None,
        typer.Option(
            help="Put it around the messages, as rollout does (a name or a file); default: as a"
            " completion was made, else the policy's, else the task's."
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="The policy to be trained: its system prompt is used.")
    ] = None,
    output: Annotated[
        str,
        WRITTEN,
        option(
            "FILE.jsonl, FILE.parquet, or - (stdout).",
            "--output",
            "-o",
            panel="Common",
            metavar="PATH",
        ),
    ] = "-",
):
    """Records as the files that TRL, verl and OpenAI read; `swr1 load` reads them back.

    swr1 load hh-rlhf test.jsonl.gz | swr1 export trl -o pairs.parquet

    Pairs become preferences, completions conversations, prompts alone what a policy is
    trained on (openai: requests of a batch). All records of a run are of one kind.
    A completion is the assistant's whole turn: what opened it, then what was sampled. For
    TRL, the opening of an answer to come ("<think>") is the last message of its prompt.
    """
    from swr1.errors import UsageError
    from swr1.loading.export import FORMATS, export, write_rows
    from swr1.policy import marker_of, model_folder
    from swr1.prompts import Prompts, load_prompt
    from swr1.registry import suggest

    if shape not in FORMATS:
        raise UsageError(
            f"no format {shape!r}.{suggest(shape, FORMATS)} Known: {', '.join(FORMATS)}"
        )
    given = load_prompt(system_prompt) if system_prompt else None
    marker = marker_of(model_folder(policy)) if policy else {}
    with open_stage(output=None) as stage:
        prompts = Prompts(given, policy=marker, name=policy or "", say=stage.say)
        holds_bytes = output.endswith(".parquet")
        rows = export(shape, stage, model, prompts, bytes_too=holds_bytes)
        write_rows(output, rows, shape)
        stage.output = output  # for the summary: it counts what went out
