"""The length advantage of `cale`: by hand, by a plain loop, and what may not change it."""

import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.objectives.presets import get_preset
from swr1.objectives.shaping import shortness

NAN = float("nan")


def short(lengths, success, group):
    tensor = torch.tensor
    return shortness(tensor(lengths), tensor(success, dtype=torch.float64), tensor(group)).tolist()


def test_by_hand():
    # group 0: successes of 10 and 30 tokens (mean 20, std sqrt(200)), a wrong one, one not judged
    out = short([10, 30, 5, 7], [1, 1, 0, NAN], [0, 0, 0, 0])
    scaled = 2 / 3 * 10 / 200**0.5
    assert out == pytest.approx([scaled, -scaled, 0, 0], abs=1e-6)


def test_nothing_for_one_success_equal_lengths_or_none():
    assert short([9, 4, 4], [1, 0, 0], [0, 0, 0]) == [0, 0, 0]
    assert short([9, 9, 4], [1, 1, 0], [0, 0, 0]) == [0, 0, 0]
    assert short([9, 3], [0, 0], [0, 0]) == [0, 0]
    assert short([9, 3], [NAN, NAN], [0, 0]) == [0, 0]


samples = st.lists(
    st.tuples(st.integers(1, 500), st.sampled_from([0.0, 1.0, NAN]), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)


@given(samples)
def test_a_plain_loop_agrees(rows):
    lengths, success, group = (list(column) for column in zip(*rows, strict=True))
    out = short(lengths, success, group)
    for i, (length, good, mine) in enumerate(rows):
        mates = [(n, s) for n, s, g in rows if g == mine]
        wins = [n for n, s in mates if s == 1]
        expected = 0.0
        if good == 1 and len(wins) > 1:
            judged = sum(s == s for _, s in mates)
            spread = statistics.stdev(wins) + 1e-6
            expected = len(wins) / judged * (statistics.fmean(wins) - length) / spread
        assert out[i] == pytest.approx(expected, abs=1e-5)


@given(samples, st.integers(1, 400))
def test_wrong_answers_lengths_do_not_matter(rows, other):
    lengths, success, group = (list(column) for column in zip(*rows, strict=True))
    changed = [n if s == 1 else other for n, s, _ in rows]
    assert short(lengths, success, group) == short(changed, success, group)


def test_the_preset():
    cale = get_preset("cale")
    assert (cale.advantage, cale.shorten, cale.success) == ("grpo", 0.3, "success")
    with pytest.raises(UsageError, match="shorten"):
        get_preset("ppo", shorten=0.1)
