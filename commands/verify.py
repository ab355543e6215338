"""Judge completions: one verdict per verifier, null where it could not judge."""

from typing import Annotated

import typer

from swr1.commands._stage import WRITTEN, stage_command

MODELS = "Verifiers that are models: safety, value, knowledge, helpful"


def model(*names: str, help: str, **more) -> object:
    return typer.Option(*names, help=help, rich_help_panel=MODELS, **more)


@stage_command(files=False, opens_models=True, quiet_options=("cache", "url", "key_env"))
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
        float,
        typer.Option(
            min=0, max=86400, help="Seconds a verifier from a file may take for one record."
        ),
    ] = 10.0,
    set: Annotated[
        list[str],
        typer.Option(help="Change an option of a verifier.", metavar="VERIFIER.NAME=VALUE"),
    ] = (),  # type: ignore[assignment]
    called: Annotated[
        str | None, typer.Option("--as", help="Give the verdict this name.", metavar="NAME")
    ] = None,
    only_missing: Annotated[
        bool,
        typer.Option("--only-missing", help="Keep verdicts that have a score; fill in the others."),
    ] = False,
    guard: Annotated[
        str | None,
        model(help="The model: a model or policy folder, a hub name, or its name at --url."),
    ] = None,
    url: Annotated[
        list[str], model(help="An OpenAI-compatible server that has it; may be repeated.")
    ] = (),  # type: ignore[assignment]
    adapter: Annotated[
        str | None,
        model(
            help="Which kind of guard, where its name does not say: llama-guard, qwen3guard, ..."
        ),
    ] = None,
    judge: Annotated[
        str | None, model(help="Ask by a prompt: safety, value, helpful, knowledge, or a file.")
    ] = None,
    cache: Annotated[
        str | None,
        WRITTEN,
        model(help="Keep replies in this file, and ask only what is new.", metavar="FILE"),
    ] = None,
    key_env: Annotated[
        str | None, model(help="Variable that holds the server's key [OPENAI_API_KEY].")
    ] = None,
):
    """Judge completions: one verdict per verifier, null where it could not judge.

    swr1 verify format knights rollouts.jsonl -o judged.jsonl

    swr1 verify safety rollouts.jsonl --guard Qwen3Guard-Gen-8B --url http://gpu1:8000/v1
    """
    from swr1.registry import digest_of_files
    from swr1.verifiers.running import open_verifiers, split_names

    verifiers, files = split_names(names)
    own = digest_of_files(*(name for name in verifiers if ".py:" in name), judge or "")
    options = {
        "guard": guard or "",
        "url": ",".join(url),
        "adapter": adapter or "",
        "judge": judge or "",
        "cache": cache or "",
        "key_env": key_env or "",
    }
    with (
        open_verifiers(
            verifiers,
            grader=grader,
            timeout=timeout,
            settings=set,
            model=options,
            called=called,
            only_missing=only_missing,
        ) as judged,
        open_stage(
            inputs=files or ["-"], options={"names": verifiers} | ({"files": own} if own else {})
        ) as stage,
    ):
        judged.run(stage)
