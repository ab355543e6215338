"""The standard streams of a process whose standard output holds records and nothing else.

`reserve` moves the two that records go through to descriptors of their own, which only the reader
and the writer of records know. Whatever else runs in this process (a library, somebody's function,
C code, a child) finds an empty standard input, and a standard output that leads to standard error.
What a command prints for people on the real one, it prints within `ours`.
"""

import fcntl
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from swr1.errors import ReaderClosed, UsageError
from swr1.terminal import Shown

_HIGH = 16  # private descriptors lie above those that shells and scripts number themselves


class _Streams:
    """One per process."""

    input, output = 0, 1
    missing: frozenset[int] = frozenset()
    reserved = False
    reader: io.BufferedReader | None = None


def repair() -> None:
    """Give a process that was started without some of its streams all three.

    What is missing leads to /dev/null, since the next file that is opened would take its place;
    reading records from it, or writing them there, is refused (`input_fd`, `output_fd`).
    """
    missing = []
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            missing.append(fd)
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)
            os.set_inheritable(fd, True)
    _Streams.missing = frozenset(missing)
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False))


def reserve() -> None:
    """Keep standard input and output for records, from here to the end of the process."""
    if _Streams.reserved:
        return
    sys.stdout.flush()
    _Streams.input = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    _Streams.output = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    _Streams.reserved = True
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = Shown(_text(1, sys.stdout), lossy=True)
    os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    """A child that is no program of its own must not hold the pipe to our reader open."""
    if _Streams.input >= 0:  # a child of a child has let go already
        os.close(_Streams.input)
        os.close(_Streams.output)
        _Streams.input = _Streams.output = -1


def input_fd() -> int:
    """The stream that records are read from. Raises UsageError when the process was started without."""
    if 0 in _Streams.missing:
        raise UsageError("standard input is closed: name a file to read, or pipe records in")
    return _Streams.input


def input_stream() -> io.BufferedReader:
    """Standard input, through the one buffer that all its readers share. Raises as `input_fd`."""
    fd = input_fd()
    if _Streams.reader is None or _Streams.reader.closed:
        _Streams.reader = open(fd, "rb", closefd=False)
    return _Streams.reader


def output_fd() -> int:
    """The stream that records are written to. Raises UsageError when the process was started without."""
    if 1 in _Streams.missing:
        raise UsageError("standard output is closed: name a file with -o, or say >/dev/null")
    return _Streams.output


def is_terminal(number: int) -> bool:
    """Whether our standard input (0) or output (1) is a terminal."""
    return os.isatty((_Streams.input, _Streams.output)[number])


def is_pipe(number: int) -> bool:
    """Whether our standard input (0) or output (1) is a pipe."""
    return stat.S_ISFIFO(os.fstat((_Streams.input, _Streams.output)[number]).st_mode)


def _text(fd: int, like: TextIO) -> TextIO:
    return open(fd, "w", encoding=like.encoding, errors="backslashreplace", closefd=False)


@contextmanager
def ours() -> Iterator[Any]:
    """What is printed within goes to the real standard output: a page, figures, rows.

    Raises ReaderClosed when its reader has left.
    """
    before = sys.stdout
    sys.stdout = page = Shown(_text(_Streams.output, before), lossy=False)
    try:
        yield page
        page.flush()
    except BrokenPipeError:
        abandon()
        raise ReaderClosed from None
    finally:
        sys.stdout = before


def abandon() -> None:
    """Nobody reads standard output any more: all further flushed text is discarded."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _Streams.output, inheritable=not _Streams.reserved)
    os.close(null)
