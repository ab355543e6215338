"""RL steps: invariances, directions, and what the metrics say."""

import json
import math

import pytest
import torch
from tiny_runs import load, same_weights, sample_records, tiny_policy, train_rl, weights
from tiny_runs import noisy_reward as noisy

from swr1.errors import SwrError, UsageError
from swr1.policy import Policy

TARGET = 9  # the token that is rewarded


def count_target(tokens, rng) -> float:
    return float(tokens.count(TARGET))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """12 groups of 4 at temperature 0.7, of very different lengths."""
    policy = tiny_policy(tmp_path_factory.mktemp("rl") / "p")
    return sample_records(policy, 12, 4, noisy, temperature=0.7, max_tokens=12)


def rows(policy: Policy) -> list[dict]:
    return [json.loads(line) for line in (policy.path / "metrics.jsonl").open()]


def train(path, records, objective="grpo", policy=None, **options) -> Policy:
    policy = policy or tiny_policy(path)
    options = {"lr": 1e-2, "batch": 4, "kl": 0.0, "log": lambda _: None} | options
    train_rl(records, policy, objective, **options)
    return policy


@pytest.mark.parametrize("objective", ["grpo", "reinforce++"])
def test_on_policy_the_ratio_is_one(tmp_path, records, objective: str):
    said: list[str] = []
    policy = train(tmp_path / "p", records, objective, log=said.append)
    first = rows(policy)[0]
    assert first["ratio_min"] == pytest.approx(1, abs=1e-5)
    assert first["ratio_max"] == pytest.approx(1, abs=1e-5)
    assert "ratio" in said[0] and "1.0000" in said[0]
    assert not any("warning" in line for line in said)


def test_a_temperature_that_was_not_recorded_is_refused(tmp_path, records):
    wrong = [json.loads(json.dumps(r)) for r in records]
    for r in wrong:
        r["generation"]["sampling"]["temperature"] = 0.3
    policy = tiny_policy(tmp_path / "p")
    with pytest.raises(SwrError, match=r"not the one that sampled.*temperature"):
        train(None, wrong, policy=policy)
    assert policy.versions() == [0] and not (policy.path / "metrics.jsonl").exists()
    train(None, wrong, policy=policy, ratio_tolerance=10.0)  # off-policy on purpose
    assert policy.latest() == 3


def test_what_is_rewarded_becomes_likelier(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    recs = sample_records(policy, 8, 8, count_target)

    def log_probability(version: int) -> float:
        model, _ = load(policy, version)
        prompts = {tuple(r["generation"]["prompt_ids"]) for r in recs}
        with torch.no_grad():
            out = [model(torch.tensor([p])).logits[0, -1].log_softmax(-1)[TARGET] for p in prompts]
        return sum(map(float, out)) / len(out)

    for objective in ("grpo", "dr-grpo", "rloo", "reinforce++", "reinforce++-baseline"):
        home = tiny_policy(tmp_path / objective)
        train(None, recs, objective, policy=home, batch=8)
        policy = home
        assert log_probability(1) > log_probability(0) + 0.01, objective


def test_the_control_with_shuffled_rewards_sees_other_rewards_but_tells_the_true_ones(
    tmp_path, records
):
    true = train(tmp_path / "a", records)
    shuffled = train(tmp_path / "b", records, shuffle_rewards=True)
    assert rows(true)[0]["reward_mean"] == rows(shuffled)[0]["reward_mean"]
    assert not same_weights(weights(true), weights(shuffled))


@pytest.mark.parametrize(
    "options",
    [
        {"objective": "grpo", "kl": 0.04},
        {"objective": "reinforce++", "kl": 0.1, "entropy": 0.01},
        {"objective": "dr-grpo"},
        {"objective": "grpo", "aggregation": "seq-mean-token-sum", "mask_truncated": True},
    ],
)
def test_micro_batches_change_nothing_but_rounding(tmp_path, records, options: dict):
    """One forward pass for the batch, or one per sequence: the same gradient and metrics.

    Without clipping and with plain steps; Adam would turn rounding noise into whole steps.
    """
    runs = {}
    for name, micro in (("one", 100_000), ("some", 64), ("each", 1)):
        policy = train(
            tmp_path / name, records[:16], micro_tokens=micro, max_grad_norm=None, **options
        )
        runs[name] = rows(policy)[0]
    for name in ("some", "each"):
        for key in ("loss", "grad_norm", "kl", "entropy", "ratio_mean", "kl_behaviour"):
            a, b = runs["one"][key], runs[name][key]
            assert (a is None and b is None) or a == pytest.approx(b, rel=1e-4, abs=1e-6), key


@pytest.mark.parametrize("aggregation", ["token-mean", "seq-mean-token-mean", "constant"])
@pytest.mark.parametrize("mask_truncated", [False, True])
def test_the_loss_of_an_off_policy_step_by_plain_loops(
    tmp_path, records, aggregation: str, mask_truncated: bool
):
    """Dr. GRPO's advantage, PPO's clip, k3 in the loss, an entropy bonus: all from the records and
    one forward pass per sequence."""
    policy, other = tiny_policy(tmp_path / "p", seed=7), tiny_policy(tmp_path / "ref", seed=5)
    model, reference = load(policy)[0], load(other)[0]
    batch = records[:16]
    means = {p: [r["reward"] for r in batch if r["id"] == p] for p in {r["id"] for r in batch}}
    losses, clipped = [], 0
    for r in batch:
        g = r["generation"]
        if mask_truncated and g["finish_reason"] == "length":
            continue
        ids = torch.tensor([g["prompt_ids"] + g["token_ids"]])
        with torch.no_grad():
            p, q = (
                m(ids).logits[0, len(g["prompt_ids"]) - 1 : -1].div(0.7).log_softmax(-1)
                for m in (model, reference)
            )
        advantage = r["reward"] - sum(means[r["id"]]) / 4
        row = []
        for t, (token, old) in enumerate(zip(g["token_ids"], g["logprobs"], strict=True)):
            ratio, back = math.exp(p[t, token] - old), float(q[t, token] - p[t, token])
            bounded = min(max(ratio, 0.9), 1.3)
            clipped += (ratio > 1.3 and advantage > 0) or (ratio < 0.9 and advantage < 0)
            entropy = -float((p[t].exp() * p[t]).sum())
            row.append(
                -min(ratio * advantage, bounded * advantage)
                + 0.5 * (math.exp(back) - back - 1)
                - 0.1 * entropy
            )
        losses.append(row)
    tokens = sum(map(len, losses))
    want = {
        "token-mean": sum(map(sum, losses)) / tokens,
        "seq-mean-token-mean": sum(sum(row) / len(row) for row in losses) / len(losses),
        "constant": sum(map(sum, losses)) / len(losses) / 12,  # the records' token limit
    }
    train(
        None,
        batch,
        "dr-grpo",
        policy=policy,
        aggregation=aggregation,
        mask_truncated=mask_truncated,
        clip_low=0.1,
        clip_high=0.3,
        kl=0.5,
        entropy=0.1,
        reference=str(other.path),
        micro_tokens=50,
        ratio_tolerance=math.inf,
    )
    (row,) = rows(policy)
    assert row["loss"] == pytest.approx(want[aggregation], rel=1e-4)
    assert row["clip_share"] == pytest.approx(clipped / tokens) and clipped


def test_order_of_samples_within_the_stream_changes_nothing(tmp_path, records):
    mixed = sorted(records[:16], key=lambda r: (r["sample"] * 7 + int(r["id"][1:]) * 3) % 5)
    a = train(tmp_path / "a", records[:16], batch=4)
    b = train(tmp_path / "b", mixed, batch=4)
    one, other = rows(a)[0], rows(b)[0]
    assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-4)
    assert one["reward_mean"] == other["reward_mean"]


def test_masked_tokens_are_not_trained_and_a_nan_there_does_not_leak(tmp_path, records):
    masked = [json.loads(json.dumps(r)) for r in records[:16]]
    for r in masked:
        r["generation"]["loss_mask"][0] = 0
    poisoned = [json.loads(json.dumps(r)) for r in masked]
    for r in poisoned:
        r["generation"]["logprobs"][0] = float("nan")
    clean, dirty = (train(tmp_path / n, r) for n, r in (("a", masked), ("b", poisoned)))
    assert same_weights(weights(clean), weights(dirty))
    assert not same_weights(weights(clean), weights(train(tmp_path / "c", records[:16])))


def test_zero_variance_groups_are_counted_and_can_be_left_out(tmp_path, records):
    mixed = [json.loads(json.dumps(r)) for r in records[:16]]
    for r in mixed[:8]:
        r["reward"] = 3.0
    kept = train(tmp_path / "a", mixed, "grpo", aggregation="token-mean")
    left_out = train(
        tmp_path / "b", mixed, "grpo", aggregation="token-mean", drop_zero_variance=True
    )
    assert rows(kept)[0]["zero_variance_groups"] == rows(left_out)[0]["zero_variance_groups"] == 0.5
    # The same gradient over fewer tokens.
    assert rows(left_out)[0]["grad_norm"] > 1.5 * rows(kept)[0]["grad_norm"]


def test_a_batch_of_zero_variance_groups_only_is_a_step_without_an_update(tmp_path, records):
    dead = [json.loads(json.dumps(r)) | {"reward": 1.0} for r in records[:16]]
    policy = train(tmp_path / "p", dead, drop_zero_variance=True)
    (row,) = rows(policy)
    assert (row["updates"], row["grad_norm"], row["zero_variance_groups"]) == (0, None, 1.0)
    assert same_weights(weights(policy, 0), weights(policy, 1))


def test_minibatches_and_epochs_are_further_updates_and_drift_off_policy(tmp_path, records):
    policy = train(tmp_path / "p", records, batch=12, minibatch=5, epochs=2)
    (row,) = rows(policy)
    assert row["updates"] == 6
    assert row["ratio_max"] > 1.01 and row["kl_behaviour"] > 1e-4


def divergence(policy: Policy, version: int, reference: Policy, records) -> float:
    """KL(version || reference) per token, exactly, where the records' completions went."""
    p, q = load(policy, version)[0], load(reference, 0)[0]
    total = []
    for r in records:
        g = r["generation"]
        ids = torch.tensor([g["prompt_ids"] + g["token_ids"]])
        with torch.no_grad():
            a, b = (m(ids).logits[0, len(g["prompt_ids"]) - 1 : -1].log_softmax(-1) for m in (p, q))
        total.append((a.exp() * (a - b)).sum(-1))
    return float(torch.cat(total).mean())


@pytest.mark.parametrize(
    "options",
    [
        {"objective": "rloo", "kl_in": "loss", "kl_estimator": "k2"},
        {"objective": "rloo", "kl_in": "loss", "kl_estimator": "k3"},
        {"objective": "rloo", "kl_in": "reward", "kl_estimator": "k1"},
        {"objective": "reinforce++", "kl_in": "reward", "kl_estimator": "k1"},
    ],
)
def test_kl_pulls_towards_the_reference(tmp_path, records, options: dict):
    """Trap: with its sign turned the term drives the policy away. Nothing else pulls here."""
    nothing = [json.loads(json.dumps(r)) | {"reward": 0.0} for r in records]
    other = tiny_policy(tmp_path / "other", seed=5)
    policy = train(
        tmp_path / "p", nothing, batch=12, lr=3e-3, kl=1.0, reference=str(other.path), **options
    )
    before, after = (divergence(policy, v, other, records) for v in (0, 1))
    assert rows(policy)[0]["kl"] > 0
    assert after < before


@pytest.mark.parametrize("publish_every", [1, 1000])
def test_what_is_not_finite_stops_the_run_and_the_policy_stays_whole(
    tmp_path, records, publish_every: int
):
    policy = tiny_policy(tmp_path / "p")
    with pytest.raises(SwrError, match=r"not finite|step \d+: loss nan.*stays at version"):
        train(None, records, policy=policy, batch=1, publish_every=publish_every, lr=1e38)
    assert all(v.isfinite().all() for v in weights(policy).values())


def test_metrics_of_a_step(tmp_path, records):
    policy = train(tmp_path / "p", records[:16])
    (row,) = rows(policy)
    batch = records[:16]
    rewards = torch.tensor([r["reward"] for r in batch], dtype=torch.float64)
    lengths = [len(r["generation"]["token_ids"]) for r in batch]
    cut = [r["generation"]["finish_reason"] == "length" for r in batch]
    assert row["step"] == row["version"] == 1
    assert row["reward_mean"] == pytest.approx(rewards.mean().item())
    assert row["reward_std"] == pytest.approx(rewards.std().item())
    assert row["reward_parts"] == {"answer": pytest.approx(rewards.mean().item())}
    assert row["accuracy"] == pytest.approx((rewards > 0).double().mean().item())
    assert row["format_rate"] == 1.0
    assert row["length_mean"] == pytest.approx(sum(lengths) / 16)
    assert row["truncated"] == pytest.approx(sum(cut) / 16)
    assert (row["samples"], row["tokens"], row["lag"]) == (16, sum(lengths), 0)
    assert 0 < row["entropy"] < math.log(40)
    assert row["wait_s"] >= 0 and row["compute_s"] > 0


@pytest.mark.parametrize(
    ("verdicts", "accuracy"),
    [
        (lambda i: {"format": 1, "language": 1, "math": i % 4 == 0}, 0.25),
        (lambda i: {"math": None, "exact": i % 2 == 0}, 0.5),
        (lambda i: {"safety": 1} | ({"math": i < 4} if i < 8 else {}), 0.5),
        (lambda i: {"format": 1, "mine": i % 4 != 0}, 0.75),
        (lambda i: {"safety": 1, "helpful": 1}, None),
    ],
)
def test_accuracy_is_of_answers(tmp_path, records, verdicts, accuracy):
    judged = [
        r | {"verdicts": {n: {"score": None if x is None else float(x)} for n, x in v.items()}}
        for r, v in zip(records[:16], map(verdicts, range(16)), strict=True)
    ]
    (row,) = rows(train(tmp_path / "p", judged))
    assert row["accuracy"] == accuracy


def test_lag_is_in_versions(tmp_path, records):
    policy = train(tmp_path / "p", records, batch=4)
    assert [r["lag"] for r in rows(policy)] == [0, 1, 2]


def test_versions_say_how_far_they_are(tmp_path, records):
    policy = tiny_policy(tmp_path / "p")
    plans: list[dict] = []
    train(
        None,
        records,
        policy=policy,
        batch=4,
        publish_every=2,
        keep=None,
        on_step=lambda row: plans.append(policy.announced()),
    )
    assert policy.versions() == [0, 1, 2]
    metas = [policy.meta(v) for v in (1, 2)]
    assert [(m["step"], m["groups_consumed"], m["stage"]) for m in metas] == [
        (2, 8, "rl"),
        (3, 12, "rl"),
    ]
    assert all((p["batch"], p["publish_every"]) == (4, 2) for p in plans)


def test_steps_end_the_run_and_close_the_input(tmp_path, records):
    closed = []

    def stream():
        try:
            yield from records
        finally:
            closed.append(True)

    policy = train(tmp_path / "p", stream(), batch=2, steps=2)
    assert closed == [True]
    assert len(rows(policy)) == 2 and policy.meta()["groups_consumed"] == 4
    # Done already: nothing is read.
    train(None, iter(()), policy=policy, batch=2, steps=2)
    assert len(rows(policy)) == 2


@pytest.mark.parametrize(("remainder", "steps"), [("drop", 2), ("train", 3)])
def test_a_last_batch_that_is_not_full(tmp_path, records, remainder: str, steps: int):
    said: list[str] = []
    policy = train(tmp_path / "p", records, batch=5, remainder=remainder, log=said.append)
    assert len(rows(policy)) == steps
    assert any("8 samples dropped: in a last batch" in s for s in said) == (remainder == "drop")


def test_adapters_alone_are_trained_and_published_merged(tmp_path, records):
    policy = train(tmp_path / "p", records, batch=3, lora_r=2, kl=0.1)
    assert rows(policy)[0]["kl"] == pytest.approx(0, abs=1e-6)  # adapter off = adapter of zeros
    assert rows(policy)[-1]["kl"] > 1e-6
    before, after = weights(policy, 0), weights(policy)
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed and all("proj" in k for k in changed)
    state = max((policy.path / "trainer").glob("0*"))
    assert all("lora_" in k for k in torch.load(state / "state.pt")["weights"])


def test_wrong_use(tmp_path, records):
    policy = tiny_policy(tmp_path / "p")
    for options, message in (
        ({"batch": 0}, "at least 1"),
        ({"remainder": "keep"}, "remainder"),
        ({"schedule": "cosine"}, "--steps"),
        ({"lr": float("nan")}, "learning rate"),
        ({"lr": 0.0}, "learning rate"),
        ({"optimizer": "adam"}, "optimizer 'adam'"),
        ({"dtype": "float8"}, "dtype"),
        ({"clip_hihg": 1.0}, "clip_high"),
    ):
        with pytest.raises(UsageError, match=message):
            train(None, records, policy=policy, **options)
    with pytest.raises(UsageError, match="'grpo'"):
        train(None, records, "gprpo", policy=policy)
    assert policy.versions() == [0]
