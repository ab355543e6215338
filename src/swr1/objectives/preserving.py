"""A guard against the collapse of RL with searches: what is right must not become unlikely.

    logp [N] (with gradient), sampled [N], advantage [N], seq [N] -> penalty [N], to be minimised

Wrong completions that share their words with right ones push the likelihood of both down. What is
unlikely has large gradients, which push harder: "lazy likelihood displacement" (LLDS, arXiv
2512.04220). The paper's penalty is on the tokens of an action, a run of tokens that the policy wrote
between two answers of a tool, if

* its advantage is not negative,
* its log-probability, the sum over its tokens, has fallen,

and there on each token whose own log-probability has fallen, by how much it fell:

    max(0, log pi_sampled(token) - log pi(token))

What is from where: the set, the gate by action (or by response, the paper's weaker variant) and the
penalty are those of the paper's published code. Ours are three things. The drop is counted from the
policy that sampled, also where a sample is stale (the code recomputes and compares with the policy
before the batch's updates). A drop within rounding is none. The mean is the objective's, over the counts of
the whole step (the code takes a mean of the micro-batches' token means).
"""

import torch
from torch import Tensor

from swr1.objectives.ragged import lengths, segment_sum

GATES = ["action", "response"]
ROUNDING = 1e-4
"""Nats per token, as a mean over an action, below which it has not fallen: two computations of one
policy differ by less in float32. Without it half of all on-policy tokens would have a gradient."""


def actions(position: Tensor, seq: Tensor) -> Tensor:
    """The number of each token's action [N]: tokens next to each other in one sequence.

    Args:
        position: [N] int64, where each token stands in its sequence, ascending.
        seq: [N] int64, whose it is.
    """
    if not position.numel():
        return seq.clone()
    begins = (seq[1:] != seq[:-1]) | (position[1:] != position[:-1] + 1)
    return torch.cat([begins.new_zeros(1), begins]).cumsum(0)


def likelihood_drop(logp: Tensor, sampled: Tensor, advantage: Tensor, unit: Tensor) -> Tensor:
    """The penalty of each token [N], in nats; see above. The gates carry no gradient.

    Args:
        unit: [N] int64, ascending from 0, what is gated as one: `actions(...)`, or `seq`.
    """
    drop = sampled - logp
    if not drop.numel():
        return drop
    n = int(unit[-1]) + 1
    kept = advantage >= 0
    with torch.no_grad():
        fallen = segment_sum(torch.where(kept, drop, 0.0), unit, n)
        open_ = fallen > ROUNDING * lengths(unit, n)
    return torch.where(kept & open_[unit], drop.clamp(min=0), 0.0)
