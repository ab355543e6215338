"""Rollouts of one version trained step after step: the command line weights, counts and drops them."""

import pytest

from tests.conftest import jsonl, load, run_swr1


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stale")
    for args in (
        "gen-puzzles -n 8 --people 2 --wording terse --names few --trace hasty -o prompts.jsonl",
        "init-policy p prompts.jsonl --hidden 16 --layers 1 --heads 2",
        "rollout prompts.jsonl --policy p --samples 4 --max-tokens 12 -o rollouts.jsonl"
        " --system-prompt logic-rl-terse",
    ):
        run_swr1(*args.split(), cwd=folder, check=True)
    records = load(folder / "rollouts.jsonl")
    for n, record in enumerate(records):
        record["reward"] = float(n % 3)
    (folder / "rewarded.jsonl").write_bytes(jsonl(records))
    return folder


def test_lag_is_weighted_and_beyond_the_limit_dropped(world):
    line = "train-step grpo rewarded.jsonl --policy p --batch 2 --lr 1e-2 --kl 0 --max-staleness 1"
    options = "--importance sequence --importance-cap 1.01 --importance-mask --metrics m.jsonl"
    done = run_swr1(*line.split(), *options.split(), cwd=world, check=True)
    rows = load(world / "m.jsonl")
    assert [(row["lag"], row["dropped_stale"]) for row in rows] == [(0, 0), (1, 0)]
    assert rows[0]["importance_capped"] == 0 and 0 <= rows[1]["importance_capped"] <= 1
    assert rows[1]["ess"] < rows[0]["ess"] == pytest.approx(1, abs=1e-5)
    # rollouts that follow are told at once
    assert load(world / "p" / "trainer" / "plan.json")[0]["dropped"] == 4
    assert "16 samples dropped: more than 1 steps old" in done.stderr
