"""How much of an accepted answer do the words given share? The F1 of SQuAD's evaluation.

    swr1 verify f1 rollouts.jsonl

The harmonic mean of precision and recall over words (over characters in Chinese), as bags, the best
over the accepted answers. What is read as the answer, and how it is normalised, is as in `exact`.
"""

from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.builtin import exact
from swr1.verifiers.builtin.exact import accepted, given
from swr1.verifiers.completions.strings import normalize, word_f1
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.verdicts import null, verdict

BY = "f1@1"
LABELS = {"correct": (0, 1), "wrong": (0, 1), "unreadable": 0}
NEEDS = "answer: an accepted text, or a list of them"
LENIENT = "whole=true"


def verify(
    record: Record, *, right: float = 1.0, whole: bool = False, prefill: str = ""
) -> Verdict:
    """A verdict whose score is the F1, 0..1; "correct" from `right` on, else "wrong".

    Args:
        record: has `completion` and `answer`, an accepted text or a list of them.
        right: the F1 from which the label is "correct".
        whole: without a box or <answer>, take all that follows the thinking.
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `reason` (unreadable: no-answer, thinking-unclosed; wrong: hedge), `read`,
    `truncated`. Different boxed answers are a hedge, with score 0. The score is null, and DataError
    is raised, as in `exact`.
    """
    text = assistant_text(record, prefill)
    golds = accepted(record)
    if isinstance(golds, str):
        return null(BY, golds)
    answers, why = given(text, whole)
    score = 0.0
    if len({normalize(one) for one in answers}) > 1:
        why = "hedge"
    elif answers:
        score = max(word_f1(answers[-1], gold) for gold in golds)
    label = "unreadable" if not answers else "correct" if score >= right else "wrong"
    read = answers[-1] if answers else None
    return verdict(BY, score, label, reason=why, read=read, truncated=is_truncated(record))


def gold(record: Record) -> str:
    """The first accepted answer, as for `exact`."""
    return exact.gold(record)
