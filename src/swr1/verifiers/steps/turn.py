"""A record's turn and its steps, and the verdict that judged steps make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.records import INSERTED, Record
from swr1.steps import Step, StepRule
from swr1.types import Verdict
from swr1.verifiers.verdicts import null

RIGHT, WRONG = "right", "wrong"
UNREAD = "unread"  # it may state something that its judge cannot read
UNJUDGED = "unjudged"  # it states nothing, or its judge said nothing


class Judged(NamedTuple):
    """What a judge says of one step.

    `score`: how likely it is right, from 0 to 1, where known; `values`: the same for each dimension
    of a model that has several.
    """

    label: str
    why: str = ""
    score: float | None = None
    values: dict[str, float] | None = None


class Turn(NamedTuple):
    """The assistant's whole turn; `opened`: how many of its characters stand in the prompt."""

    text: str
    opened: int
    steps: list[Step]
    rule: StepRule


def turn_of(record: Record, rule: StepRule, prefill: str = "") -> Turn:
    """The turn of a record with its completion whole: what tools gave is in no step.

    Raises DataError when there is no completion.
    """
    completion = record.get("completion")
    if not isinstance(completion, str):
        raise DataError(
            f"record {record.get('id')!r} has no 'completion' to judge: `swr1 rollout` adds it"
        )
    generation = record.get("generation") or {}
    told = generation.get("prefill")
    opening = prefill if told is None else told
    foreign = [
        (a + len(opening), b + len(opening))
        for turn in generation.get("turns") or ()
        if turn.get("kind") in INSERTED
        for a, b in [turn["characters"]]
    ]
    text = opening + completion
    return Turn(text, len(opening), rule.split(text, foreign), rule)


def verdict_of(by: str, turn: Turn, judged: Sequence[Judged], scored: str, **more: Any) -> Verdict:
    """The verdict: `score` by `scored`, one of SCORES; null where no step was judged.

    Places in `detail.steps` are characters of `completion`.
    """
    right = [j.label == RIGHT for j in judged if j.label in (RIGHT, WRONG)]
    first = next((n for n, j in enumerate(judged) if j.label == WRONG), None)
    detail: dict[str, Any] = {
        "rule": str(turn.rule),
        "steps": [
            {
                "start": max(0, step.start - turn.opened),
                "end": max(0, step.end - turn.opened),
                "label": j.label,
            }
            | ({} if j.score is None else {"score": round(j.score, 6)})
            | ({"values": {k: round(v, 6) for k, v in j.values.items()}} if j.values else {})
            | ({"why": j.why} if j.why else {})
            for step, j in zip(turn.steps, judged, strict=True)
        ],
        "first_wrong": first,
        "judged": len(right),
        "right": sum(right) / len(right) if right else None,
        **more,
    }
    if not right:
        reasons = sorted({j.why for j in judged if j.why})
        reason = reasons[0] if reasons else "no step states what can be judged"
        return null(by, reason if judged else "the turn has no thinking, so no steps", **detail)
    before = len(judged) if first is None else first
    score = {
        "share": sum(right) / len(right),
        "before": before / len(judged),
        "all": float(all(right)),
    }[scored]
    return {
        "score": score,
        "label": WRONG if first is not None else RIGHT,
        "detail": detail,
        "by": by,
    }


SCORES = ("share", "before", "all")
