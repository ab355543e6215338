"""Does the response say how sure it is, and is it sure only where it is right?

    swr1 verify exact reliability rollouts.jsonl

It reads the last `<confidence>7</confidence>`, from 0 to 10; beyond the threshold it is sure. Whether
it is right is the verdict of a rule that came before. Reliable (score 1) is right and sure, and
wrong and not sure. Source: Deliberative Searcher, arXiv 2507.16727, as others describe it.
"""

from __future__ import annotations

import re

from swr1.errors import UsageError
from swr1.records import RIGHT_OR_WRONG, Record
from swr1.types import Verdict
from swr1.verifiers.completions.text import assistant_text
from swr1.verifiers.verdicts import null, verdict

BY = "reliability@1"
LABELS = {"right-sure": 1, "right-unsure": 0, "wrong-unsure": 1, "wrong-sure": 0, "unstated": 0}
NEEDS = "a verdict that says what is right (exact, f1, math, ...)"
SCALE = 10.0
_STATED = re.compile(r"<confidence>\s*(\d{1,3}(?:\.\d{1,6})?)\s*</confidence>")


def verify(record: Record, *, right: str = "", threshold: float = 5.0, needs: str = "") -> Verdict:
    """The verdict; `confidence` is the one stated, 0 to 1.

    Args:
        right: the verdict that says what is right; "" takes the first of RIGHT_OR_WRONG with a score.
        threshold: of 10; a confidence beyond it is sure.
        needs: verdicts without whose score 1 no answer counts as sure, with commas: support, injection.
            A null one holds nothing back. The confidence is then the threshold at most.

    Raises UsageError for a threshold that is none.
    """
    if not 0 <= threshold < SCALE:
        raise UsageError(f"reliability.threshold is from 0 to below 10, not {threshold}")
    verdicts = record.get("verdicts") or {}
    judged = [n for n in RIGHT_OR_WRONG if (verdicts.get(n) or {}).get("score") is not None]
    name = right or next(iter(judged), "")
    score = (verdicts.get(name) or {}).get("score")
    if score is None:
        return null(
            BY, f"no verdict says whether it is right: it has {', '.join(verdicts) or 'none'}"
        )
    is_right = float(score) >= 1
    detail = {"right": is_right, "threshold": threshold}
    stated = _STATED.findall(assistant_text(record))
    confidence = float(stated[-1]) if stated else None
    if confidence is None or confidence > SCALE:
        return verdict(BY, 0.0, "unstated", **detail)
    for name in filter(None, needs.split(",")):
        if name not in verdicts:
            raise UsageError(
                f"reliability.needs: no verdict {name!r}: name it before `reliability`"
            )
        held_back = verdicts[name].get("score")
        if held_back is not None and held_back < 1:
            confidence = min(confidence, threshold)
    sure = confidence > threshold
    label = f"{'right' if is_right else 'wrong'}-{'sure' if sure else 'unsure'}"
    return verdict(BY, float(is_right == sure), label, **detail) | {
        "confidence": confidence / SCALE
    }
