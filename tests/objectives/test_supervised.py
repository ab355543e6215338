"""SFT and DPO by hand and by finite differences; the penalty of overlong answers."""

import math

import pytest
import torch
from test_advantages import flat

from swr1.objectives.aggregate import aggregate, count
from swr1.objectives.shaping import overlong_penalty
from swr1.objectives.supervised import dpo, sequence_logp, sft

LN = math.log


def test_sft_is_the_cross_entropy_of_the_targets():
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 3, 6, 2, 2])
    logp = logits.log_softmax(-1)[range(5), targets]
    loss = aggregate(sft(logp), flat([5]), "token-mean", count(flat([5])))
    assert loss.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, targets).item())


def test_dpo_by_hand():
    # (ln 4 - ln 2) - (ln 1 - ln 3) = ln 6; beta 1: sigmoid = 6/7.
    args = [torch.tensor([x]) for x in (LN(4), 0.0, LN(2), LN(3))]
    loss, margin = dpo(*args, beta=1.0)
    assert margin.item() == pytest.approx(LN(6)) and loss.item() == pytest.approx(-LN(6 / 7))
    loss, _ = dpo(*args, beta=1.0, label_smoothing=0.25)
    assert loss.item() == pytest.approx(-0.75 * LN(6 / 7) - 0.25 * LN(1 / 7))
    loss, _ = dpo(*args[:2], beta=1.0)
    assert loss.item() == pytest.approx(-LN(4 / 5))
    # At the start policy and reference are one: ln 2 for every pair.
    same = torch.tensor([-3.0]), torch.tensor([-9.0])
    assert dpo(*same, *same)[0].item() == pytest.approx(LN(2))


def test_dpo_gradient():
    generator = torch.Generator().manual_seed(0)
    c, r, rc, rr = (torch.randn(4, generator=generator, dtype=torch.float64) for _ in range(4))
    c.requires_grad_()
    r.requires_grad_()
    for smoothing in (0.0, 0.1):
        assert torch.autograd.gradcheck(
            lambda c, r, e=smoothing: dpo(c, r, rc, rr, beta=0.5, label_smoothing=e)[0], (c, r)
        )


def test_dpo_of_a_lost_pair_stays_finite():
    far = torch.tensor([-5000.0], requires_grad=True)
    loss, _ = dpo(far, torch.tensor([0.0]), beta=1.0)
    loss.sum().backward()
    assert loss.item() == pytest.approx(5000) and far.grad.tolist() == [-1.0]


def test_sequence_logp_sums_and_carries_the_gradient():
    logp = torch.tensor([-1.0, -2.0, -4.0], requires_grad=True)
    total = sequence_logp(logp, torch.tensor([0, 0, 2]), 3)
    assert total.tolist() == [-3.0, 0.0, -4.0]
    total[0].backward()
    assert logp.grad.tolist() == [1.0, 1.0, 0.0]


def test_overlong_by_hand():
    # A limit of 100 and a share of 0.2: from 80 on, -0.5 at 90, -1 at 100.
    length, limit = torch.tensor([10, 80, 90, 100]), torch.full((4,), 100)
    assert overlong_penalty(length, limit, 0.2).tolist() == pytest.approx([0, 0, -0.5, -1])
    assert overlong_penalty(length, limit, 0.2, 3.0).tolist() == pytest.approx([0, 0, -1.5, -3])


def test_trap_beyond_the_limit_the_penalty_is_capped_or_not():
    length, limit = torch.tensor([120]), torch.tensor([100])
    assert overlong_penalty(length, limit, 0.2).tolist() == [-1.0]
    assert overlong_penalty(length, limit, 0.2, capped=False).tolist() == pytest.approx([-2.0])
