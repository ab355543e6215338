"""Does the response show good values? A judge by a prompt file, or a classifier trained by swr1.

    swr1 verify value rollouts.jsonl --guard Qwen/Qwen2.5-7B-Instruct              # prompt "value"
    swr1 verify value rollouts.jsonl --guard runs/value-guard                      # good, bad

Labels: good, bad; the score is P(good), 1 or 0 where there are no probabilities. An answer without
text is bad.
"""

from __future__ import annotations

from typing import Any

from swr1.verifiers.models.opening import ModelVerifier, open_model
from swr1.verifiers.models.options import opener

SCORES = {"good": 1.0, "bad": 0.0}


@opener
def open(**options: Any) -> ModelVerifier:
    """The verifier on a model; options as in `models.opening.open_model`."""
    return open_model("value", SCORES, "bad", "value", **options)


def verify(record: dict, **options: Any) -> dict[str, Any]:
    """The verdict on one record; `open` is for many. Options and errors are those of `open`."""
    return open.one(record, **options)
