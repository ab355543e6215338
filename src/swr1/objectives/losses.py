"""Policy losses, one number per token, to be minimised (aggregate.py makes the scalar).

    f(logp [N], old [N], advantage [N], **options) -> loss [N]

`logp` carries the gradient; `old` is the log-probability under the policy that sampled (the
behaviour policy), `advantage` has none.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def ratio(logp: Tensor, old: Tensor) -> Tensor:
    """pi(token) / pi_old(token); the log-ratio is held within 20 nats, so it stays finite."""
    return (logp - old).clamp(-20.0, 20.0).exp()


def ppo_clip(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """-min(r A, clip(r, 1 - low, 1 + high) A), r = pi / pi_old.

    Source: PPO, arXiv 1707.06347, eq. 7; unequal bounds: DAPO, arXiv 2503.14476, eq. 10. With
    `dual_clip` c > 1 (arXiv 1912.09729) the loss of a token with A < 0 is at most -c A.
    """
    r = ratio(logp, old)
    loss = -torch.min(r * advantage, r.clamp(1 - clip_low, 1 + clip_high) * advantage)
    if dual_clip is None:
        return loss
    return torch.where(advantage < 0, torch.min(loss, -dual_clip * advantage), loss)


def reinforce(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """-A log pi (Williams 1992): right on-policy only; `old` and the clips are not used."""
    return -advantage * logp


LOSSES: dict[str, Callable[..., Tensor]] = {"ppo-clip": ppo_clip, "reinforce": reinforce}
