"""A verifier in a process of its own: other people's, and ours that call a parser which may hang.

One that raises, hangs or dies never becomes a silent zero: its verdict has a null score and says
why, and the next record gets a fresh process. A verifier of ours asks for such a process by a
function `prepare` in its module, which that process calls first.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

from swr1.errors import DataError
from swr1.records import Record
from swr1.registry import Registry

REGISTRY = Registry("verifier", "swr1.verifiers", "verify")


class Killable:
    """A verifier in a process of its own, which is killed when one record takes too long."""

    def __init__(self, name: str, options: dict[str, Any], timeout: float) -> None:
        self.name, self.options, self.timeout = name, options, timeout
        self._process: Any = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self.name, self.options), daemon=True
        )
        self._process.start()
        theirs.close()
        self._answer(60.0, "to start")

    def _answer(self, seconds: float, what: str) -> dict[str, Any]:
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
            reason = f"took longer than {seconds:g} s {what}, and was killed"
        except EOFError:
            reason = "its process died"
        self.kill()
        return _null(self.name, reason)

    def __call__(self, record: Record) -> dict[str, Any]:
        if self._process is None:
            self._start()
        if self._process is None:
            return _null(self.name, "its process did not start")
        self._pipe.send(dict(record))
        verdict = self._answer(self.timeout, "for this record")
        if "bad_record" in verdict:
            raise DataError(verdict["bad_record"])
        return verdict

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _null(name: str, reason: str) -> dict[str, Any]:
    return {"score": None, "label": None, "detail": {}, "by": name, "error": reason}


def _serve(pipe: Any, name: str, options: dict[str, Any]) -> None:
    """The killable process: verdicts for records until the pipe closes."""
    function = REGISTRY.get(name)
    if prepare := preparation(function):
        prepare()
    pipe.send({"ready": True})
    while True:
        try:
            record = pipe.recv()
        except EOFError:
            return
        try:
            verdict = _as_verdict(function(record, **options), name)
        except DataError as error:
            verdict = {"bad_record": error.reason}
        except Exception as error:  # whatever a stranger's code raises is its null verdict
            verdict = _null(name, f"{type(error).__name__}: {error}")
        pipe.send(verdict)


def preparation(function: Any) -> Callable[[], None] | None:
    """What a built-in verifier's module does first in a process of its own, if it wants one."""
    ours = function.__module__.startswith("swr1.")
    return getattr(sys.modules[function.__module__], "prepare", None) if ours else None


def _as_verdict(result: Any, name: str) -> dict[str, Any]:
    """A verdict from what a user's function gave: a verdict, a number, true/false, or None."""
    if isinstance(result, dict) and "score" in result:
        return {"label": str(result["score"]), "detail": {}, "by": name} | result
    if result is None:
        return _null(name, "the verifier returned None")
    return {"score": float(result), "label": f"{float(result):g}", "detail": {}, "by": name}
