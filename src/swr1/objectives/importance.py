"""Importance weights: what a stale sample's loss is multiplied by.

A sample of an older policy mu answers the question "what would mu gain", and the policy pi about to
be updated asks another. Multiplying by pi/mu makes the expectation right; truncating the factor at
a cap bounds its variance, at the price of a small bias:

    w = min(pi(y) / mu(y), cap)

A floor bounds it from below, too (OpenRLHF's two-sided truncation), and dividing by the batch's mean
weight keeps the size of the step (self-normalised; `rollout_is_batch_normalize` in verl).

Sources: E. Ionides, "Truncated importance sampling", J. Comp. Graph. Stat. 17 (2008), eq. 3; rho-bar
in IMPALA, arXiv 1802.01561, section 4; beside PPO's clip around pi (not mu): "Batch size-invariance
for policy optimization", arXiv 2110.00641, section 3, and AReaL, arXiv 2505.24298, eq. 5.

`old` [N] are log-probabilities under pi (the weights before the update), `behaviour` [N] those that
were recorded when mu sampled; neither has a gradient.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from swr1.objectives.ragged import segment_sum

# A log-ratio beyond it says "nothing in common"; its exponential would leave float32.
LARGEST = 20.0


def token_ratio(old: Tensor, behaviour: Tensor, seq: Tensor) -> Tensor:
    """pi(token) / mu(token) for each token [N]; the log-ratio is held within 20 nats.

    It corrects the choice of the token, not that of the tokens before it: biased, small variance.
    """
    return (old - behaviour).clamp(-LARGEST, LARGEST).exp()


def sequence_ratio(old: Tensor, behaviour: Tensor, seq: Tensor) -> Tensor:
    """pi(sequence) / mu(sequence), the product over its tokens, at each of its tokens [N].

    Unbiased before truncation, but its spread grows with the length.
    """
    if not seq.numel():
        return torch.ones_like(old)
    total = segment_sum(old - behaviour, seq, int(seq[-1]) + 1)
    return total.clamp(-LARGEST, LARGEST).exp()[seq]


def truncate(ratio: Tensor, cap: float, floor: float = 0.0) -> Tensor:
    """max(min(ratio, cap), floor)."""
    return ratio.clamp(min=floor, max=cap)


def mask(ratio: Tensor, cap: float, floor: float = 0.0) -> Tensor:
    """The ratio, and 0 where it is outside of [floor, cap]: what is so far off is left out."""
    return torch.where((ratio <= cap) & (ratio >= floor), ratio, 0.0)


def normalise(weight: Tensor, seq: Tensor, level: str) -> Tensor:
    """The weights [N] divided by their mean over tokens, or over sequences where each has one.

    All zero stays as it is.
    """
    if not weight.numel():
        return weight
    each = weight
    if level == "sequence":
        first = torch.ones_like(seq, dtype=torch.bool)
        first[1:] = seq[1:] != seq[:-1]
        each = weight[first]
    mean = each.double().mean()
    return weight if mean == 0 else (weight / mean).to(weight.dtype)


def effective_share(n: float, total: float, squares: float) -> float:
    """Effective sample size over sample size, (sum w)^2 / (n sum w^2): 1 when all weigh the same.

    Args: n weights, their sum and the sum of their squares, which add up over micro-batches and
    ranks. Source: A. Kong, "A note on importance sampling using standardized weights" (1992).
    Returns 1 for n = 0.
    """
    return total**2 / (n * squares) if n else 1.0


LEVELS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "token": token_ratio,
    "sequence": sequence_ratio,
}
