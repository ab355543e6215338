"""How a reader that needs no more records leaves a pipe: between two records."""

import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from swr1.errors import Ending

LEAVING, PAUSE = 10.0, 0.2  # seconds to leave a pipe at most; of silence after which one leaves


@contextmanager
def leaving_whole_lines(stream: Any, name: str) -> Iterator[None]:
    """A reader that needs no more of a pipe leaves between two records, when no bytes are on their way.

    `tee FILE` between two stages would otherwise die in the middle of a record, which FILE then
    ends in: a file that looks as if its writer had been stopped.
    """
    try:
        yield
    except GeneratorExit:
        if name == "-":
            # A stop that comes in here comes again; out of a generator that ends it would be lost.
            with suppress(OSError, ValueError, Ending):
                _read_to_a_pause(stream)
        raise


def _read_to_a_pause(stream: Any) -> None:
    fd = stream.fileno()
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return
    tail, began = _held(stream), time.monotonic()
    while (passed := time.monotonic() - began) < LEAVING:
        pause = PAUSE if passed < 1 else PAUSE / 10  # a busy pipe has short ones only
        if select.select([fd], [], [], pause)[0]:
            came = os.read(fd, 1 << 20)
            if not came:
                return
            tail = came
        elif tail.endswith(b"\n") or not tail:
            break
    # From here on the sender is informed, and not only when this process has ended.
    os.dup2(os.open(os.devnull, os.O_RDONLY), fd)


def _held(stream: Any) -> bytes:
    """The bytes that a buffered stream has read and not returned yet."""
    fd = stream.fileno()
    os.set_blocking(fd, False)
    try:
        return stream.read1(1 << 20) or b""
    except BlockingIOError:
        return b""
    finally:
        os.set_blocking(fd, True)
