"""Keys and values without padding between rows, and each prompt's once: the cache used on CPUs.

    if enable(model):
        cache = Cohorts(start)               # the prompts, padded on the left
        cache.prefill(call, ids)             # takes them in
        cache.share(owner)                   # gives them to their samples
        cache.step(call, last)               # and on, token by token

On a CPU a step's attention costs what it reads. So the sequences that start together, a cohort, have
tensors of their own: a sequence that starts later has no columns before its beginning. In a cohort each
sequence has written the same number of tokens, so these need no mask. A prompt's keys and values are
kept once and multiplied with the queries of all its samples in one product. A sequence that ends
leaves at once: the last one of its cohort takes its place, which moves one sequence, not all.

Attention is replaced through transformers' registry of attention functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from swr1.engines.hf.call import Call, Pictured
from swr1.vision import set_text_attention, text_attention

NAME = "swr1-cohorts"
GROW = 64  # columns added at a time: the copying stays a few hundredths of what is read anyway

Pair = tuple[Tensor, Tensor]


class _Cohort:
    """Sequences that started together.

    Attributes:
        prompts: for each layer keys and values [prompts, heads, prompt columns, head size].
        written: the same of what was written since, [rows, heads, columns, head size], room included.
        start: [prompts] the first column of each prompt; what lies before is padding.
        owner: [rows] the prompt of each sequence.
        offset: [prompts] what a token's position lies beyond its place (pictures take less room).
        steps: how many tokens of each sequence are in the cache after this pass.
    """

    def __init__(self, start: Tensor) -> None:
        self.start, self.steps = start, 0
        self.offset = torch.zeros_like(start)
        self.shared = False
        self.prompts: list[Pair] = []
        self.written: list[Pair] = []

    @property
    def columns(self) -> int:
        return self.prompts[0][0].shape[2]

    def share(self, owner: Tensor) -> None:
        """Give the prompts to their samples: `owner` [rows] names the prompt of each."""
        self.owner, self.shared = owner, True
        self._arrange()

    def _arrange(self) -> None:
        """Places [prompts x most samples] for the rows, so that a prompt's samples lie together."""
        seen = [0] * len(self.start)
        ranks = []
        for prompt in self.owner.tolist():
            ranks.append(seen[prompt])
            seen[prompt] += 1
        self.size, self.abreast = len(ranks), max(seen, default=0)
        self.place = self.owner * self.abreast + torch.tensor(ranks, dtype=torch.long)
        columns = torch.arange(self.columns)
        self.hidden = None
        if self.start.any():
            before = columns < self.start[:, None]
            self.hidden = torch.zeros(before.shape).masked_fill(before, float("-inf"))[
                :, None, None
            ]

    def positions(self) -> Tensor:
        """[rows] of the token that each writes next."""
        return (self.columns - self.start + self.offset)[self.owner] + self.steps - 1

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of one new token per row, whose key and value are taken in.

        query (scaled) [rows, heads, queries per head, size], key and value [rows, heads, 1, size];
        returns what query has.
        """
        keys, values = self._write(layer, key, value)
        prompt_keys, prompt_values = self.prompts[layer]
        before = self._together(query) @ prompt_keys.transpose(2, 3)
        if self.hidden is not None:
            before += self.hidden
        scores = torch.cat([self._apart(before, query), query @ keys.transpose(2, 3)], -1)
        weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
        of_prompt, of_written = weights.split([self.columns, self.steps], -1)
        out = self._apart(self._together(of_prompt) @ prompt_values, query)
        return out.add_(of_written @ values)

    def _write(self, layer: int, key: Tensor, value: Tensor) -> Pair:
        if self.steps == 1:
            self.written.append((_room(key), _room(value)))
        keys, values = self.written[layer]
        if self.steps > keys.shape[2]:
            keys, values = _room(keys[: self.size]), _room(values[: self.size])
            self.written[layer] = keys, values
        keys, values = (x[: self.size, :, : self.steps] for x in (keys, values))
        keys[:, :, -1:], values[:, :, -1:] = key, value
        return keys, values

    def _together(self, rows: Tensor) -> Tensor:
        """[rows, heads, queries, n] -> [prompts, heads, samples x queries, n], zeros in the gaps."""
        _, heads, queries, n = rows.shape
        spread = rows.new_zeros(len(self.start) * self.abreast, heads, queries, n)
        spread[self.place] = rows
        spread = spread.view(len(self.start), self.abreast, heads, queries, n).transpose(1, 2)
        return spread.reshape(len(self.start), heads, self.abreast * queries, n)

    def _apart(self, prompts: Tensor, like: Tensor) -> Tensor:
        """The inverse of `_together`, for rows of as many queries as `like` has."""
        _, heads, queries, _ = like.shape
        n = prompts.shape[-1]
        spread = prompts.view(len(self.start), heads, self.abreast, queries, n).transpose(1, 2)
        return spread.reshape(-1, heads, queries, n)[self.place]

    def leave(self, alive: list[bool]) -> list[int]:
        """Keep the rows that are alive; returns their old numbers in the new order."""
        order = _fill(alive)
        if len(order) == self.size:
            return order
        moved = [(new, old) for new, old in enumerate(order) if new != old]
        self.written = [_move(pair, moved, len(order)) for pair in self.written]
        self.owner = self.owner[order]
        used = set(self.owner.tolist())
        prompts = _fill([p in used for p in range(len(self.start))])
        if len(prompts) < len(self.start):
            moved = [(new, old) for new, old in enumerate(prompts) if new != old]
            pairs = [_move(pair, moved, len(prompts)) for pair in self.prompts]
            self.prompts = [(k[: len(prompts)], v[: len(prompts)]) for k, v in pairs]
            self.start, self.offset = self.start[prompts], self.offset[prompts]
            renamed = {old: new for new, old in enumerate(prompts)}
            self.owner = torch.tensor([renamed[p] for p in self.owner.tolist()])
        self._arrange()
        return order


def _room(old: Tensor) -> Tensor:
    rows, heads, columns, size = old.shape
    new = old.new_empty(rows, heads, columns + GROW, size)
    new[:, :, :columns] = old
    return new


def _fill(alive: list[bool]) -> list[int]:
    """The numbers of those alive, the last ones in the places of the others."""
    order = list(range(len(alive)))
    for i in range(len(alive) - 1, -1, -1):
        if not alive[i]:
            order[i] = order[-1]
            order.pop()
    return order


def _move(pair: Pair, moved: list[tuple[int, int]], count: int) -> Pair:
    """Copy rows within tensors of which `count` rows are used then; half empty ones are cut."""
    for x in pair:
        for new, old in moved:
            x[new] = x[old]
    if 2 * count <= len(pair[0]):
        return pair[0][:count].clone(), pair[1][:count].clone()
    return pair


class Cohorts:
    """A cache as `caches.RowCache` is: `start` [prompts] is the first column of each prompt."""

    eager = True  # who is finished leaves at once: that costs little

    def __init__(self, start: Tensor) -> None:
        self.cohorts = [_Cohort(start)]

    @property
    def shared(self) -> bool:
        return self.cohorts[0].shared

    def advance(self, new: int) -> dict[str, Any]:
        """What the model is called with for the next pass, beside its ids [rows, new]."""
        if self.shared:
            for cohort in self.cohorts:
                cohort.steps += 1
            positions = torch.cat([c.positions() for c in self.cohorts])[:, None]
            mask = torch.ones(1, 1, 1, 1, dtype=torch.bool)  # handed through: none is built
        else:
            start = self.cohorts[0].start[:, None]
            positions = (torch.arange(new) - start).clamp(min=0)
            mask = torch.arange(new) >= start
        return {
            "position_ids": positions,
            "attention_mask": mask,
            "use_cache": False,
            "cohorts": self,
        }

    def prefill(self, call: Call, ids: Tensor, pictured: Pictured | None = None) -> Tensor:
        options = self.advance(ids.shape[1])
        if pictured:
            options |= pictured.options
            self.cohorts[0].offset = pictured.offset
        return call(ids, **options)

    def step(self, call: Call, last: Tensor) -> Tensor:
        return call(last[:, None], **self.advance(1))

    def share(self, owner: Tensor) -> None:
        """Give the prompts to their samples: `owner` [rows] names the prompt of each."""
        self.cohorts[0].share(owner)

    def append(self, other: Cohorts) -> None:
        self.cohorts += other.cohorts

    def leave(self, alive: Tensor) -> Tensor:
        """Drop the rows not alive; returns the old numbers [rows] of the others as they lie now."""
        order: list[int] = []
        begin = 0
        for cohort in self.cohorts:
            part = alive[begin : begin + cohort.size].tolist()
            order += [begin + i for i in cohort.leave(part)]
            begin += len(part)
        self.cohorts = [c for c in self.cohorts if c.size]
        return torch.tensor(order, dtype=torch.long)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[rows, 1, heads, size] for query [rows, heads, 1, size]; fewer heads in key and value."""
        rows, heads, _, size = query.shape
        query = query.reshape(rows, key.shape[1], -1, size)
        sizes = [c.size for c in self.cohorts]
        parts = zip(self.cohorts, *(x.split(sizes) for x in (query, key, value)), strict=True)
        out = [cohort.attend(layer, q, k, v) for cohort, q, k, v in parts]
        return torch.cat(out).view(rows, 1, heads, size)


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    cohorts: Cohorts | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """What transformers calls in every layer; with prompts, or without a cache, it is its SDPA.

    training/packing.py has such a hook, too. They share no code but the call of SDPA: that one keeps
    the completions of a packed row apart, this one shares a prompt's keys and values.
    """
    if cohorts is not None and cohorts.shared:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        return cohorts.attend(module.layer_idx, query * scale, key, value), None
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if cohorts is not None:
        # contiguous, or each product of a later step would copy them
        cohorts.cohorts[0].prompts.append((key.contiguous(), value.contiguous()))
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **options
    )


def enable(model: Any) -> bool:
    """Let a transformers causal model take `Cohorts.advance()`, by its attention alone.

    False for one that cannot; it stays as it was. Whether the numbers are right is not known by
    this: `variants.choose` tries.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if text_attention(model) != "sdpa" or _windows(model.config.get_text_config()):
        return False
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    set_text_attention(model, NAME)
    return True


def disable(model: Any) -> None:
    """Take back what `enable` did."""
    set_text_attention(model, "sdpa")


def _windows(config: Any) -> bool:
    """Whether any layer sees a part of the past only."""
    if kinds := getattr(config, "layer_types", None):
        return set(kinds) != {"full_attention"}
    window = getattr(config, "sliding_window", None)
    return bool(window) and getattr(config, "use_sliding_window", True)
