"""Per-token estimators of KL(policy || reference) from samples of the policy, in nats.

Source: J. Schulman, "Approximating KL divergence" (2020). With x = log p(token) under the policy
and q under the reference:

    k1 = x - q                unbiased, can be negative; the one for a penalty in the reward
    k2 = (x - q)^2 / 2        biased value; on-policy its gradient is that of the reverse KL
    k3 = e^(q-x) - (q-x) - 1  unbiased, never negative; its gradient descends the FORWARD KL

As a loss k1 does nothing: the expectation of its gradient is zero.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def k1(logp: Tensor, ref: Tensor) -> Tensor:
    return logp - ref


def k2(logp: Tensor, ref: Tensor) -> Tensor:
    return (logp - ref) ** 2 / 2


def k3(logp: Tensor, ref: Tensor) -> Tensor:
    """The log-ratio is held within 20 nats, where the exponential would leave float32."""
    log_ratio = (ref - logp).clamp(-20.0, 20.0)
    return log_ratio.exp() - log_ratio - 1


ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k2": k2, "k3": k3}
