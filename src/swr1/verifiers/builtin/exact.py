"""Is the answer one of the accepted ones, word for word?

    swr1 verify exact rollouts.jsonl

Both are normalised as in SQuAD's evaluation (see `completions.strings`): case, articles, punctuation and
spacing do not count. What counts is the last \\boxed{} after the thinking, else the text in
<answer> tags; all of them must agree. `f1` is the lenient one of the pair.
"""

from swr1.errors import DataError
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.completions.answers import boxed, final_text, other_task, tagged, written_answer
from swr1.verifiers.completions.strings import normalize
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.verdicts import null, verdict

BY = "exact@1"
LABELS = {"correct": 1, "wrong": 0, "unreadable": 0}
NEEDS = "answer: an accepted text, or a list of them"
LENIENT = "whole=true"


def verify(record: Record, *, whole: bool = False, prefill: str = "") -> Verdict:
    """A verdict: "correct" (score 1.0), "wrong" or "unreadable" (0.0).

    Args:
        record: has `completion` and `answer`, an accepted text or a list of them.
        whole: without a box or <answer>, take all that follows the thinking.
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `reason` (unreadable: no-answer, thinking-unclosed; wrong: hedge), `read`,
    `truncated`. The score is null for another task and without an accepted answer. Raises DataError
    without a completion, or for an answer that is no text.
    """
    text = assistant_text(record, prefill)
    golds = accepted(record)
    if isinstance(golds, str):
        return null(BY, golds)
    answers, why = given(text, whole)
    right = False
    if answers:
        forms = {normalize(one) for one in answers}
        why = "hedge" if len(forms) > 1 else None
        right = len(forms) == 1 and forms <= {normalize(gold) for gold in golds}
    label = "correct" if right else "wrong" if answers else "unreadable"
    read = answers[-1] if answers else None
    return verdict(BY, float(right), label, reason=why, read=read, truncated=is_truncated(record))


def gold(record: Record) -> str:
    """The first accepted answer."""
    golds = accepted(record)
    return written_answer("" if isinstance(golds, str) else golds[0])


def accepted(record: Record) -> list[str] | str:
    """The accepted answers; or why there is nothing to judge by."""
    if reason := other_task(record, "qa", "math", "choice"):
        return reason
    answer = record.get("answer")
    golds = answer if isinstance(answer, list) else [] if answer is None else [answer]
    if not all(isinstance(gold, str | int | float) for gold in golds):
        raise DataError(
            f"record {record.get('id')!r}: 'answer' must be a text or a list of accepted texts,"
            f" it is {str(answer)[:80]}"
        )
    texts = [str(gold) for gold in golds if str(gold).strip()]
    return texts or "the record has no answer"


def given(text: str, whole: bool) -> tuple[list[str], str | None]:
    """Everything that is given as the answer, or nothing and why."""
    final = final_text(text)
    if final is None:
        return [], "thinking-unclosed"
    answers = [*(t for t in tagged(final) if "\\boxed" not in t), *boxed(final)]
    answers = answers or [final] * whole
    answers = [one for one in answers if one.strip()]
    return answers, None if answers else "no-answer"
