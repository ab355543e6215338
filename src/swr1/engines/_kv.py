"""A key/value cache whose rows come and go while all of them share one clock.

Every row writes its next token to the same column, so a step is one slice assignment however long
the rows are. A row owns the columns from its `start` on; what lies before is padding, hidden by
the attention mask. Storage grows ahead of the clock (concatenating per step, as transformers'
dynamic cache does, copies everything for every token).

For GPUs, and for models with attention windows; on CPUs `_cohorts` has less to read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class _Layer(DynamicLayer):
    """Keys and values [rows, heads, columns, head size]; those beyond `length` are room to grow."""

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = False
        self.length = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args, **kwargs
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:  # the first call brings the prompts: nothing to join them to
            self.keys, self.values, self.length = key_states, value_states, key_states.shape[2]
            self.is_initialized = True
            return key_states, value_states
        end = self.length + key_states.shape[2]
        if end > self.keys.shape[2]:
            self.keys = _room(self.keys, self.length, end)
            self.values = _room(self.values, self.length, end)
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0


def _room(old: Tensor, length: int, end: int) -> Tensor:
    rows, heads, _, size = old.shape
    new = old.new_empty(rows, heads, end + max(64, length // 2), size)
    new[:, :, :length] = old[:, :, :length]
    return new


class RowCache(Cache):
    """The cache a model's forward takes, with `start` [rows]: the first column of each row.

    `context` is how many positions the model has: who is finished and still here goes no further.
    """

    eager = False  # who is finished leaves in quarters of the batch: all others are copied then

    def __init__(self, start: Tensor, context: int) -> None:
        super().__init__(layer_class_to_replicate=_Layer)
        self.start, self.context = start, context

    @property
    def length(self) -> int:
        return self.layers[0].length if self.layers else 0

    def advance(self, new: int) -> dict[str, Any]:
        """What the model is called with for the next pass, beside its ids [rows, new]."""
        columns = torch.arange(self.length + new, device=self.start.device)
        positions = columns[self.length :] - self.start[:, None]
        return {
            "position_ids": positions.clamp(0, self.context - 1),
            "attention_mask": columns >= self.start[:, None],  # where a row may look
            "use_cache": True,
            "past_key_values": self,
        }

    def share(self, owner: Tensor) -> None:
        """Give the rows to those who own them: `owner` names the row that each gets."""
        self.select(owner)

    def leave(self, alive: Tensor) -> Tensor:
        """Drop the rows not alive; returns the old numbers [rows] of the others."""
        kept = alive.nonzero()[:, 0]
        self.select(kept)
        return kept

    def select(self, rows: Tensor) -> None:
        """Keep these rows (one may be named repeatedly), without the columns none of them owns."""
        start = self.start[rows]
        first = int(start.min()) if len(rows) else self.length
        for layer in self.layers:
            layer.keys = layer.keys[:, :, first : layer.length].index_select(0, rows)
            layer.values = layer.values[:, :, first : layer.length].index_select(0, rows)
            layer.length -= first
        self.start = start - first

    def append(self, other: RowCache) -> None:
        """Add the rows of `other` below these, their last columns brought to the same clock."""
        length = max(self.length, other.length)
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.keys = _stack(mine.keys, mine.length, theirs.keys, theirs.length, length)
            mine.values = _stack(mine.values, mine.length, theirs.values, theirs.length, length)
        shifted = [c.start + (length - c.length) for c in (self, other)]
        self.start = torch.cat(shifted)
        for mine in self.layers:
            mine.length = length


def _stack(a: Tensor, a_length: int, b: Tensor, b_length: int, length: int) -> Tensor:
    # zeros: a masked column still takes part in the product, and 0 times garbage may be NaN
    new = a.new_zeros(a.shape[0] + b.shape[0], a.shape[1], length, a.shape[3])
    new[: a.shape[0], :, length - a_length :] = a[:, :, :a_length]
    new[a.shape[0] :, :, length - b_length :] = b[:, :, :b_length]
    return new
