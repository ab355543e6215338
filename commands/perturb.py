"""Change puzzles a little: does a model reason about them, or know them by heart?"""

from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import typer

from swr1.commands._stage import stage_command
from swr1.errors import UsageError
from swr1.prompts.unknown import MAX_UNKNOWN, MAX_UNKNOWN_HELP, Unknown
from swr1.registry import suggest


@stage_command(files=False, quiet_options=("policy", "max_unknown"))
def command(
    open_stage,
    words: Annotated[
        list[str],
        typer.Argument(
            help="statement or leaf (they change the solution); names, roles, flip, order,"
            " wording (they keep it). Then the files (default: -).",
            metavar="KIND... [FILE...]",
        ),
    ],
    names: Annotated[
        str | None,
        typer.Option(
            help="names: from this list or file, one a line; default: the puzzle's own list."
        ),
    ] = None,
    roles: Annotated[
        str | None, typer.Option(help="roles: this pair, such as saint/sinner; default: random.")
    ] = None,
    wording: Annotated[
        str | None, typer.Option(help="wording: plain, varied, ...; default: another one.")
    ] = None,
    retries: Annotated[
        int, typer.Option(help="statement, leaf: candidates before giving up.")
    ] = 2000,
    policy: Annotated[
        str | None,
        typer.Option(help="Check that this policy's tokenizer knows the new words."),
    ] = None,
    max_unknown: Annotated[
        float, typer.Option(help=f"With --policy: {MAX_UNKNOWN_HELP}", min=0, max=1)
    ] = MAX_UNKNOWN,
    seed: Annotated[int, typer.Option()] = 0,
    with_original: Annotated[
        bool, typer.Option("--with-original", help="Pass each original on before its own.")
    ] = False,
):
    """Change puzzles a little: does a model reason about them, or know them by heart?

    One record per puzzle and kind, linked by info.perturbed to its original.

    swr1 perturb leaf names test.jsonl --with-original -o both.jsonl
    """
    from swr1.puzzles.names import is_listed
    from swr1.puzzles.perturb import Impossible, find_kind, perturb
    from swr1.records import key

    kinds, files = split_kinds(words)
    if retries < 1:
        raise UsageError(f"--retries must be at least 1, not {retries}")
    choices: dict[str, Any] = {"names": names, "roles": roles, "wording": wording}
    choices |= {"statement": retries, "leaf": retries}

    takes_lists, strangers = "names" in kinds and names is None, []
    with open_stage(inputs=files or ["-"], options={"words": kinds}) as stage:
        unknown = Unknown(_tokenizer(policy), max_unknown, stage.say)

        def variants(record):
            _, epoch, sample = key(record)
            if epoch or sample:
                stage.count_drop("another completion of the same puzzle")
                return
            if with_original:
                yield record
            if takes_lists and not is_listed(record["info"].get("names") or []):
                strangers.append(record["id"])
            for kind in kinds:
                try:
                    new = perturb(record, kind, seed, choices.get(kind))
                    unknown.read(new["prompt"])
                    yield new
                    outcome = "made"
                except Impossible as reason:
                    outcome = str(reason)
                sized = f"{kind} at {len(record['info']['statements'])}"
                stage.tally(sized if find_kind(kind).changes_solution else kind, outcome)

        stage.flat_map(variants, needs=("id", "prompt", "answer", "info"))
        if strangers:
            stage.say(
                f"names: those of {len(strangers):,} puzzles are in no list of swr1, so others are taken"
                " from one; --names FILE keeps to yours"
            )
        unknown.report()


def _tokenizer(policy: str | None) -> Any:
    if not policy:
        return None
    from swr1.models import load_tokenizer
    from swr1.policy import model_folder

    return load_tokenizer(model_folder(policy))


def split_kinds(words: list[str]) -> tuple[list[str], list[str]]:
    """`leaf names a.jsonl b/` as (kinds, files). Raises UsageError where no kind comes first."""
    from swr1.puzzles.perturb import KINDS, find_kind

    kinds = list(takewhile(KINDS.__contains__, words))
    files = list(words)[len(kinds) :]
    if not kinds:
        find_kind(words[0])
    if files and not Path(files[0]).exists() and suggest(files[0], KINDS):
        find_kind(files[0])
    return list(dict.fromkeys(kinds)), files
