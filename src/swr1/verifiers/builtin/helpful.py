"""Does the response help? A reward model, or a judge by a prompt file.

    swr1 verify helpful rollouts.jsonl --guard runs/rm                             # its number
    swr1 verify helpful rollouts.jsonl --guard Skywork/Skywork-Reward-V2-Qwen3-8B
    swr1 verify helpful rollouts.jsonl --guard big --url http://gpu1:8000/v1       # prompt "helpful"

A reward model's score is its number as it is (label "scored"): no scale is common to two of them. A
judge's label is one of helpful, partly, unhelpful, its score 0 to 1. An answer without text is
unhelpful where a judge would be asked; of a reward model it is null, since its scale has no zero.
"""

from typing import Any

from swr1.types import Verdict
from swr1.verifiers.models.asking import ModelVerifier
from swr1.verifiers.models.opening import open_model
from swr1.verifiers.models.options import ModelOptions, opener

LABELS = {  # a reward model's number has no bounds: a part that reads it needs a clip
    "helpful": (0, 1),
    "partly": (0, 1),
    "unhelpful": (0, 1),
    "*": (None, None),
}
NEEDS = "a model: --guard"


@opener
def open(**options: Any) -> ModelVerifier:
    """The verifier on a model; options as in `models.options.ModelOptions`."""
    return open_model("helpful", LABELS, "unhelpful", "helpful", ModelOptions(**options))


def verify(record: dict, **options: Any) -> Verdict:
    """The verdict on one record; `open` is for many. Options and errors are those of `open`."""
    return open.one(record, **options)
