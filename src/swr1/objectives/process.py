"""Credit per step: an advantage from the rewards of reasoning steps, not of the whole completion."""

import torch
from torch import Tensor

from swr1.objectives.ragged import return_to_go, segment_sum


def process(
    reward: Tensor, last: Tensor, seq: Tensor, group: Tensor, *, eps: float = 1e-6
) -> Tensor:
    """Process supervision: a token's advantage is the sum of the normalised rewards of its step and
    of all steps behind it [N], float32.

        A_t = sum over steps j that end at t or later of (r_j - mean) / (std + eps)

    Mean and unbiased std are of all steps of all completions of the group, so a completion with more
    steps weighs more in them. Steps whose rewards are all equal give 0, and so do tokens behind the
    last step: the answer, which no step holds.

    Args:
        reward: [K], of each step; last: [K], the index in 0..N-1 of its last token.
        seq: [N], the completion of each token; group: [S].

    Source: DeepSeekMath, arXiv 2402.03300, section 4.1.3.
    """
    at = torch.zeros(len(seq), dtype=torch.float64)
    if not len(reward):
        return at.float()
    reward, of = reward.double(), group[seq[last]]
    n = int(group.max()) + 1
    count = segment_sum(torch.ones_like(reward), of, n)
    mean = segment_sum(reward, of, n) / count.clamp(min=1)
    low = reward.new_full((n,), torch.inf).scatter_reduce(0, of, reward, "amin")
    high = reward.new_full((n,), -torch.inf).scatter_reduce(0, of, reward, "amax")
    centred = torch.where((high > low)[of], reward - mean[of], 0.0)
    std = (segment_sum(centred**2, of, n) / (count - 1).clamp(min=1)).sqrt()
    at.index_add_(0, last, centred / (std + eps)[of])
    return return_to_go(at, seq).float()
