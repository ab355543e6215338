"""Policy losses, one number per token, to be minimised (aggregate.py makes the scalar).

    f(logp [N], old [N], advantage [N], seq [N], **fields of the objective) -> loss [N]

`logp` carries the gradient; `old` is the log-probability under the policy that sampled (the
behaviour policy), `advantage` has none. A sequence is whole within one call. The keyword arguments
are fields of presets.Objective under the same names.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from swr1.objectives.importance import LARGEST
from swr1.objectives.ragged import lengths, segment_sum


def ratio(logp: Tensor, old: Tensor) -> Tensor:
    """pi(token) / pi_old(token); the log-ratio is held within 20 nats, so it stays finite."""
    return (logp - old).clamp(-LARGEST, LARGEST).exp()


def sequence_ratio(logp: Tensor, old: Tensor, seq: Tensor) -> Tensor:
    """exp(mean over the tokens of a sequence of log pi - log pi_old), at each of its tokens [N]."""
    if not seq.numel():
        return torch.ones_like(old)
    n = int(seq[-1]) + 1
    mean = segment_sum(logp - old, seq, n) / lengths(seq, n).clamp(min=1)
    return mean.clamp(-LARGEST, LARGEST).exp()[seq]


def _surrogate(
    r: Tensor, advantage: Tensor, low: float, high: float, dual_clip: float | None
) -> Tensor:
    """-min(r A, clip(r, 1 - low, 1 + high) A); at most -c A where A < 0, with `dual_clip` c."""
    loss = -torch.min(r * advantage, r.clamp(1 - low, 1 + high) * advantage)
    if dual_clip is None:
        return loss
    return torch.where(advantage < 0, torch.min(loss, -dual_clip * advantage), loss)


def ppo_clip(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    seq: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """-min(r A, clip(r, 1 - low, 1 + high) A), r = pi / pi_old for each token.

    Source: PPO, arXiv 1707.06347, eq. 7; unequal bounds: DAPO, arXiv 2503.14476, eq. 10. With
    `dual_clip` c > 1 (arXiv 1912.09729) the loss of a token with A < 0 is at most -c A.
    """
    return _surrogate(ratio(logp, old), advantage, clip_low, clip_high, dual_clip)


def gspo(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    seq: Tensor,
    *,
    clip_low: float = 3e-4,
    clip_high: float = 4e-4,
    dual_clip: float | None = None,
) -> Tensor:
    """PPO's clip of one ratio per sequence, s = exp(mean over its tokens of log pi - log pi_old).

    In the token form: each token has the value s and the gradient of its own log-probability,
    s_t = sg[s] pi_t / sg[pi_t]. Averaged over the tokens of a sequence with one advantage it has
    the value and the gradient of min(s A, clip(s) A), and an advantage may differ by token.

    Source: GSPO, arXiv 2507.18071, with its variant GSPO-token. The bounds are tiny because a mean of
    log-ratios is; with 0.2 nothing would ever be clipped.
    """
    s = sequence_ratio(logp, old, seq).detach() * (logp - logp.detach()).exp()
    return _surrogate(s, advantage, clip_low, clip_high, dual_clip)


def sequence_clip(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    seq: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> Tensor:
    """PPO's clip of the ratio of whole completions, exp(sum over its tokens of log pi - log pi_old).

    A sequence's loss, divided evenly among its tokens: "seq-mean-token-sum" is its mean over the
    batch. The ratio leaves the bounds sooner the longer the completion is.

    Source: RLOO, arXiv 2402.14740 (a completion is one action), as in TRL's RLOOTrainer.
    """
    if not seq.numel():
        return logp * 0
    n = int(seq[-1]) + 1
    r = segment_sum(logp - old, seq, n).clamp(-LARGEST, LARGEST).exp()[seq]
    return _surrogate(r, advantage, clip_low, clip_high, dual_clip) / lengths(seq, n)[seq]


def sapo(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    seq: Tensor,
    *,
    sapo_positive: float = 1.0,
    sapo_negative: float = 1.05,
) -> Tensor:
    """-(4 / tau) sigmoid(tau (r - 1)) A: a gate that closes smoothly instead of a clip.

    tau is `sapo_positive` where A > 0, else `sapo_negative`; the gradient at r = 1 is that of r A,
    whatever tau, and falls off on both sides, faster for a larger tau.

    Source: "Soft Adaptive Policy Optimization", arXiv 2511.20347.
    """
    tau = torch.where(advantage > 0, sapo_positive, sapo_negative).to(logp.dtype)
    return -4 / tau * torch.sigmoid(tau * (ratio(logp, old) - 1)) * advantage


def cispo(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    seq: Tensor,
    *,
    clip_low: float = 1.0,
    clip_high: float = 4.0,
) -> Tensor:
    """-sg[clip(r, 1 - low, 1 + high)] A log pi: the weight is clipped, no token loses its gradient.

    With `clip_low` 1 there is no lower bound. Source: CISPO in MiniMax-M1, arXiv 2506.13585,
    section 3. The value depends on the scale of log pi and says little; the gradient is what counts.
    """
    weight = ratio(logp, old).detach().clamp(1 - clip_low, 1 + clip_high)
    return -weight * advantage * logp


def cpgd(
    logp: Tensor,
    old: Tensor,
    advantage: Tensor,
    seq: Tensor,
    *,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    drift: float = 0.01,
    drift_cap: float = 2.0,
) -> Tensor:
    """-min(x A, clip(x, ln(1 - low), ln(1 + high)) A) + drift D(x), with x = log pi - log pi_old.

    No ratio multiplies the gradient; a clipped token keeps that of the drift only. D is k3 of
    KL(pi_old || pi), e^x - 1 - x, whose gradient e^x - 1 is capped at `drift_cap`: beyond
    it D goes on as a straight line, so that value and gradient belong together.

    Source: CPGD, arXiv 2505.12504, and the clipped drift of its code (which has the gradient
    min(r - 1, cap) and, as value, that times log pi: no divergence).
    """
    x = logp - old
    bounded = x.clamp(math.log1p(-clip_low) if clip_low < 1 else -math.inf, math.log1p(clip_high))
    return -torch.min(x * advantage, bounded * advantage) + drift * capped_k3(x, drift_cap)


def capped_k3(x: Tensor, cap: float) -> Tensor:
    """e^x - 1 - x, continued as a straight line where its slope e^x - 1 would pass `cap`."""
    inside = x.clamp(max=math.log1p(cap))
    return inside.exp() - 1 - inside + cap * (x - inside)


def reinforce(logp: Tensor, old: Tensor, advantage: Tensor, seq: Tensor) -> Tensor:
    """-A log pi (Williams 1992): right on-policy only; `old` is not used."""
    return -advantage * logp


LOSSES: dict[str, Callable[..., Tensor]] = {
    "ppo-clip": ppo_clip,
    "gspo": gspo,
    "sequence-clip": sequence_clip,
    "sapo": sapo,
    "cispo": cispo,
    "cpgd": cpgd,
    "reinforce": reinforce,
}
