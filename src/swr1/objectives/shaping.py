"""What a completion's length does to its reward."""

import torch
from torch import Tensor

from swr1.objectives.ragged import segment_sum


def overlong_penalty(
    length: Tensor, limit: Tensor, share: float, factor: float = 1.0, capped: bool = True
) -> Tensor:
    """0 up to limit (1 - share) tokens, then falling in a line to -factor at the limit [S].

    Args:
        length, limit: [S], tokens of each completion (trained on or not) and how many it may have.
        share: the last part of the limit, in (0, 1]: 4096 of 20480 tokens, 0.2, in the paper.
        capped: no lower than -factor for completions beyond the limit (OpenRLHF; verl goes on).

    Source: DAPO, arXiv 2503.14476, section 3.4 (soft overlong punishment).
    """
    buffer = share * limit.double()
    penalty = (-(length - (limit - buffer)) / buffer * factor).clamp(max=0.0)
    return penalty.clamp(min=-factor) if capped else penalty


def shortness(length: Tensor, success: Tensor, group: Tensor, eps: float = 1e-6) -> Tensor:
    """How much shorter than a group's other successes each success is [S], float32.

        p (mean - length) / (std + eps)        over the successes of the group; unbiased std

    p is the group's share of successes: the more often a prompt is met, the more its answers may be
    shortened. Whatever is no success gets 0, and so does a group with fewer than two, or whose
    successes are equally long: a short wrong answer gains nothing and lowers no baseline.

    Args:
        length, success, group: [S]; success is 1, 0 or NaN (not judged: as if not there).

    Source: our reading of CALE, which SafeWork-R1, arXiv 2507.18576, names without a formula.
    """
    n = int(group.max()) + 1 if len(group) else 0
    good = success == 1
    known = segment_sum((~success.isnan()).double(), group, n)
    count = segment_sum(good.double(), group, n)
    size = torch.where(good, length.double(), 0.0)
    mean = segment_sum(size, group, n) / count.clamp(min=1)
    centred = torch.where(good, mean[group] - length, 0.0)
    std = (segment_sum(centred**2, group, n) / (count - 1).clamp(min=1)).sqrt()
    share = count / known.clamp(min=1)
    return (share[group] * centred / (std[group] + eps)).float()
