"""A causal language model as the caches call it: ids in, the logits of the next token out."""

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swr1.vision import SeenPicture, Vision

NO_PICTURES = "this way of completing takes no pictures"
# The names that architectures have for the state that is kept between two calls.
STATES = ("past_key_values", "cache_params", "state")


class Pictured(NamedTuple):
    """What prompts with pictures are taken in with, beside their ids.

    Attributes:
        options: pixels and, of some architectures, positions [3, prompts, columns], for the model.
        offset: [prompts] what a later token's position lies beyond its place in the sequence.
    """

    options: dict[str, Any]
    offset: Tensor


def lay(
    prompts: Sequence[tuple[Sequence[int], Sequence[SeenPicture]]],
    device: torch.device,
    vision: Vision | None = None,
) -> tuple[Tensor, Tensor, Pictured | None]:
    """Expanded prompts, each with its pictures, as a cache takes them in: ids [prompts, columns] padded
    on the left, the first column [prompts] of each, and what the pictures need (None without any).
    """
    width = max(len(ids) for ids, _ in prompts)
    table = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, (ids, _) in enumerate(prompts):
        table[row, width - len(ids) :] = torch.tensor(ids)
    start = torch.tensor([width - len(ids) for ids, _ in prompts], device=device)
    pictures = [picture for _, some in prompts for picture in some]
    if not (vision and pictures):
        return table.to(device), start, None
    options = vision.tensors(pictures, device)
    offset = torch.zeros_like(start)
    places = torch.zeros(3, len(prompts), width, dtype=torch.long)
    for row, (ids, some) in enumerate(prompts):
        own = torch.tensor(ids)
        vision.check(own, some)
        if vision.spatial:
            places[:, row, width - len(ids) :] = positions = vision.positions(own, some)
            offset[row] = int(positions.max()) + 1 - len(ids)
    if vision.spatial:
        options["position_ids"] = places.to(device)
    return table.to(device), start, Pictured(options, offset)


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
