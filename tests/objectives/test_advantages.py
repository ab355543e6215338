"""Advantages against values worked out by hand and against plain loops."""

import plain_loops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.objectives.advantages import ADVANTAGES, token_rewards, zero_variance_groups
from swr1.objectives.ragged import return_to_go


def flat(lengths: list[int]) -> torch.Tensor:
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def advantage(name: str, reward, lengths, group, penalty=None, **options) -> list[list[float]]:
    """Through the function under test, back as one list per sequence."""
    seq = flat(lengths)
    tokens = token_rewards(
        torch.tensor(reward), seq, None if penalty is None else torch.tensor(penalty)
    )
    out = ADVANTAGES[name](tokens, seq, torch.tensor(group), **options)
    assert out.shape == seq.shape and out.dtype == torch.float32
    return [part.tolist() for part in out.split(lengths)]


def test_grpo_by_hand():
    # Rewards 3, -1, -1, -1: mean 0, unbiased variance (9 + 3) / 3 = 4, so 1.5 and -0.5.
    out = advantage("grpo", [3.0, -1.0, -1.0, -1.0], [2, 1, 1, 3], [0, 0, 0, 0])
    assert out[0] == pytest.approx([1.5, 1.5], rel=1e-5)
    assert out[3] == pytest.approx([-0.5] * 3, rel=1e-5)


def test_the_spread_of_the_whole_batch_by_hand():
    # Rewards 0 2 | 5 5: mean 3, variance (9 + 1 + 4 + 4) / 3 = 6; an equal group has 0.
    out = advantage("grpo-batch", [0.0, 2.0, 5.0, 5.0], [1, 2, 1, 1], [0, 0, 1, 1])
    one = 6**-0.5
    assert [row[0] for row in out] == pytest.approx([-one, one, 0, 0], rel=1e-5)
    assert advantage("grpo-batch", [3.0], [2], [0]) == [[0.0, 0.0]]


def test_dr_grpo_and_rloo_by_hand():
    # Two groups: (1, 0) and (4, 1, 1). RLOO is n/(n-1) times the centred reward.
    reward, lengths, group = [1.0, 4.0, 0.0, 1.0, 1.0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 1]
    centred = advantage("dr-grpo", reward, lengths, group)
    assert [x for (x,) in centred] == pytest.approx([0.5, 2.0, -0.5, -1.0, -1.0])
    left_out = advantage("rloo", reward, lengths, group)
    assert [x for (x,) in left_out] == pytest.approx([1.0, 3.0, -1.0, -1.5, -1.5])


def test_reinforce_plus_plus_by_hand():
    # Two sequences of 1 and 2 tokens, rewards 2 and -1: returns 2 | -1 -1, mean 0, variance 3.
    out = advantage("reinforce++", [2.0, -1.0], [1, 2], [0, 0])
    third = 3**-0.5
    assert out[0] == pytest.approx([2 * third]) and out[1] == pytest.approx([-third, -third])


def test_reinforce_plus_plus_carries_the_kl_penalty_backwards():
    # One sequence, reward 1, penalties .1 .2 .4: returns .3, .4, .6 (gamma 1).
    seq = flat([3])
    tokens = token_rewards(torch.tensor([1.0]), seq, torch.tensor([0.1, 0.2, 0.4]))
    assert tokens.tolist() == pytest.approx([-0.1, -0.2, 0.6])
    assert return_to_go(tokens, seq).tolist() == pytest.approx([0.3, 0.4, 0.6])
    # gamma .5: .6; -.2 + .3 = .1; -.1 + .05 = -.05
    assert return_to_go(tokens, seq, 0.5).tolist() == pytest.approx([-0.05, 0.1, 0.6])


def test_baseline_variant_whitens_after_centring():
    # Centred +1, -1 | +3, -3 on one token each: mean 0, variance 20/3.
    out = advantage("reinforce++-baseline", [2.0, 0.0, 6.0, 0.0], [1, 1, 1, 1], [0, 0, 1, 1])
    scale = (20 / 3) ** -0.5
    assert [x for (x,) in out] == pytest.approx([scale, -scale, 3 * scale, -3 * scale])


GROUPED = ["grpo", "dr-grpo", "rloo", "reinforce++-baseline", "canon-length"]


@pytest.mark.parametrize("name", GROUPED)
def test_a_group_of_one_and_equal_rewards_give_zero(name: str):
    # Trap: verl gives a single sequence its raw reward. 0.1 + 0.1 + 0.1 is not 3 * 0.1 in floats:
    # noise over epsilon would be an advantage of its own.
    out = advantage(name, [5.0, 0.1, 0.1, 0.1, 1.0, 2.0], [2] * 6, [0, 1, 1, 1, 2, 2])
    assert out[:4] == [[0.0, 0.0]] * 4
    assert out[4][0] < 0 < out[5][0]


@pytest.mark.parametrize("name", ADVANTAGES)
@pytest.mark.parametrize("lengths", [[0, 0], [1], [0], [3, 0]])
def test_nothing_to_train_on_is_finite(name: str, lengths: list[int]):
    out = advantage(name, [1.0] * len(lengths), lengths, [0] * len(lengths))
    assert all(abs(x) < 10 for row in out for x in row)


@pytest.mark.parametrize("name", GROUPED)
def test_a_sequence_without_tokens_is_no_part_of_the_baseline(name: str):
    # Trap: counted as a zero, the third sequence would move the mean of (1, 3) from 2 to 4/3.
    with_empty = advantage(name, [1.0, 3.0, 99.0], [1, 1, 0], [0, 0, 0])
    without = advantage(name, [1.0, 3.0], [1, 1], [0, 0])
    assert with_empty[:2] == without


def test_zero_variance_groups():
    reward = torch.tensor([1.0, 1.0, 2.0, 3.0, 7.0], dtype=torch.float64)
    assert zero_variance_groups(reward, torch.tensor([0, 0, 1, 1, 2])).tolist() == [
        True,
        False,
        True,
    ]


batches = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from([-3.0, -0.5, 0.0, 1.0, 3.0])),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(batches, st.floats(0.5, 1.0), st.integers(0, 2**31))
def test_against_plain_loops(batch, gamma, seed):
    """Any lengths (empty sequences too), any grouping, with a KL penalty on every token."""
    lengths, labels, reward = map(list, zip(*batch, strict=True))
    group = [sorted(set(labels)).index(g) for g in labels]
    penalty = (
        torch.rand(sum(lengths), generator=torch.Generator().manual_seed(seed)) / 10
    ).tolist()
    rows, at = [], 0
    for n, r in zip(lengths, reward, strict=True):
        row = [-p for p in penalty[at : at + n]]
        if row:
            row[-1] += r
        rows.append(row)
        at += n
    expected = {
        "reinforce": plain_loops.returns(rows, gamma),
        "reinforce++": plain_loops.whiten(plain_loops.returns(rows, gamma)),
        "reinforce++-baseline": plain_loops.whiten(
            plain_loops.baseline_advantages(rows, group, "dr-grpo")
        ),
    } | {
        k: plain_loops.baseline_advantages(rows, group, k)
        for k in ("grpo", "grpo-batch", "dr-grpo", "rloo")
    }
    assert expected.keys() == ADVANTAGES.keys() - {"canon-length"}
    for name, want in expected.items():
        discount = {"gamma": gamma} if name in ("reinforce", "reinforce++") else {}
        got = advantage(name, reward, lengths, group, penalty, **discount)
        for a, b in zip(got, want, strict=True):
            assert a == pytest.approx(b, abs=1e-4, rel=1e-4), name
