"""Losses, KL estimators and aggregations: by hand, by plain loops, by finite differences."""

import math

import plain_loops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_advantages import flat

from swr1.objectives.aggregate import AGGREGATIONS, Counts, aggregate, count
from swr1.objectives.kl import ESTIMATORS
from swr1.objectives.losses import LOSSES, ppo_clip

LN = math.log


@pytest.mark.parametrize(
    ("r", "a", "loss"),
    [
        (1.0, 2.0, -2.0),  # on-policy: -A
        (1.5, 1.0, -1.28),  # a gain is capped at 1 + high
        (0.5, 1.0, -0.5),  # a lost gain is not
        (0.5, -1.0, 0.8),  # a loss is capped at 1 - low
        (1.5, -1.0, 1.5),  # growing on a bad token is not
        (9.0, -1.0, 9.0),
    ],
)
def test_ppo_clip_by_hand(r: float, a: float, loss: float):
    args = torch.tensor([LN(r)]), torch.tensor([0.0]), torch.tensor([a]), flat([1])
    assert ppo_clip(*args, clip_low=0.2, clip_high=0.28).item() == pytest.approx(loss, rel=1e-5)


def test_dual_clip_bounds_only_negative_advantages():
    args = torch.tensor([LN(9.0), LN(9.0)]), torch.zeros(2), torch.tensor([-1.0, 1.0]), flat([2])
    assert ppo_clip(*args, dual_clip=3.0).tolist() == pytest.approx([3.0, -1.2], rel=1e-5)


def test_a_clipped_token_has_no_gradient_and_an_absurd_ratio_stays_finite():
    logp = torch.tensor([LN(1.5), 500.0, LN(1.1)], requires_grad=True)
    ppo_clip(logp, torch.zeros(3), torch.tensor([1.0, -1.0, 1.0]), flat([3])).sum().backward()
    assert logp.grad is not None
    assert logp.grad.tolist() == pytest.approx([0.0, 0.0, -1.1], rel=1e-5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-2, 2)] * 3), min_size=1, max_size=8),
    st.floats(0.0, 0.5),
    st.floats(0.0, 0.5),
    st.none() | st.floats(1.1, 4.0),
)
def test_ppo_clip_against_loops(tokens, low, high, dual):
    logp, old, adv = (torch.tensor(x, dtype=torch.float64) for x in zip(*tokens, strict=True))
    got = ppo_clip(
        logp, old, adv, flat([len(tokens)]), clip_low=low, clip_high=high, dual_clip=dual
    )
    want = [plain_loops.ppo_clip(*t, low, high, dual) for t in tokens]
    assert got.tolist() == pytest.approx(want, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", ["ppo-clip", "cpgd", "reinforce"])
def test_gradients_by_finite_differences(loss: str):
    """Of those whose value is what is differentiated (cispo and gspo stop gradients within)."""
    generator = torch.Generator().manual_seed(0)
    old, adv = (torch.randn(40, generator=generator, dtype=torch.float64) for _ in range(2))
    logp = (old + torch.randn(40, generator=generator).double()).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: LOSSES[loss](x, old, adv, flat([30, 10])), (logp,))


def test_kl_by_hand():
    logp, ref = torch.tensor([-1.0]), torch.tensor([-1.0 - LN(2)])
    assert ESTIMATORS["k1"](logp, ref).item() == pytest.approx(LN(2))
    assert ESTIMATORS["k2"](logp, ref).item() == pytest.approx(LN(2) ** 2 / 2)
    # e^(q-x) = 1/2, q - x = -ln 2: 1/2 + ln 2 - 1
    assert ESTIMATORS["k3"](logp, ref).item() == pytest.approx(LN(2) - 0.5, rel=1e-5)


def test_kl_expectations_and_gradients_on_a_categorical():
    """k1 and k3 are unbiased; in expectation k1's gradient is 0, k2's that of the reverse KL,
    k3's that of the forward KL. Exact sums over three outcomes, no sampling."""
    theta = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    logq = torch.log_softmax(torch.tensor([0.0, 0.4, -0.3], dtype=torch.float64), 0)
    logp = torch.log_softmax(theta, 0)
    p = logp.exp().detach()

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(x, theta, retain_graph=True)[0]

    reverse = (logp.exp() * (logp - logq)).sum()
    forward = (logq.exp() * (logq - logp)).sum()
    mean = {name: (p * f(logp, logq)).sum() for name, f in ESTIMATORS.items()}
    assert mean["k1"].item() == pytest.approx(reverse.item())
    assert mean["k3"].item() == pytest.approx(reverse.item())
    assert gradient(mean["k1"]).tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    assert gradient(mean["k2"]).tolist() == pytest.approx(gradient(reverse).tolist())
    assert gradient(mean["k3"]).tolist() == pytest.approx(gradient(forward).tolist())


def test_k3_does_not_overflow():
    assert math.isfinite(ESTIMATORS["k3"](torch.tensor([-400.0]), torch.tensor([0.0])).item())


def test_aggregations_by_hand():
    # Sequences of losses (1 1 4) and (2), and one without tokens between them.
    x, seq = torch.tensor([1.0, 1.0, 4.0, 2.0]), torch.tensor([0, 0, 0, 2])
    counts = count(seq)
    assert counts == Counts(tokens=4, sequences=2)
    values = {mode: aggregate(x, seq, mode, counts, 8.0).item() for mode in AGGREGATIONS}
    assert values == {
        "token-mean": 2.0,
        "seq-mean-token-mean": 2.0,  # (2 + 2) / 2; counting the empty one gives 4/3
        "seq-mean-token-sum": 4.0,
        "constant": 0.5,  # 8 / (2 * 8)
    }


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 2**31), st.data())
def test_parts_with_global_counts_add_up_to_the_whole(lengths, seed, data):
    """Split anywhere between sequences: the shares sum to what plain loops give for the batch."""
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randn(n, generator=generator, dtype=torch.float64) for n in lengths]
    counts = count(flat(lengths))
    cut = data.draw(st.integers(0, len(rows)))
    for mode in AGGREGATIONS:
        share = sum(
            aggregate(
                torch.cat([*part, torch.zeros(0)]), flat([len(r) for r in part]), mode, counts, 7.0
            )
            for part in (rows[:cut], rows[cut:])
            if part
        )
        want = plain_loops.aggregate([r.tolist() for r in rows], mode, 7.0)
        assert float(share) == pytest.approx(want, abs=1e-9), mode


def test_a_mean_of_means_is_not_the_mean():
    """The trap that global counts avoid, shown with the numbers of the split itself."""
    x, seq = torch.tensor([1.0, 1.0, 1.0, 5.0]), torch.tensor([0, 0, 0, 1])
    whole = aggregate(x, seq, "token-mean", count(seq))
    parts = [(x[:3], seq[:3]), (x[3:], seq[3:] - 1)]
    local = sum(aggregate(a, s, "token-mean", count(s)) for a, s in parts) / 2
    exact = sum(aggregate(a, s, "token-mean", count(seq)) for a, s in parts)
    assert (whole.item(), exact.item(), local.item()) == (2.0, 2.0, 3.0)


def test_constant_needs_its_length():
    with pytest.raises(ValueError, match="length"):
        aggregate(torch.ones(1), torch.zeros(1, dtype=torch.long), "constant", Counts(1, 1))
