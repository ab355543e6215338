"""How a run ends before its work is done: a signal came, or the reader of our records left.

Both become an `Ending`, raised in the main thread wherever it is. It is raised again as long as
somebody's code swallows it, and not while it is on its way out, so that a second signal does not
break the clean stop. Where the main thread does not come back in time (it is inside C code that
looks at no signal), the process is ended as it stands: what is finished is on disk or on its way,
and a run that is started again does the rest.
"""

import os
import signal
import sys
import threading
import time
from typing import Any

from swr1.errors import ReaderClosed, Stopped

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = 0.5  # seconds after which an ignored ending is raised again
GRACE = 10.0  # seconds for a clean stop


class _State:
    """The state of the ending: one per process, because signals are."""

    came: int | None = None  # the first signal that requested a stop
    left = False  # whether the reader of our records left
    over = threading.Event()  # the ending was heeded
    watcher: threading.Thread | None = None


def install() -> None:
    """Turn signals into endings from here on. Outside the main thread nothing happens.

    A SIGHUP that is ignored already (nohup) stays so. SIGINT does not: a shell ignores it for what it
    starts with `&`, which could not be stopped by it then.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if _State.came is None:
        _State.left = False
        _State.over.clear()
    for number in STOPS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_stop)
    signal.signal(signal.SIGPIPE, _on_pipe)
    if _State.watcher is None:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        _State.watcher = threading.Thread(target=_watch, args=(read_end,), daemon=True)
        _State.watcher.start()


def reader_left() -> None:
    """The thread that writes records calls this when nobody reads them. It interrupts the main thread.

    A stage that waits for input would not notice, so that the end of the last stage ends all stages
    before it.
    """
    if not _State.left:
        _State.left = True
        _interrupt(signal.SIGPIPE)


def check() -> None:
    """Raise the ending that came and was swallowed. Only for the main thread."""
    if (_State.came or _State.left) and not _under_way():
        _raise()


def swallowed() -> Stopped | None:
    """The stop that a signal requested, for a caller whose code ignored it or raised an error of its own."""
    return Stopped(_State.came) if _State.came else None


def over() -> None:
    """The clean stop is done, or the run came to its end: what follows is the process's own end."""
    _State.over.set()
    if threading.current_thread() is threading.main_thread():
        for number in STOPS:
            if signal.getsignal(number) is _on_stop:
                signal.signal(number, signal.SIG_IGN if _State.came else signal.SIG_DFL)


def heeded() -> None:
    """The stage has ended because its reader left; the process may continue."""
    _State.over.set()
    _State.left = False


def _on_stop(number: int, frame: Any) -> None:
    _State.came = _State.came or number
    check()


def _on_pipe(number: int, frame: Any) -> None:
    # SIGPIPE comes from any broken pipe or socket, standard error's too; only one end counts.
    check()


def _raise() -> None:
    raise Stopped(_State.came) if _State.came else ReaderClosed()


def _under_way() -> bool:
    """Whether an ending is being handled now: in an `except`, a `finally` or an `__exit__`."""
    error: BaseException | None = sys.exception()
    while error is not None:
        if isinstance(error, (Stopped, ReaderClosed)):
            return True
        error = error.__context__
    return False


def _interrupt(number: int) -> None:
    """Signal the main thread itself: another one would not wake it from a system call."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, number)


def _watch(read_end: int) -> None:
    """Repeat an ending until it is heeded. The wake-up pipe reports signals for which no
    Python code could run."""
    while True:
        number = os.read(read_end, 1)[0]
        if number not in STOPS and not _State.left:
            continue
        deadline = time.monotonic() + GRACE
        while not _State.over.wait(AGAIN):
            if time.monotonic() > deadline:
                code = 0 if number == signal.SIGPIPE else 128 + number
                os.write(2, b"swr1: did not stop in time: ended as it stands\n")
                os._exit(code)
            _interrupt(number)
        if _State.came is not None:
            return
