"""Several parts of a reward, the multiplier of a cost, and what is not known."""

import math
from functools import partial

import plain_loops
import pytest
import torch
from test_advantages import flat

from swr1.objectives.advantages import ADVANTAGES
from swr1.objectives.combine import (
    advantage_of,
    boost_live,
    lagrangian,
    normalise_then_sum,
    standardise,
    sum_of_parts,
)
from swr1.objectives.lagrange import Multiplier

NAN = math.nan
GRPO, CENTRED = ADVANTAGES["grpo"], ADVANTAGES["dr-grpo"]


def parts(**values: list[float]) -> dict[str, torch.Tensor]:
    return {k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()}


def test_sum_then_normalise_lets_the_large_part_win_and_normalise_then_sum_does_not():
    """One part in units of 100, one of 1, each a +-1 contrast: 0.7071 each after normalising."""
    p = parts(big=[100.0, 0.0, 100.0, 0.0], small=[0.0, 1.0, 1.0, 0.0])
    weights, group, seq = (
        {"big": 1.0, "small": 1.0},
        torch.zeros(4, dtype=torch.long),
        flat([1] * 4),
    )
    summed = advantage_of(sum_of_parts(p, weights, group), seq, group, GRPO)
    want = plain_loops.baseline_advantages([[100.0], [1.0], [101.0], [0.0]], [0] * 4, "grpo")
    assert summed.tolist() == pytest.approx([x for (x,) in want], rel=1e-5)
    each = normalise_then_sum(p, weights, seq, group, GRPO)
    z = 0.5 / math.sqrt(1 / 3)  # +-0.5 over the unbiased std of two ones and two zeros
    assert each.tolist() == pytest.approx([0.0, 0.0, 2 * z, -2 * z], abs=1e-5)
    tripled = normalise_then_sum(p, {"big": 1.0, "small": 3.0}, seq, group, GRPO)
    assert tripled.tolist() == pytest.approx([-2 * z, 2 * z, 4 * z, -4 * z], abs=1e-5)


def test_standardise_by_hand_each_sequence_weighs_the_same():
    # Sequences of 3 and 1 tokens with advantages 1 and -3: mean -1, std sqrt(8).
    out = standardise(
        torch.tensor([1.0, 1.0, 1.0, -3.0]), flat([3, 1]), torch.tensor([True, True]), eps=0.0
    )
    assert out.tolist() == pytest.approx([2 / math.sqrt(8)] * 3 + [-2 / math.sqrt(8)])
    # An unknown third one changes nothing; a dead fourth one stays 0 but counts.
    more = torch.tensor([1.0, -3.0, 0.0, 0.0])
    known = torch.tensor([True, True, False, True])
    out = standardise(more, flat([1] * 4), known, eps=0.0)
    std = math.sqrt(((1 + 2 / 3) ** 2 + (-3 + 2 / 3) ** 2 + (2 / 3) ** 2) / 2)
    assert out.tolist() == pytest.approx([(5 / 3) / std, (-7 / 3) / std, 0.0, 0.0])


def test_trap_missing_is_not_zero():
    """A judge that failed on the third sample: as if it were not there, not a reward of 0."""
    seq, group = flat([1, 1, 1]), torch.zeros(3, dtype=torch.long)
    score = torch.tensor([1.0, 3.0, NAN])
    for estimator in ADVANTAGES.values():
        out = advantage_of(score, seq, group, estimator)
        alone = advantage_of(score[:2], seq[:2], group[:2], estimator)
        assert out[:2].tolist() == alone.tolist() and out[2] == 0


def test_missing_in_the_middle_leaves_the_others_and_their_penalty_in_place():
    seq, group = flat([2, 3, 1]), torch.tensor([0, 0, 0])
    penalty = torch.arange(6.0)
    out = advantage_of(torch.tensor([1.0, NAN, 5.0]), seq, group, ADVANTAGES["reinforce"], penalty)
    # Returns to go: 1 - 0 - 1, 1 - 1 | nothing | 5 - 5.
    assert out.tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    out = advantage_of(torch.tensor([4.0, NAN, 7.0]), seq, group, ADVANTAGES["reinforce"], penalty)
    assert out.tolist() == [3.0, 3.0, 0.0, 0.0, 0.0, 2.0]


def test_a_part_that_a_whole_group_lacks_is_not_part_of_its_prompt():
    p = parts(math=[1.0, 0.0, NAN, NAN], safety=[NAN, NAN, 1.0, 0.0], format=[1.0, 1.0, 1.0, NAN])
    group = torch.tensor([0, 0, 1, 1])
    total = sum_of_parts(p, {"math": 2.0, "safety": 1.0, "format": 1.0}, group)
    assert total.tolist()[:3] == [3.0, 1.0, 2.0] and total[3].isnan()  # its format is unknown
    assert sum_of_parts(p, {"math": 1.0}, group)[2:].isnan().all()  # nothing is known of them


def test_lagrangian_by_hand():
    # Centred rewards +-1, centred costs -+2, lambda 3: (1 - 3 * -2) / 4 = 7/4.
    group, seq = torch.tensor([0, 0]), flat([1, 1])
    reward, cost = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    out = lagrangian(reward, cost, 3.0, seq, group, CENTRED)
    assert out.tolist() == pytest.approx([7 / 4, -7 / 4])
    assert lagrangian(reward, cost, 0.0, seq, group, CENTRED).tolist() == [1.0, -1.0]


def test_trap_each_is_normalised_before_lambda_weighs_them():
    """A cost in units of 1000 must weigh as one in units of 1; combined first it would rule."""
    group, seq = torch.zeros(4, dtype=torch.long), flat([1] * 4)
    reward, cost = torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.tensor([1.0, 0.0, 0.0, 0.0])
    small = lagrangian(reward, cost, 1.0, seq, group, GRPO)
    large = lagrangian(reward, 1000 * cost, 1.0, seq, group, GRPO)
    assert small.tolist() == pytest.approx(large.tolist(), abs=1e-4)


def test_a_kl_penalty_weighs_the_same_whatever_lambda_is():
    """-b KL in the reward and +b KL in the cost: (-b - lambda b) / (1 + lambda) = -b."""
    seq, group = flat([2]), torch.tensor([0])
    penalty, zero = torch.tensor([0.1, 0.2]), torch.zeros(1)
    estimator = partial(ADVANTAGES["reinforce"], gamma=1.0)
    for lam in (0.0, 1.0, 4.0):
        out = lagrangian(zero, zero, lam, seq, group, estimator, penalty)
        assert out.tolist() == pytest.approx([-0.3, -0.2])


def test_a_sample_whose_cost_is_unknown_is_judged_by_its_reward():
    group, seq = torch.tensor([0, 0, 0]), flat([1] * 3)
    reward, cost = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([0.0, 4.0, NAN])
    out = lagrangian(reward, cost, 1.0, seq, group, CENTRED)
    assert out.tolist() == pytest.approx([(1 + 2) / 2, (-1 - 2) / 2, 0.0])


def test_multiplier_by_hand():
    # log 1 + 0.1 * 1 * (3 - 1) = 0.2
    m = Multiplier(value=1.0, lr=0.1, limit=1.0, maximum=5.0)
    assert m.update(3.0) == pytest.approx(math.exp(0.2))
    # Its step is as large as it is itself: that is the gradient in log space.
    before = m.value
    m.update(0.0)
    assert m.value == pytest.approx(before * math.exp(-0.1 * before))
    for _ in range(100):
        m.update(100.0)
    assert m.value == pytest.approx(5.0)
    for _ in range(100):
        m.update(-100.0)
    assert 0 < m.value < 0.1


def test_a_multiplier_goes_on_from_its_state():
    a, b = Multiplier(), Multiplier(value=4.0)
    a.update(2.0)
    b.restore(a.state())
    assert b.update(1.0) == a.update(1.0)


def test_boost_by_hand_and_the_trap_of_counting_sequences():
    """Of 4 groups of 2 one is alive: 4/1, capped at 3. Sequences over groups would be 8."""
    seq, group = flat([1] * 8), torch.arange(8) // 2
    advantage = torch.tensor([0.0] * 6 + [1.0, -1.0])
    assert boost_live(advantage, seq, group, 3.0)[6:].tolist() == [3.0, -3.0]
    advantage[4:6] = torch.tensor([2.0, -2.0])
    assert boost_live(advantage, seq, group, 3.0)[4:].tolist() == [4.0, -4.0, 2.0, -2.0]
    assert boost_live(torch.zeros(8), seq, group, 3.0).tolist() == [0.0] * 8
