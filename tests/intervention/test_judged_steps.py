"""A verdict on steps may be anybody's: what is none is a DataError."""

import pytest

from swr1.errors import DataError
from swr1.intervention.steps import LINE, judged_steps

ONE = [{"start": 0, "end": 1}]


def judged(verdict, detail):
    return judged_steps({"completion": "abc", "verdicts": {verdict: {"detail": detail}}})


@pytest.mark.parametrize(
    ("verdict", "detail"),
    [
        ("steps", "no"),
        ("steps", {"steps": 3}),
        ("steps", {"steps": [{"start": "a", "end": 1}], "first_wrong": 0}),
        ("steps", {"steps": ONE, "first_wrong": -1}),
        ("steps", {"steps": ONE, "first_wrong": 5}),
        ("trace", 4),
        ("trace", {"steps": 1, "wrong_step": "x"}),
    ],
)
def test_a_detail_that_is_none_is_refused(verdict, detail):
    with pytest.raises(DataError, match=f"its verdict `{verdict}`"):
        judged(verdict, detail)


def test_a_detail_that_is_one_is_read():
    assert judged("steps", {"steps": ONE, "first_wrong": 0}) == ([(0, 1)], 0, LINE)
    assert judged("steps", {"steps": ONE, "first_wrong": None}) == ([(0, 1)], None, LINE)
    assert judged("trace", {"steps": 1, "wrong_step": 0}) == ([(0, 3)], 0, LINE)
