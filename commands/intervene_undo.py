"""Undo the last edit of a completion, with what the policy wrote behind it."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.intervention.running import beside
from swr1.terminal import say


def command(
    file: Annotated[str, typer.Argument(help="The records that were edited.", metavar="FILE")],
    record: Annotated[
        str | None, typer.Option(help="The record's id, or how it begins.", show_default=False)
    ] = None,
    sample: Annotated[int | None, typer.Option(min=0, help="Which of its samples.")] = None,
    edits: Annotated[
        Path | None, typer.Option(help="The journal. [default: FILE.edits.jsonl beside FILE]")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="[default: FILE.edited.jsonl beside FILE]")
    ] = "",
    who: Annotated[str, typer.Option(help="Who you are.")] = "",
):
    """Undo the last edit of a completion, with what the policy wrote behind it.

    swr1 intervene undo rollouts.jsonl --record 3e9ccf --sample 2

    It is added to the journal as an undo: nothing is erased. What stood before stands again.
    """
    from swr1.errors import UsageError
    from swr1.intervention.session import Session
    from swr1.streams.files import refuse_clashes

    edits_file = str(edits or beside(file, "edits"))
    output = output or beside(file, "edited")
    refuse_clashes({"--edits": edits_file, "-o": output}, [file])
    session = Session(
        file,
        edits=edits_file,
        output=output,
        who=who,
        say=lambda text: say("swr1 intervene undo", text),
    )
    edited = [state for state in session.states() if state.levels]
    if not edited:
        raise UsageError(f"no edit stands in {edits_file} that could be undone")
    only = len(edited) == 1 and record is None and sample is None
    of = session.find(edited[0].record["id"], edited[0].record.get("sample", 0)) if only else None
    of = of or session.find(record, sample)
    name = session.state(of).levels[-1].edit["edit"] if session.state(of).levels else ""
    state = session.undo(of)
    session.say(f"edit {name} is undone; {len(state.levels)} edits of this completion stand")
