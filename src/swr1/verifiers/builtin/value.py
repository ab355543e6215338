"""Does the response show good values? A judge by a prompt file, or a classifier trained by swr1.

    swr1 verify value rollouts.jsonl --guard Qwen/Qwen2.5-7B-Instruct              # prompt "value"
    swr1 verify value rollouts.jsonl --guard runs/value-guard                      # good, bad

Labels: good, bad; the score is P(good), 1 or 0 where there are no probabilities. An answer without
text is bad.
"""

from typing import Any

from swr1.types import Verdict
from swr1.verifiers.models.asking import ModelVerifier
from swr1.verifiers.models.opening import open_model
from swr1.verifiers.models.options import ModelOptions, opener

LABELS = {"good": (0, 1), "bad": (0, 1)}
NEEDS = "a model: --guard"


@opener
def open(**options: Any) -> ModelVerifier:
    """The verifier on a model; options as in `models.options.ModelOptions`."""
    return open_model("value", LABELS, "bad", "value", ModelOptions(**options))


def verify(record: dict, **options: Any) -> Verdict:
    """The verdict on one record; `open` is for many. Options and errors are those of `open`."""
    return open.one(record, **options)
