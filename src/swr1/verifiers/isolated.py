"""A verifier in a process of its own: other people's, and ours that call a parser which may hang.

One that raises, hangs or dies, or gives what is no verdict, never becomes a silent zero: its verdict
has a null score and says why. A verifier of ours asks for such a process by a function `prepare` in
its module, which that process calls first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swr1.errors import DataError
from swr1.killable import Killable, Lost, Unfit, as_number, short, told
from swr1.records import Record
from swr1.registry import Registry

REGISTRY = Registry("verifier", "swr1.verifiers", "verify", "builtin")


class KillableVerifier:
    """Its verdict on a record, whatever becomes of it. Raises DataError for a bad record.

    Args: as killable.Killable.
    """

    def __init__(self, name: str, settings: Iterable[str], timeout: float) -> None:
        self._run = Killable(
            REGISTRY, name, settings, convert=f"{__name__}:as_verdict", timeout=timeout
        )
        self.name = name

    def start(self) -> None:
        """Import it now. Raises UsageError where that cannot be."""
        self._run.start()

    def __call__(self, record: Record) -> dict[str, Any]:
        try:
            return self._run(record)
        except Lost as lost:
            return _null(self.name, str(lost))

    def close(self) -> None:
        self._run.close()


def _null(name: str, reason: str) -> dict[str, Any]:
    return {"score": None, "label": None, "detail": {}, "by": name, "error": reason}


def as_verdict(given: Any, name: str) -> dict[str, Any]:
    """A verdict from what a user's function gave: a verdict, a number, true/false, or None.

    What it raised, or gave instead, is the reason of a null verdict. Raises DataError that it raised.
    """
    if isinstance(given, DataError):
        raise given
    if isinstance(given, Unfit):
        return _null(name, f"it gave {given}")
    if isinstance(given, BaseException):
        return _null(name, told(given))
    if given is None:
        return _null(name, "the verifier returned None")
    if not isinstance(given, dict):
        score = as_number(given)
        return {"score": score, "label": f"{score:g}", "detail": {}, "by": name}
    if "score" not in given:
        raise Unfit(f"{short(given)}, which is no verdict: it has no score")
    if given["score"] is None:
        return _null(name, "it says nothing") | given
    score = as_number(given["score"])
    label = given.get("label", str(given["score"]))
    if not (label is None or isinstance(label, str)):
        raise Unfit(f"a label that is no text: {short(label)}")
    return {"detail": {}, "by": name} | given | {"score": score, "label": label}
