"""A key/value cache whose rows come and go while all of them share one clock.

Every row writes its next token to the same column, so a step is one slice assignment however long
the rows are. A row owns the columns from its `start` on; what lies before is padding, hidden by
the attention mask. Storage grows ahead of the clock (concatenating per step, as transformers'
dynamic cache does, copies everything for every token).

For GPUs, and for models with attention windows; on CPUs `cohorts` has less to read.

Layers that keep a state instead of keys (Mamba, gated delta nets, short convolutions), or both, have
transformers' own layer for it. Padding would go into a state, so then prompts are taken in by runs
of one length (`RunCache`); after that all rows step together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import cache_utils
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    LinearAttentionLayer,
)

from swr1.engines.hf.call import NO_PICTURES, Call, Pictured

# Of a layer that keeps nothing; transformers before 5.23 has no such layer.
DummyLayer: type[CacheLayerMixin] = getattr(cache_utils, "DummyLayer", CacheLayerMixin)


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

    def select(self, rows: Tensor, first: int, length: int) -> None:
        """Keep these rows, and of their columns those from `first` on."""
        if not self.is_initialized:  # it reads another layer's
            return
        self.keys = self.keys[:, :, first : self.length].index_select(0, rows)
        self.values = self.values[:, :, first : self.length].index_select(0, rows)
        self.length -= first

    def join(self, other: _Layer, length: int) -> None:
        """Put the rows of `other` below these, the last columns of both at `length`."""
        if not self.is_initialized:
            return
        self.keys = _stack(self.keys, self.length, other.keys, other.length, length)
        self.values = _stack(self.values, self.length, other.values, other.length, length)
        self.length = length


def _room(old: Tensor, length: int, end: int) -> Tensor:
    rows, heads, _, size = old.shape
    new = old.new_empty(rows, heads, end + max(64, length // 2), size)
    new[:, :, :length] = old[:, :, :length]
    return new


class _State(LinearAttentionLayer):
    """What a recurrent layer or a convolution remembers of each row."""

    def __init__(self, states: int) -> None:
        super().__init__(number_of_states=states)

    def select(self, rows: Tensor, first: int, length: int) -> None:
        self.reorder_cache(rows)

    def join(self, other: _State, length: int) -> None:
        for mine, theirs in (
            (self.conv_states, other.conv_states),
            (self.recurrent_states, other.recurrent_states),
        ):
            for i, old in mine.items():
                if old is not None:
                    mine[i] = torch.cat([old, theirs[i]])


class _Both(_State, _Layer):
    """Keys and values beside a state."""

    def __init__(self, states: int) -> None:
        _Layer.__init__(self)
        LinearAttentionLayer.__init__(self, number_of_states=states)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        LinearAttentionLayer.reorder_cache(self, beam_idx)

    def select(self, rows: Tensor, first: int, length: int) -> None:
        _State.select(self, rows, first, length)
        _Layer.select(self, rows, first, length)

    def join(self, other: _Both, length: int) -> None:  # type: ignore[override]
        _State.join(self, other, length)
        _Layer.join(self, other, length)


class _Nothing(DummyLayer):
    """Of a layer that keeps nothing."""

    def select(self, rows: Tensor, first: int, length: int) -> None:
        """Nothing."""

    def join(self, other: _Nothing, length: int) -> None:
        """Nothing."""


def _layers(config: Any) -> list[Any] | None:
    """A layer of ours for each of the model's; None where all keep keys and values, or nothing.

    Raises ValueError for one that keeps what we do not know.
    """
    ours: list[Any] = []
    for theirs in DynamicCache(config=config).layers:
        kind = type(theirs)
        if kind in (DynamicLayer, DynamicSlidingWindowLayer):
            ours.append(_Layer())
        elif kind is DummyLayer:
            ours.append(_Nothing())
        elif kind is LinearAttentionLayer:
            ours.append(_State(theirs.number_of_states))
        elif kind in (
            LinearAttentionAndFullAttentionLayer,
            LinearAttentionAndSlidingWindowAttentionLayer,
        ):
            ours.append(_Both(theirs.number_of_states))
        else:
            raise ValueError(f"it keeps a {kind.__name__}")
    return ours if any(isinstance(layer, _State) for layer in ours) else None


def has_states(config: Any) -> bool:
    """Whether padding could go into what a layer remembers."""
    try:
        return _layers(config) is not None
    except ValueError:
        return True


class RowCache(Cache):
    """The cache a model's forward takes, with `start` [rows]: the first column of each row.

    `context` is how many positions the model has: who is finished and still here goes no further.
    """

    eager = False  # who is finished leaves in quarters of the batch: all others are copied then

    def __init__(self, start: Tensor, context: int, config: Any = None) -> None:
        """`config`: of a model that has layers with a state. Raises ValueError for unknown ones."""
        layers = _layers(config) if config else None
        if layers:
            super().__init__(layers=layers)
        else:
            super().__init__(layer_class_to_replicate=_Layer)
        self.start, self.context, self.config = start, context, config
        self.offset = torch.zeros_like(start)
        self.length = self.new = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns before this pass; also where no layer has any."""
        return self.length - self.new

    def advance(self, new: int) -> dict[str, Any]:
        """What the model is called with for the next pass, beside its ids [rows, new]."""
        self.length, self.new = self.length + new, new
        columns = torch.arange(self.length, device=self.start.device)
        positions = columns[self.length - new :] - (self.start - self.offset)[:, None]
        if self.layers and all(type(layer) is _State for layer in self.layers):
            return {"use_cache": True, "state": self}  # no columns, no positions
        return {
            "position_ids": positions.clamp(0, self.context - 1),
            "attention_mask": columns >= self.start[:, None],  # where a row may look
            "use_cache": True,
            "state": self,
        }

    def prefill(self, call: Call, ids: Tensor, pictured: Pictured | None = None) -> Tensor:
        """Take in the prompts [rows, columns], padded on the left; logits [rows, V] after them."""
        options = self.advance(ids.shape[1])
        if pictured:
            options |= pictured.options
            self.offset = pictured.offset
        return call(ids, **options)

    def step(self, call: Call, last: Tensor) -> Tensor:
        """Take in a token [rows] of each; logits [rows, V] after it."""
        return call(last[:, None], **self.advance(1))

    def share(self, owner: Tensor) -> None:
        """Copy each prompt's row to its samples: `owner` names the row that each sample gets."""
        self.select(owner)

    def leave(self, alive: Tensor) -> Tensor:
        """Drop the rows not alive; returns the old numbers [rows] of the others."""
        remaining = alive.nonzero()[:, 0]
        self.select(remaining)
        return remaining

    def select(self, rows: Tensor) -> None:
        """Keep these rows (one may be named repeatedly), without the columns none of them owns."""
        start = self.start[rows]
        first = int(start.min()) if len(rows) else self.length
        for layer in self.layers:
            layer.select(rows, first, self.length)
        self.start, self.length = start - first, self.length - first
        self.offset = self.offset[rows]

    def append(self, other: RowCache) -> None:
        """Add the rows of `other` below these, their last columns brought to the same clock."""
        length = max(self.length, other.length)
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.join(theirs, length)
        shifted = [c.start + (length - c.length) for c in (self, other)]
        self.start = torch.cat(shifted)
        self.offset = torch.cat([self.offset, other.offset])
        self.length = length


class RunCache(RowCache):
    """The same where no row may be padded when it is taken in."""

    def prefill(self, call: Call, ids: Tensor, pictured: Pictured | None = None) -> Tensor:
        if pictured:
            raise ValueError(NO_PICTURES)
        runs, order, logits = [], [], []
        for first in self.start.unique().tolist():
            rows = (self.start == first).nonzero()[:, 0]
            run = RowCache(torch.zeros_like(rows), self.context, self.config)
            options = run.advance(ids.shape[1] - first)
            options.pop("attention_mask", None)
            logits.append(call(ids[rows, first:], **options))
            runs.append(run)
            order.append(rows)
        whole, *others = runs
        for run in others:
            whole.append(run)
        whole.select(torch.cat(order).argsort())
        self.layers, self.start, self.length = whole.layers, whole.start, whole.length
        self.offset = whole.offset
        return torch.cat(logits)[torch.cat(order).argsort()]


def _stack(a: Tensor, a_length: int, b: Tensor, b_length: int, length: int) -> Tensor:
    # zeros: a masked column still takes part in the product, and 0 times garbage may be NaN
    new = a.new_zeros(a.shape[0] + b.shape[0], a.shape[1], length, a.shape[3])
    new[: a.shape[0], :, length - a_length :] = a[:, :, :a_length]
    new[a.shape[0] :, :, length - b_length :] = b[:, :, :b_length]
    return new
