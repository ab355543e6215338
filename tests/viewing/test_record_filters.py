"""Conditions on records: what each means, also where fields are missing or of other types."""

import pytest

from swr1.errors import UsageError
from swr1.viewing.filters import parse

RECORD = {
    "id": "abc123",
    "prompt": [{"role": "user", "content": "Zoe says: Leo is a knave."}],
    "completion": "<think>try Zoe</think>",
    "info": {"people": 3, "names": ["Zoe", "Leo"], "wording": "terse"},
    "generation": {"epoch": 2, "policy": {"version": 7}, "finish_reason": "length"},
    "verdicts": {"knights": {"score": 0.0, "label": "wrong"}, "style": {"score": None}},
    "reward": -0.5,
    "reward_parts": {"answer": {"value": -1.5, "weight": 1}, "format": {"value": 1, "weight": 1}},
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("", True),
        ("people=3", True),
        ("people=2", False),
        ("people!=2", True),
        ("people>=3 reward<0", True),
        ("people>=3 reward>0", False),
        ("reward=-0.5", True),
        ("reward<=-0.6", False),
        ("knights=wrong", True),
        ("knights=WRONG", True),
        ("knights=0", True),
        ("knights!=correct", True),
        ("knights.label=wrong", True),
        ("answer<-1", True),
        ("style=0", False),
        ("epoch=2", True),
        ("policy.version=7", True),
        ("generation.policy.version>7", False),
        ("finish_reason=length", True),
        ("wording~ers", True),
        ("names~leo", True),
        ("absent=1", False),
        ("absent!=1", True),
        ("absent<1", False),
        ("wording<1", False),
        ("zoe", True),
        ("abc1", True),
        ('"leo is a"', True),
        ("mia", False),
    ],
)
def test_a_condition_means_what_a_person_expects(condition, holds):
    assert parse(condition)(RECORD) is holds


@pytest.mark.parametrize("condition", ["reward<high", '"open'])
def test_what_cannot_be_read_is_said(condition):
    with pytest.raises(UsageError):
        parse(condition)
