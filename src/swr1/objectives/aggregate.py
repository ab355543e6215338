"""From per-token losses to the scalar that is differentiated.

    token-mean           sum of all tokens / number of tokens            (DAPO eq. 8, verl)
    seq-mean-token-mean  mean over sequences of the mean of their tokens (GRPO paper, eq. 3)
    seq-mean-token-sum   mean over sequences of the sum of their tokens
    constant             sum of all tokens / (sequences * a fixed length) (Dr. GRPO)

The denominators are GLOBAL: counts over everything that one optimizer step sees (all micro-batches
and ranks), passed in. So the sum of the results over micro-batches is the loss of one big batch,
exactly; a mean of means would weigh tokens by the accident of the split. Sequences without
trainable tokens are not counted.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from swr1.objectives.ragged import lengths

AGGREGATIONS = ["token-mean", "seq-mean-token-mean", "seq-mean-token-sum", "constant"]


class Counts(NamedTuple):
    """What one optimizer step sees: trainable tokens, and sequences that have any."""

    tokens: int
    sequences: int


def aggregate(
    x: Tensor, seq: Tensor, mode: str, counts: Counts, constant: float | None = None
) -> Tensor:
    """This micro-batch's share of the global mean of `x` [N]. Returns a scalar; 0 for N = 0.

    Args:
        seq: [N]; every sequence is whole within one micro-batch.
        counts: over the whole optimizer step.
        constant: the length that "constant" divides by, e.g. the generation limit in tokens.
    """
    if mode == "token-mean":
        return x.sum() / max(counts.tokens, 1)
    sequences = max(counts.sequences, 1)
    if mode == "seq-mean-token-mean":
        if not x.numel():
            return x.sum()
        return (x / lengths(seq, int(seq[-1]) + 1)[seq]).sum() / sequences
    if mode == "seq-mean-token-sum":
        return x.sum() / sequences
    if mode == "constant":
        if not constant or constant <= 0:
            raise ValueError("the aggregation 'constant' needs a positive length")
        return x.sum() / (sequences * constant)
    raise ValueError(f"unknown aggregation {mode!r}: one of {', '.join(AGGREGATIONS)}")


def count(seq: Tensor) -> Counts:
    """The counts of a whole step from its `seq` [N]."""
    return Counts(seq.numel(), int(torch.unique(seq).numel()))
