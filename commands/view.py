"""Look at records and runs: a page on a terminal, plain text in a pipe."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A record file (also one still written), a glob, a shard folder, a policy folder,"
            " a folder that holds such, or - for standard input; default: standard input in a pipe,"
            " this folder on a terminal.",
            metavar="FILE|RUN",
        ),
    ] = None,
    where: Annotated[
        list[str],
        typer.Option(
            "--where",
            "-w",
            help="Only records for which this holds: KEY OP VALUE (=, !=, <, <=, >, >=, ~ for"
            " contains), or a word in the text; several in one, or repeated, must all hold.",
            metavar="CONDITION",
        ),
    ] = (),  # type: ignore[assignment]
    id: Annotated[
        str | None,
        typer.Option("--id", help="Print the records of this id in full (or its start)."),
    ] = None,
    n: Annotated[int | None, typer.Option("-n", "--n", help="Print N records in full.")] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Whose tokens they are (model folder, policy, hub name); default: the policy that"
            " the record names.",
            metavar="NAME",
        ),
    ] = None,
    colour: Annotated[
        str, typer.Option(help="Colour tokens by: probability, mask, version, none.")
    ] = "probability",
    plain: Annotated[bool, typer.Option("--plain", help="Plain text on a terminal, too.")] = False,
    beside: Annotated[
        list[str],
        typer.Option(
            help="Another run's file: its completion of each prompt in a column beside this one's.",
            metavar="FILE",
        ),
    ] = (),  # type: ignore[assignment]
    html: Annotated[
        Path | None,
        typer.Option(help="Write the records in full to this page, to share.", metavar="OUT"),
    ] = None,
):
    """Look at records and runs: a page on a terminal, plain text in a pipe.

    swr1 view rollouts.jsonl -w "people=3 knights=correct reward>1"

    On a terminal: a list to filter and open, one record in full with its tokens coloured by their
    probability, by the loss mask or by the version that wrote them, and the curves of a run as it
    goes. In a pipe, or with --plain: a table of the records, with --id or -n the records themselves.

    swr1 view bad.jsonl -n 20 --html failures.html

    A key is a field, or the short
    name of one in info, generation, verdicts or reward_parts: people, epoch, knights, format.
    """
    from swr1.errors import ReaderClosed, UsageError
    from swr1.viewing.page import COLOURINGS

    if colour not in COLOURINGS:
        raise UsageError(f"--colour is one of {', '.join(COLOURINGS)}, not {colour!r}")
    what = what or ("." if sys.stdin.isatty() else "-")
    interactive = sys.stdout.isatty() and sys.stdin.isatty() and what != "-" and not plain
    condition = " ".join(where)
    try:
        if interactive and id is None and n is None and not beside and html is None:
            from swr1.viewing.app import show

            show(what, condition, tokenizer, colour)
        else:
            from swr1.viewing.plain import Asked, print_view

            print_view(what, Asked(condition, id, n, tokenizer, colour, beside, html))
    except BrokenPipeError:
        raise ReaderClosed from None
