"""Running several verifiers over records: ours in this process, other people's in killable ones.

A verifier that raises, hangs or dies never becomes a silent zero: its verdict has a null score and
says why, and the next record gets a fresh process. One of ours that calls a parser which may hang
asks for such a process too: its module has a function `prepare`, which that process calls first.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.records import Record
from swr1.registry import Registry, parse_options, suggest
from swr1.streams.reading import SUFFIXES

REGISTRY = Registry("verifier", "swr1.verifiers", "verify")


def split_names(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """`format knights a.jsonl b/` as (verifiers, files). Raises UsageError for neither."""
    names: list[str] = []
    for at, word in enumerate(words):
        if word in REGISTRY.names() or ".py:" in word:
            names.append(word)
        elif _is_file(word):
            return _some(names), list(words[at:])
        else:
            REGISTRY.get(word)  # raises, with a suggestion
    return _some(names), []


def _is_file(word: str) -> bool:
    looks = word == "-" or any(c in word for c in "*?[/") or word.endswith(SUFFIXES)
    return looks or Path(word).exists()


def _some(names: list[str]) -> list[str]:
    if not names:
        raise UsageError(f"name a verifier first: {', '.join(REGISTRY.names())}")
    return names


@contextmanager
def judges(
    names: Sequence[str], *, grader: str | None, timeout: float, settings: Sequence[str]
) -> Iterator[Callable[[Record], dict[str, Any]]]:
    """A function from a record to its verdicts by verifier name.

    Args:
        grader: given to the verifiers that take one, e.g. "published".
        timeout: seconds per record for a verifier that runs in a process of its own.
        settings: "VERIFIER.NAME=VALUE" pairs.
    """
    checks: dict[str, Callable[[Record], dict[str, Any]]] = {}
    workers: list[_Killable] = []
    loose = list(settings)
    for name in names:
        function = REGISTRY.get(name)
        mine = [s.partition(".")[2] for s in loose if s.startswith(f"{name}.")]
        loose = [s for s in loose if not s.startswith(f"{name}.")]
        if grader is not None:
            mine.append(f"grader={grader}")
        options = parse_options(function, mine)
        if function.__module__.startswith("swr1.") and _prepare(function) is None:
            checks[name] = partial(function, **options)
        else:
            worker = _Killable(name, options, timeout)
            workers.append(worker)
            checks[name.rpartition(":")[2] if ".py:" in name else name] = worker
    if loose:
        owner = loose[0].partition(".")[0]
        raise UsageError(f"cannot set {loose[0]!r}: no such verifier here.{suggest(owner, names)}")
    try:
        yield lambda record: {name: check(record) for name, check in checks.items()}
    finally:
        for worker in workers:
            worker.kill()


class _Killable:
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
    return {"score": None, "label": "unjudged", "detail": {}, "by": name, "error": reason}


def _serve(pipe: Any, name: str, options: dict[str, Any]) -> None:
    """The killable process: verdicts for records until the pipe closes."""
    function = REGISTRY.get(name)
    if prepare := _prepare(function):
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


def _prepare(function: Any) -> Callable[[], None] | None:
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
