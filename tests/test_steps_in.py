"""Steps of a verdict that others wrote are checked before anybody reads them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.evals.first_wrong import FirstWrong
from swr1.steps import steps_in
from swr1.training.steps import labelled_steps

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
fields = ("start", "end", "label", "score", "values")
step = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values))
GOOD = {"start": 0, "end": 3, "label": "right"}
BAD = [3, "x", None, [], {}, {"start": 0}, GOOD | {"end": "3"}, GOOD | {"start": 4}]
BAD += [GOOD | {"label": ["right"]}, GOOD | {"score": "1"}, GOOD | {"values": [1]}]


def record(steps):
    detail = {"steps": steps, "first_wrong": None, "rule": "line"}
    verdicts = {name: {"score": 1.0, "label": "right", "detail": detail} for name in ("a", "steps")}
    return {"id": "r", "prompt": [], "completion": "abc", "verdicts": verdicts}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "read",
    [
        lambda r: steps_in(r, "a"),
        labelled_steps,
        lambda r: FirstWrong("steps").add(r),
    ],
)
def test_steps_of_another_shape_are_bad_data(read, bad):
    with pytest.raises(DataError, match="judge again"):
        read(record([GOOD, bad]))


@given(st.lists(step | json_values, max_size=3))
def test_whatever_stands_there_is_read_or_refused(steps):
    for read in (labelled_steps, lambda r: FirstWrong("steps").add(r)):
        with suppress(DataError):
            read(record(steps))


def test_no_steps_are_none():
    assert steps_in({"id": "r"}, "a") is None
    assert steps_in(record([GOOD]), "b") is None
    assert steps_in(record([GOOD]), "a") == [GOOD]
