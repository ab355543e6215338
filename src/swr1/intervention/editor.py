"""A completion in $EDITOR: a file whose path is told, and which a crash leaves to be offered again."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.intervention.difference import Difference, difference
from swr1.intervention.history import State
from swr1.intervention.journal import Entry, Key, digest_of
from swr1.intervention.known import Offer
from swr1.intervention.session import Session
from swr1.streams.files import open_to_write

Ask = Callable[[str], bool]


def edit(
    session: Session,
    of: Key,
    *,
    why: str = "",
    to_end: bool = False,
    ask: Ask | None = None,
    take: Offer | None = None,
) -> State | None:
    """Let a person edit a completion, and store what they changed; None if they changed nothing.

    A pending edit whose text is saved as it stands is returned as it is. `ask`: a question with yes
    or no; by default on the terminal, and yes where there is none. `take`: a known edit, which the
    file has already when the editor opens; it counts only where the person saves the file.

    Raises UsageError without an editor, and where `take` does not fit; SwrError where it failed, the file is no text or the
    completion was edited meanwhile: the file is kept then.
    """
    state = session.state(of)
    text = take.taken(state.text) if take else state.text
    file, begun = _left(session, state, of, ask or ask_on_terminal)
    if begun is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open_to_write(file, new=True) as out:
            out.write(text.encode())
            os.fsync(out.fileno())
        os.utime(file, ns=(0, 0))  # what an editor saves is newer
        session.opened(of, file, take.name if take else "")
    elif take:
        session.say(f"edit {take.name} is not taken: this is the unfinished edit")
        take = None
    taken = begun.get("from", "") if begun else take.name if take else ""
    if state.pending:
        session.say("this edit is stored, and the policy has not gone on: saved as it is, it will")
    session.say(f"editing {file}")
    _run_editor(file)
    if take and not file.stat().st_mtime_ns:
        file.unlink()
        session.say(f"the file was not saved, so edit {take.name} is not taken")
        return None
    change = _change(state.text, file, to_end, take)
    if change is None:
        file.unlink()
        return state if state.pending else None
    if take and not take.is_in(change.edited(state.text), state.text):
        taken = ""  # the person made another edit of it
    elif take:
        why = why or take.edit.get("why", "")
    try:
        session.check(of, change)
        stored = session.store(of, state.digest, change, why, taken)
    except SwrError as error:
        raise type(error)(f"{error}; your text is in {file}") from None
    file.unlink()
    return stored


def _left(session: Session, state: State, of: Key, ask: Ask) -> tuple[Path, Entry | None]:
    """The file to edit, and what the journal says of it where an edit that was not finished left it."""
    edits = session.journal.path
    name = f".{edits.name}.{digest_of(repr(of))}-{state.digest[:4]}.txt"
    fresh = edits.absolute().with_name(name)
    left = session.left_open(of)
    if left is None:
        return fresh, None
    path = Path(left["path"])
    if left["digest"] != state.digest:
        session.say(f"{path} is an unfinished edit of another completion: it is left as it is")
    elif ask(f"{path} was left by an edit that was not finished ({left['when']}). Go on with it?"):
        return path, left
    return fresh, None


def _change(before: str, file: Path, to_end: bool, take: Offer | None) -> Difference | None:
    try:
        after = file.read_bytes().decode()
    except UnicodeDecodeError:
        raise SwrError(f"what the editor saved is not UTF-8: {file} is kept") from None
    if after.endswith("\n") and not before.endswith("\n"):
        after = after[:-1]  # editors end a file with a line break
    return (take.change if take else difference)(before, after, to_end)


def _run_editor(file: Path) -> None:
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with terminal() as streams:
        try:
            code = subprocess.run([*words, str(file)], **streams, check=False).returncode
        except OSError as error:
            raise UsageError(
                f"the editor {words[0]!r} does not start ({error.strerror}): set EDITOR; {file} is"
                " kept"
            ) from None
    if code:
        raise SwrError(
            f"the editor ended with {code}: nothing is stored. {file} is kept, and the same command"
            " offers it"
        )


@contextmanager
def terminal() -> Iterator[dict[str, Any]]:
    """The terminal as a child's standard streams; the child's own where there is none."""
    try:
        with open("/dev/tty", "r+b", buffering=0) as tty:
            yield {"stdin": tty, "stdout": tty}
            return
    except OSError:
        pass
    yield {}


def ask_on_terminal(question: str) -> bool:
    """Yes without a terminal."""
    return answer(f"{question} [Y/n] ").lower() not in ("n", "no")


def answer(question: str) -> str:
    """What a person types on the terminal; "" where there is none."""
    with suppress(OSError), open("/dev/tty", "r+b", buffering=0) as tty:
        from swr1.terminal import shown

        tty.write(shown(question).encode())
        return tty.readline().decode(errors="replace").strip()
    return ""
