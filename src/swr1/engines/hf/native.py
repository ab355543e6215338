"""Completing with the state that an architecture itself keeps between two calls, and without any.

    cache = Native(start)            # as `caches.RowCache`
    cache.prefill(call, ids)         # the prompts, in groups of one length: nothing is padded
    cache.share(owner)
    cache.step(call, last)           # group by group

`Native` holds what the model's forward returns: a cache of transformers, lists of states, or states
that it leaves in its modules. All rows of a group have the same length from beginning to end, so it does
not matter how the architecture counts positions, and no mask is needed. `Recompute` reads every sequence
from its beginning for every token; it is right for all that is causal, and slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

from swr1.engines.hf.call import NO_PICTURES, Call, Pictured


@dataclass
class _Group:
    """Rows of one length: their numbers, the state that the model returns, and that in its modules."""

    rows: Tensor
    state: Any
    held: dict[tuple[str, str], Tensor]

    def select(self, index: Tensor) -> None:
        """Keep these of the group's rows (one may be named repeatedly)."""
        count = len(self.rows)
        self.state = _select(self.state, index, count)
        self.held = {key: _select(value, index, count) for key, value in self.held.items()}


def _select(state: Any, index: Tensor, count: int) -> Any:
    """Rows `index` of all that belongs to `count` rows, however deep it lies."""
    if isinstance(state, Tensor):
        per_row = state.ndim > 0 and len(state) == count
        return state.index_select(0, index.to(state.device)) if per_row else state
    if isinstance(state, (Cache, EncoderDecoderCache)):
        state.reorder_cache(index)
    elif isinstance(state, dict):
        for key, value in state.items():
            state[key] = _select(value, index, count)
    elif isinstance(state, (list, tuple)):
        return type(state)([_select(value, index, count) for value in state])
    elif hasattr(state, "__dict__") and not isinstance(state, type):
        for key, value in vars(state).items():
            if isinstance(value, (Tensor, dict, list, tuple)):
                setattr(state, key, _select(value, index, count))
    return state


class Native:
    """`start` [prompts] is the first column of each prompt, as for `caches.RowCache`."""

    eager = True  # only groups that a row leaves are copied

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.groups: list[_Group] = []

    def prefill(self, call: Call, ids: Tensor, pictured: Pictured | None = None) -> Tensor:
        if pictured:
            raise ValueError(NO_PICTURES)
        parts = []
        for first in self.start.unique().tolist():
            rows = (self.start == first).nonzero()[:, 0]
            given = {}
            if call.state == "past_key_values" and call.model.config.get_text_config().use_cache:
                given["state"] = DynamicCache(config=call.model.config)
            logits, state = call.whole(ids[rows, first:], use_cache=True, **given)
            state = given.get("state") if state is None else state
            if state is None:
                raise ValueError("it returns no state to go on from")
            self.groups.append(_Group(rows, state, _held(call.model, len(rows))))
            parts.append(logits)
        return self._arranged(parts)

    def step(self, call: Call, last: Tensor) -> Tensor:
        parts = []
        for group in self.groups:
            for (name, key), value in group.held.items():
                setattr(call.model.get_submodule(name), key, value)
            ids = last[group.rows][:, None]
            logits, state = call.whole(ids, state=group.state, use_cache=True)
            group.state = group.state if state is None else state  # some change it in place
            group.held = _held(call.model, len(group.rows))
            parts.append(logits)
        return self._arranged(parts)

    def _arranged(self, parts: list[Tensor]) -> Tensor:
        whole = torch.cat(parts)
        out = torch.empty_like(whole)
        out[torch.cat([g.rows for g in self.groups])] = whole
        return out

    def share(self, owner: Tensor) -> None:
        self._regroup([(owner == row).nonzero()[:, 0] for row in range(int(owner.max()) + 1)])

    def leave(self, alive: Tensor) -> Tensor:
        remaining = alive.nonzero()[:, 0]
        numbers = alive.cumsum(0) - 1
        self._regroup([numbers[i : i + 1][alive[i : i + 1]] for i in range(len(alive))])
        return remaining

    def _regroup(self, new: list[Tensor]) -> None:
        """`new`: for each row the numbers that it has from now on, none, one or several."""
        for group in self.groups:
            mine = [new[row] for row in group.rows.tolist()]
            counts = torch.tensor([len(x) for x in mine], device=self.start.device)
            index = torch.arange(len(mine), device=self.start.device).repeat_interleave(counts)
            if len(index) != len(mine) or bool((counts != 1).any()):
                group.select(index)
            group.rows = torch.cat(mine)
        self.groups = [g for g in self.groups if len(g.rows)]

    def append(self, other: Native) -> None:
        count = sum(len(g.rows) for g in self.groups)
        for group in other.groups:
            group.rows = group.rows + count
        self.groups += other.groups


def _held(model: Any, count: int) -> dict[tuple[str, str], Tensor]:
    """States of `count` rows that a forward pass left in the model's modules."""
    return {
        (name, key): value
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if "state" in key and isinstance(value, Tensor) and value.ndim > 1 and len(value) == count
    }


class Recompute:
    """The sequences themselves, read again for every token."""

    eager = True

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.texts: list[Tensor] = []

    def prefill(self, call: Call, ids: Tensor, pictured: Pictured | None = None) -> Tensor:
        if pictured:
            raise ValueError(NO_PICTURES)
        self.texts = [row[first:] for row, first in zip(ids, self.start.tolist(), strict=True)]
        return self._logits(call)

    def step(self, call: Call, last: Tensor) -> Tensor:
        self.texts = [torch.cat([t, x[None]]) for t, x in zip(self.texts, last, strict=True)]
        return self._logits(call)

    def _logits(self, call: Call) -> Tensor:
        lengths = torch.tensor([len(t) for t in self.texts])
        parts, order = [], []
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero()[:, 0]
            ids = torch.stack([self.texts[i] for i in rows.tolist()])
            parts.append(call(ids, use_cache=False))
            order.append(rows)
        whole = torch.cat(parts)
        return whole[torch.cat(order).argsort().to(whole.device)]

    def share(self, owner: Tensor) -> None:
        self.texts = [self.texts[i] for i in owner.tolist()]

    def leave(self, alive: Tensor) -> Tensor:
        remaining = alive.nonzero()[:, 0]
        self.share(remaining)
        return remaining

    def append(self, other: Recompute) -> None:
        self.texts += other.texts
