"""Reward parts in a step: costs and their multiplier, filters, shaping, what is missing."""

import copy

import pytest
import torch
from tiny_runs import noisy_reward, sample_records, tiny_policy
from update_tools import Bigrams, measure, random_groups, record

from swr1.errors import DataError
from swr1.objectives.lagrange import Multiplier
from swr1.objectives.presets import get_preset
from swr1.training.groups import read_sample
from swr1.training.reward_parts import Expected
from tests.conftest import jsonl, load


def group(rewards, parts, tokens=None) -> list[dict]:
    n = len(rewards)
    return [
        record("p", k, n, [1], [2] * (tokens or [2] * n)[k], [-3.0] * (tokens or [2] * n)[k],
               [1] * (tokens or [2] * n)[k], parts[k], rewards[k])
        for k in range(n)
    ]  # fmt: skip


def on_policy_pull(row, gradient, model, groups, advantages) -> None:
    """The gradient is that of -mean(A log pi) for these advantages, one per sequence."""
    samples = [read_sample(r, 20) for g in groups for r in g]
    sizes = torch.tensor([len(s.old) for s in samples])
    logp, _ = model(samples)
    loss = -(torch.tensor(advantages).repeat_interleave(sizes) * logp).mean()
    (want,) = torch.autograd.grad(loss, model.table)
    assert torch.allclose(gradient, want.flatten(), atol=1e-6)


def test_the_multiplier_moves_before_the_step_by_the_mean_cost_and_weighs_it():
    model = Bigrams(0)
    groups = [group([2.0, 0.0], [{"harm": 0.0}, {"harm": 4.0}])]
    m = Multiplier(value=1.0, lr=0.1, limit=1.0)
    row, gradient = measure(
        model, groups, "reinforce", advantage="dr-grpo", combine="lagrangian", cost="harm",
        multiplier=m,
    )  # fmt: skip
    lam = row["lambda"]
    assert row["cost_mean"] == 2.0 and lam == m.value == pytest.approx(2.718281828**0.1)
    a = (1 + 2 * lam) / (1 + lam)
    on_policy_pull(row, gradient, model, groups, [a, -a])


def test_trap_the_multiplier_moves_once_per_batch_not_per_update(tmp_path):
    groups = random_groups(4, groups=6)
    moved = []
    for options in ({}, {"epochs": 3, "minibatch": 2}):
        m = Multiplier()
        row, _ = measure(
            Bigrams(0), groups, "grpo", kl=0.0, combine="lagrangian", cost="wordy", multiplier=m,
            **options,
        )  # fmt: skip
        moved.append((m.value, row["updates"]))
    assert moved[0] == (pytest.approx(moved[1][0]), 1) and moved[1][1] == 9


def test_the_command_line_reaches_the_step(tmp_path, swr1):
    policy = tiny_policy(tmp_path / "p")
    rows = sample_records(policy, 6, 4, noisy_reward)
    for n, r in enumerate(rows):
        r["reward_parts"] = {
            "right": {"value": float(n % 2), "weight": 1.0},
            "wordy": {"value": n % 3 / 2 if n > 3 else 0.0, "weight": 1.0},
        }
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows))
    done = swr1(
        "train-step", "grpo", tmp_path / "in.jsonl", "--policy", policy.path, "--batch", 6,
        "--kl", 0, "--combine", "lagrangian", "--cost", "wordy", "--parts", "right=2",
        "--filter-on", "wordy", "--cost-limit", 0.5, "--lambda-init", 2, "--lambda-max", 3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = load(policy.path / "metrics.jsonl")
    costs = [r["reward_parts"]["wordy"]["value"] for r in rows]
    mean = sum(costs) / len(costs)
    assert row["cost_mean"] == pytest.approx(mean)
    assert row["lambda"] == pytest.approx(min(3, 2 * 2.718281828 ** (0.1 * 2 * (mean - 0.5))))
    assert row["groups_left_out"] == 1


def test_parts_replace_the_reward_and_a_null_part_leaves_its_sample_out():
    model = Bigrams(0)
    groups = [
        group(
            [9.0, 9.0, 9.0],
            [{"a": 1.0, "b": 4.0}, {"a": 0.0, "b": 4.0}, {"a": None, "b": 1.0}],
        )
    ]
    options = {"advantage": "dr-grpo", "parts": {"a": 1.0, "b": 0.5}}
    on_policy_pull(*measure(model, groups, "reinforce", **options), model, groups, [0.5, -0.5, 0.0])


def test_gdpo_standardises_the_sum_of_the_parts_advantages_over_the_batch():
    """Each part is +-0.7071 in its group of two: sums 2z, -2z | 0, 0, of variance 8 z^2 / 3."""
    model = Bigrams(0)
    groups = [
        group([0.0, 0.0], [{"a": 9.0, "b": 1.0}, {"a": 0.0, "b": 0.0}]),
        group([0.0, 0.0], [{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 3.0}]),
    ]
    options = {"parts": {"a": 1.0, "b": 1.0}, "loss": "reinforce"}
    a = 2 / (8 / 3) ** 0.5
    on_policy_pull(*measure(model, groups, "gdpo", **options), model, groups, [a, -a, 0.0, 0.0])


def test_a_part_that_does_not_apply_adds_nothing_and_a_null_is_unknown():
    """The second refuses, so no helpfulness; the third was not judged; the fourth broke the form,
    which ended the evaluation. The other group is of a task without these parts."""
    model = Bigrams(0)
    groups = [
        group(
            [0.0] * 4,
            [{"safe": 1.0, "help": 3.0, "form": 0.0}, {"safe": 1.0, "form": 0.0},
             {"safe": None, "form": 0.0}, {"form": -2.0}],
        ),
        group([0.0, 0.0], [{"fact": 9.0, "form": 0.0}, {"fact": 0.0, "form": 0.0}]),
    ]  # fmt: skip
    options = {"advantage": "dr-grpo", "parts": {"safe": 1.0, "help": 1.0, "form": 1.0}}
    # Sums 4, 1, unknown, -2 around their mean 1; the second group is all 0.
    want = [3.0, 0.0, 0.0, -3.0, 0.0, 0.0]
    on_policy_pull(*measure(model, groups, "reinforce", **options), model, groups, want)
    options["combine"] = "normalise-then-sum"
    # Each by itself: safe 1, 1, ?, 0 | help 3, 0, 0, 0 | form 0, 0, 0, -2.
    safe, help_, form = [1 / 3, 1 / 3, 0, -2 / 3], [9 / 4, *[-3 / 4] * 3], [*[1 / 2] * 3, -3 / 2]
    want = [sum(each) for each in zip(safe, help_, form, strict=True)] + [0.0, 0.0]
    on_policy_pull(*measure(model, groups, "reinforce", **options), model, groups, want)


def test_a_record_without_any_parts_was_not_judged():
    model = Bigrams(0)
    groups = [group([0.0] * 3, [{"a": 1.0}, {"a": 0.0}, {}])]
    options = {"advantage": "dr-grpo", "parts": {"a": 1.0}}
    want = [0.5, -0.5, 0.0]
    on_policy_pull(*measure(model, groups, "reinforce", **options), model, groups, want)


def test_a_batch_without_a_cost_does_not_move_the_multiplier():
    m = Multiplier(value=1.5)
    groups = [group([1.0, 0.0], [{"fact": 1.0}, {"fact": 0.0}])]
    options = {"combine": "lagrangian", "cost": "harm", "kl": 0.0, "multiplier": m}
    row, gradient = measure(Bigrams(0), groups, "grpo", **options)
    assert (row["cost_mean"], row["lambda"]) == (None, 1.5) and bool(gradient.abs().sum() > 0)


def train(swr1, tmp_path, batches, *options):
    """One group of each batch's parts; a batch a step."""
    policy = tiny_policy(tmp_path / "p")
    rows = sample_records(policy, len(batches), 2, noisy_reward)
    for r, parts in zip(rows, [p for b in batches for p in b], strict=True):
        r["reward_parts"] = {name: {"value": v, "weight": 1.0} for name, v in parts.items()}
        r["verdicts"] = {}
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows))
    args = ("--policy", policy.path, "--batch", 1, "--kl", 0, "--parts", "safe=1,fact=1")
    return swr1("train-step", "grpo", tmp_path / "in.jsonl", *args, *options), policy


FACTS = [{"fact": 1.0}, {"fact": 0.0}]
SAFETY = [{"safe": 1.0}, {"safe": 0.0}]


def test_a_batch_without_a_named_part_is_trained_on_with_a_warning(tmp_path, swr1):
    done, policy = train(swr1, tmp_path, [FACTS, FACTS, FACTS, SAFETY])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: no record so far") == 2  # after the first and the second
    assert "has a number 'safe' among its reward_parts" in done.stderr
    rows = load(policy.path / "metrics.jsonl")
    assert [r["reward_parts"] for r in rows] == [{"fact": 0.5}] * 3 + [{"safe": 0.5}]
    assert all(r["grad_norm"] > 0 for r in rows)


def test_a_part_that_never_came_is_an_error_at_the_end_with_a_suggestion(tmp_path, swr1):
    done, policy = train(swr1, tmp_path, [FACTS, FACTS], "--parts", "fcat=1,fact=1")
    assert done.returncode == 65
    assert "no record so far (2 batches) has a number 'fcat'" in done.stderr
    assert "Did you mean 'fact'?" in done.stderr
    assert len(load(policy.path / "metrics.jsonl")) == 2  # what was trained stays


def test_a_filter_goes_by_a_part_or_a_verdict_and_must_know_one():
    told: list[str] = []
    samples = [read_sample(r, 20) for r in group([1.0, 0.0], [{"right": 0.0}, {"right": 4.0}])]
    for options, filter_on in (({"parts": {"right": 1}}, "reward"), ({}, "right")):
        known = Expected(get_preset("grpo", **options), filter_on, told.append)
        known.see(samples)
        known.check()
    unknown = Expected(get_preset("dapo"), "rihgt", told.append)
    unknown.check()  # nothing was read
    unknown.see(samples)
    with pytest.raises(DataError, match=r"'rihgt' among its reward_parts and verdicts.*'right'"):
        unknown.check()
    assert len(told) == 1


def test_filters_look_at_the_reward_a_part_or_a_verdict():
    groups = [
        group([1.0, 0.0], [{"x": 1.0, "right": 1.0}, {"x": 1.0, "right": 1.0}]),
        group([1.0, 1.0], [{"x": 1.0, "right": 1.0}, {"x": 0.5, "right": 1.0}]),
        group([-2.0, 0.5], [{"x": 1.0, "right": 1.0}, {"x": None, "right": 0.0}]),
    ]
    left_out = {
        by: measure(Bigrams(0), groups, "grpo", kl=0.0, filter_on=by)[0]["groups_left_out"]
        for by in ("reward", "x", "right", "")
    }
    # Trap: "0 < mean < 1" would drop the third, whose rewards are negative and fractional.
    assert left_out == {"reward": 1, "x": 2, "right": 2, "": 0}
    row, _ = measure(Bigrams(0), groups, "grpo", kl=0.0, drop_zero_variance=True)
    assert row["groups_left_out"] == 1
    for g in groups:
        for r in g:
            r["reward_parts"] = {}
    row, _ = measure(Bigrams(0), groups, "grpo", kl=0.0, filter_on="right")
    assert row["groups_left_out"] == 2


def test_shaping_pulls_at_long_answers_and_the_filter_does_not_see_it():
    model = Bigrams(0)
    groups = [group([1.0, 1.0], [{}, {}], tokens=[4, 8])]  # of 8: the last half is punished
    options = {"advantage": "dr-grpo", "overlong": 0.25}
    on_policy_pull(*measure(model, groups, "reinforce", **options), model, groups, [0.5, -0.5])
    row, gradient = measure(model, groups, "reinforce", filter_on="reward", **options)
    assert row["groups_left_out"] == 1 and gradient is None
    for r in groups[0]:
        del r["generation"]["sampling"]["max_tokens"]
    with pytest.raises(DataError, match="max_tokens"):
        measure(model, groups, "reinforce", **options)
    measure(model, groups, "reinforce", **options, length=8.0)


def test_the_control_shuffles_parts_with_their_rewards():
    groups = random_groups(4, groups=6)
    options = {"parts": {"right": 1.0}, "advantage": "dr-grpo", "loss": "reinforce"}
    _, true = measure(Bigrams(0), groups, "grpo", kl=0.0, **options)
    _, shuffled = measure(Bigrams(0), groups, "grpo", kl=0.0, shuffle_rewards=True, **options)
    assert not torch.allclose(true, shuffled)


def test_boost_scales_by_groups_over_live_groups():
    live = random_groups(11, groups=8)
    model = Bigrams(0)
    dead = [g for g in copy.deepcopy(live) if len({r["reward"] for r in g}) > 1]
    for g in dead:
        for r in g:
            r["reward"] = 1.0
    row, plain = measure(model, live, "cpgd", boost=1.0)
    share = 1 - row["zero_variance_groups"]
    _, boosted = measure(model, live, "cpgd", drift=0.0)
    _, plain = measure(model, live, "cpgd", drift=0.0, boost=1.0)
    assert share < 1
    assert torch.allclose(boosted, plain * min(1 / share, 3.0))
