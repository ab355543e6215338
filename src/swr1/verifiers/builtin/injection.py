"""Do the passages that were read give orders, such as "ignore the instructions above"?

    swr1 verify injection rollouts.jsonl

It judges what tools gave, not what the policy made of it: sentences shaped like instructions to the
reader, by a few patterns in English and Chinese (swr1/injected.py).
"""

from swr1.injected import order_in
from swr1.passages import name_of, with_text
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.verdicts import null, verdict

BY = "injection@1"
LABELS = {"clean": 1, "flagged": 0}
NEEDS = "generation.turns with passages that have a text"


def verify(record: Record) -> Verdict:
    """A verdict: "clean" (score 1.0), or "flagged" (0.0) where a passage gives an order.

    `detail.flagged` lists the passages that do: `id` and the `sentence`. The score is null where no
    passage was read.
    """
    read = with_text(record)
    if not read:
        return null(BY, "no passage was read")
    orders = [(p, order_in(f"{p.get('title') or ''}\n{p['text']}")) for p in read]
    flagged = [{"id": name_of(p), "sentence": order} for p, order in orders if order]
    return verdict(BY, float(not flagged), "flagged" if flagged else "clean", flagged=flagged)
