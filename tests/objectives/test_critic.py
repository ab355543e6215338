"""GAE and the loss of values: by hand, as a double sum, and by finite differences."""

import plain_loops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_advantages import flat

from swr1.objectives.advantages import token_rewards
from swr1.objectives.critic import gae, value_loss


def test_by_hand():
    # Rewards 0, 1; values 0.5, 0.8. delta: 0 + .9*.8 - .5 = .22, 1 - .8 = .2.
    rewards = token_rewards(torch.tensor([1.0]), flat([2]))
    advantage, returns = gae(rewards, torch.tensor([0.5, 0.8]), flat([2]), gamma=0.9, lam=0.5)
    assert advantage.tolist() == pytest.approx([0.22 + 0.45 * 0.2, 0.2])
    assert returns.tolist() == pytest.approx([0.81, 1.0])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), max_size=6), min_size=1),
    st.floats(0.5, 1),
    st.floats(0, 1),
)
def test_against_the_double_sum(rows, gamma, lam):
    seq = flat([len(r) for r in rows])
    rewards, values = (
        torch.tensor([x[k] for r in rows for x in r], dtype=torch.float64) for k in (0, 1)
    )
    advantage, returns = gae(rewards, values, seq, gamma=gamma, lam=lam)
    want = []
    for r in rows:
        want += plain_loops.gae([x for x, _ in r], [v for _, v in r], gamma, lam)
    assert advantage.tolist() == pytest.approx(want, rel=1e-4, abs=1e-4)
    assert returns.tolist() == pytest.approx(
        [a + float(v) for a, v in zip(want, values, strict=True)], rel=1e-4, abs=1e-4
    )


def test_trap_an_interior_mask_is_stepped_over_without_discount():
    """A tool's tokens between the two: V carries through, as if they were not there. Zeros in
    their place (as others have it) would bootstrap the first token from 0 and discount thrice."""
    trained = torch.tensor([0.3, 0.7])
    rewards = token_rewards(torch.tensor([1.0]), flat([2]))
    advantage, _ = gae(rewards, trained, flat([2]), gamma=0.9, lam=1.0)
    zeroed = torch.tensor([0.3, 0.0, 0.0, 0.7])
    padded = token_rewards(torch.tensor([1.0]), flat([4]))
    other, _ = gae(padded, zeroed, flat([4]), gamma=0.9, lam=1.0)
    assert advantage[0].item() == pytest.approx(0.9 * 1 - 0.3)
    assert other[0].item() == pytest.approx(0.9**3 - 0.3)


def test_trap_the_value_of_the_next_sequence_is_not_the_next_value():
    rewards = torch.zeros(2, dtype=torch.float64)
    advantage, _ = gae(rewards, torch.tensor([0.0, 5.0]), torch.tensor([0, 1]))
    assert advantage.tolist() == [0.0, -5.0]


def test_without_values_and_discounts_it_is_the_return_to_go():
    rewards = token_rewards(torch.tensor([2.0, -1.0]), flat([2, 1]))
    advantage, returns = gae(rewards, torch.zeros(3), flat([2, 1]))
    assert advantage.tolist() == returns.tolist() == [2.0, 2.0, -1.0]


def test_value_loss_by_hand():
    # V moved from 0 to 1, clipped at 0.5. R = 2: the clipped value is further, and counts.
    one, zero = torch.tensor([1.0]), torch.zeros(1)
    assert value_loss(one, torch.tensor([2.0]), zero).tolist() == [1.5**2 / 2]
    assert value_loss(one, torch.tensor([-1.0]), zero).tolist() == [2.0**2 / 2]
    assert value_loss(one, torch.tensor([2.0]), zero, value_clip=None).tolist() == [0.5]


def test_value_gradient_by_finite_differences():
    generator = torch.Generator().manual_seed(1)
    value, returns, old = (torch.randn(30, generator=generator).double() for _ in range(3))
    assert torch.autograd.gradcheck(
        lambda v: value_loss(v, returns, old), (value.requires_grad_(),)
    )
