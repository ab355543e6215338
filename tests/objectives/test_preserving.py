"""What keeps right completions likely (LLDS): by hand, against loops, and through a whole step."""

import math

import plain_loops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_advantages import flat

from swr1.objectives.preserving import ROUNDING, actions, likelihood_drop


def drops(logp, sampled, advantage, unit):
    logp = torch.tensor(logp, dtype=torch.float64, requires_grad=True)
    sampled, advantage = (torch.tensor(x, dtype=torch.float64) for x in (sampled, advantage))
    out = likelihood_drop(logp, sampled, advantage, torch.tensor(unit))
    (gradient,) = torch.autograd.grad(out.sum(), logp)
    return out.tolist(), gradient.tolist()


def test_by_hand():
    """Probabilities before and now. First action: 1/2 1/2 to 1/4 1 (a product of 1/4 both times: it
    has not fallen). Second: 1/2 1/2 to 1/8 3/4, it has, and the first of its tokens by ln 4. Third: as
    the second, but wrong."""
    ln = math.log
    before = [ln(0.5)] * 6
    now = [ln(x) for x in (0.25, 1.0, 0.125, 0.75, 0.125, 0.75)]
    values, gradient = drops(now, before, [1.0, 1.0, 0.5, 0.5, -1.0, -1.0], [0, 0, 1, 1, 2, 2])
    assert values == pytest.approx([0, 0, ln(4), 0, 0, 0])
    assert gradient == [0, 0, -1, 0, 0, 0]
    # As one response the first two fall together: 1/16 to 3/128.
    values, gradient = drops(now, before, [1.0] * 4 + [-1.0] * 2, [0, 0, 0, 0, 1, 1])
    assert values == pytest.approx([ln(2), 0, ln(4), 0, 0, 0])


def test_an_advantage_of_zero_is_kept_too():
    assert drops([-2.0], [-1.0], [0.0], [0]) == ([1.0], [-1.0])


def test_nothing_where_nothing_fell_and_nothing_of_nothing():
    assert drops([-1.0, -0.5], [-1.0, -1.0], [1.0, 1.0], [0, 0]) == ([0, 0], [0, 0])
    none = torch.zeros(0)
    assert likelihood_drop(none, none, none, none.long()).shape == (0,)
    assert actions(none.long(), none.long()).shape == (0,)


def test_rounding_is_no_drop():
    near = [-1.0 - ROUNDING / 2, -1.0]
    assert drops(near, [-1.0, -1.0], [1.0, 1.0], [0, 0])[1] == [0, 0]


def test_an_action_is_a_run_of_own_tokens():
    position = torch.tensor([3, 4, 5, 9, 10, 11, 12, 20])
    assert actions(position, flat([5, 2, 1])).tolist() == [0, 0, 0, 1, 1, 2, 2, 3]


token = st.tuples(st.floats(-3, 0), st.floats(-3, 0), st.booleans())
rows = st.lists(
    st.tuples(st.lists(token, min_size=1, max_size=7), st.sampled_from([-1.0, 0.0, 2.0])),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(rows, st.booleans())
def test_against_loops_over_whole_completions(rows, by_action):
    now, before, own = ([[t[i] for t in r] for r, _ in rows] for i in range(3))
    want = plain_loops.likelihood_drops(now, before, [a for _, a in rows], own, by_action)
    places = [(s, t) for s, (r, _) in enumerate(rows) for t in range(len(r)) if own[s][t]]
    if not places:
        return
    seq = torch.tensor([s for s, _ in places])
    unit = (
        actions(torch.tensor([t for _, t in places]), seq)
        if by_action
        else seq.unique(return_inverse=True)[1]
    )
    sums: dict[int, float] = {}
    for n, (s, t) in zip(unit.tolist(), places, strict=True):
        sums[n] = sums.get(n, 0) + before[s][t] - now[s][t]
    if any(0 < x < 0.01 for x in sums.values()):
        return  # within what counts as rounding
    values, _ = drops(
        [now[s][t] for s, t in places],
        [before[s][t] for s, t in places],
        [rows[s][1] for s, _ in places],
        unit.tolist(),
    )
    assert values == pytest.approx([want[s][t] for s, t in places])
    assert all(
        not x for r, o in zip(want, own, strict=True) for x, m in zip(r, o, strict=True) if not m
    )
