"""`make chaos` in small, and that its comparison would see what must not happen."""

import json

import pytest

from tests.chaos import pipe
from tests.chaos.run import chaos, in_flight


@pytest.mark.slow
def test_random_kills_change_nothing():
    assert chaos(seed=1, kills=12, runs=1).total() >= 12


@pytest.mark.slow
@pytest.mark.parametrize("order", ["input", "finished"])
def test_random_kills_with_weights_in_flight(order):
    assert in_flight(seed=1, kills=6, order=order)


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / pipe.LEDGER

    def write(*lines):
        path.write_text("".join(f"\n{line}\n" for line in lines))
        return path

    return write


def note(version, name, reward=1.0):
    return json.dumps({"version": version, "key": [name, 0, 0], "reward": reward})


def test_a_record_made_again_is_one_record_when_it_is_the_same(ledger):
    path = ledger(note(0, "a"), note(0, "b"), note(0, "b")[:20], note(0, "a"), note(1, "c"))
    found = pipe.read_ledger(path)
    assert [[n["key"][0] for n in notes] for notes in found.values()] == [["a", "b"], ["c"]]


def test_a_record_made_again_differently_is_seen(ledger):
    with pytest.raises(AssertionError, match="differs"):
        pipe.read_ledger(ledger(note(0, "a", 1.0), note(0, "a", 2.0)))
