"""What a completion's length does to its reward."""

from __future__ import annotations

from torch import Tensor


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
