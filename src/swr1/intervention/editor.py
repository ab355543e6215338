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
from swr1.intervention.journal import Key, digest_of
from swr1.intervention.session import Session
from swr1.streams.files import open_to_write

Ask = Callable[[str], bool]


def edit(
    session: Session, of: Key, *, why: str = "", to_end: bool = False, ask: Ask | None = None
) -> State | None:
    """Let a person edit a completion, and store what they changed; None if they changed nothing.

    A pending edit whose text is saved as it stands is returned as it is. `ask`: a question with yes
    or no; by default on the terminal, and yes where there is none.

    Raises UsageError without an editor; SwrError where it failed, the file is no text or the
    completion was edited meanwhile: the file is kept then.
    """
    state = session.state(of)
    file, begun = _left(session, state, of, ask or ask_on_terminal)
    if begun is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open_to_write(file, new=True) as out:
            out.write(state.text.encode())
            os.fsync(out.fileno())
        session.opened(of, file)
    if state.pending:
        session.say("this edit is stored, and the policy has not gone on: saved as it is, it will")
    session.say(f"editing {file}")
    _run_editor(file)
    change = _change(state.text, file, to_end)
    if change is None:
        file.unlink()
        return state if state.pending else None
    try:
        session.check(of, change)
        stored = session.store(of, state.digest, change, why)
    except SwrError as error:
        raise type(error)(f"{error}; your text is in {file}") from None
    file.unlink()
    return stored


def _left(session: Session, state: State, of: Key, ask: Ask) -> tuple[Path, Path | None]:
    """The file to edit; twice where it was left by an edit that was not finished."""
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
        return path, path
    return fresh, None


def _change(before: str, file: Path, to_end: bool) -> Difference | None:
    try:
        after = file.read_bytes().decode()
    except UnicodeDecodeError:
        raise SwrError(f"what the editor saved is not UTF-8: {file} is kept") from None
    if after.endswith("\n") and not before.endswith("\n"):
        after = after[:-1]  # editors end a file with a line break
    return difference(before, after, to_end)


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
    with suppress(OSError), open("/dev/tty", "r+b", buffering=0) as tty:
        from swr1.terminal import shown

        tty.write(f"{shown(question)} [Y/n] ".encode())
        return tty.readline().strip().lower() not in (b"n", b"no")
    return True
