"""The reference of a KL term: a model beside the policy, one that waits, or numbers in the records."""

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
def world(tmp_path_factory):
    """A reference, and records of a policy with other weights."""
    home = tmp_path_factory.mktemp("reference")
    reference = tiny_policy(home / "ref", seed=5)
    records = sample_records(tiny_policy(home / "start"), 4, 4, noisy_reward, max_tokens=6)
    return reference, records


@torch.no_grad()
def with_ref(records, policy):
    """The records with the reference's log-probabilities, each sequence alone."""
    model, _ = load(policy)
    out = []
    for r in records:
        g = r["generation"]
        n, ids = len(g["prompt_ids"]), torch.tensor(g["prompt_ids"] + g["token_ids"])
        table = model(ids[None]).logits[0].log_softmax(-1)
        ref = [float(table[t - 1, ids[t]]) for t in range(n, len(ids))]
        out.append(r | {"generation": g | {"ref_logprobs": ref}})
    return out


def step(home, records, **options):
    policy = tiny_policy(home)
    rows = []
    options = {"kl": 0.5, "kl_in": "loss", "lr": 1e-3, "batch": 4, "steps": 1} | options
    train_rl(records, policy, "grpo", on_step=rows.append, log=lambda _: None, **options)
    return rows[0], weights(policy)


@pytest.mark.parametrize("kl_in", ["loss", "reward"])
def test_numbers_in_the_records_are_as_good_as_the_model(tmp_path, world, kl_in):
    reference, records = world
    asked = step(tmp_path / "a", records, reference=str(reference.path), kl_in=kl_in)
    told = step(tmp_path / "b", with_ref(records, reference), reference="records", kl_in=kl_in)
    assert asked[0]["kl"] > 0.01
    assert told[0]["kl"] == pytest.approx(asked[0]["kl"], rel=1e-4)
    assert all(torch.allclose(told[1][k], v, atol=1e-4) for k, v in asked[1].items())
    without = step(tmp_path / "c", records, kl=0.0)
    assert not same_weights(without[1], asked[1])


def test_a_record_without_them_is_named(tmp_path, world):
    reference, records = world
    some = with_ref(records, reference)
    del some[5]["generation"]["ref_logprobs"]
    with pytest.raises(DataError, match=r"'p1', sample 1: no `generation.ref_logprobs`"):
        step(tmp_path / "p", some, reference="records")
    some[5] = records[5] | {"generation": records[5]["generation"] | {"ref_logprobs": [0.0] * 99}}
    with pytest.raises(DataError, match=r"'p1', sample 1: .*99 ref_logprobs"):
        step(tmp_path / "q", some, reference="records")


def test_a_reference_that_waits_is_rounded_and_little_else(tmp_path, world):
    reference, records = world
    asked = step(tmp_path / "a", records, reference=str(reference.path))
    waited = step(tmp_path / "b", records, reference=str(reference.path), reference_offload=True)
    assert waited[0]["kl"] == pytest.approx(asked[0]["kl"], rel=0.05)
    assert waited[0]["kl"] != asked[0]["kl"]


def test_4_bits_are_for_adapters(tmp_path, world):
    with pytest.raises(UsageError, match="--lora-r"):
        step(tmp_path / "p", world[1], quantize="nf4")


def test_adapters_on_4_bits_are_trained_and_published(tmp_path, world):
    """The records are of the weights before rounding: the divergence is what 4 bits cost."""
    pytest.importorskip("bitsandbytes")
    policy = tiny_policy(tmp_path / "p", hidden=64, heads=4)
    records = sample_records(policy, 4, 4, lambda tokens, rng: rng.choice([0, 1]), max_tokens=6)
    before = weights(policy)
    train_rl(
        records, policy, "grpo", kl=0, lr=1e-2, batch=2, lora_r=4, quantize="nf4",
        ratio_tolerance=1.0, log=lambda _: None,
    )  # fmt: skip
    after = weights(policy)
    assert after.keys() == before.keys() and policy.latest() == 2
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(before[name], after[name])
    assert torch.equal(before["model.norm.weight"], after["model.norm.weight"])
