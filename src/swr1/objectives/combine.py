"""Several objectives at once: from the parts of a reward to one advantage per token.

    sum                  one reward, the weighted sum of the parts, then the advantage of that
    normalise-then-sum   an advantage for each part, then their weighted sum (GDPO)
    lagrangian           (A_reward - lambda A_cost) / (1 + lambda), each its own advantage first
    lagrangian-reward    the advantage of reward - lambda cost

In the last, lambda is a price in the unit of the reward, as where a reward is published with it
(Deliberative Searcher, arXiv 2507.16727). Normalising each part first keeps a part with a small spread from drowning in one with a large
spread, and gives lambda a meaning that does not depend on the cost's unit.

A part that could not be judged is NaN, never zero. A part that no sample of a group has is not part
of that prompt's reward. Where others of the group have it and a sample does not, the sample is
unknown: it is left out of the baseline, and its advantage (of that part, or of the sum) is 0.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from swr1.objectives.advantages import token_rewards
from swr1.objectives.ragged import lengths, segment_sum

LAGRANGIAN = ["lagrangian", "lagrangian-reward"]
COMBINATIONS = ["sum", "normalise-then-sum", *LAGRANGIAN]


def sum_of_parts(
    parts: Mapping[str, Tensor], weights: Mapping[str, float], group: Tensor
) -> Tensor:
    """The weighted sum of the parts [S]; NaN for a sample that lacks one its group has, or all."""
    total = torch.zeros(len(group), dtype=torch.float64)
    unknown = torch.zeros(len(group), dtype=torch.bool)
    some = torch.zeros(len(group), dtype=torch.bool)
    n = int(group.max()) + 1 if len(group) else 0
    for name, weight in weights.items():
        known = ~parts[name].isnan()
        total += weight * torch.where(known, parts[name].double(), 0.0)
        expected = segment_sum(known.double(), group, n)[group] > 0
        unknown |= expected & ~known
        some |= known
    return torch.where(some & ~unknown, total, torch.nan)


def advantage_of(
    score: Tensor,
    seq: Tensor,
    group: Tensor,
    estimator: Callable[..., Tensor],
    penalty: Tensor | None = None,
) -> Tensor:
    """The estimator's advantage [N] of `score` [S], as if samples with score NaN were not there.

    Theirs is 0. `penalty` [N] is subtracted from the reward of every token.
    """
    known = ~score.isnan()
    if bool(known.all()):
        return estimator(token_rewards(score, seq, penalty), seq, group)
    tokens = known[seq]
    renumbered = (known.cumsum(0) - 1)[seq[tokens]]
    rewards = token_rewards(score[known], renumbered, None if penalty is None else penalty[tokens])
    out = torch.zeros(len(seq))
    out[tokens] = estimator(rewards, renumbered, group[known])
    return out


def normalise_then_sum(
    parts: Mapping[str, Tensor],
    weights: Mapping[str, float],
    seq: Tensor,
    group: Tensor,
    estimator: Callable[..., Tensor],
) -> Tensor:
    """sum_k w_k A(part k) [N]. Source: GDPO, arXiv 2601.05242 (whitened over the batch at last)."""
    out = torch.zeros(len(seq))
    for name, weight in weights.items():
        out += weight * advantage_of(parts[name], seq, group, estimator)
    return out


def lagrangian(
    reward: Tensor,
    cost: Tensor,
    multiplier: float,
    seq: Tensor,
    group: Tensor,
    estimator: Callable[..., Tensor],
    penalty: Tensor | None = None,
) -> Tensor:
    """(A_reward - lambda A_cost) / (1 + lambda) [N]; `reward` and `cost` [S], a high cost is bad.

    The division keeps the step's size when lambda grows. A KL penalty [N] lowers the reward AND
    raises the cost, so that its weight in the sum does not depend on lambda.
    Source: Safe RLHF, arXiv 2310.12773, and its code.
    """
    gain = advantage_of(reward, seq, group, estimator, penalty)
    price = advantage_of(cost, seq, group, estimator, None if penalty is None else -penalty)
    return (gain - multiplier * price) / (1 + multiplier)


def standardise(advantage: Tensor, seq: Tensor, known: Tensor, eps: float = 1e-6) -> Tensor:
    """(A - mean) / (std + eps) over the sequences of the batch, each weighing the same.

    A sequence counts by the mean of its tokens; those that are not `known` [S] (no part of theirs
    could be judged) enter neither mean nor std. Zeros stay zeros, as does everything if fewer
    than two sequences are left or all are equal. Unbiased std.
    """
    size = lengths(seq, len(known))
    counted = known & (size > 0)
    mean = (segment_sum(advantage.double(), seq, len(known)) / size.clamp(min=1))[counted]
    if len(mean) < 2 or bool(mean.max() <= mean.min()):
        return torch.zeros_like(advantage)
    scaled = (advantage.double() - mean.mean()) / (mean.std() + eps)
    return torch.where(advantage != 0, scaled, 0.0).float()


def boost_live(advantage: Tensor, seq: Tensor, group: Tensor, cap: float) -> Tensor:
    """Scale by min(groups / groups with any advantage, cap): a batch of few live groups still
    makes a full step, as if the groups without variance had been left out.

    Source: the code of CPGD, arXiv 2505.12504 (`clip_filter_like_weight`).
    """
    present = group[lengths(seq, len(group)) > 0]
    alive = group[torch.unique(seq[advantage != 0])]
    groups, live = len(torch.unique(present)), len(torch.unique(alive))
    return advantage * min(groups / live, cap) if live else advantage
