"""Turns the value that a verifier returns into a verdict, the same way for all verifiers."""

import math
from functools import lru_cache
from typing import Any

from swr1.errors import DataError
from swr1.killable import Unfit, as_number, one_line, place, short
from swr1.types import Verdict
from swr1.verifiers.declared import Vocabulary, declaration

MAY_GIVE = 'True or False, a number, {"score": ..., "label": ...}, or None'


def null(by: str, reason: str, **detail: Any) -> Verdict:
    """The verdict of a verifier that could not judge, and why."""
    return {"score": None, "label": None, "detail": detail, "by": by, "error": reason}


def verdict(by: str, score: float, label: str, **detail: Any) -> Verdict:
    """The verdict of a verifier that could."""
    return {"score": score, "label": label, "detail": detail, "by": by}


def as_verdict(given: Any, name: str) -> Verdict:
    """The verdict in the value that the verifier `name` returned: a verdict, a number, true or false, or None.

    A number gets the label that its file declares for it. What is no verdict, has a label or a score
    that the file does not declare, or was raised instead, becomes a null verdict that says so.
    Raises DataError that was raised.
    """
    if isinstance(given, DataError):
        raise given
    if isinstance(given, BaseException) and not isinstance(given, Unfit):
        return null(name, f"{one_line(given)} ({place(given)})")
    if given is None:
        return null(name, "the verifier returned None")
    try:
        if isinstance(given, Unfit):
            raise given
        return _checked(given, name)
    except Unfit as error:
        file = name if ".py:" in name else declaration(name).file or name
        return null(name, f"it gave {error}; {file} may give {MAY_GIVE}")


def _checked(given: Any, name: str) -> Verdict:
    """A verdict that may be written. Raises Unfit."""
    made = given if isinstance(given, dict) else {"score": given}
    if "score" not in made:
        raise Unfit(f"{short(given)}, which is no verdict: it has no score")
    if not isinstance(made.get("detail"), dict | None):
        raise Unfit(f"a detail that is no object: {short(made['detail'])}")
    if made["score"] is None:
        return made if "error" in made else null(name, "it says nothing") | made  # type: ignore[return-value]
    exact = type(made["score"]) is float and math.isfinite(made["score"])
    score = made["score"] if exact else as_number(made["score"])
    vocabulary = _vocabulary(name)
    label = made["label"] if "label" in made else _label(score, vocabulary)
    if not (label is None or isinstance(label, str)):
        raise Unfit(f"a label that is no text: {short(label)}")
    if vocabulary:
        _fits(label, score, vocabulary)
    if exact and "label" in made and "detail" in made and "by" in made:
        return made  # type: ignore[return-value]
    filled: dict[str, Any] = {"score": score, "label": label, "detail": {}, "by": name}
    return filled | made | {"score": score, "label": label}  # type: ignore[return-value]


def _label(score: float, vocabulary: Vocabulary | None) -> str:
    label = vocabulary.label_of(score) if vocabulary else None
    if label is None and vocabulary and not vocabulary.open:
        raise Unfit(f"{score:g} and no label, and its LABELS have not just one for this score")
    return label or f"{score:g}"


def _fits(label: str | None, score: float, vocabulary: Vocabulary) -> None:
    """Raises Unfit unless the verifier declares such a verdict."""
    bounds = vocabulary.allowed(label)
    if bounds is None:
        known = ", ".join(vocabulary.labels)
        raise Unfit(f"the label {label!r}, which is not in its LABELS ({known})")
    if not bounds[0] <= score <= bounds[1]:
        raise Unfit(
            f"the score {score:g} with the label {label!r}, for which its LABELS have"
            f" {bounds[0]:g} to {bounds[1]:g}"
        )


@lru_cache(maxsize=256)
def _vocabulary(name: str) -> Vocabulary | None:
    return declaration(name).vocabulary
