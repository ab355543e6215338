"""Does the answer stand in passages of two different documents?

    swr1 verify support rollouts.jsonl
    swr1 verify exact support reliability rollouts.jsonl --set reliability.needs=support

One document can say anything; two that agree are harder to plant. The answer is looked for word by
word, so what a policy concludes from a passage without quoting it has no support.
"""

from swr1.errors import UsageError
from swr1.passages import document_of, with_text
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.builtin.exact import given
from swr1.verifiers.completions.strings import normalize
from swr1.verifiers.completions.text import assistant_text
from swr1.verifiers.verdicts import null, verdict

BY = "support@1"
LABELS = {"supported": 1, "unsupported": 0, "unread": 0}
NEEDS = "generation.turns with passages that have a text"


def verify(record: Record, *, documents: int = 2) -> Verdict:
    """A verdict: "supported" (score 1.0), "unsupported" or, without an answer, "unread" (0.0).

    Args:
        documents: how many must have the answer's words.

    `detail.documents` lists those that do. The score is null where no passage was read, as when a
    policy answers from what it knows. Raises UsageError for fewer than one document.
    """
    if documents < 1:
        raise UsageError(f"support.documents is at least 1, not {documents}")
    read = with_text(record)
    if not read:
        return null(BY, "no passage was read")
    answers, _ = given(assistant_text(record), whole=False)
    if not answers:
        return verdict(BY, 0.0, "unread", documents=[])
    answer = f" {normalize(answers[-1])} "
    found = {document_of(p) for p in read if answer in f" {normalize(p['text'])} "}
    enough = len(found) >= documents
    return verdict(
        BY, float(enough), "supported" if enough else "unsupported", documents=sorted(found)
    )
