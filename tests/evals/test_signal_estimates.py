"""Groups without signal: against enumeration, a known model, and what larger groups then show."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import betabinom

from swr1.errors import DataError
from swr1.evals.estimate import estimate, fit_alike, share_alike


def groups(record, successes: list[int], k: int, people: int = 2, **more) -> list[dict]:
    """For each prompt, k records of which so many are right."""
    return [
        record(f"{people}-{i}", float(s < right), people, sample=s, temperature=1.0, **more)
        for i, right in enumerate(successes)
        for s in range(k)
    ]


@pytest.mark.parametrize("counts", [(4, 0), (3, 1), (2, 2), (5, 2, 1), (1, 1, 1)])
def test_share_alike_is_the_share_of_subsets_that_are_alike(counts):
    samples = [v for v, n in enumerate(counts) for _ in range(n)]
    for n in range(2, len(samples) + 1):
        subsets = list(combinations(samples, n))
        alike = sum(len(set(s)) == 1 for s in subsets) / len(subsets)
        assert share_alike(counts, n) == pytest.approx(alike)


def test_small_groups_are_estimated_without_bias():
    """Over many draws of 4, the mean equals p^2 + q^2."""
    rng = np.random.default_rng(0)
    counts = rng.binomial(4, 0.3, size=40_000)
    mean = np.mean([share_alike((int(c), 4 - int(c)), 2) for c in counts])
    assert mean == pytest.approx(0.3**2 + 0.7**2, abs=0.005)


def test_the_fit_finds_the_model_that_made_the_data():
    a, b = 0.7, 0.3
    right = np.arange(5)
    expected = betabinom.pmf(right, 4, a, b)  # the whole distribution: no noise
    (found,) = fit_alike(np.stack([right, 4 - right], 1), [expected], [8, 16])
    for n in (8, 16):
        truth = betabinom.pmf(0, n, a, b) + betabinom.pmf(n, n, a, b)
        assert found[n] == pytest.approx(truth, abs=1e-4)


def test_equal_prompts_are_not_taken_for_different_ones():
    right = np.arange(5)
    pmf = np.array([1, 4, 6, 4, 1]) / 16  # every prompt at 1/2
    (found,) = fit_alike(np.stack([right, 4 - right], 1), [pmf], [8])
    assert found[8] == pytest.approx(2 / 2**8, abs=1e-3)


def test_four_samples_foretell_what_eight_show(record):
    """Intervals hold the truth at n = 8 and 16, of which the estimate sees 4 samples."""
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 1.0, size=600)
    truth = {n: float(np.mean(p**n + (1 - p) ** n)) for n in (2, 4, 8, 16)}
    cell = estimate(groups(record, rng.binomial(4, p).tolist(), 4))["groups"]["2"]
    for n, signal in cell["sizes"].items():
        low, high = signal["interval"]
        assert low < truth[int(n)] < high
        assert high - low < 0.15
        assert signal["fitted"] == (int(n) > 4)
        assert signal["useful_per_1000"] == pytest.approx(1000 * (1 - signal["no_signal"]) / int(n))


@pytest.mark.parametrize(("p", "best"), [(0.5, 4), (0.06, 8), (0.004, 16)])
def test_the_rarer_a_success_the_larger_the_best_group(record, p, best):
    right = np.random.default_rng(2).binomial(16, p, size=1500).tolist()
    assert estimate(groups(record, right, 16), resamples=20)["all"]["best"] == best


def test_all_is_the_mean_over_prompts_and_a_fit_stays_in_its_cell(record):
    easy, hard = [4] * 30, [0] * 10
    records = groups(record, easy, 4, 2) + groups(record, hard, 4, 3)
    result = estimate(records)
    assert [c["prompts"] for c in result["groups"].values()] == [30, 10]
    assert result["all"]["prompts"] == 40
    assert result["all"]["mean"] == pytest.approx(0.75)
    for n in ("4", "16"):
        assert result["all"]["sizes"][n]["no_signal"] == 1
    low, high = result["groups"]["3"]["sizes"]["4"]["interval"]
    assert low < 0.8 and high == 1.0  # 10 prompts prove little
    assert result["all"]["best"] is None


def test_rewards_of_several_values_differ_where_verdicts_do_not(record):
    rows = [
        record(f"p{i}", 0.0, sample=s, reward=[-3.0, -0.5][s % 2])
        for i in range(20)
        for s in range(4)
    ]
    rewarded, judged = estimate(rows), estimate(rows, value="correct")
    assert rewarded["value"] == "reward"
    assert rewarded["all"]["sizes"]["4"]["no_signal"] == 0
    assert judged["all"]["sizes"]["4"]["no_signal"] == 1


def test_epochs_of_one_prompt_are_groups_but_one_unit(record):
    rng = np.random.default_rng(3)
    right = [[4, 4, 4, 0][i % 4] if i % 2 else int(rng.integers(1, 4)) for i in range(40)]
    once = groups(record, right, 4)
    again = [r | {"generation": r["generation"] | {"epoch": e}} for e in range(9) for r in once]
    few, many = (estimate(rows)["all"]["sizes"]["4"] for rows in (once, again))
    assert few["no_signal"] == many["no_signal"]
    width = [s["interval"][1] - s["interval"][0] for s in (few, many)]
    assert width[1] == pytest.approx(width[0], rel=0.25)  # not three times narrower


def test_unjudged_samples_are_left_out_and_told(record):
    rows = [*groups(record, [2, 3, 1], 4), record("2-0", None, sample=4)]
    result = estimate(rows)
    assert result["all"]["unjudged"] == 1
    assert result["all"]["samples"] == 12


def test_what_cannot_be_estimated_is_refused(record):
    with pytest.raises(DataError, match="one sample"):
        estimate(groups(record, [1, 0, 1], 1))
    with pytest.raises(DataError, match="no records"):
        estimate([])
    with pytest.raises(DataError, match="twice"):
        estimate([record("a", 1.0), record("a", 1.0)])
    bare = record("a", 1.0) | {"verdicts": {}}
    with pytest.raises(DataError, match="verify knights"):
        estimate([bare])


def test_the_order_of_the_input_does_not_matter(record):
    right = np.random.default_rng(4).binomial(4, 0.4, 50).tolist()
    rows = groups(record, right, 4)
    a, b = estimate(rows, resamples=5), estimate(rows[::-1], resamples=5)
    assert a["all"]["sizes"] == b["all"]["sizes"]
