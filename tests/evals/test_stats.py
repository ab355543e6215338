"""Golden numbers worked by hand, by enumeration, or by another library's route."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from swr1.evals.stats import bootstrap_mean, clustered_wilson, mcnemar, pass_at_k, wilson


def test_wilson_of_8_in_10():
    # z = 1.959964: centre (.8 + z^2/20)/(1 + z^2/10) = .716740, half width .226577
    assert wilson(0.8, 10) == pytest.approx((0.490163, 0.943317), abs=2e-6)


@given(st.integers(1, 400), st.data())
def test_wilson_is_scipys(n, data):
    right = data.draw(st.integers(0, n))
    theirs = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_one_sample_per_puzzle_is_plain_wilson():
    assert clustered_wilson([1] * 8 + [0] * 2, [1] * 10) == pytest.approx(wilson(0.8, 10))


def test_samples_that_always_agree_count_as_one():
    """100 puzzles, 8 equal samples each: no narrower than the 100 puzzles allow."""
    clustered = clustered_wilson([8] * 30 + [0] * 70, [8] * 100)
    assert clustered == pytest.approx(wilson(0.3, 100), abs=1e-3)


def test_independent_samples_count_in_full():
    """Every puzzle 4 of 8: nothing in common within a puzzle, and never more than all samples."""
    assert clustered_wilson([4] * 50, [8] * 50) == pytest.approx(wilson(0.5, 400))


def test_clustered_interval_agrees_with_a_bootstrap_over_puzzles():
    rng = np.random.default_rng(3)
    judged = rng.integers(4, 9, size=400)
    correct = rng.binomial(judged, rng.beta(1, 1.5, size=400))
    draws = rng.integers(0, 400, size=(4000, 400))
    shares = correct[draws].sum(1) / judged[draws].sum(1)
    low, high = clustered_wilson(correct.tolist(), judged.tolist())
    assert (low, high) == pytest.approx(np.quantile(shares, [0.025, 0.975]), abs=0.004)
    alone = wilson(correct.sum() / judged.sum(), judged.sum())
    assert high - low > 1.4 * (alone[1] - alone[0])  # the puzzles do differ


def test_all_right_is_no_certainty_and_nothing_judged_is_none():
    low, high = clustered_wilson([8, 8, 8], [8, 8, 8])
    assert high == 1.0
    assert low == pytest.approx(wilson(1, 3)[0])
    assert low < 0.5
    assert clustered_wilson([], []) is None
    assert clustered_wilson([0, 1], [0, 1]) == pytest.approx(wilson(1, 1))


@pytest.mark.parametrize("n", range(1, 7))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = list(combinations([True] * c + [False] * (n - c), k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_mcnemar_exact():
    # 9 gained, 1 lost: 2 * (C(10,0) + C(10,1)) / 2^10
    assert mcnemar(9, 1) == pytest.approx(22 / 1024)
    assert mcnemar(0, 0) == mcnemar(5, 5) == 1.0


def test_bootstrap_of_gains():
    low, high = bootstrap_mean([1.0] * 60 + [0.0] * 30 + [-1.0] * 10)
    # normal theory: mean .5, variance .6 + .1 - .25 = .45, standard error .0671
    assert (low, high) == pytest.approx((0.5 - 0.1315, 0.5 + 0.1315), abs=0.012)
    assert bootstrap_mean([0.5, 0.5]) is None
