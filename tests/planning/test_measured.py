"""Speeds read from runs: made ones whose costs are known, and files that tell nothing."""

import numpy as np
import orjson
import pytest

from swr1.errors import DataError, UsageError
from swr1.planning.config import PlanConfig
from swr1.planning.measured import line, read_run, rollout_speed
from swr1.planning.plan import make_plan
from tests.conftest import jsonl

SWAP, BASE, EACH, FIXED, PER_TOKEN = 0.3, 2e-3, 4e-5, 0.2, 6e-5


@pytest.fixture
def run(tmp_path):
    """A K=0 run of 30 steps of 4 prompts x 8 samples, and its records."""
    rng = np.random.default_rng(0)
    rows, records = [], []
    for step in range(1, 31):
        lengths = np.rint(rng.lognormal(4 + 0.3 * rng.normal(), 0.7, (4, 8))).astype(int) + 1
        for group, row in enumerate(lengths):
            for sample, n in enumerate(row):
                generation = {
                    "epoch": step,
                    "token_ids": [1] * int(n),
                    "prompt_ids": [1] * 20,
                    "policy": {"name": "rl", "version": step - 1},
                }
                records.append({"id": f"p{group}", "sample": sample, "generation": generation})
        tokens = int(lengths.sum())
        wait = SWAP + BASE * int(lengths.max()) + EACH * tokens
        train = FIXED + PER_TOKEN * (tokens + 4 * 20)
        row = {"step": step, "tokens": tokens, "samples": 32, "lag": 0.0}
        rows.append(row | {"wait_s": wait + 5 * (step == 1), "compute_s": train})
    policy = tmp_path / "rl"
    (policy / "trainer").mkdir(parents=True)
    (policy / "trainer" / "plan.json").write_bytes(orjson.dumps({"batch": 4}))
    (policy / "metrics.jsonl").write_bytes(jsonl(rows))
    return policy, rows, records


def test_costs_come_back(run):
    policy, _, records = run
    found = read_run(str(policy), records, prompt=20.0)
    assert (found.batch, found.samples, found.together) == (4, 32, False)
    assert (found.swap, found.base, found.per_sequence) == pytest.approx((SWAP, BASE, EACH))
    assert (found.fixed, found.per_token) == pytest.approx((FIXED, PER_TOKEN))


def test_a_plan_of_that_run_is_that_run(run):
    """Simulated from its own speeds and lengths, a step takes what it took."""
    policy, rows, records = run
    plan = make_plan(PlanConfig(from_run=str(policy), block=4, steps=300), records)
    spent = [row["wait_s"] + row["compute_s"] for row in rows[1:]]
    assert plan["time"]["step_seconds"] == pytest.approx(np.mean(spent), rel=0.1)
    idle = sum(row["wait_s"] for row in rows[1:]) / sum(spent)
    assert plan["sides"]["train_idle"] == pytest.approx(idle, abs=0.03)
    assert plan["sides"]["lag_max"] == 0
    sources = {fact["name"]: fact["source"] for fact in plan["facts"]}
    assert sources["training speed of a GPU"] == sources["lengths"] == "measured"
    assert sources["steps"] == "given" and sources["publishing"] == "assumed"


def test_beside_one_another_only_what_the_trainer_waited_for_is_seen(run):
    policy, rows, _ = run
    for waited, told in ((1.0, True), (0.01, False)):
        lagging = [row | {"lag": 1.0, "wait_s": waited, "compute_s": 1.0} for row in rows]
        (policy / "metrics.jsonl").write_bytes(jsonl(lagging))
        found = read_run(str(policy))
        assert found.together and (found.per_sequence is not None) == told
    with pytest.raises(UsageError, match="--rollout-metrics"):
        make_plan(PlanConfig(from_run=str(policy), block=4))
    metrics = policy / "rollout.jsonl"
    metrics.write_bytes(jsonl([{"stage": "rollout", "out": 960, "seconds": 96.0}]))
    assert rollout_speed(metrics, 50.0) == 500.0
    plan = make_plan(
        PlanConfig(from_run=str(policy), rollout_metrics=str(metrics), block=4, max_lag=1)
    )
    assert plan["sides"]["lag_max"] == 1


def test_files_that_tell_nothing(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_run(str(tmp_path / "nowhere"))
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(jsonl([{"step": s, "loss": 1.0, "seconds": s} for s in range(9)]))
    with pytest.raises(DataError, match="at least 5 steps of RL"):
        read_run(str(file))
    good = {"wait_s": 1.0, "compute_s": 1.0, "tokens": 9, "samples": 4, "lag": 0.0}
    rows = [good | {"step": s} for s in range(9)]
    file.write_bytes(jsonl([*rows[:5], {"step": 5, "wait_s": 1.0}, *rows[6:]]))
    with pytest.raises(DataError, match="lacks a number"):
        read_run(str(file))
    file.write_bytes(jsonl(rows[:5]) + b'{"step": \n' + jsonl(rows[5:]))
    with pytest.raises(DataError, match=r"metrics\.jsonl:6"):
        read_run(str(file))
    file.write_bytes(jsonl(rows))
    with pytest.raises(DataError, match="no rollout that wrote"):
        rollout_speed(file, 10.0)


def test_a_fit_is_never_negative():
    x = np.array([1.0, 2.0, 3.0])
    assert line(x, 2 + 3 * x) == pytest.approx((2.0, 3.0))
    assert line(x, 5 - x) == pytest.approx((0.0, 1.5))  # falls: all of it by token
    assert line(np.full(3, 2.0), x) == pytest.approx((0.0, 1.0))
