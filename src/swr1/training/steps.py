"""Reasoning steps with labels, out of records: what a process model learns from.

* `info.steps`, as `swr1 trace --steps` writes it: a list of {"text", "ok"}, the steps of `info.trace`
  (or, without a trace, of the turn that they make line by line). `ok` may be null: not judged.
* a completion with `verdicts.trace`, as `swr1 verify trace` judges it: the lines between <think> and
  </think>, right up to the first wrong one; what follows it has no label (as in PRM800K).
"""

from swr1.prompts import assistant_text
from swr1.records import Record


def labelled_steps(record: Record) -> tuple[str, list[str], list[bool | None]] | str:
    """The turn, its steps, and whether each is right; or the reason why there are none.

    A completion goes before a trace.
    """
    detail = ((record.get("verdicts") or {}).get("trace") or {}).get("detail")
    if "completion" in record and detail:
        return _judged(record, detail)
    info = record.get("info") or {}
    steps = info.get("steps")
    if not steps:
        return "neither info.steps (swr1 trace --steps) nor verdicts.trace (swr1 verify trace)"
    texts = [step["text"] for step in steps]
    return info.get("trace") or "\n".join(texts), texts, [step["ok"] for step in steps]


def _judged(record: Record, detail: dict) -> tuple[str, list[str], list[bool | None]] | str:
    if detail["unread"]:
        return "a line that the verifier trace could not read"
    turn = assistant_text(record)
    reasoning = turn.partition("</think>")[0].partition("<answer>")[0].rpartition("<think>")[2]
    lines = [line.strip() for line in reasoning.splitlines() if line.strip()]
    if len(lines) != detail["steps"]:
        return "a verdict on another completion"
    wrong = len(lines) if detail["wrong_step"] is None else detail["wrong_step"]
    return turn, lines, [k < wrong if k <= wrong else None for k in range(len(lines))]
