"""Drawing by pass rate: the weights, what fades, and that a draw depends on the version alone."""

from collections import Counter
from itertools import islice

import pytest

from swr1.pass_rates import HALF_LIFE, PassRates
from swr1.policy import Policy
from swr1.rollout.curriculum import FLOOR, Curriculum, weigh
from swr1.rollout.follower import PolicyFollower
from swr1.streams.reading import Placed


class Inputs:
    """As much of a stage as a source needs: `each` prompts of 2, 3 and 4 people."""

    shard = (0, 1)

    def __init__(self, each=20):
        self.each = each

    def read(self, needs):
        for people in (2, 3, 4):
            for i in range(self.each):
                record = Placed(id=f"{people}-{i}", prompt=[], info={"people": people})
                record.location = "x:1"
                yield record


def publish(policy, rates=None, used=0) -> None:
    policy.publish(
        lambda folder: rates.save(folder) if rates else None, {"step": 0, "groups_consumed": used}
    )


@pytest.fixture
def policy(tmp_path):
    policy = Policy(tmp_path / "p")
    publish(policy)
    with policy.lock():
        policy.announce(8, 1, 0, 0)
        yield policy


def source(policy, each=20, epochs=100, seed=0, fits=lambda record: True) -> Curriculum:
    weights = PolicyFollower(policy.name, 0, 1)
    weights.follow()
    return Curriculum(Inputs(each), epochs, seed, weights, "people", fits)


def keys(records) -> list[tuple[str, int]]:
    return [(r["id"], r.epoch) for r in records]


def test_weights_are_greatest_at_one_half_and_never_zero():
    ids = [f"p{i}" for i in range(5)]
    rates = PassRates()
    for id_, passed in zip(ids, (0, 16, 32, 48, 64), strict=True):
        rates.add(id_, passed, 64, 0)
    weights = weigh(ids, [2] * 5, rates, 0)
    assert max(weights) == weights[2] > 0.99
    assert weights == pytest.approx(weights[::-1], abs=0.01)
    assert FLOOR < weights[0] < 0.2 < weights[1] < 0.9


def test_a_new_prompt_has_the_rate_of_its_cell():
    rates = PassRates()
    for i in range(50):
        rates.add(f"easy{i}", 8, 8, 0)
        rates.add(f"fair{i}", 4, 8, 0)
    easy, fair, other = weigh(
        [*rates.prompts, "a", "b", "c"], [2, 3] * 50 + [2, 3, 4], rates, version=0
    )[-3:]
    assert easy < 0.1
    assert fair == pytest.approx(1, abs=0.01)
    assert other == 1  # nothing is known: 1/2


def test_results_fade_and_visits_do_not(tmp_path):
    rates = PassRates()
    rates.add("a", 8, 8, 0)
    assert rates.recent("a", HALF_LIFE) == (4, 4)
    rates.add("a", 0, 8, HALF_LIFE)
    assert rates.recent("a", HALF_LIFE) == (4, 12)
    assert rates.visits("a") == 2
    rates.save(tmp_path)
    assert PassRates.load(tmp_path).prompts == rates.prompts
    assert PassRates.load(tmp_path / "elsewhere").prompts == {}


def test_what_passes_half_the_time_is_drawn_most(policy):
    rates = PassRates()
    for i in range(20):
        for people, passed in ((2, 16), (3, 8), (4, 0)):
            rates.add(f"{people}-{i}", passed, 16, 0)
    publish(policy, rates)
    drawn = Counter(r["info"]["people"] for r in islice(source(policy, each=20), 15))
    assert drawn[3] > drawn[2] + drawn[4]
    # A pool this small is used up while all are under way: what is left is drawn then.
    assert len({r["id"] for r in islice(source(policy, each=20), 60)}) == 60


def test_draws_depend_on_seed_and_version(policy):
    first = keys(islice(source(policy), 8))
    assert keys(islice(source(policy), 8)) == first
    assert keys(islice(source(policy, seed=1), 8)) != first
    publish(policy, PassRates({f"2-{i}": [9, 9, 0, 1] for i in range(20)}))
    assert keys(islice(source(policy), 8)) != first


def test_epochs_count_draws_and_a_prompt_is_not_drawn_while_it_is_under_way(policy):
    prompts = source(policy, each=4)  # 12 prompts, 8 to a batch
    stream, rates = iter(prompts), PassRates()
    seen = set()
    for step in range(1, 6):
        batch = keys(islice(stream, 8))
        assert len({id_ for id_, _ in batch}) == 8
        assert not seen & set(batch)
        seen |= set(batch)
        for id_, epoch in batch:
            assert epoch == rates.visits(id_)
            rates.add(id_, 1, 2, step - 1)
        publish(policy, rates, used=8 * step)
        prompts.follower.version = step


def test_a_run_that_was_killed_draws_on_as_if_it_had_not_been(policy):
    def step(prompts, stream, rates, number):
        batch = keys(islice(stream, 8))
        for id_, _ in batch:
            rates.add(id_, int(id_[0] == "3"), 2, number)
        publish(policy, rates, used=8 * (number + 1))
        prompts.follower.version = number + 1
        return batch

    prompts, rates = source(policy, each=4), PassRates()
    stream = iter(prompts)
    for number in range(3):
        step(prompts, stream, rates, number)
    unbroken = keys(islice(stream, 8))
    policy.announce(8, 1, 24, 0)
    again = source(policy, each=4)
    assert again.given == 24
    assert keys(islice(again, 8)) == unbroken


def test_it_ends_after_so_many_epochs_and_leaves_out_what_does_not_fit(policy):
    prompts = source(policy, each=2, epochs=3, fits=lambda record: record["id"] != "4-1")
    drawn = keys(prompts)
    assert len(drawn) == 3 * 5
    assert "4-1" not in {id_ for id_, _ in drawn}
    assert len(set(drawn)) == len(drawn)
