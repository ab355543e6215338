"""Logic-RL's reward (arXiv 2502.14768): +-1 for the format, +2, -1.5 or -2 for the answer.

| format | answer     | reward |
| ------ | ---------- | ------ |
| ok     | correct    |  3     |
| ok     | wrong      | -0.5   |
| ok     | unreadable | -1     |
| bad    | not looked at | -3  |

swr1 verify format knights rollouts.jsonl | swr1 reward logic-rl
"""

from __future__ import annotations

from typing import Any

from swr1.errors import DataError
from swr1.records import Record

NEEDS = ("format", "knights")


def reward(
    record: Record,
    *,
    format_ok: float = 1.0,
    format_bad: float = -1.0,
    answer_right: float = 2.0,
    answer_wrong: float = -1.5,
    answer_unreadable: float = -2.0,
) -> dict[str, Any]:
    """{"reward": number, "reward_parts": {"format": ..., "answer": ...}}.

    With a bad format the answer counts as unreadable, whatever its verdict. A verdict that could
    not judge gives {"reward": None, "error": why}, unless it is the answer's and does not count.

    Raises DataError for a missing verdict, or a label that `verify knights` does not give.
    """
    verdicts = record.get("verdicts") or {}
    form, answer = verdicts.get("format"), verdicts.get("knights")
    if form is None or answer is None:
        raise DataError(
            f"record {record.get('id')!r} has no verdict {NEEDS[form is not None]!r}:"
            f" run `swr1 verify {' '.join(NEEDS)}` first"
        )
    if form.get("score") is None:
        return _null("format", form)
    well_formed = form["score"] > 0
    if not well_formed:
        value = answer_unreadable
    elif answer.get("score") is None:
        return _null("knights", answer)
    else:
        values = {"correct": answer_right, "wrong": answer_wrong, "unreadable": answer_unreadable}
        if answer.get("label") not in values:
            raise DataError(
                f"record {record.get('id')!r}: the verdict 'knights' has the label"
                f" {answer.get('label')!r}, not one of {', '.join(values)}"
            )
        value = values[answer["label"]]
    form_value = format_ok if well_formed else format_bad
    return {
        "reward": form_value + value,
        "reward_parts": {
            "format": {"value": form_value, "weight": 1.0},
            "answer": {"value": value, "weight": 1.0},
        },
    }


def _null(name: str, verdict: dict) -> dict[str, Any]:
    why = verdict.get("error") or "no reason given"
    return {"reward": None, "reward_parts": {}, "error": f"{name}: {why}"}
