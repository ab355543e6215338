"""Drawing a token from logits with a given uniform number, and the log-probability it had.

The uniform number comes from the sequence's own stream, so a draw depends on the distribution and
on the sequence, never on what else is in the batch.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from swr1.engines import Sampling


class Drawn(NamedTuple):
    """One token a row: ids [rows], float32 log-probabilities [rows]; and, where top_k, top_p or min_p cut
    the distribution, the tokens that were left: ids [rows, places] and which of the places count."""

    ids: Tensor
    logprobs: Tensor
    kept: tuple[Tensor, Tensor] | None = None


def draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Drawn:
    """A token a row.

    Args:
        logits: [rows, vocabulary], any float type.
        uniform: [rows] numbers in [0, 1), not used at temperature 0.

    The log-probability is that of the distribution drawn from: after temperature and, if top_k,
    top_p or min_p cut it, renormalised over what is left. At temperature 0 the likeliest token is
    taken and its log-probability is that of temperature 1.
    """
    logits = logits.float()
    if sampling.temperature == 0:
        ids = logits.argmax(-1)
        return Drawn(ids, _at(torch.log_softmax(logits, -1), ids))
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    logprobs = torch.log_softmax(logits, -1)
    if not sampling.cuts:
        ids = _invert(logprobs.exp(), uniform)
        return Drawn(ids, _at(logprobs, ids))
    logprobs, order = _cut(logprobs, sampling)
    place = _invert(logprobs.exp(), uniform)
    return Drawn(_at(order, place), _at(logprobs, place), (order, logprobs > float("-inf")))


def _cut(logprobs: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Log-probabilities, largest first, of the kept tokens (-inf elsewhere), and their ids."""
    k = min(sampling.top_k, logprobs.shape[-1])
    if k:
        best, order = logprobs.topk(k)
        best = best - best.logsumexp(-1, keepdim=True)
    else:
        best, order = logprobs.sort(descending=True, stable=True)
    probs = best.exp()
    before = probs.cumsum(-1) - probs  # the mass of likelier tokens: the first is always kept
    cut = (
        (before >= sampling.top_p)
        if sampling.top_p < 1
        else torch.zeros_like(best, dtype=torch.bool)
    )
    cut |= probs < sampling.min_p * probs[..., :1]
    cut[..., 0] = False
    best = best.masked_fill(cut, float("-inf"))
    return best - best.logsumexp(-1, keepdim=True), order


def _invert(probs: Tensor, uniform: Tensor) -> Tensor:
    """Per row the first index whose cumulative probability exceeds `uniform`; never one of 0."""
    mass = probs.cumsum(-1)
    total = mass[:, -1:]
    below = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(uniform[:, None].to(mass.dtype) * total, below)
    index = torch.searchsorted(mass, target, right=True).squeeze(-1)
    return index.clamp(max=probs.shape[-1] - 1)  # NaN sorts last; the caller sees it in the logprob


def _at(values: Tensor, ids: Tensor) -> Tensor:
    return values.gather(-1, ids[:, None]).squeeze(-1)
