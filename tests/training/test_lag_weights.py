"""Samples older than the policy: weighted, counted, dropped beyond a limit, refused from the future."""

import copy
import json
import math

import pytest
import torch
from tiny_runs import (
    load,
    noisy_reward,
    same_weights,
    sample_records,
    tiny_policy,
    train_rl,
    weights,
)

from swr1.errors import DataError, UsageError


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """12 groups of 4, written by version 0 of a policy called "p"."""
    return sample_records(tiny_policy(tmp_path_factory.mktemp("stale") / "p"), 12, 4, noisy_reward)


def train(policy, records, **options):
    options = {"lr": 5e-2, "batch": 4, "kl": 0.0, "log": lambda _: None, "keep": None} | options
    summary = train_rl(iter(records), policy, options.pop("objective", "dr-grpo"), **options)
    return [json.loads(line) for line in (policy.path / "metrics.jsonl").open()], summary


def test_on_policy_the_correction_changes_no_bit(tmp_path, records):
    runs = []
    for level in ("none", "token", "sequence"):
        policy = tiny_policy(tmp_path / level / "p")
        (row,), _ = train(policy, records[:16], importance=level)
        assert row["lag_max"] == 0 and row["ess"] == pytest.approx(1, abs=1e-5)
        runs.append(weights(policy))
    assert same_weights(runs[0], runs[1]) and same_weights(runs[0], runs[2])


def met_by(record: dict, version: int, last: int = 2) -> dict:
    """The record as if this version had come before its last tokens."""
    record = copy.deepcopy(record)
    g = record["generation"]
    n = len(g["token_ids"])
    cut = min(last, n - 1)
    g["versions"] = [[g["policy"]["version"], n - cut], [version, cut]] if cut else None
    if not cut:
        del g["versions"]
    return record


def test_each_token_has_the_age_of_who_wrote_it(tmp_path, records):
    """A token that is not trained on does not count; the oldest decides for the whole."""
    second = [met_by(r, 1) for r in records[16:32]]
    second[0]["generation"]["loss_mask"][0] = 0
    rows, _ = train(tiny_policy(tmp_path / "p"), records[:16] + second, aggregation="token-mean")
    lengths = [len(r["generation"]["token_ids"]) for r in second]
    new = sum(min(2, n - 1) for n in lengths)
    old = sum(lengths) - new - 1
    assert rows[1]["lag"] == pytest.approx(old / (old + new))
    assert rows[1]["lag_shares"] == {
        "0": pytest.approx(new / (old + new)),
        "1": pytest.approx(old / (old + new)),
    }
    assert rows[1]["lag_max"] == 1 and rows[0]["lag_shares"] == {"0": 1}
    strict = tiny_policy(tmp_path / "strict" / "p")
    rows, summary = train(strict, records[:16] + second, max_staleness=0)
    assert len(rows) == 1 and summary["dropped"]["more than 0 steps old"] == 16


def test_a_version_of_the_future_is_refused_wherever_it_wrote(tmp_path, records):
    with pytest.raises(DataError, match="written by version 9"):
        train(tiny_policy(tmp_path / "p"), [met_by(r, 9) for r in records[:16]])
    broken = [copy.deepcopy(r) for r in records[:16]]
    broken[0]["generation"]["versions"] = [[0, 1], [1, 999]]
    with pytest.raises(DataError, match=r"generation.versions"):
        train(tiny_policy(tmp_path / "q" / "p"), broken)


@pytest.mark.parametrize("level", ["none", "token", "sequence"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_of_a_stale_step_by_plain_loops(tmp_path, records, level, masked):
    """Before the first update of a step pi is the old policy itself: the loss is -w A, summed."""
    policy = tiny_policy(tmp_path / "p")
    cap = 1.05
    rows, _ = train(
        policy,
        records[:32],
        aggregation="token-mean",
        importance=level,
        importance_cap=cap,
        importance_mask=masked,
    )
    model = load(policy, 1)[0]
    rewards = {r["id"]: [] for r in records}
    for r in records:
        rewards[r["id"]].append(r["reward"])
    loss, tokens, raw = 0.0, 0, []
    for r in records[16:32]:
        g = r["generation"]
        with torch.no_grad():
            logits = model(torch.tensor([g["prompt_ids"] + g["token_ids"]])).logits[0]
        now = logits[len(g["prompt_ids"]) - 1 : -1].log_softmax(-1)
        ratios = [
            math.exp(now[t, token] - was)
            for t, (token, was) in enumerate(zip(g["token_ids"], g["logprobs"], strict=True))
        ]
        advantage = r["reward"] - sum(rewards[r["id"]]) / 4
        for ratio in ratios:
            if level == "none":
                clipped = min(max(ratio, 0.8), 1.2)
                loss -= min(ratio * advantage, clipped * advantage)
                continue
            w = ratio if level == "token" else math.prod(ratios)
            loss -= (w if w <= cap else 0.0 if masked else cap) * advantage
        tokens += len(ratios)
        raw += ratios
    row = rows[1]
    assert row["lag"] == row["lag_max"] == 1
    assert row["loss"] == pytest.approx(loss / tokens, rel=1e-3, abs=1e-6)
    assert row["ratio_min"] == pytest.approx(min(raw), rel=1e-4)
    assert row["ratio_max"] == pytest.approx(max(raw), rel=1e-4)
    assert row["ess"] == pytest.approx(sum(raw) ** 2 / len(raw) / sum(x * x for x in raw), rel=1e-4)
    assert row["ess"] < 0.999
    if level == "token":
        assert row["importance_capped"] == pytest.approx(sum(x > cap for x in raw) / len(raw))


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_a_floor_and_the_mean_of_the_weights_by_plain_loops(tmp_path, records, level):
    policy = tiny_policy(tmp_path / "p")
    bounds = {"importance_floor": 0.98, "importance_cap": 1.03}
    options = {"aggregation": "token-mean", "importance": level, "importance_normalise": True}
    rows, _ = train(policy, records[:32], **options, **bounds)
    model = load(policy, 1)[0]
    each, advantages, lengths = [], [], []
    for start in range(16, 32, 4):
        group = records[start : start + 4]
        mean = sum(r["reward"] for r in group) / 4
        for r in group:
            g = r["generation"]
            with torch.no_grad():
                logits = model(torch.tensor([g["prompt_ids"] + g["token_ids"]])).logits[0]
            now = logits[len(g["prompt_ids"]) - 1 : -1].log_softmax(-1)
            pairs = zip(g["token_ids"], g["logprobs"], strict=True)
            ratios = [math.exp(now[t, token] - was) for t, (token, was) in enumerate(pairs)]
            ratios = ratios if level == "token" else [math.prod(ratios)]
            each.append([min(max(x, 0.98), 1.03) for x in ratios])
            advantages.append(r["reward"] - mean)
            lengths.append(len(g["token_ids"]))
    flat = [w for row in each for w in row]
    overall = sum(flat) / len(flat)
    assert min(flat) == 0.98 and max(flat) == 1.03
    loss = 0.0
    for row, a, n in zip(each, advantages, lengths, strict=True):
        loss -= a * sum(w / overall for w in (row if level == "token" else row * n))
    assert rows[1]["loss"] == pytest.approx(loss / sum(lengths), rel=1e-3, abs=1e-6)


def test_lag_is_counted_in_optimizer_steps_also_after_a_restart(tmp_path, records):
    policy = tiny_policy(tmp_path / "p")
    rows, _ = train(policy, records, batch=2, publish_every=2, steps=4)
    rows, _ = train(policy, records, batch=2, publish_every=2, steps=6)
    assert [r["lag"] for r in rows] == [0, 1, 2, 3, 4, 5]
    newer = copy.deepcopy(records)
    for r in newer:
        r["id"] += "x"
        r["generation"]["policy"]["version"] = 2  # made by step 4
    rows, _ = train(policy, newer, batch=2, publish_every=2, steps=8)
    assert [r["lag"] for r in rows[6:]] == [2, 3]


def test_groups_that_are_too_old_are_dropped_whole_and_counted(tmp_path, records):
    mixed = copy.deepcopy(records)
    for r in mixed[36:]:
        r["generation"]["policy"]["version"] = 1
    mixed[40]["generation"]["policy"]["version"] = 0  # one old sample in the last group but one
    policy = tiny_policy(tmp_path / "p")
    rows, summary = train(policy, mixed, batch=2, max_staleness=0, steps=2, remainder="train")
    assert [(r["samples"], r["dropped_stale"]) for r in rows] == [(8, 0), (8, 8)]
    assert summary["dropped"] == {"more than 0 steps old": 32}
    assert rows[1]["lag_max"] == 0
    assert rows[1]["groups_consumed"] == 12  # they are behind the run too


def test_a_version_of_the_future_is_refused_by_name(tmp_path, records):
    future = copy.deepcopy(records[:16])
    future[5]["generation"]["policy"]["version"] = 3
    policy = tiny_policy(tmp_path / "p")
    with pytest.raises(DataError, match=r"'p1', sample 1: written by version 3 .* is at version 0"):
        train(policy, future)
    # Versions of a policy of another name say nothing about this one's.
    other = tiny_policy(tmp_path / "other")
    rows, _ = train(other, future)
    assert rows[0]["lag_max"] == 0


@pytest.mark.parametrize(
    "options", [{"importance": "tokens"}, {"importance_cap": 0.0}, {"importance_floor": 3.0}]
)
def test_wrong_use(tmp_path, records, options):
    with pytest.raises(UsageError, match=r"importance(-floor)? is"):
        train(tiny_policy(tmp_path / "p"), records, **options)
