"""Importance weights by hand and against plain loops."""

import math

import pytest
import torch

from swr1.objectives.importance import (
    effective_share,
    mask,
    normalise,
    sequence_ratio,
    token_ratio,
    truncate,
)

LN = math.log


def test_by_hand():
    seq = torch.tensor([0, 0, 2])
    old, behaviour = torch.tensor([LN(0.6), LN(0.5), LN(0.9)]), torch.tensor([LN(0.2)] * 3)
    token, sequence = (f(old, behaviour, seq) for f in (token_ratio, sequence_ratio))
    assert token.tolist() == pytest.approx([3.0, 2.5, 4.5])
    assert sequence.tolist() == pytest.approx([7.5, 7.5, 4.5])
    assert truncate(token, 2.7).tolist() == pytest.approx([2.7, 2.5, 2.7])
    assert mask(token, 2.7).tolist() == pytest.approx([0.0, 2.5, 0.0])


@pytest.mark.parametrize("cap", [0.5, 1.0, 2.0])
def test_against_loops(cap: float):
    generator = torch.Generator().manual_seed(0)
    lengths = [3, 0, 1, 7]
    seq = torch.tensor([i for i, n in enumerate(lengths) for _ in range(n)])
    old, behaviour = (torch.randn(11, generator=generator, dtype=torch.float64) for _ in range(2))
    at = 0
    token: list[float] = []
    sequence: list[float] = []
    for n in lengths:
        ratios = [math.exp(old[t] - behaviour[t]) for t in range(at, at + n)]
        token += ratios
        sequence += [math.prod(ratios)] * n
        at += n
    for ratio, want in ((token_ratio, token), (sequence_ratio, sequence)):
        got = ratio(old, behaviour, seq)
        assert got.tolist() == pytest.approx(want)
        assert truncate(got, cap).tolist() == pytest.approx([min(w, cap) for w in want])
        assert mask(got, cap).tolist() == pytest.approx([w if w <= cap else 0 for w in want])


def test_an_absurd_ratio_stays_finite_and_nothing_is_nothing():
    far = torch.tensor([500.0, 500.0]), torch.zeros(2), torch.zeros(2, dtype=torch.long)
    assert all(f(*far).isfinite().all() for f in (token_ratio, sequence_ratio))
    none = torch.zeros(0), torch.zeros(0), torch.zeros(0, dtype=torch.long)
    assert all(f(*none).numel() == 0 for f in (token_ratio, sequence_ratio))


def test_effective_share():
    def share(*w: float) -> float:
        return effective_share(len(w), sum(w), sum(x * x for x in w))

    assert share(*[0.3] * 5) == pytest.approx(1)
    assert share(1.0, 0.0, 0.0, 0.0) == pytest.approx(0.25)
    assert share(1.0, 3.0) == pytest.approx(16 / 20)
    assert share() == 1


def test_bounds_from_below_and_the_mean_by_hand():
    ratio = torch.tensor([0.1, 0.5, 4.0])
    assert truncate(ratio, 2.0, 0.25).tolist() == pytest.approx([0.25, 0.5, 2.0])
    assert mask(ratio, 2.0, 0.25).tolist() == pytest.approx([0.0, 0.5, 0.0])
    at_the_bounds = torch.tensor([0.25, 2.0])
    assert mask(at_the_bounds, 2.0, 0.25).tolist() == [0.25, 2.0]
    # over tokens the mean of 1 1 1 3 is 1.5; over the two sequences that of 1 and 3 is 2
    weight, seq = torch.tensor([1.0, 1.0, 1.0, 3.0]), torch.tensor([0, 0, 0, 4])
    assert normalise(weight, seq, "token").tolist() == pytest.approx([2 / 3] * 3 + [2.0])
    assert normalise(weight, seq, "sequence").tolist() == pytest.approx([0.5] * 3 + [1.5])
    assert normalise(torch.zeros(2), seq[:2], "token").tolist() == [0.0, 0.0]
    assert normalise(torch.zeros(0), seq[:0], "sequence").tolist() == []
