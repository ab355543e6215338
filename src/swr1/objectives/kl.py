"""Per-token estimators of KL(policy || reference) from samples of the policy, in nats.

Source: J. Schulman, "Approximating KL divergence" (2020). With x = log p(token) under the policy
and q under the reference:

    k1  = x - q                unbiased, can be negative; the one for a penalty in the reward
    k2  = (x - q)^2 / 2        biased value; on-policy its gradient is that of the reverse KL
    k3  = e^(q-x) - (q-x) - 1  unbiased, never negative; its gradient descends the FORWARD KL
    k1+ = value of k1, gradient of k2        unbiased value and on-policy the right gradient
    k3+ = value of k3, gradient of k2        the same, never negative
    abs = |x - q|              no KL, but a distance that is never negative (verl's `abs`)

As a loss k1 does nothing: the expectation of its gradient is zero.

All of it holds for samples of the policy itself. For samples of an older policy, `off_policy` puts
the ratio r = pi / pi_old in front. k1 and k3 need its gradient too (then E[r k1] and E[r k3] ARE
the KL, and so is their gradient, also on-policy); the forms with k2's gradient need its value only.
"""

from collections.abc import Callable

from torch import Tensor

from swr1.objectives.importance import LARGEST
from swr1.objectives.losses import ratio


def k1(logp: Tensor, ref: Tensor) -> Tensor:
    return logp - ref


def k2(logp: Tensor, ref: Tensor) -> Tensor:
    return (logp - ref) ** 2 / 2


def k3(logp: Tensor, ref: Tensor) -> Tensor:
    """The log-ratio is held within 20 nats, where the exponential would leave float32."""
    log_ratio = (ref - logp).clamp(-LARGEST, LARGEST)
    return log_ratio.exp() - log_ratio - 1


def distance(logp: Tensor, ref: Tensor) -> Tensor:
    return (logp - ref).abs()


def _with_gradient_of_k2(value: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    def estimate(logp: Tensor, ref: Tensor) -> Tensor:
        guide = k2(logp, ref)
        return value(logp, ref).detach() + guide - guide.detach()

    return estimate


ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "k1": k1,
    "k2": k2,
    "k3": k3,
    "k1+": _with_gradient_of_k2(k1),
    "k3+": _with_gradient_of_k2(k3),
    "abs": distance,
}


def off_policy(estimator: str, logp: Tensor, ref: Tensor, old: Tensor) -> Tensor:
    """The estimator [N] for samples of the policy that gave them `old`.

    Source: for k3, DeepSeek-V3.2, arXiv 2512.02556 (its unbiased estimate).
    """
    r = ratio(logp, old)
    return (r if estimator in ("k1", "k3", "abs") else r.detach()) * ESTIMATORS[estimator](
        logp, ref
    )
