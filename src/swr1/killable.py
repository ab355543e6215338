"""A function of records in a process of its own: another person's, or ours that may hang.

    check = Killable(REGISTRY, "./mine.py:check", convert="swr1.verifiers.verdicts:as_verdict")
    check.start()    # raises UsageError where the file cannot be imported
    check(record)    # what it gave, as `convert` made it; raises DataError, Lost

Its file is imported there and nowhere else. The process has an empty standard input, its standard
output leads to standard error, and it is killed, with every process that it started, when one
record takes too long, and when ours ends.
"""

import atexit
import importlib
import math
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, SwrError, UsageError
from swr1.records import Record, pack, parse
from swr1.registry import Registry, parse_options

START = 30.0  # seconds, at least, for an import
END = 1.0  # seconds for a process to end by itself
LARGEST = 64 * 2**20  # bytes of an answer


class Lost(Exception):
    """No answer: it took too long, or its process died. The next record gets a fresh process."""


class Unfit(ValueError):
    """What a function gave is not what it may give; says so in a line."""


class Killable:
    """A function of a record in a process of its own.

    Args:
        registry, name: which function.
        settings: "NAME=VALUE", as registry.parse_options takes them.
        convert: "module:function" of (what it gave or raised, name) -> a JSON object, called in
            that process; it raises Unfit, with which it is called once more, and DataError for a bad record.
        timeout: wall-clock seconds for one record; the import has START seconds if that is more.
    """

    def __init__(
        self,
        registry: Registry,
        name: str,
        settings: Iterable[str] = (),
        *,
        convert: str,
        timeout: float,
    ) -> None:
        self.name, self.timeout = name, timeout
        self._job = {
            "registry": (registry.kind, registry.package, registry.attribute, registry.folder),
            "name": name,
            "settings": list(settings),
            "convert": convert,
        }
        self._process: subprocess.Popen | None = None
        self._pipe: Connection

    def start(self) -> None:
        """Start the process and wait for its import.

        Raises UsageError, naming file and line, when it cannot be imported or is no function, and
        for settings that it does not take.
        """
        try:
            self._start()
        except Lost as lost:
            raise UsageError(f"cannot import {self.name!r}: {lost}") from None

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        words = [sys.executable, "-P", "-c", f"import {__name__} as k; k.serve({theirs.fileno()})"]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._ready = select.poll()  # Connection.poll makes one each time
        self._ready.register(self._pipe.fileno(), select.POLLIN)
        answer = self._ask(self._job | {"path": sys.path}, max(START, self.timeout), "to import")
        if "usage" in answer:
            self.kill()
            raise UsageError(answer["usage"])

    def __call__(self, record: Record | str, changes: Sequence[str] = ()) -> dict[str, Any]:
        """What the function gives for a record, with `changes` of its settings for this call."""
        if self._process is None:
            self._start()
        question = record if isinstance(record, str) else dict(record)
        answer = self._ask((question, list(changes)), self.timeout, "for this record")
        if "bad" in answer:
            raise DataError(answer["bad"])
        return answer["made"]

    def _ask(self, question: Any, seconds: float, what: str) -> dict[str, Any]:
        try:
            self._pipe.send_bytes(pickle.dumps(question, pickle.HIGHEST_PROTOCOL))
            if self._ready.poll(seconds * 1000):
                return parse(self._pipe.recv_bytes(LARGEST))
            reason = f"took longer than {seconds:g} s {what}, and was killed"
        except (EOFError, OSError, ValueError):
            reason = "its process died"
        except BaseException:
            self.kill()  # an answer that nobody waited for must not be the next record's
            raise
        self.kill()
        raise Lost(reason)

    def close(self) -> None:
        """Let the process end by itself, then kill what is left of it."""
        if self._process is not None:
            self._pipe.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END)
            self.kill()

    def kill(self) -> None:
        """Kill the process and all that it started."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self._pipe.close()


def as_number(value: Any) -> float:
    """A finite number. Raises Unfit for everything else, texts that look like one too."""
    if isinstance(value, (str, bytes, bytearray)) or not hasattr(value, "__float__"):
        raise Unfit(f"{short(value)}, which is no number")
    try:
        number = float(value)
    except Exception as error:  # a tensor of two, 10**400
        raise Unfit(f"{short(value)}, which is no number ({one_line(error)})") from None
    if not math.isfinite(number):
        raise Unfit(f"{number}, which is no number to go by")
    return number


def short(value: Any) -> str:
    """It, in a line."""
    try:
        return _plain(" ".join(repr(value).split())[:80])
    except Exception:
        return f"a {type(value).__name__}"


def one_line(error: BaseException) -> str:
    """An exception in one line."""
    try:
        text = " ".join(str(error).split())[:500]
    except Exception:
        text = "(its message cannot be shown)"
    if not isinstance(error, Unfit):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return _plain(text)


def _plain(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def place(error: BaseException) -> str:
    """The file and line of whoever raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


# --- in the process itself -------------------------------------------------------------------


def serve(fd: int) -> None:
    """Answer until the pipe closes, and end with all that was started here."""
    try:
        _serve(fd)
    finally:
        atexit._run_exitfuncs()
        os.killpg(0, signal.SIGKILL)


def _serve(fd: int) -> None:
    from swr1.streams import standard
    from swr1.terminal import guard

    standard.repair()
    guard()
    standard.reserve()
    pipe = Connection(fd)
    threading.Thread(target=_end_with_parent, args=(fd,), daemon=True).start()
    job = pipe.recv()
    sys.path += [folder for folder in job["path"] if folder and folder not in sys.path]
    try:
        function, options = _open(job)
    except SwrError as error:
        pipe.send_bytes(_packed({"usage": _plain(str(error))}))
        return
    module, _, name = job["convert"].partition(":")
    convert = getattr(importlib.import_module(module), name)
    pipe.send_bytes(_packed({"ready": True}))
    while True:
        try:
            record, changes = pipe.recv()
        except EOFError:
            return
        try:
            changed = parse_options(function, changes) if changes else {}
            given = function(record, **(options | changed))
        except BaseException as error:  # whatever a stranger's code raises, sys.exit too
            given = error
        pipe.send_bytes(_answer(given, convert, job["name"]))


def _answer(given: Any, convert: Callable[[Any, str], dict[str, Any]], name: str) -> bytes:
    try:
        try:
            return _packed({"made": convert(given, name)})
        except Unfit as error:
            return _packed({"made": convert(error, name)})
    except DataError as error:
        return _packed({"bad": _plain(error.reason)})


def _packed(answer: dict[str, Any]) -> bytes:
    try:
        return pack(answer, orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"what cannot stand in a record: {one_line(error)}") from None


def _open(job: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    function = Registry(*job["registry"]).get(job["name"])
    if prepare := preparation(function):
        prepare()
    return function, parse_options(function, job["settings"])


def preparation(function: Any) -> Callable[[], None] | None:
    """What a built-in one's module does first in a process of its own, if it wants one."""
    ours = getattr(function, "__module__", "").startswith("swr1.")
    return getattr(sys.modules[function.__module__], "prepare", None) if ours else None


def _end_with_parent(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, 0)  # POLLHUP is always reported
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        time.sleep(0.1)
    time.sleep(END)
    os.killpg(0, signal.SIGKILL)
