"""Is the reasoning about a Knights & Knaves puzzle sound, step by step?

    swr1 verify trace rollouts.jsonl                       # for policies that learned from traces
    swr1 verify trace rollouts.jsonl --set trace.strict=true

The lines between <think> and </think> are read as steps of the styles in `swr1.puzzles.traces`, and
the checker there judges each by what stands before it. `swr1 verify steps` gives a verdict on each.
"""

from swr1.puzzles.checker import REASONS
from swr1.puzzles.item import puzzle_of
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.builtin import knights
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.steps.puzzles import judge_lines

BY = "trace@1"
LABELS = {"sound": 1, "unsound": 0}
NEEDS = "a puzzle: answer, info.statements"


def verify(record: Record, *, strict: bool = False, prefill: str = "") -> Verdict:
    """A verdict: "sound" (score 1.0), "unsound" (0.0), or "unread" (null) if no line is a step.

    Sound reasoning has no wrong step, comes to a conclusion, and <answer> says the same. Lines that
    are no steps are left out of account, unless `strict`.

    Args:
        record: a puzzle (`task`, `answer`, `info.statements`) with a `completion`.
        strict: a line that cannot be read is a wrong step.
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `steps` (lines), `unread` (how many could not be read or judged), `right` (the
    share of right ones among the judged), `wrong_step` (the first wrong line, from 0, or null),
    `reason` (a key of checker.REASONS, "no-conclusion", "answer", or null), `message` (the same in
    words, with the line), `answer` (the label of the verifier `knights`), `truncated`.

    Raises DataError for a record that holds no puzzle or no completion.
    """
    text = assistant_text(record, prefill)
    puzzle = puzzle_of(record)
    lines = [line.strip() for line in _reasoning(text).splitlines() if line.strip()]
    verdicts, checker = judge_lines(puzzle, lines)
    judged = [verdict for verdict in verdicts if verdict.ok is not None]
    answer = knights.verify(record, prefill=prefill)["label"]

    faults = (k for k, v in enumerate(verdicts) if v.ok is False or (strict and v.ok is None))
    wrong = next(faults, None)
    reason = message = None
    if wrong is not None:
        reason = verdicts[wrong].reason
        message = f"{lines[wrong]!r}: {REASONS[reason]}"
    elif checker.concluded is None:
        reason, message = "no-conclusion", "it comes to no conclusion"
    elif answer != "correct":
        reason, message = "answer", "the answer is not what it concludes"

    label = "unread" if not judged and not strict else "unsound" if reason else "sound"
    verdict: Verdict = {
        "score": {"unread": None, "unsound": 0.0, "sound": 1.0}[label],
        "label": label,
        "detail": {
            "steps": len(lines),
            "unread": len(lines) - len(judged),
            "right": sum(v.ok is True for v in judged) / len(judged) if judged else None,
            "wrong_step": wrong,
            "reason": reason,
            "message": message,
            "answer": answer,
            "truncated": is_truncated(record),
        },
        "by": BY,
    }
    if label == "unread":
        verdict["error"] = "no line of the reasoning is a step that swr1.puzzles.traces knows"
    return verdict


def gold(record: Record) -> str:
    """The trace that the puzzle came with (`swr1 gen-puzzles --trace`, `swr1 trace`)."""
    return str((record.get("info") or {}).get("trace") or "")


def _reasoning(text: str) -> str:
    """What stands between <think> and </think>; either may be missing."""
    return text.partition("</think>")[0].partition("<answer>")[0].rpartition("<think>")[2]
