"""What may not matter does not: the cut into micro-batches, the order, masked tokens, dead weight.

Loss, gradient and metrics, to 1e-5 in float32, over random shapes: groups of one and of equal
rewards, sequences without tokens or masked as a whole, interior masks, stale log-probabilities.
"""

import copy
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import load, tiny_policy
from update_tools import VOCAB, Bigrams, measure, random_groups

# Each with what it needs; together they take every advantage, loss, mean, KL and combination.
OBJECTIVES = {
    "grpo": {"kl": 0.1},
    "dr-grpo": {"kl": 0.1, "kl_estimator": "k1", "kl_ratio": True},
    "dapo": {"dual_clip": 3.0, "llds": 0.5},
    "cispo": {"kl": 0.1, "kl_estimator": "k3+"},
    "gspo": {"clip_low": 0.1, "clip_high": 0.1},
    "cpgd": {"entropy": 0.01},
    "gdpo": {"parts": {"right": 1.0, "wordy": 0.5}},
    "canon-length": {},
    "cale": {"success": "right", "aggregation": "seq-mean-token-sum"},
    "rloo": {"kl": 0.1, "llds": 0.5, "llds_gate": "response"},
    "reinforce": {"combine": "lagrangian", "cost": "wordy"},
    "reinforce++": {"kl": 0.1, "gamma": 0.9},
    "reinforce++-baseline": {"kl": 0.1},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("invariance")
    policies = [tiny_policy(home / name, seed=seed) for seed, name in enumerate("ab")]
    return [load(p)[0] for p in policies]


def same(a, b, groups_moved: bool = False) -> None:
    (row, gradient), (other, its) = a, b
    assert row.keys() == other.keys()
    for key, value in row.items():
        if isinstance(value, float):
            assert other[key] == pytest.approx(value, rel=1e-5, abs=1e-5), key
        elif not isinstance(value, dict):
            assert other[key] == value, key
    if gradient is None:
        assert its is None
    else:
        scale = max(1.0, float(gradient.norm()))
        assert float((gradient - its).norm()) < 1e-5 * scale


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from(sorted(OBJECTIVES)), st.sampled_from([1, 9, 30]))
def test_the_cut_into_micro_batches(models, seed, name, micro):
    groups = random_groups(seed)
    options = OBJECTIVES[name] | {"ref": models[1], "importance": "token"}
    whole = measure(models[0], groups, name, **options)
    same(whole, measure(models[0], groups, name, micro=micro, **options))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from(sorted(OBJECTIVES)))
def test_the_order_of_groups_and_of_the_samples_in_them(models, seed, name):
    groups = random_groups(seed)
    rng = random.Random(seed)
    moved = [rng.sample(g, len(g)) for g in rng.sample(groups, len(groups))]
    options = OBJECTIVES[name] | {"ref": models[1]}
    same(measure(models[0], groups, name, **options), measure(models[0], moved, name, **options))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from(sorted(OBJECTIVES)))
def test_log_probabilities_of_masked_tokens(models, seed, name):
    """They are never read; a NaN there cannot leak through a multiplication by zero."""
    groups = random_groups(seed)
    broken = copy.deepcopy(groups)
    for g in broken:
        for r in g:
            old = r["generation"]["logprobs"]
            for i, m in enumerate(r["generation"]["loss_mask"]):
                old[i] = old[i] if m else float("nan")
    options = OBJECTIVES[name] | {"ref": models[1]}
    same(measure(models[0], groups, name, **options), measure(models[0], broken, name, **options))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from(sorted(OBJECTIVES)))
def test_a_sequence_without_trained_tokens_is_as_good_as_none(models, seed, name):
    """Trap: counted in a baseline or among the sequences of a mean, it would pull at the others."""
    if name == "cpgd":
        return  # whose boost counts groups, with or without it
    groups = [g for g in random_groups(seed) if any(sum(r["generation"]["loss_mask"]) for r in g)]
    without = [[r for r in g if sum(r["generation"]["loss_mask"])] for g in groups]
    if not groups:
        return
    options = OBJECTIVES[name] | {"ref": models[1]}
    row, gradient = measure(models[0], groups, name, **options)
    other, its = measure(models[0], without, name, **options)
    if gradient is None:
        assert its is None
        return
    assert other["loss"] == pytest.approx(row["loss"], rel=1e-5, abs=1e-5)
    assert float((gradient - its).norm()) < 1e-5 * max(1.0, float(gradient.norm()))


def test_all_masked_and_empty_sequences_make_no_update(models):
    groups = random_groups(3)
    for g in groups:
        for r in g:
            r["generation"]["loss_mask"] = [0] * len(r["generation"]["token_ids"])
    for name, options in OBJECTIVES.items():
        row, gradient = measure(models[0], groups, name, ref=models[1], **options)
        assert gradient is None and row["updates"] == 0 and row["loss"] is None, name


@pytest.mark.parametrize(
    "name", ["grpo", "dr-grpo", "rloo", "dapo", "gspo", "cispo", "canon-length"]
)
def test_groups_of_one_and_of_equal_rewards_pull_at_nothing(models, name):
    """They stay in the denominators (unless filtered): what they add to the gradient is 0."""
    rng = random.Random(0)
    groups = random_groups(11, groups=6)
    dead = [copy.deepcopy(g) for g in groups if len(g) > 1]
    for g in dead:
        reward = rng.uniform(-3, 3)
        for r in g:
            r["reward"] = reward
    dead += [g[:1] for g in copy.deepcopy(groups)]
    options = {"kl": 0.0, "overlong": 0.0, "filter_on": "", "ref": models[1]}
    row, gradient = measure(models[0], dead, name, **options)
    assert row["zero_variance_groups"] == 1 and gradient.abs().max() == 0
    row, gradient = measure(models[0], dead, name, **options | {"filter_on": "reward"})
    assert row["updates"] == 0 and row["groups_left_out"] == len(dead) and gradient is None


def test_zero_variance_groups_count_in_the_denominators_and_filtered_ones_do_not(models):
    groups = random_groups(11, groups=8)
    alive = [g for g in groups if len({r["reward"] for r in g}) > 1]
    assert 0 < len(alive) < 8
    kept, _ = measure(models[0], groups, "dapo", overlong=0.0)
    only, _ = measure(models[0], alive, "dapo", overlong=0.0)
    assert kept["loss"] == pytest.approx(only["loss"], rel=1e-5)
    full, _ = measure(models[0], groups, "dapo", overlong=0.0, filter_on="")
    assert abs(full["loss"]) < abs(kept["loss"])


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"cispo", "gspo", "reinforce"}))
def test_the_gradient_of_a_step_by_finite_differences_in_float64(name):
    """All of it: temperature, advantage, clip, drift, KL, entropy, mean. (Losses that stop a gradient
    within, and k1+ and k3+, have another slope than their value; they are checked by name.)"""
    model, ref = Bigrams(0), Bigrams(1)
    groups = random_groups(5)
    options = OBJECTIVES[name] | {"ref": ref}
    if name == "grpo":
        options |= {"entropy": 0.1, "kl_ratio": True}
    _, gradient = measure(model, groups, name, **options)
    generator = torch.Generator().manual_seed(2)
    direction = torch.randn(VOCAB, VOCAB, generator=generator, dtype=torch.float64)
    losses = []
    for sign in (1e-6, -2e-6):
        with torch.no_grad():
            model.table += sign * direction
        losses.append(measure(model, groups, name, **options)[0]["loss"])
    slope = (losses[0] - losses[1]) / 2e-6
    assert float(gradient @ direction.flatten()) == pytest.approx(slope, rel=1e-6, abs=1e-8)
    assert abs(slope) > 1e-4
