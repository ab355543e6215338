"""KL estimators: exact expectations over three outcomes, on-policy and off-policy."""

import math

import pytest
import torch

from swr1.objectives.kl import ESTIMATORS, off_policy
from swr1.objectives.presets import get_preset

LOGQ = torch.log_softmax(torch.tensor([0.0, 0.4, -0.3], dtype=torch.float64), 0)
OLD = torch.log_softmax(torch.tensor([0.5, 0.1, -0.6], dtype=torch.float64), 0)


def policy() -> tuple[torch.Tensor, torch.Tensor]:
    theta = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    return theta, torch.log_softmax(theta, 0)


def grad(x: torch.Tensor, theta: torch.Tensor) -> list[float]:
    return torch.autograd.grad(x, theta, retain_graph=True)[0].tolist()


@pytest.mark.parametrize("name", ["k2", "k1+", "k3+"])
def test_on_policy_gradient_of_the_reverse_kl(name: str):
    theta, logp = policy()
    reverse = (logp.exp() * (logp - LOGQ)).sum()
    mean = (logp.exp().detach() * ESTIMATORS[name](logp, LOGQ)).sum()
    assert grad(mean, theta) == pytest.approx(grad(reverse, theta))
    if name != "k2":
        assert mean.item() == pytest.approx(reverse.item())


@pytest.mark.parametrize("name", sorted(ESTIMATORS.keys() - {"abs"}))
def test_off_policy_the_ratio_makes_value_and_gradient_right(name: str):
    """Trap: without the factor, samples of an older policy give the KL of nothing in particular."""
    theta, logp = policy()
    reverse = (logp.exp() * (logp - LOGQ)).sum()
    mean = (OLD.exp() * off_policy(name, logp, LOGQ, OLD)).sum()
    plain = (OLD.exp() * ESTIMATORS[name](logp, LOGQ)).sum()
    if name == "k2":
        assert mean.item() == pytest.approx((logp.exp() * (logp - LOGQ) ** 2 / 2).sum().item())
    else:
        assert mean.item() == pytest.approx(reverse.item())
        assert abs(plain.item() - reverse.item()) > 1e-3
    assert grad(mean, theta) == pytest.approx(grad(reverse, theta))


def test_abs_is_the_mean_distance_on_and_off_policy():
    theta, logp = policy()
    distance = (logp.exp() * (logp - LOGQ).abs()).sum()
    mean = (OLD.exp() * off_policy("abs", logp, LOGQ, OLD)).sum()
    assert mean.item() == pytest.approx(distance.item())
    assert grad(mean, theta) == pytest.approx(grad(distance, theta))
    logp = torch.tensor([-1.0, -2.0], requires_grad=True)
    values = ESTIMATORS["abs"](logp, torch.tensor([-1.5, -1.5]))
    assert values.tolist() == [0.5, 0.5]
    assert torch.autograd.grad(values.sum(), logp)[0].tolist() == [1.0, -1.0]


def test_values_by_hand():
    # p = 1/2, q = 1/4: the log-ratio is ln 2.
    logp, ref = torch.tensor([-math.log(2)]), torch.tensor([-math.log(4)])
    assert ESTIMATORS["k1+"](logp, ref).item() == pytest.approx(math.log(2))
    assert ESTIMATORS["k3+"](logp, ref).item() == pytest.approx(math.log(2) - 0.5, rel=1e-5)
    # Sampled with 1/8: the ratio is 4.
    old = torch.tensor([-math.log(8)])
    assert off_policy("k3", logp, ref, old).item() == pytest.approx(4 * math.log(2) - 2, rel=1e-5)


@pytest.mark.parametrize("name", ["k2", "k3"])
def test_gradients_by_finite_differences(name: str):
    generator = torch.Generator().manual_seed(0)
    logp, ref, old = (torch.randn(9, generator=generator, dtype=torch.float64) for _ in range(3))
    logp.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ESTIMATORS[name](x, ref), (logp,))
    assert torch.autograd.gradcheck(lambda x: off_policy("k3", x, ref, old), (logp,))


def test_k1_in_the_loss_is_allowed_with_the_ratio_only():
    assert get_preset("grpo", kl_estimator="k1", kl_ratio=True).kl_ratio
