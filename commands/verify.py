"""Judge completions: one verdict per verifier, null where it could not judge."""

from contextlib import closing, nullcontext
from typing import Annotated

import typer

from swr1.commands._help import completing
from swr1.commands._stage import stage_command
from swr1.streams import standard
from swr1.verifiers.models.options import ModelOptions


def _names() -> list[str]:
    from swr1.verifiers.declared import REGISTRY

    return REGISTRY.names()


@stage_command(
    files=False,
    opens_models=True,
    quiet_options=("show_list", "show_options", "gold", "allow_lost_guard"),
)
def command(
    open_stage,
    model: ModelOptions,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Verifiers (format, knights, ./mine.py:check), then files to read (default: -).",
            metavar="VERIFIER... [FILE...]",
            show_default=False,
            autocompletion=completing(_names),
        ),
    ] = None,
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
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Judge what tools gave, too, not only what the policy wrote."),
    ] = False,
    gold: Annotated[
        bool,
        typer.Option("--gold", help="Judge the data set's own answers, and list those not right."),
    ] = False,
    allow_lost_guard: Annotated[
        bool,
        typer.Option(
            "--allow-lost-guard",
            help="Where a served guard is gone, go on with null verdicts; else that is a failure.",
        ),
    ] = False,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the verifiers with their labels and stop.")
    ] = False,
    show_options: Annotated[
        bool, typer.Option("--options", help="List what --set can change of these, and stop.")
    ] = False,
):
    """Judge completions: one verdict per verifier, null where it could not judge.

    swr1 verify format knights rollouts.jsonl -o judged.jsonl

    swr1 verify safety rollouts.jsonl --guard Qwen3Guard-Gen-8B --url http://gpu1:8000/v1

    swr1 verify math --options
    """
    from swr1.registry import digest_of_files
    from swr1.verifiers.declared import as_text, options_as_text
    from swr1.verifiers.gold import Gold
    from swr1.verifiers.running import open_verifiers, split_names

    if show_list:
        with standard.ours():
            print(as_text())
        return
    verifiers, files = split_names(names or [])
    if show_options:
        with standard.ours():
            print(options_as_text(verifiers))
        return
    file_digests = digest_of_files(*(n for n in verifiers if ".py:" in n), model.judge or "")
    opened = open_verifiers(
        verifiers,
        grader=grader,
        timeout=timeout,
        settings=set,
        model=model.given(),
        called=called,
        only_missing=only_missing,
        allow_lost_guard=allow_lost_guard,
        whole=whole,
    )
    known_answers = closing(Gold(verifiers, timeout, called)) if gold else nullcontext()
    more: dict = {"names": verifiers} | ({"files": file_digests} if file_digests else {})
    if gold:  # else as before there was such an option
        more["gold"] = True
    with (
        opened as running,
        known_answers as answers,
        open_stage(inputs=files or ["-"], options=more) as stage,
    ):
        running.run(stage, answers)
