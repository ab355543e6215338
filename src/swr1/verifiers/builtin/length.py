"""Is the completion as long as it should be?

    swr1 verify length rollouts.jsonl --set length.max=512
    swr1 verify length rollouts.jsonl --set length.unit=characters --set length.min=200

Between `min` and `max` the score is 1. Outside, over a soft edge, it falls to 0 in a straight line
(as DAPO's soft overlong punishment does, arXiv 2503.14476), so that a policy feels which way to go.
"""

from swr1.errors import UsageError
from swr1.records import Record
from swr1.registry import check_known
from swr1.types import Verdict
from swr1.verifiers.completions.text import INVISIBLE, assistant_text, is_truncated
from swr1.verifiers.verdicts import null, verdict

BY = "length@1"
LABELS = {"ok": 1, "short": (0, 1), "long": (0, 1), "truncated": 0}
NEEDS = "generation.token_ids, or length.unit=characters"
UNITS = ("tokens", "characters")


def verify(
    record: Record,
    *,
    unit: str = "tokens",
    min: int = 0,
    max: int = 1024,
    edge: int = 0,
    truncated: bool = False,
    prefill: str = "",
) -> Verdict:
    """A verdict: "ok" (score 1.0), or "short", "long" or "truncated" (less, down to 0.0).

    Args:
        record: has `completion`, and `generation.token_ids` where tokens are counted.
        unit: "tokens", as the policy wrote them, or "characters" (not counting white space and
            invisible ones) of the whole turn.
        min: the least length, inclusive.
        max: the greatest length, inclusive; 0 for none.
        edge: over how many units outside the score falls from 1 to 0; 0 for at once.
        truncated: accept a completion that was cut at its limit; else it scores 0.
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `length`, `unit`, `truncated`. The score is null where tokens are asked for and
    the record has none. Raises DataError without a completion, UsageError for impossible settings.
    """
    check_known("unit", unit, UNITS)
    if min < 0 or max < 0 or edge < 0 or (max and min > max):
        raise UsageError(
            f"length asks for 0 <= min <= max and an edge >= 0, not {min}, {max}, {edge}"
        )
    text = assistant_text(record, prefill)
    if unit == "characters":
        length = sum(not char.isspace() and ord(char) not in INVISIBLE for char in text)
    else:
        generation = record.get("generation") or {}
        tokens = generation.get("token_ids")
        if tokens is None:
            return null(BY, "the record has no generation.token_ids: count characters instead")
        # inserted text (search results) is not the policy's
        length = sum(generation.get("loss_mask") or [1] * len(tokens))
    outside = min - length if length < min else length - max if max and length > max else 0
    label = "ok" if not outside else "short" if length < min else "long"
    score = 1.0 if not outside else 1 - outside / (edge + 1) if outside <= edge else 0.0
    cut = is_truncated(record)
    if cut and not truncated:
        score, label = 0.0, "truncated"
    return verdict(BY, score, label, length=length, unit=unit, truncated=cut)
