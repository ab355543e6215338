"""Losses that need no rewards: imitation of targets, and preferences between pairs."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def sft(logp: Tensor) -> Tensor:
    """Cross-entropy of the target tokens, -log pi [N]; `logp` [N] in nats, for aggregate()."""
    return -logp


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor | None = None,
    ref_rejected: Tensor | None = None,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Direct preference optimization: one loss per pair, and the reward margin that it judges.

        margin = beta [(chosen - ref_chosen) - (rejected - ref_rejected)]
        loss   = -(1 - e) log sigmoid(margin) - e log sigmoid(-margin),  e = label_smoothing

    Args:
        chosen, rejected: [P] log-probabilities of whole completions (SUMS over their tokens, not
            means), in nats, with gradient.
        ref_chosen, ref_rejected: [P] the same under the reference, without; None: no reference
            (a uniform one).
        label_smoothing: share of the labels thought to be wrong, in [0, 0.5).

    Returns (loss [P], margin [P] without gradient). Its mean over all pairs of an optimizer step is
    what is minimised. Source: DPO, arXiv 2305.18290, eq. 7; smoothing: E. Mitchell, "A note on DPO
    with noisy preferences" (2023).
    """
    margin = chosen - rejected
    if ref_chosen is not None and ref_rejected is not None:
        margin = margin - (ref_chosen - ref_rejected).detach()
    margin = beta * margin
    loss = -(1 - label_smoothing) * logsigmoid(margin)
    if label_smoothing:
        loss = loss - label_smoothing * logsigmoid(-margin)
    return loss, margin.detach()


def sequence_logp(logp: Tensor, seq: Tensor, n: int) -> Tensor:
    """Sum of the token log-probabilities [N] of each of `n` sequences [n], with gradient."""
    return torch.zeros(n, dtype=logp.dtype, device=logp.device).index_add(0, seq, logp)
