"""The simulation against what can be worked out by hand, and what must hold of any run."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.planning import costs
from swr1.planning.costs import Decode, Train
from swr1.planning.estimate import sizes_of, step_seconds
from swr1.planning.lengths import Lognormal
from swr1.planning.plan import binding
from swr1.planning.shape import Shape
from swr1.planning.simulation import Setting, simulate

# A step's 8 completions of 100 tokens: 100 * (0.01 + 8 * 0.001) = 1.8 s, then 800 ms of training.
EXACT = Setting(
    steps=12,
    batch=4,
    samples=2,
    lengths=Lognormal(100, 0, 1000),
    decode=Decode(0.01, 0.001, most=64),
    train=Train(0.001),
)


def test_taking_turns_is_the_sum():
    outcome = simulate(EXACT)
    assert outcome.step_seconds == pytest.approx(1.8 + 0.8)
    assert outcome.seconds == pytest.approx(12 * 2.6)
    assert outcome.rollout_idle == pytest.approx(0.8 / 2.6)
    assert outcome.train_idle == pytest.approx(1.8 / 2.6)
    assert outcome.in_flight == pytest.approx(8)
    assert outcome.lag_max == 0
    assert (outcome.generated, outcome.trained) == (9600, 9600)
    assert outcome.useful == 1


def test_each_cost_is_added_where_it_falls():
    decode = replace(EXACT.decode, prefill=1e-4, per_context=1e-6)
    costly = replace(
        EXACT, decode=decode, prompt=50, swap=0.3, publish=0.2, checkpoint=1.0, checkpoint_every=6
    )
    prefill, context = 4 * 50 * 1e-4, 1e-6 * (8 * 50 * 100 + 8 * 100 * 100 / 2)
    train = 0.001 * (800 + 4 * 50)
    each = 1.8 + prefill + context + train + 0.2
    # the first step has no weights to swap in, and two steps write a state
    assert simulate(costly).seconds == pytest.approx(12 * each + 11 * 0.3 + 2 * 1.0)


@pytest.mark.parametrize("block", [None, 4])
def test_lag_hides_the_shorter_side(block):
    """One engine with room for one batch: with K >= 1 the longer side alone is seen."""
    small = replace(EXACT, decode=replace(EXACT.decode, most=8), block=block)
    for seconds, longer in ((0.001, 1.8), (0.004, 3.2)):
        slow = replace(small, train=Train(seconds), steps=30)
        turns = simulate(slow)
        assert turns.step_seconds == pytest.approx(1.8 + 800 * seconds)
        beside = simulate(replace(slow, max_lag=2))
        assert beside.step_seconds == pytest.approx(longer, rel=0.02)
        idle = beside.train_idle if longer == 1.8 else beside.rollout_idle
        assert idle == pytest.approx(1 - min(1.8, 800 * seconds) / longer, abs=0.03)


@pytest.mark.parametrize("lag", range(5))
def test_a_batch_comes_round_within_k_and_one_steps(lag):
    """With places to spare a step takes max(train, (longest + train + publish) / (K + 1)), since a
    batch starts with the version K + 1 before the one that it makes."""
    spare = replace(EXACT, decode=Decode(0.02, 0.0, most=999), publish=0.1, max_lag=lag, steps=62)
    longest, train = 100 * 0.02, 0.8
    expected = max(train + 0.1, (longest + train + 0.1) / (lag + 1))
    assert simulate(spare).step_seconds == pytest.approx(expected, rel=0.02)
    many = replace(spare, replicas=40)
    assert binding(simulate(many), many) == ("turns", "longest", "longest", "train", "train")[lag]


def test_a_stream_of_one_length_keeps_its_places_full():
    """Little's law by hand: 8 places at 18 ms a token, 100 tokens: one sequence each 225 ms."""
    outcome = simulate(
        replace(EXACT, decode=replace(EXACT.decode, most=8), max_lag=4, train=Train(1e-6), steps=40)
    )
    assert outcome.in_flight == pytest.approx(8, rel=0.02)
    assert outcome.step_seconds == pytest.approx(8 * 1.8 / 8, rel=0.02)


def test_blocks_wait_for_their_longest():
    """Without continuous batching a step takes as long as the longest, whatever the others."""
    uneven = replace(EXACT, lengths=Lognormal(100, 1.0, 4000), decode=Decode(0.01, 0.0), block=4)
    stream = replace(uneven, block=None, max_lag=3, decode=Decode(0.01, 0.0, most=8), steps=60)
    blocks = replace(stream, block=4)
    assert simulate(blocks).step_seconds > 1.5 * simulate(stream).step_seconds


def test_two_replicas_share_a_batch():
    two = simulate(replace(EXACT, replicas=2))
    assert two.step_seconds == pytest.approx(100 * (0.01 + 4 * 0.001) + 0.8)


def test_ranks_take_whole_micro_batches():
    train = Train(0.001, ranks=4, micro_tokens=300)
    assert train.seconds(800) == pytest.approx(0.8 / 3)  # three of them: one rank has none
    assert train.seconds(1500) == pytest.approx(0.6)  # five: two rounds of 300


def test_a_shared_machine_slows_both():
    """The longer side is slowed while the shorter one works, which itself takes longer."""
    small = replace(EXACT, decode=replace(EXACT.decode, most=8), max_lag=2, steps=60)
    alone, beside = simulate(small), simulate(replace(small, contention=(1.5, 1.25)))
    # the trainer takes 0.8 * 1.25 = 1 s, in which 1 / 1.5 s of the engine's 1.8 s are done
    assert alone.step_seconds == pytest.approx(1.8, rel=0.02)
    assert beside.step_seconds == pytest.approx(1 + 1.8 - 1 / 1.5, rel=0.03)


def test_the_slowest_stage_between_them_may_bind():
    outcome = simulate(replace(EXACT, max_lag=3, pipe_per_token=0.01, steps=40))
    assert outcome.step_seconds == pytest.approx(8.0, rel=0.05)


def test_stragglers_slow_the_trainer_and_their_replicas():
    slow = simulate(replace(EXACT, slow_share=1.0, slow_factor=2.0))
    assert slow.step_seconds == pytest.approx(2 * 2.6)


RUNS = st.builds(
    Setting,
    steps=st.integers(3, 12),
    batch=st.integers(1, 6),
    samples=st.integers(1, 4),
    lengths=st.builds(Lognormal, st.floats(5, 50), st.floats(0, 1.2), st.just(200)),
    decode=st.builds(
        Decode,
        st.floats(1e-3, 0.02),
        st.floats(0, 0.01),
        st.floats(0, 1e-4),
        most=st.integers(1, 9),
    ),
    train=st.builds(Train, st.floats(1e-6, 0.02), st.floats(0, 1)),
    prompt=st.floats(0, 30),
    max_lag=st.integers(0, 4),
    block=st.none() | st.integers(1, 8),
    at_once=st.none() | st.integers(1, 8),
    order=st.sampled_from(["input", "finished"]),
    background=st.booleans(),
    replicas=st.integers(1, 5),
    swap=st.floats(0, 1),
    publish=st.floats(0, 1),
    checkpoint_every=st.integers(1, 3),
    contention=st.sampled_from([(1.0, 1.0), (1.6, 1.2)]),
    seed=st.integers(0, 9),
)


@given(RUNS)
@settings(max_examples=50, deadline=None)
def test_any_run(setting):
    """The bound on lag, Little's law, shares that are shares; nothing is lost without failures."""
    outcome = simulate(setting)
    assert len(outcome.lags) == setting.steps
    assert outcome.lag_max <= setting.max_lag
    assert min(outcome.lags) >= 0
    assert 0 <= outcome.rollout_idle <= 1 and 0 <= outcome.train_idle <= 1
    assert outcome.generated >= outcome.trained
    if setting.max_lag == 0:  # all that was begun has ended, so Little's law is exact
        rate = outcome.ended / outcome.seconds
        in_system = outcome.load_seconds / outcome.seconds
        places = setting.replicas * setting.decode.most
        if setting.block is None or setting.block * setting.samples <= setting.decode.most:
            assert rate * outcome.sequence_seconds == pytest.approx(in_system)
            assert in_system <= places + 1e-9
        assert outcome.generated == outcome.trained
    assert outcome == simulate(setting)


@given(RUNS)
@settings(max_examples=25, deadline=None)
def test_more_work_is_slower(setting):
    """At K=0; where the sides overlap, what starts later may end sooner, with more of an engine."""
    constant = replace(setting, lengths=Lognormal(20, 0, 200), max_lag=0)
    seconds = simulate(constant).seconds
    assert simulate(replace(constant, publish=constant.publish + 0.5)).seconds >= seconds - 1e-9
    assert simulate(replace(constant, lengths=Lognormal(40, 0, 200))).seconds > seconds


def test_writes_beside_the_steps_take_their_copy_alone():
    """Unless writing takes longer than a step: then it is the limit."""
    slow = replace(EXACT, max_lag=2, train=Train(0.005), publish=0.1, checkpoint=0.4, steps=40)
    within, beside = simulate(slow), simulate(replace(slow, background=True))
    assert within.step_seconds - beside.step_seconds == pytest.approx(0.45, abs=0.05)
    held = simulate(replace(slow, background=True, checkpoint=400.0))
    assert held.step_seconds == pytest.approx(401, rel=0.15)


def test_finished_groups_need_not_wait_for_a_long_one():
    uneven = replace(
        EXACT, lengths=Lognormal(100, 1.4, 4000), decode=Decode(0.01, 0.0), max_lag=3, steps=80
    )
    kept, free = simulate(uneven), simulate(replace(uneven, order="finished"))
    assert free.step_seconds < kept.step_seconds
    assert free.lag_max <= 3


def test_tokens_in_flight_are_younger_than_their_beginning():
    long = simulate(replace(EXACT, lengths=Lognormal(400, 0, 400), max_lag=2, steps=30))
    assert long.lag_max == 2
    assert sum(long.lags[5:]) / 25 < 1.9


def test_more_lag_is_not_slower():
    tail = replace(EXACT, lengths=Lognormal(100, 1.0, 1000), train=Train(0.0015), steps=60)
    times = [simulate(replace(tail, max_lag=k)).step_seconds for k in range(6)]
    assert times[0] > 1.3 * times[1]
    assert all(later < 1.03 * earlier for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("lag", [0, 1])
def test_the_formula_ranks_splits_as_the_simulation_does(lag):
    """Of 8 GPUs: its fastest is among the fastest, and its seconds are not far off."""
    shape, device = Shape.of("7B"), costs.gpu("h100")
    played, by_formula = [], []
    for rollout in (1, 2, 4, 6, 7):
        setting = Setting(
            steps=6 + lag,
            batch=16,
            samples=8,
            lengths=Lognormal(500, 0.8, 4000),
            decode=costs.decode_of_gpu(shape, device, 1, 700, None),
            train=costs.train_of_gpu(shape, device, 8 - rollout, 16_384, True),
            prompt=200,
            max_lag=lag,
            replicas=rollout,
            swap=7.6,
            publish=7.6,
        )
        played.append(simulate(setting).step_seconds)
        by_formula.append(step_seconds(setting, sizes_of(setting)))
    assert played[by_formula.index(min(by_formula))] < 1.1 * min(played)
    assert by_formula == pytest.approx(played, rel=0.25)


def test_failures_cost_time_and_work():
    """More failures: more time, less of the tokens useful; a lost line costs more than a node."""
    base = replace(EXACT, steps=60, replicas=4, restart=2.0, max_lag=1)
    before, useful = simulate(base).seconds, 1.0
    for hours in (400.0, 100.0, 30.0):  # seconds, here
        runs = [simulate(replace(base, mtbf=hours, seed=seed)) for seed in range(6)]
        assert all(len(run.lags) == 60 and run.lag_max <= 1 for run in runs)
        mean = sum(run.seconds for run in runs) / 6
        share = sum(run.useful for run in runs) / 6
        assert mean > before and share < useful
        before, useful = mean, share
    nodes = [simulate(replace(base, mtbf=30.0, line_fails=False, seed=s)) for s in range(6)]
    assert all(len(run.lags) == 60 for run in nodes)
    assert sum(run.seconds for run in nodes) / 6 < before


def test_a_state_seldom_written_costs_more_at_a_failure():
    base = replace(EXACT, steps=60, mtbf=100.0, restart=1.0)
    often = [simulate(replace(base, seed=s)) for s in range(8)]
    seldom = [simulate(replace(base, seed=s, checkpoint_every=10)) for s in range(8)]
    assert sum(r.failures for r in often) > 8
    assert sum(r.seconds for r in seldom) > 1.1 * sum(r.seconds for r in often)


def test_what_cannot_be():
    for bad in ({"steps": 0}, {"max_lag": -1}, {"contention": (0.5, 1.0)}, {"block": 0}):
        with pytest.raises(UsageError):
            replace(EXACT, **bad)
    with pytest.raises(UsageError, match="would wait without end"):
        replace(EXACT, publish_every=3, max_lag=1)
