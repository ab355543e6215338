"""List the edits that stand: of which completion, by whom, what was changed."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.intervention.running import beside
from swr1.streams import standard
from swr1.terminal import console, say


def command(
    file: Annotated[str, typer.Argument(help="The records that were edited.", metavar="FILE")],
    edits: Annotated[
        Path | None, typer.Option(help="The journal. [default: FILE.edits.jsonl beside FILE]")
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(help="Show this one before and after, by its id or how that begins."),
    ] = None,
    sample: Annotated[int | None, typer.Option(min=0, help="Which of its samples.")] = None,
):
    """List the edits that stand: of which completion, by whom, what was changed.

    swr1 intervene list rollouts.jsonl
    """
    from swr1.errors import UsageError
    from swr1.intervention.page import print_edit, print_list
    from swr1.intervention.session import Session

    session = Session(
        file,
        edits=edits or beside(file, "edits"),
        say=lambda text: say("swr1 intervene list", text),
    )
    with standard.ours():
        if record is None and sample is None:
            print_list([s for s in session.states() if s.levels], console())
            return
        state = session.state(session.find(record, sample))
        if not state.levels:
            raise UsageError("no edit of this completion stands")
        print_edit(state, console())
