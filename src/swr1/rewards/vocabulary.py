"""What a verdict can say: the labels of each verifier, and between which bounds its numbers lie.

A recipe is checked against this when it is loaded: a misspelt label would otherwise never match,
and nobody would notice. Verdicts of other verifiers are told in the recipe itself:

    [verdict.tone]
    labels = ["friendly", "rude"]
    score = [0, 1]

    [verdict.second-guard]
    like = "safety"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swr1.registry import suggest

Bounds = tuple[float, float]
FIELDS = ("label", "score", "confidence")
OTHER = "(another)"  # stands for a label that nobody listed


@dataclass(frozen=True)
class Vocabulary:
    """What one verdict can say.

    Args:
        labels: label -> bounds of the score that comes with it.
        confidence: its bounds, or None where the verdict has none.
        open: whether it may have labels that are not listed, with the score between `score`.
    """

    labels: Mapping[str, Bounds] = field(default_factory=dict)
    confidence: Bounds | None = None
    open: bool = False
    score: Bounds = (0.0, 1.0)

    def states(self, named: set[str] | None = None) -> list[tuple[str, Bounds]]:
        """(label, bounds of the score): all there are, of those not in `named` only one of each
        bounds, since nothing tells them apart."""
        states, seen = [], set()
        for label, bounds in self.labels.items():
            if named is None or label in named:
                states.append((label, bounds))
            elif bounds not in seen:
                seen.add(bounds)
                states.append((label, bounds))
        if self.open and self.score not in seen:
            states.append((OTHER, self.score))
        return states

    def bounds(self, which: str) -> Bounds:
        """The bounds of "score" or "confidence" over all labels."""
        if which == "confidence":
            return self.confidence or (0.0, 1.0)
        all_ = [b for _, b in self.states()] or [self.score]
        return min(low for low, _ in all_), max(high for _, high in all_)


_ANSWER = Vocabulary({"correct": (1, 1), "wrong": (0, 0), "unreadable": (0, 0)})
_ANY = (0.0, 1.0)

KNOWN: dict[str, Vocabulary] = {
    "format": Vocabulary(
        {
            "ok": (1, 1),
            **dict.fromkeys(
                "missing-tag repeated-tag odd-tag tag-order outside-text no-reasoning placeholder"
                " short-reasoning copied empty-answer".split(),
                (0, 0),
            ),
        },
    ),
    "knights": _ANSWER,
    "math": _ANSWER,
    # of several right options some, where `incomplete` gives something for that
    "choice": Vocabulary({"correct": (1, 1), "wrong": (0, 0.5), "unreadable": (0, 0)}),
    "exact": _ANSWER,
    # from which F1 on it is "correct" is an option of the verifier
    "f1": Vocabulary({"correct": _ANY, "wrong": _ANY, "unreadable": (0, 0)}),
    "trace": Vocabulary({"sound": (1, 1), "unsound": (0, 0)}),
    "refusal": Vocabulary({"compliance": (0, 0), "partial": (0.5, 0.5), "refusal": (1, 1)}),
    "safety": Vocabulary(
        dict.fromkeys(("safe", "needless-refusal", "controversial", "unsafe"), _ANY), _ANY
    ),
    "value": Vocabulary(dict.fromkeys(("good", "bad"), _ANY), _ANY),
    "knowledge": Vocabulary(
        dict.fromkeys(
            ("correct-certain", "correct-uncertain", "wrong-uncertain", "wrong-certain"), _ANY
        ),
        _ANY,
    ),
    # a reward model's number has no bounds: a part that reads it needs a clip
    "helpful": Vocabulary({}, open=True, score=(-math.inf, math.inf)),
    "length": Vocabulary(dict.fromkeys(("ok", "short", "long", "truncated"), _ANY)),
    "language": Vocabulary(dict.fromkeys(("ok", "mixed", "other"), _ANY)),
    "repetition": Vocabulary(dict.fromkeys(("ok", "repetitive", "loop"), _ANY)),
    "village": Vocabulary({}, open=True),
}


def declared(tables: Any, bad: Any) -> dict[str, Vocabulary]:
    """KNOWN and the `[verdict.NAME]` tables of a recipe; `bad(message, name)` makes the error."""
    known = dict(KNOWN)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise bad("a verdict is a table with `labels` and `score`, or `like`", name)
        for key in table.keys() - {"like", "labels", "score", "confidence"}:
            raise bad(f"unknown key {key!r}", name)
        if "like" in table:
            known[name] = look_up(known, table["like"], lambda text, name=name: bad(text, name))
            continue
        score = _bounds(table.get("score", [0, 1]), name, bad)
        labels = dict.fromkeys(table.get("labels", ()), score)
        confidence = _bounds(table["confidence"], name, bad) if "confidence" in table else None
        known[name] = Vocabulary(labels, confidence, open=not labels, score=score)
    return known


def look_up(known: Mapping[str, Vocabulary], name: str, bad: Any) -> Vocabulary:
    """The vocabulary of a verdict; `bad(message)` makes the error for one nobody told of."""
    if name not in known:
        raise bad(
            f"no verdict is called {name!r}.{suggest(name, known)} Known: {', '.join(sorted(known))};"
            f" tell of your own with a table [verdict.{name}]"
        )
    return known[name]


def check_label(known: Mapping[str, Vocabulary], name: str, label: Any, bad: Any) -> None:
    """Whether the verdict `name` can have this label; `bad(message)` makes the error."""
    vocabulary = look_up(known, name, bad)
    if not vocabulary.open and label not in vocabulary.labels:
        raise bad(
            f"the verdict {name!r} has no label {label!r}.{suggest(str(label), vocabulary.labels)}"
            f" It has: {', '.join(vocabulary.labels)}"
        )


def _bounds(value: Any, name: str, bad: Any) -> Bounds:
    right = isinstance(value, list) and len(value) == 2
    if not right or not all(type(x) in (int, float) for x in value) or value[0] > value[1]:
        raise bad(f"bounds are [lowest, highest], not {value!r}", name)
    return float(value[0]), float(value[1])
