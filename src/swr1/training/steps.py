"""Reasoning steps with labels, out of records: what a process model learns from.

* a completion with a verdict that has steps: `verdicts.steps` (swr1 verify steps) has a label for each,
  `verdicts.values` (swr1 label-steps) a number from 0 to 1 for each in one dimension or several.
* a completion with `verdicts.trace`, as `swr1 verify trace` judges it: the lines between <think> and
  </think>, right up to the first wrong one; what follows it has no label (as in PRM800K).
* `info.steps`, as `swr1 trace --steps` writes it: a list of {"text", "ok"}, the steps of `info.trace`
  (or, without a trace, of the turn that they make line by line). `ok` may be null: not judged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from swr1.errors import DataError
from swr1.prompts import assistant_text
from swr1.records import Record
from swr1.steps import StepRule, steps_in

STEPS, VALUES = "steps", "values"  # verdicts that have steps
WORTH = {"right": True, "wrong": False}


class Labelled(NamedTuple):
    """A turn and its steps.

    `right`: whether each step is right, None where nobody says. `ends`: where each ends in the turn
    (characters). `rule`: the step rule that split them, None where it is not known. `values`: per
    step what each dimension is worth, where the record has that.
    """

    turn: str
    steps: list[str]
    right: list[bool | None]
    ends: list[int]
    rule: str | None
    values: list[dict[str, float]]


def labelled_steps(record: Record, verdict: str = "") -> Labelled | str:
    """The turn, its steps, and whether each is right; or the reason why there are none.

    Args:
        verdict: the only verdict that is looked at; "": `steps`, else `trace`, else info.steps.

    Raises DataError for steps of another shape, and for a step that its turn does not hold.
    """
    verdicts = record.get("verdicts") or {}
    given = verdicts.get(verdict or STEPS)
    if "completion" in record and isinstance(given, dict):
        return _of_places(record, given, steps_in(record, verdict or STEPS) or [])
    if verdict:
        return f"no verdict {verdict!r} (swr1 verify steps, swr1 label-steps)"
    detail = (verdicts.get("trace") or {}).get("detail")
    if "completion" in record and detail:
        return _of_trace(record, detail)
    info = record.get("info") or {}
    steps = info.get("steps")
    if not steps:
        return "neither verdicts.steps (swr1 verify steps) nor info.steps (swr1 trace --steps)"
    texts = [step["text"] for step in steps]
    turn = info.get("trace") or "\n".join(texts)
    return _of_texts(turn, texts, [step["ok"] for step in steps])


def _of_places(
    record: Record, verdict: dict[str, Any], places: list[dict[str, Any]]
) -> Labelled | str:
    if verdict.get("score") is None:
        return f"a verdict that is null: {str(verdict.get('error'))[:80]}"
    detail = verdict.get("detail") or {}
    turn = assistant_text(record)
    opened = len(turn) - len(record["completion"])
    if places and places[-1]["end"] > len(record["completion"]):
        return "a verdict on another completion"
    texts = [turn[p["start"] + opened : p["end"] + opened] for p in places]
    return Labelled(
        turn,
        [text.strip() for text in texts],
        [WORTH.get(p.get("label", "")) for p in places],
        [p["start"] + opened + len(t.rstrip()) for p, t in zip(places, texts, strict=True)],
        detail.get("rule"),
        [p.get("values") or {} for p in places],
    )


def _of_trace(record: Record, detail: dict[str, Any]) -> Labelled | str:
    if detail["unread"]:
        return "a line that the verifier trace could not read"
    turn = assistant_text(record)
    reasoning = turn.partition("</think>")[0].partition("<answer>")[0].rpartition("<think>")[2]
    lines = [line.strip() for line in reasoning.splitlines() if line.strip()]
    if len(lines) != detail["steps"]:
        return "a verdict on another completion"
    wrong = len(lines) if detail["wrong_step"] is None else detail["wrong_step"]
    return _of_texts(turn, lines, [k < wrong if k <= wrong else None for k in range(len(lines))])


def _of_texts(turn: str, texts: list[str], right: list[bool | None]) -> Labelled:
    """Of steps whose places are not known: each stands behind the one before it."""
    cursor = 0
    ends = []
    for text in texts:
        begin = turn.find(text, cursor)
        if begin < 0 or not text:
            raise DataError(f"the step {text!r} is not in the turn, behind the step before it")
        cursor = begin + len(text)
        ends.append(cursor)
    lines = [step.content for step in StepRule("line").split(turn)]
    rule = "line" if lines == [text.strip() for text in texts] else None
    return Labelled(turn, texts, right, ends, rule, [{}] * len(texts))
