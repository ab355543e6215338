"""What a run does about a bad batch, groups without signal, and inputs it has met before."""

import json

import pytest
from tiny_runs import noisy_reward, same_weights, sample_records, tiny_policy, train_rl, weights

from swr1.errors import SwrError, UsageError
from tests.conftest import load

GROUP = 4


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    policy = tiny_policy(tmp_path_factory.mktemp("checks") / "p")
    return sample_records(policy, 12, GROUP, noisy_reward)


def copies(records: list[dict]) -> list[dict]:
    return [json.loads(json.dumps(r)) for r in records]


def rewarded(records: list[dict], groups: dict[int, float]) -> list[dict]:
    """With the same reward for every sample of the groups that are named."""
    changed = copies(records)
    for n, r in enumerate(changed):
        r["reward"] = groups.get(n // GROUP, r["reward"])
    return changed


def train(policy, records, objective="grpo", **options):
    said: list[str] = []
    options = {"lr": 1e-3, "batch": 3, "kl": 0.0, "log": said.append} | options
    return train_rl(iter(records), policy, objective, **options), said


def rows(policy) -> list[dict]:
    return load(policy.path / "metrics.jsonl")


@pytest.mark.parametrize("what", ["stop", "skip"])
def test_a_loss_that_is_not_finite(tmp_path, records, what):
    """The second batch has a reward beyond float32: its loss is infinite."""
    broken = rewarded(records, {4: 3e38})
    policy = tiny_policy(tmp_path / "p")
    aside = policy.path / "trainer" / "bad-step-000002.jsonl"
    if what == "stop":
        with pytest.raises(SwrError, match=r"step 2: loss .*stays at version 1, the batch is in"):
            train(policy, broken, "reinforce")
        assert policy.latest() == 1 and len(rows(policy)) == 1
    else:
        _, said = train(policy, broken, "reinforce", on_nan="skip", keep=None)
        assert [row["skipped_updates"] for row in rows(policy)] == [0, 1, 0, 0]
        assert any("skipped" in line and aside.name in line for line in said)
        assert same_weights(weights(policy, 1), weights(policy, 2))  # that step moved nothing
        assert not same_weights(weights(policy, 2), weights(policy, 3))
    # What was put aside are the records of the batch, and it fails again in the same way.
    put = load(aside)
    fields = ("prompt_ids", "token_ids", "loss_mask", "group", "epoch", "finish_reason")
    for told, r in zip(put, broken[3 * GROUP : 6 * GROUP], strict=True):
        assert (told["id"], told["sample"], told["reward"]) == (r["id"], r["sample"], r["reward"])
        assert all(told["generation"][f] == r["generation"][f] for f in fields)
        assert told["generation"]["logprobs"] == pytest.approx(r["generation"]["logprobs"])
    with pytest.raises(SwrError, match="step 1: loss"):
        train(tiny_policy(tmp_path / "again"), put, "reinforce")


def test_groups_without_signal_are_replaced_up_to_a_limit(tmp_path, records):
    dead = rewarded(records, {0: 1.0, 1: 1.0, 4: 1.0, 5: -1.0, 6: 2.0, 7: 2.0})
    policy = tiny_policy(tmp_path / "p")
    train(policy, dead, dynamic_sampling=1, drop_zero_variance=True)
    told = [
        (row["dropped_zero_variance"], row["zero_variance_groups"], row["groups_consumed"])
        for row in rows(policy)
    ]
    # 0, 1 and 4 are replaced, 5 is beyond the limit and stays: 2, 3, 5. Then 8, 9, 10.
    assert told == [(3, pytest.approx(1 / 3), 6), (2, 0, 11)]
    with pytest.raises(UsageError, match="dynamic-sampling"):
        train(tiny_policy(tmp_path / "q"), dead, dynamic_sampling=1)


def test_an_input_met_before_is_not_trained_again(tmp_path, records):
    first, second = records[: 6 * GROUP], records[6 * GROUP :]
    policy = tiny_policy(tmp_path / "p")
    train(policy, first)
    train(policy, second)
    assert len(rows(policy)) == 4
    summary, said = train(policy, first)
    assert summary["steps"] == 4 and any("first 6 groups" in line for line in said)
    assert len(rows(policy)) == 4
