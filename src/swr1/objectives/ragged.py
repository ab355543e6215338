"""Sums and scans over the sequences of a flat tensor (see the package's text for the layout)."""

import torch
from torch import Tensor


def segment_sum(x: Tensor, segment: Tensor, n: int) -> Tensor:
    """Sum of `x` [N] within each of `n` segments; 0 for an empty one. Returns [n]."""
    return x.new_zeros(n).index_add(0, segment, x)


def lengths(seq: Tensor, n: int) -> Tensor:
    """Tokens in each of `n` sequences. Returns [n] int64."""
    return torch.bincount(seq, minlength=n)


def last_token(seq: Tensor, n: int) -> Tensor:
    """Index of the last token of each of `n` sequences; -1 for one without tokens. Returns [n]."""
    count = lengths(seq, n)
    return torch.where(count > 0, count.cumsum(0) - 1, -1)


def return_to_go(x: Tensor, seq: Tensor, gamma: float = 1.0) -> Tensor:
    """Discounted sum of this and the later tokens of the same sequence: G_t = x_t + gamma G_{t+1}.

    Tokens that are not in the flat tensor (tool output) are stepped over: the return passes through
    them undiscounted, as verl does.
    """
    if not x.numel():
        return x.clone()
    count = lengths(seq, int(seq[-1]) + 1)
    start = count.cumsum(0) - count
    position = torch.arange(x.numel(), device=x.device) - start[seq]
    # One column per time step, so that the scan is as long as the longest sequence.
    table = x.new_zeros(len(count), int(count.max()))
    table[seq, position] = x
    for t in range(table.shape[1] - 2, -1, -1):
        table[:, t] += gamma * table[:, t + 1]
    return table[seq, position]
