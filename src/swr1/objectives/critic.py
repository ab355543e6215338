"""With a value model: generalised advantage estimation, and the loss of its values.

    token_reward [N] (advantages.token_rewards), value [N], seq [N] -> advantage [N], returns [N]

`value` is the critic's estimate before each token of what the rest of the sequence will bring. The
flat form holds trainable tokens only, so what stands between them (a tool's answer) is stepped
over: neither discounted nor bootstrapped from, as verl does (OpenRLHF puts zeros there).
"""

import torch
from torch import Tensor

from swr1.objectives.ragged import return_to_go


def gae(
    token_reward: Tensor, value: Tensor, seq: Tensor, *, gamma: float = 1.0, lam: float = 1.0
) -> tuple[Tensor, Tensor]:
    """delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lam A_{t+1}; returns A + V.

    V is 0 after the last token of a sequence. The returns are those before any whitening of A.
    Source: GAE, arXiv 1506.02438, eqs. 11 and 16. Both results are [N] float32.
    """
    value = value.detach().double()
    after = torch.zeros_like(value)
    if len(seq) > 1:
        after[:-1] = torch.where(seq[1:] == seq[:-1], value[1:], 0.0)
    delta = token_reward.double() + gamma * after - value
    advantage = return_to_go(delta, seq, gamma * lam)
    return advantage.float(), (advantage + value).float()


def value_loss(
    value: Tensor, returns: Tensor, old_value: Tensor, *, value_clip: float | None = 0.5
) -> Tensor:
    """max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2) / 2 for each token [N].

    The maximum is pessimistic: a step beyond the clip gains nothing. `value_clip` None: (V - R)^2/2.
    Source: the PPO implementation of openai/baselines; not in the paper.
    """
    loss = (value - returns) ** 2
    if value_clip is not None:
        clipped = old_value + (value - old_value).clamp(-value_clip, value_clip)
        loss = torch.max(loss, (clipped - returns) ** 2)
    return loss / 2
