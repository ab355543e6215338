"""Which versions wrote a completion: from what an engine notes to what a trainer reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.engines import Wrote
from swr1.records import versions_of

CHANGES = st.lists(st.integers(0, 12), max_size=8)  # tokens between one version and the next


@given(CHANGES, st.integers(0, 12))
def test_runs_are_whole_and_rise(changes, rest):
    """Also where versions come without a token between them, or at the very end."""
    wrote, at, truth = Wrote(5), 0, []
    for i, tokens in enumerate(changes):
        truth += [5 + i] * tokens
        at += tokens
        wrote.go_on(6 + i, at)
    truth += [5 + len(changes)] * rest
    runs = wrote.facts(len(truth))["versions"]
    assert [v for v, n in runs for _ in range(n)] == truth
    if truth:
        generation = {
            "versions": runs,
            "token_ids": [0] * len(truth),
            "policy": {"version": truth[0]},
        }
        assert versions_of(generation) == [tuple(run) for run in runs]


def test_tokens_cut_off_at_a_stop_string_belong_to_nobody():
    wrote = Wrote(1)
    wrote.go_on(2, 5)
    assert wrote.facts(3) == {"versions": [[1, 3]]}


@pytest.mark.parametrize(
    "runs", [[[1, 2]], [[2, 1], [1, 2]], [[1, 0], [2, 3]], [[1, 3, 4]], [[1.0, 3]], [3], [[0, 3]]]
)
def test_what_is_not_so_is_told(runs):
    with pytest.raises(ValueError, match="versions"):
        versions_of({"versions": runs, "token_ids": [0, 0, 0], "policy": {"version": 1}})
