"""Which cache a model completes with: the first, from fast to slow, that gives the plain numbers.

    variant = choose(model, context)       # tries on three short texts; SwrError if none is right
    cache = variant.open(start, context)       # its methods: see caches.RowCache

Each is tried through its whole life: prompts of uneven length, samples of one prompt, tokens one by
one, a row that joins, rows that leave. The tries cost some ten passes over a few tokens.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swr1 import positions, probe
from swr1.engines.hf import cohorts
from swr1.engines.hf.caches import RowCache, RunCache, has_states
from swr1.engines.hf.call import Call, lay
from swr1.engines.hf.cohorts import Cohorts
from swr1.engines.hf.native import Native, Recompute
from swr1.errors import SwrError
from swr1.probe import Off, Probe

# Variants that hold more than keys and values are tried on longer texts as well: a state may be
# updated only now and then.
STATEFUL = ("runs", "native")
SLOW = {
    "native": "runs with its own cache, prompts of one length at a time",
    "recompute": "runs without a cache: every token reads its whole sequence again, which is slow",
}


class Variant(NamedTuple):
    """How a model completes: the name, and `open(start [rows], context)`, which makes a cache."""

    name: str
    open: Callable[[Tensor, int], Any]


def _variants(model: Any) -> list[Variant]:
    config = model.config
    return [
        Variant("cohorts", lambda start, context: Cohorts(start)),
        Variant("rows", lambda start, context: RowCache(start, context)),
        Variant("runs", lambda start, context: RunCache(start, context, config)),
        Variant("native", lambda start, context: Native(start)),
        Variant("recompute", lambda start, context: Recompute(start)),
    ]


@torch.inference_mode()
def choose(model: Any, context: int) -> tuple[Variant, str | None]:
    """The variant for a model in eval mode, and what is to be why of a slow one.

    Raises SwrError in one line for a model that none of them is right for.
    """
    plain = Probe(model)
    far = None
    why = ""
    for variant in _variants(model):
        if variant.name == "cohorts" and (model.device.type != "cpu" or not cohorts.enable(model)):
            continue
        try:
            if variant.name == "rows" and has_states(model.config):
                continue
            off = _try(variant, plain, context)
            if (
                off.close
                and variant.name in STATEFUL
                and (positions.end(model.config) or 100) >= 100
            ):
                far = far or Probe(model, longer=4)
                off = _try(variant, far, context)
            if off.close:
                slow = SLOW.get(variant.name)
                return variant, f"{plain.name} {slow} ({why})" if slow else None
            why = f"with a faster one it is off by {off.nats:.2g} nats"
        except Exception as error:
            why = f"with a faster one: {probe.reason(error)}"
        if variant.name == "cohorts":
            cohorts.disable(model)
    raise SwrError(
        f"the hf engine cannot run {plain.name}: read token by token it is not what it is read at"
        f" once ({why.removeprefix('with a faster one ').removeprefix('it is ')})"
    )


def _try(variant: Variant, plain: Probe, context: int) -> Off:
    with plain.within():
        return plain.compare(_complete(variant, Call(plain.model), plain, context))


def _complete(variant: Variant, call: Call, plain: Probe, context: int) -> Tensor:
    """[N, V] logits of the probe's completions, as a rollout would come to them."""
    device = call.model.device
    texts = [ids.to(device) for ids in plain.texts]

    def begin(rows: list[int]) -> tuple[Any, Tensor]:
        prompts = [(plain.texts[i][: plain.prompts[i]].tolist(), plain.pictures[i]) for i in rows]
        ids, start, pictured = lay(prompts, device, plain.vision)
        cache = variant.open(start, context)
        return cache, cache.prefill(call, ids, pictured)

    logits_of: dict[int, list[Tensor]] = {i: [] for i in range(len(texts))}
    cache, logits = begin([0, 2])
    owner = torch.tensor([0, 0, 1], device=device)
    cache.share(owner)
    rows, logits = [0, 1, 2], logits[owner]
    while rows:
        for row, i in enumerate(rows):
            if i >= 0:  # a row that joined later is not compared
                logits_of[i].append(logits[row])
        after = [plain.prompts[i] + len(logits_of[i]) if i >= 0 else 0 for i in rows]
        alive = [n < len(texts[i]) for n, i in zip(after, rows, strict=True)]
        if not all(alive):
            order = cache.leave(torch.tensor(alive, device=device)).tolist()
            rows, after = [rows[k] for k in order], [after[k] for k in order]
        if not any(i >= 0 for i in rows):
            break
        last = [
            texts[i][n - 1] if i >= 0 else texts[0][0] for i, n in zip(rows, after, strict=True)
        ]
        logits = cache.step(call, torch.stack(last))
        if len(logits_of[0]) == 1:
            other, more = begin([2])
            other.share(torch.tensor([0], device=device))
            cache.append(other)
            rows, logits = [*rows, -1], torch.cat([logits, more])
    return torch.cat([torch.stack(logits_of[i]) for i in range(len(texts))])
