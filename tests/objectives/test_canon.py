"""CANON on length: by hand, against the published arithmetic, and what ours settles differently."""

import plain_loops
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_advantages import advantage


def canon(reward, lengths, group=None, **options) -> list[float]:
    rows = advantage("canon-length", reward, lengths, group or [0] * len(reward), **options)
    assert all(len(set(row)) <= 1 for row in rows)
    return [row[0] if row else 0.0 for row in rows]


def test_by_hand():
    # Short: rewards 1, 0 (mean 1/2). Long: 1, 1 (mean 1). Each against the other half's mean.
    assert canon([1.0, 0.0, 1.0, 1.0], [1, 2, 3, 4]) == [0.0, -1.0, 0.5, 0.5]
    # alpha 1/2: the long ones' rewards count half.
    assert canon([1.0, 0.0, 1.0, 1.0], [1, 2, 3, 4], canon_alpha=0.5) == [0.5, -0.5, 0.0, 0.0]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.floats(-3, 3)), unique_by=lambda x: x[0]),
    st.floats(0, 1),
    st.floats(0.5, 1.5),
    st.floats(-1, 1),
)
def test_against_the_published_arithmetic(batch, mix, alpha, beta):
    batch = batch[: len(batch) // 2 * 2]
    lengths, scores = [n for n, _ in batch], [float(r) for _, r in batch]
    if len(batch) < 2:
        return
    if max(scores) == min(scores):
        alpha, beta = 1.0, 0.0
    want = plain_loops.canon(scores, lengths, mix, alpha, beta)
    got = canon(scores, lengths, canon_mix=mix, canon_alpha=alpha, canon_beta=beta)
    assert got == pytest.approx(want, rel=1e-5, abs=1e-5)


def test_with_both_comparisons_and_equal_halves_it_is_dr_grpo():
    reward, lengths = [1.0, 0.0, 3.0, -1.0], [5, 1, 2, 3]
    dr = [row[0] for row in advantage("dr-grpo", reward, lengths, [0] * 4)]
    assert canon(reward, lengths, canon_mix=0.5) == pytest.approx(dr)


def test_trap_equal_lengths_do_not_depend_on_the_order_of_the_input():
    """All of one length: there is no shorter half, and each is judged by the mean of all."""
    assert canon([1.0, 0.0, 0.0, 1.0], [3, 3, 3, 3]) == [0.5, -0.5, -0.5, 0.5]
    a = canon([1.0, 0.0, 3.0, -1.0], [2, 2, 1, 2])
    b = canon([0.0, 1.0, -1.0, 3.0], [2, 2, 2, 1])
    assert [a[1], a[0], a[3], a[2]] == b


def test_trap_the_middle_of_an_odd_group_is_no_longer_answer():
    """Half of it belongs to either half: (2 + 1/2 * 1) / 1.5 and (0 + 1/2 * 1) / 1.5."""
    out = canon([2.0, 1.0, 0.0], [1, 2, 3])
    assert out == pytest.approx([2 - 0.5 / 1.5, 1 - 1.5 / 1.5, 0 - 2.5 / 1.5])


def test_trap_a_group_of_one_has_no_baseline_of_zero():
    assert canon([5.0, 1.0, 0.0], [1, 1, 2], [0, 1, 1])[0] == 0.0


def test_equal_rewards_teach_brevity_only_if_asked_to():
    assert canon([1.0] * 4, [1, 2, 3, 4]) == [0.0] * 4
    out = canon([1.0] * 4, [1, 2, 3, 4], canon_alpha=0.9)
    assert out == pytest.approx([0.1, 0.1, -0.1, -0.1])
