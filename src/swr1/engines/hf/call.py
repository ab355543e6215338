"""A causal language model as the caches call it: ids in, the logits of the next token out."""

import inspect
from typing import Any

from torch import Tensor

# The names that architectures have for the state that is kept between two calls.
STATES = ("past_key_values", "cache_params", "state")


class Call:
    """`call(ids [rows, new], **options)` -> [rows, V].

    `state` is handed over by the model's own name for it; what its forward does not take is left out
    (a model without positions has no `position_ids`).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        taken = inspect.signature(model.forward).parameters
        self.names = set(taken)
        self.any = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        self.state = next((name for name in STATES if name in self.names), None)

    def __call__(self, ids: Tensor, **options: Any) -> Tensor:
        return self.whole(ids, **options)[0]

    def whole(self, ids: Tensor, **options: Any) -> tuple[Tensor, Any]:
        """The logits, and the state that the model returned."""
        if "state" in options:
            options[self.state or "past_key_values"] = options.pop("state")
        given = {k: v for k, v in options.items() if self.any or k in self.names}
        if "logits_to_keep" in self.names:
            given["logits_to_keep"] = 1
        out = self.model(input_ids=ids, **given)
        return out.logits[:, -1], getattr(out, self.state, None) if self.state else None
