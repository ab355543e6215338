"""The split, and figures of a classifier against numbers worked out by hand."""

from math import log

import numpy as np
import pytest

from swr1.errors import DataError
from swr1.training.held_out import (
    accuracy,
    across_sources,
    calibration,
    ece,
    fit_scaling,
    fit_temperature,
    is_held_out,
    log_odds,
    measure,
    measure_pairs,
    softmax,
)


def test_the_split_is_by_the_key_and_has_its_share():
    keys = [f"record {i}" for i in range(4000)]
    chosen = [key for key in keys if is_held_out(key, 0.1)]
    assert 300 < len(chosen) < 500
    assert all(is_held_out(key, 0.3) for key in chosen)  # a larger share holds the smaller one
    assert not any(is_held_out(key, 0) for key in keys)


def test_ece_by_hand():
    sure = np.array([0.95, 0.95, 0.85, 0.55])
    right = np.array([True, False, True, False])
    # bins .9-1: |.5 - .95| * 2, .8-.9: |1 - .85|, .5-.6: |0 - .55|
    assert ece(sure, right) == pytest.approx((0.9 + 0.15 + 0.55) / 4)
    # two bins of two: (.55, .85) and (.95, .95)
    assert ece(sure, right, 2, mass=True) == pytest.approx((abs(0.5 - 0.7) + abs(0.5 - 0.95)) / 2)
    assert ece(np.array([1.0]), np.array([True])) == 0  # the last bin is closed


def drawn(n: int, scale: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Logits that are `scale` times those that the labels were drawn from."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (n, 3))
    y = (softmax(logits).cumsum(-1) > rng.random((n, 1))).argmax(-1)
    return logits * scale, y, [str(i) for i in range(n)]


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_the_temperature_undoes_a_scale(scale: float):
    logits, y, keys = drawn(4000, scale)
    assert fit_temperature(logits, y) == pytest.approx(scale, rel=0.1)
    found = calibration(logits, y, keys)
    assert found["ece_scaled"] < 0.03
    if scale == 4:
        assert found["ece"] > 0.1
        assert found["log_loss_scaled"] < found["log_loss"]
        low, high = found["ece_interval"]
        assert low < found["ece"] < high


def test_each_half_is_scaled_by_the_other():
    """A half whose labels are noise must not choose its own temperature."""
    logits, y, keys = drawn(400, 1.0)
    half = np.array([is_held_out(f"half/{key}", 0.5) for key in keys])
    other = fit_temperature(logits[~half], y[~half])
    p = softmax(logits[half], other)
    expected = -np.log(p[np.arange(half.sum()), y[half]]).sum()
    own = fit_temperature(logits[half], y[half])
    p = softmax(logits[~half], own)
    expected -= np.log(p[np.arange((~half).sum()), y[~half]]).sum()
    assert calibration(logits, y, keys)["log_loss_scaled"] == pytest.approx(expected / 400)


def test_one_prompt_cannot_be_halved():
    logits, y, _ = drawn(20, 1.0)
    found = calibration(logits, y, ["the same"] * 20)
    assert found["ece_scaled"] is found["log_loss_scaled"] is None
    assert found["ece"] is not None and found["temperature"] > 0


def test_figures_by_hand():
    y = np.array([0, 0, 0, 1, 1])
    p = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.3, 0.7, 0], [0.4, 0.6, 0], [0.6, 0.4, 0]])
    found = measure(np.log(p + 1e-9), y, list("abcde"), ["x", "y", "z"])
    assert found["accuracy"] == 0.6 and found["majority"] == 0.6 and found["n"] == 5
    x, other, missing = found["per_class"].values()
    assert (x["precision"], x["recall"], x["n"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert (other["precision"], other["recall"], other["f1"]) == (0.5, 0.5, 0.5)
    # x before not-x, of 6 pairs: .9 and .8 before .4 and .6; .3 before none
    assert x["auroc"] == pytest.approx(4 / 6)
    # A label that never occurs has no AUROC, and no part in the means.
    assert missing["auroc"] is None and missing["n"] == 0
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert found["auroc"] == pytest.approx((x["auroc"] + other["auroc"]) / 2)
    assert found["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    right = [0.9, 0.8, 0.3, 0.6, 0.4]
    assert found["log_loss"] == pytest.approx(-sum(map(log, right)) / 5, rel=1e-4)


def test_samples_of_one_prompt_do_not_narrow_the_interval():
    right = np.array([True, True, True, False] * 5)
    alone = accuracy(right, [str(i) for i in range(20)])["accuracy_interval"]
    many = accuracy(np.repeat(right, 10), [str(i) for i in range(20) for _ in range(10)])
    assert many["accuracy_interval"] == alone and many["n"] == 200
    assert alone[0] == pytest.approx(0.531, abs=0.001)  # Wilson, 15 of 20


def test_pairs_by_hand():
    chosen, rejected = np.array([2.0, 1.0, 0.0]), np.array([1.0, 2.0, 0.0])
    found = measure_pairs(chosen, rejected, list("abc"))
    assert found["accuracy"] == pytest.approx(1 / 3)  # a tie is no preference
    assert found["margin"] == 0
    expected = np.mean([np.log1p(np.exp(-1)), np.log1p(np.exp(1)), np.log(2)])
    assert found["log_loss"] == pytest.approx(expected)
    assert found["auroc"] == pytest.approx(0.5)


def test_ties_are_ties_for_a_judge_that_knows_no_doubt():
    confusion = [[351, 11, 12], [7, 2, 18], [13, 2, 34]]
    cells = [(y, guess) for y in range(3) for guess in range(3) for _ in range(confusion[y][guess])]
    y, guess = np.array(cells).T
    # A score of two values has the area (sensitivity + specificity) / 2.
    by_hand = [
        (351 / 374 + 1 - 20 / 76) / 2,
        (2 / 27 + 1 - 13 / 423) / 2,
        (34 / 49 + 1 - 30 / 401) / 2,
    ]
    for sure in (0.98, 0.97, 0.9, 1 / 3 + 1e-3):
        p = np.full((len(y), 3), (1 - sure) / 2)
        p[np.arange(len(y)), guess] = sure
        found = measure(np.log(p), y, list(map(str, range(len(y)))), ["a", "b", "c"])
        assert [found["per_class"][name]["auroc"] for name in "abc"] == pytest.approx(by_hand)
        assert found["auroc"] == pytest.approx(0.723, abs=5e-4)


def test_what_is_all_but_certain_is_still_ranked():
    logits = np.array([[40.0, 0.0], [60.0, 0.0], [80.0, 0.0], [50.0, 0.0]])
    assert len(set(softmax(logits)[:, 0])) == 1
    assert log_odds(logits)[:, 0].argsort().tolist() == [0, 3, 1, 2]


def shifted(seed: int, n: int, scale: float, shift: float, share: float):
    """Logits [n, 2] that are too sure by `scale` and off by `shift`, of labels that are 1 so often."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    odds = rng.normal(2 * y - 1, 1.0) * 2  # log-odds of equally frequent labels
    return np.stack([np.zeros(n), scale * odds + shift], axis=1), y


def test_temperature_and_offsets_undo_a_scale_and_a_shift():
    logits, y = shifted(0, 20_000, 3.0, -6.0, 0.5)
    temperature, offsets = fit_scaling(logits, y, np.ones(len(y)))
    assert temperature == pytest.approx(3, rel=0.05)
    assert offsets[1] - offsets[0] == pytest.approx(2, abs=0.15)


def test_a_label_that_does_not_occur_keeps_its_place():
    logits = np.concatenate([shifted(0, 500, 1.0, 0.0, 0.5)[0], np.full((500, 1), -9.0)], axis=1)
    y = shifted(0, 500, 1.0, 0.0, 0.5)[1]
    assert fit_scaling(logits, y, np.ones(500))[1][2] == 0


def test_a_threshold_is_fitted_on_other_sources_and_told_by_source():
    parts = [shifted(1, 400, 2.0, 0.0, 0.5), shifted(2, 400, 2.0, -5.0, 0.9), shifted(3, 400, 2.0, -5.0, 0.6)]  # fmt: skip
    logits, y = (np.concatenate(some) for some in zip(*parts, strict=True))
    names = ["seen"] * 400 + ["left out"] * 400 + ["new"] * 400
    found = across_sources(logits, y, names, ["left out"])
    new = found["by_source"]["new"]
    assert new["n"] == 400 and not new["fitted_on"] and found["by_source"]["left out"]["fitted_on"]
    assert new["accuracy_scaled"] > new["accuracy"] + 0.02
    # Without names all count, each label of each source the same: larger sources do not outvote.
    twice = across_sources(np.tile(logits[:400], (9, 1)), np.tile(y[:400], 9), ["a"] * 3600)
    once = across_sources(logits[:400], y[:400], ["a"] * 400)
    assert once["offsets"] == pytest.approx(twice["offsets"], abs=0.02)


def test_one_label_calibrates_nothing():
    with pytest.raises(DataError, match="only one label"):
        across_sources(np.zeros((4, 2)), np.array([0, 1, 0, 0]), list("abcc"), ["c"])
