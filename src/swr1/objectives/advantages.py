"""From rewards to advantages, one number per token.

Every function has the shape

    f(token_reward [N], seq [N], group [S], **fields of the objective) -> advantage [N]

and sees the WHOLE batch: complete groups, before any splitting into micro-batches or ranks. The
reward of a sequence sits on its last token and a KL penalty, when it belongs to the reward, on
every token (`token_rewards`); methods that score a sequence as a whole take the sum of its tokens.

What happens where statistics end:
* a group of one has no baseline: its advantage is 0 (verl gives it the raw reward; a policy pulled
  by uncentred rewards is not what anyone asked for);
* a group whose rewards are all equal has advantage 0, exactly, not rounding noise over epsilon;
* a sequence without trainable tokens enters no mean (OpenRLHF counted it once as a zero).
Groups of both kinds stay in the batch and in the denominators of the loss; `zero_variance_groups`
finds them, to count or to drop them. Statistics are taken in float64.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from swr1.objectives.ragged import last_token, lengths, return_to_go, segment_sum


def token_rewards(reward: Tensor, seq: Tensor, penalty: Tensor | None = None) -> Tensor:
    """Put each sequence's reward [S] on its last token, minus a penalty [N] on every token.

    The penalty is a coefficient times a KL estimate without gradient. Returns [N] float64.
    """
    out = torch.zeros(seq.shape, dtype=torch.float64, device=seq.device)
    if penalty is not None:
        out -= penalty.double()
    last = last_token(seq, len(reward))
    out[last[last >= 0]] += reward.double()[last >= 0]
    return out


def zero_variance_groups(reward: Tensor, group: Tensor) -> Tensor:
    """Which groups teach a group-relative method nothing: one sequence, or rewards all equal.

    Args: reward [S], group [S] numbered from 0. Returns [G] bool.
    """
    n = int(group.max()) + 1 if len(group) else 0
    high = reward.new_full((n,), -torch.inf).scatter_reduce(0, group, reward, "amax")
    low = reward.new_full((n,), torch.inf).scatter_reduce(0, group, reward, "amin")
    return high <= low


def _scores(token_reward: Tensor, seq: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Score of each sequence [S], its mask [S] (has tokens), and the count per group [G]."""
    score = segment_sum(token_reward.double(), seq, len(group))
    present = lengths(seq, len(group)) > 0
    n = int(group.max()) + 1 if len(group) else 0
    return score, present, segment_sum(present.double(), group, n)


def _centred(token_reward: Tensor, seq: Tensor, group: Tensor) -> Tensor:
    """Score minus the mean of its group [S]; 0 in groups of one or of equal scores."""
    score, present, count = _scores(token_reward, seq, group)
    total = segment_sum(torch.where(present, score, 0.0), group, len(count))
    alike = zero_variance_groups(score[present], group[present])
    alive = torch.zeros(len(count), dtype=torch.bool, device=score.device)
    alive[: len(alike)] = ~alike
    centred = score - (total / count.clamp(min=1))[group]
    return torch.where(present & alive[group], centred, 0.0)


def whiten(x: Tensor, eps: float = 1e-8) -> Tensor:
    """(x - mean) / sqrt(var + eps) over all tokens, unbiased variance; zeros if they are equal."""
    if x.numel() < 2 or bool(x.max() <= x.min()):
        return torch.zeros_like(x)
    return (x - x.mean()) * torch.rsqrt(x.var(unbiased=True) + eps)


def grpo(token_reward: Tensor, seq: Tensor, group: Tensor, *, eps: float = 1e-6) -> Tensor:
    """(R - mean of the group) / (std of the group + eps); unbiased std.

    Source: DeepSeekMath, arXiv 2402.03300, section 4.1.2 (outcome supervision).
    """
    centred = _centred(token_reward, seq, group)
    _, _, count = _scores(token_reward, seq, group)
    square = segment_sum(centred**2, group, len(count))
    std = (square / (count - 1).clamp(min=1)).sqrt()
    return (centred / (std + eps)[group])[seq].float()


def grpo_batch(token_reward: Tensor, seq: Tensor, group: Tensor, *, eps: float = 1e-6) -> Tensor:
    """(R - mean of the group) / (std of R over the whole batch + eps); unbiased std.

    Source: "Tricks or traps?", arXiv 2508.08221, section 4.1; TRL's `scale_rewards` "batch".
    """
    score, present, _ = _scores(token_reward, seq, group)
    centred = _centred(token_reward, seq, group)
    std = score[present].std() if int(present.sum()) > 1 else score.new_zeros(())
    return (centred / (std + eps))[seq].float()


def dr_grpo(token_reward: Tensor, seq: Tensor, group: Tensor) -> Tensor:
    """R - mean of the group, not divided by its spread (which favours easy and hard prompts).

    Source: "Understanding R1-Zero-like training", arXiv 2503.20783, section 3.2.
    """
    return _centred(token_reward, seq, group)[seq].float()


def rloo(token_reward: Tensor, seq: Tensor, group: Tensor) -> Tensor:
    """R - mean of the OTHER sequences of the group = n/(n-1) (R - mean).

    Source: "Back to basics", arXiv 2402.14740, section 3.2.
    """
    centred = _centred(token_reward, seq, group)
    _, _, count = _scores(token_reward, seq, group)
    scale = count / (count - 1).clamp(min=1)
    return (centred * scale[group])[seq].float()


def reinforce_plus_plus(
    token_reward: Tensor, seq: Tensor, group: Tensor, *, gamma: float = 1.0
) -> Tensor:
    """Return to go, whitened over all tokens of the batch; no baseline per prompt.

    Long sequences weigh more in the mean, as in the published code. Source: REINFORCE++,
    arXiv 2501.03262, section 3; verl's unbiased variance with 1e-8 under the root.
    """
    return whiten(return_to_go(token_reward.double(), seq, gamma)).float()


def reinforce_plus_plus_baseline(token_reward: Tensor, seq: Tensor, group: Tensor) -> Tensor:
    """R - mean of the group, broadcast to the tokens, then whitened over the batch.

    Source: REINFORCE++, arXiv 2501.03262, the variant with a group baseline.
    """
    return whiten(_centred(token_reward, seq, group)[seq]).float()


def reinforce(token_reward: Tensor, seq: Tensor, group: Tensor, *, gamma: float = 1.0) -> Tensor:
    """The plain return to go (Williams 1992), without any baseline."""
    return return_to_go(token_reward.double(), seq, gamma).float()


def canon_length(
    token_reward: Tensor,
    seq: Tensor,
    group: Tensor,
    *,
    canon_mix: float = 1.0,
    canon_alpha: float = 1.0,
    canon_beta: float = 0.0,
) -> Tensor:
    """Each half of a group, the shorter and the longer, judged by the mean of the other half.

        longer:  mix (alpha R - mean_short + beta) + (1 - mix) (R - mean_long)
        shorter: mix (R - alpha mean_long - beta) + (1 - mix) (R - mean_short)

    Lengths count trainable tokens. With rewards >= 0, alpha < 1 or beta < 0 favour short answers,
    also in a group whose rewards are all equal; with mix 1/2, alpha 1 and beta 0 it is Dr. GRPO.

    Source: CANON, arXiv 2509.23962, on length. Its code divides by a fixed length: here that is the
    aggregation "constant". It puts the middle one of an odd group into the longer half, and ties in
    the order of the input; here what stands across the border belongs to both halves by
    its share, so that no order matters.
    """
    score, present, _ = _scores(token_reward, seq, group)
    length = lengths(seq, len(group)).double()
    out = torch.zeros_like(score)
    for g in torch.unique(group[present]):
        members = torch.nonzero((group == g) & present).flatten()
        reward, size = score[members], length[members]
        equal = bool(reward.max() <= reward.min())
        if len(members) == 1 or (equal and canon_alpha == 1 and canon_beta == 0):
            continue
        shorter = (size[:, None] > size).sum(1)
        ties = (size[:, None] == size).sum(1)
        half = len(members) / 2
        short = ((half - shorter) / ties).clamp(0, 1)  # its share in the shorter half
        mean_short = (short * reward).sum() / half
        mean_long = ((1 - short) * reward).sum() / half
        as_short = canon_mix * (reward - canon_alpha * mean_long - canon_beta)
        as_short += (1 - canon_mix) * (reward - mean_short)
        as_long = canon_mix * (canon_alpha * reward - mean_short + canon_beta)
        as_long += (1 - canon_mix) * (reward - mean_long)
        out[members] = short * as_short + (1 - short) * as_long
    return out[seq].float()


ADVANTAGES: dict[str, Callable[..., Tensor]] = {
    "grpo": grpo,
    "grpo-batch": grpo_batch,
    "dr-grpo": dr_grpo,
    "rloo": rloo,
    "reinforce": reinforce,
    "reinforce++": reinforce_plus_plus,
    "reinforce++-baseline": reinforce_plus_plus_baseline,
    "canon-length": canon_length,
}
