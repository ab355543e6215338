"""Micro-batches without padding, in which the samples of one prompt share its tokens.

    cuts = packs(examples, max_tokens)          # which examples share a forward pass
    layout = Layout.of([examples[i] for i in cut], device)
    model.base_model(**layout.inputs())         # [1, T, hidden], after enable(model)

A micro-batch is one row of tokens: each distinct prompt once, then what follows it in each sequence
that has it. Positions restart, and attention is replaced (through transformers' registry of
attention functions) by one that lets a completion see its prompt and itself and nothing else. With
8 samples per prompt, 7 of 8 prompts are not computed, and nothing is ever padded.

Whether a model can be called this way is tried, not looked up: logprobs.settle compares a row with
plain calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from swr1.vision import SeenPicture, Vision, set_text_attention, text_attention

NAME = "swr1-packed"


class Example(NamedTuple):
    """One sequence: `ids` [T] int64, and `targets` [N], the positions (>= 1) trained on, ascending.

    What stands before the first target is the prompt, shared with other examples that have it too.
    `pictures` are the prompt's, in their order; `ids` are expanded. `kept`, of a sequence that was drawn
    from a cut distribution: for each target how many tokens were left [N], and their ids [M].
    """

    ids: Tensor
    targets: Tensor
    pictures: tuple[SeenPicture, ...] = ()
    kept: tuple[Tensor, Tensor] | None = None

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells it from others, for a digest."""
        return self.ids, self.targets, *(p.digest for p in self.pictures), *(self.kept or ())


def _prompt(example: Example) -> tuple[bytes, int]:
    """The prompt, to compare, and its length. Equal ids are not enough: pictures may differ."""
    n = int(example.targets[0]) if len(example.targets) else len(example.ids)
    seen = "".join(picture.digest for picture in example.pictures)
    return example.ids[:n].numpy().tobytes() + seen.encode(), n


def packs(examples: Sequence[Example], max_tokens: int) -> list[list[int]]:
    """Indices, in order, cut so that no row is beyond `max_tokens` tokens, prompts counted once.

    Samples of one prompt should stand together. A sequence that is longer has a row of its own.
    """
    cuts: list[list[int]] = []
    room, here = -1, set[bytes]()
    for i, e in enumerate(examples):
        prompt, n = _prompt(e)
        rest = len(e.ids) - 1 - n
        need = rest if prompt in here else rest + n
        if need > room:
            cuts.append([])
            room, here, need = max_tokens, set(), rest + n
        cuts[-1].append(i)
        here.add(prompt)
        room -= need
    return cuts


@dataclass(eq=False)
class Layout:
    """How examples lie in a row of T tokens.

    Attributes:
        ids, positions: [T], each token and its place in its sequence; [3, T] of some models.
        sizes: tokens of each segment of the row (a prompt, or what follows one).
        before: for each segment, the number of the segment that it continues; None for a prompt.
        predictors: [N] the places in the row that predict the targets, one example after another.
        pixels: of the prompts' pictures, each prompt's once, by the names that the model has for them.
    """

    ids: Tensor
    positions: Tensor
    sizes: list[int]
    before: list[int | None]
    predictors: Tensor
    pixels: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        examples: Sequence[Example],
        device: torch.device,
        reach: int = 0,
        vision: Vision | None = None,
    ) -> Layout:
        """`reach`: the least length the longest sequence must seem to have (positions.sides).

        Raises SwrError for a prompt whose pictures are not those of its tokens.
        """
        ids: list[Tensor] = []
        positions: list[Tensor] = []
        before: list[int | None] = []
        predictors: list[Tensor] = []
        pictures: list[SeenPicture] = []
        # Its segment, where in the row it starts, and the position that follows it.
        prompts: dict[bytes, tuple[int, int, int]] = {}
        used = 0

        def add(tokens: Tensor, at: Tensor, after: int | None) -> int:
            nonlocal used
            ids.append(tokens)
            positions.append(at)
            before.append(after)
            used += len(tokens)
            return used - len(tokens)

        def places(start: int, count: int) -> Tensor:
            at = torch.arange(start, start + count)
            return at.expand(3, -1) if vision and vision.spatial else at

        for e in examples:
            prompt, n = _prompt(e)
            if prompt not in prompts:
                at = places(0, n)
                if vision:
                    vision.check(e.ids[:n], e.pictures)
                    at = vision.positions(e.ids[:n], e.pictures) if vision.spatial else at
                pictures += e.pictures
                following = int(at.max()) + 1 if n else 0
                prompts[prompt] = (len(ids), add(e.ids[:n], at, None), following)
            segment, start, following = prompts[prompt]
            predicting = e.targets - 1
            # The last target is predicted, and not itself needed.
            last = int(e.targets[-1]) if len(e.targets) else n
            if last > n:
                begin = add(e.ids[n:last], places(following, last - n), segment)
                predicting = torch.where(predicting < n, predicting + start, predicting - n + begin)
            else:
                predicting = predicting + start
            predictors.append(predicting)
        if reach > max(int(p.max()) for p in positions if p.numel()) + 1:
            # A token of its own, which no other sees, at the position that must be reached.
            add(examples[0].ids[:1], places(reach - 1, 1), None)
        return cls(
            torch.cat(ids).to(device),
            torch.cat(positions, -1).to(device),
            [len(x) for x in ids],
            before,
            torch.cat(predictors).to(device),
            vision.tensors(pictures, device) if vision else {},
        )

    def __post_init__(self) -> None:
        self._masks: dict[tuple[int, int], Tensor] = {}
        self._index: tuple[Tensor, Tensor, Tensor, int, int] | None = None

    def inputs(self) -> dict[str, Any]:
        """Keyword arguments of the model's forward."""
        return {
            "input_ids": self.ids[None],
            # [1, T], or [3, 1, T]
            "position_ids": self.positions.unsqueeze(-2),
            # What has four dimensions is handed through: no mask of T x T is built.
            "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=self.ids.device),
            "use_cache": False,
            "packed": self,
            **self.pixels,
        }

    def mask(self, queries: int, keys: int) -> Tensor | None:
        """Causal, the last query beside the last key; bool [queries, keys]."""
        if queries == keys:
            return None
        key = (queries, keys)
        if key not in self._masks:
            whole = torch.ones(key, dtype=torch.bool, device=self.ids.device)
            self._masks[key] = whole.tril(keys - queries)
        return self._masks[key]

    def varlen(self) -> tuple[Tensor, Tensor, Tensor, int, int]:
        """For kernels of many lengths: [K] the row's places that are keys, segment by segment, the
        cumulative lengths of queries and of keys (int32, from 0), and the longest of both."""
        if self._index is None:
            places = torch.arange(len(self.ids)).split(self.sizes)
            keys = [
                places[i] if b is None else torch.cat([places[b], places[i]])
                for i, b in enumerate(self.before)
            ]
            counts = [torch.tensor([0] + [len(x) for x in part]) for part in (places, keys)]
            device = self.ids.device
            q, k = (c.cumsum(0).to(device, torch.int32) for c in counts)
            longest = max(self.sizes), max(map(len, keys))
            self._index = torch.cat(keys).to(device), q, k, *longest
        return self._index


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    packed: Layout | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """What transformers calls in every layer; a plain call, without a layout, is its own SDPA.

    query [B, H, T, D], key and value [B, H_kv, T, D]; returns [B, T, H, D].
    """
    if packed is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    if torch.is_autocast_enabled(query.device.type):
        # Rotated queries and keys come in float32: no kernel is chosen by that.
        low = torch.get_autocast_dtype(query.device.type)
        query, key, value = (x.to(low) for x in (query, key, value))
    if _flat(query):
        return _varlen_attention(query, key, value, scaling, packed), None
    parts = zip(*(x.split(packed.sizes, dim=2) for x in (query, key, value)), strict=True)
    done: list[tuple[Tensor, Tensor]] = []
    out = []
    for (q, k, v), b in zip(parts, packed.before, strict=True):
        done.append((k, v))
        if b is not None:
            k, v = torch.cat([done[b][0], k], dim=2), torch.cat([done[b][1], v], dim=2)
        mask = packed.mask(q.shape[2], k.shape[2])
        out.append(
            scaled_dot_product_attention(
                q, k, v, mask, is_causal=mask is None, scale=scaling, enable_gqa=True
            )
        )
    return torch.cat(out, dim=2).transpose(1, 2), None


def _flat(query: Tensor) -> bool:
    """Whether one kernel can do all segments at once."""
    half = query.dtype in (torch.float16, torch.bfloat16)
    return query.is_cuda and half and _varlen() is not None


def _varlen() -> Any:
    """torch's flash attention for many lengths; None in a torch that has none."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def _varlen_attention(
    query: Tensor, key: Tensor, value: Tensor, scaling: float | None, packed: Layout
) -> Tensor:
    """All segments in one kernel: each prompt's keys are repeated before each that continues it."""
    index, of_queries, of_keys, longest_query, longest_key = packed.varlen()
    out = _varlen()(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1)[index],
        value[0].transpose(0, 1)[index],
        of_queries,
        of_keys,
        longest_query,
        longest_key,
        scale=scaling,
        window_size=(-1, 0),
        enable_gqa=True,
    )
    return out[None]


def enabled(model: Any) -> bool:
    """Whether the model takes layouts now."""
    return text_attention(model) == NAME


def enable(model: Any) -> str | None:
    """Let a transformers causal model take `Layout.inputs()`, by its attention alone.

    Returns why not, in a few words; such a model stays as it was. Whether the numbers are right is
    not known by this: logprobs.settle tries.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if any(_windows(model.config)):
        return "not all of its layers attend to all that came before"
    if enabled(model):
        return None
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before = text_attention(model)
    try:
        set_text_attention(model, NAME)
    except (TypeError, ValueError, RuntimeError, KeyError, AttributeError, NotImplementedError):
        set_text_attention(model, before)
        return "its attention is its own"
    model.swr1_attention = before
    return None


def disable(model: Any) -> None:
    """Take back what `enable` did."""
    if enabled(model):
        set_text_attention(model, model.swr1_attention)


def _windows(config: Any) -> Iterator[bool]:
    """Whether any layer sees a part of the past only."""
    text = config.get_text_config()
    if kinds := getattr(text, "layer_types", None):
        yield from (kind != "full_attention" for kind in kinds)
    else:
        window = getattr(text, "sliding_window", None)
        yield bool(window) and getattr(text, "use_sliding_window", True)
