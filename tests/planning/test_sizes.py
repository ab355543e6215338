"""Weights, memory, lengths and speeds against figures that are known from elsewhere."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.planning import costs
from swr1.planning.lengths import Empirical, Lognormal, from_records, summary
from swr1.planning.shape import GIB, Shape

SMOL = {  # SmolLM2-135M-Instruct
    "model_type": "llama",
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49_152,
    "tie_word_embeddings": True,
}


@pytest.fixture
def smol(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SMOL))
    return Shape.of(str(tmp_path))


def test_weights_of_published_models(smol):
    assert smol.parameters == 134_515_008
    published = {"0.5B": 0.49, "1.5B": 1.54, "3B": 3.09, "7B": 7.61, "14B": 14.7, "32B": 32.5}
    for name, billions in published.items():
        assert Shape.of(name).parameters / 1e9 == pytest.approx(billions, rel=0.01)
    assert Shape.of("7b").kv_bytes() == 57_344  # 28 layers x 2 x 4 heads x 128 x 2 bytes


@pytest.mark.slow  # imports transformers
def test_weights_of_a_model_that_transformers_makes(tmp_path):
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        intermediate_size=80,
        vocab_size=100,
        tie_word_embeddings=False,
    )
    config.save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_config(config)
    assert Shape.of(str(tmp_path)).parameters == sum(p.numel() for p in model.parameters())


def test_memory_of_a_step_as_it_was_measured(smol):
    """docs/performance.md: resident sets of a step on SmolLM2-135M in float32, libraries included."""
    for micro, checkpointing, measured in ((1024, False, 3.58), (512, False, 2.78)):
        parts = smol.training_memory(
            micro_tokens=micro, dtype="float32", checkpointing=checkpointing
        )
        assert parts["total"] / GIB == pytest.approx(measured, rel=0.05)
    less = smol.training_memory(micro_tokens=512, dtype="float32", checkpointing=True)
    assert less["total"] < 0.85 * 2.78 * GIB
    half = smol.training_memory(micro_tokens=512, dtype="float32", sharded=True, ranks=2)
    assert half["weights"] == pytest.approx(2.0 * smol.parameters)
    with pytest.raises(UsageError, match="Did you mean 'adamw'"):
        smol.training_memory(micro_tokens=1, optimizer="adam")


def test_what_is_no_model(tmp_path):
    with pytest.raises(UsageError, match="Did you mean '7B'"):
        Shape.of("7BB")
    with pytest.raises(DataError, match=r"config\.json"):
        Shape.of(str(tmp_path))
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    with pytest.raises(DataError, match="decoder-only"):
        Shape.of(str(tmp_path))


@given(st.floats(10, 3000), st.floats(1.05, 3.8))
def test_a_lognormal_has_the_mean_and_percentile_it_was_given(mean, ratio):
    lengths = Lognormal.of(mean, ratio * mean, 1 << 40)
    seen = lengths.draw(np.random.default_rng(0), 10_000, 4)
    assert seen.mean() == pytest.approx(mean, rel=0.12)
    assert np.quantile(seen, 0.95) == pytest.approx(ratio * mean, rel=0.06)


def test_lengths_of_records_and_their_limits():
    records = [
        {"id": str(n), "generation": {"token_ids": [1] * n, "prompt_ids": [1] * 10}}
        for n in (5, 10, 60)
    ]
    seen = from_records([*records, {"id": "x"}])
    assert (seen.groups, seen.prompt) == ([[5], [10], [60]], 10.0)
    drawn = Empirical(seen.groups, 50).draw(np.random.default_rng(0), 100, 2)
    assert set(drawn.flat) == {5, 10, 50}
    assert (drawn[:, 0] == drawn[:, 1]).all()  # one prompt, one group
    whole = Empirical([[1, 2, 3]], 9).draw(np.random.default_rng(0), 9, 3)
    assert (np.sort(whole) == [1, 2, 3]).all()
    assert summary(Lognormal(100, 0, 80))["mean"] == 80
    with pytest.raises(DataError, match="token_ids"):
        from_records([{"id": "x", "completion": "a b"}])
    for mean, p95 in ((100, 90), (100, 500), (0.5, None)):
        with pytest.raises(UsageError):
            Lognormal.of(mean, p95, 100)


@given(
    st.floats(0, 0.1),
    st.floats(1e-5, 0.01),
    st.floats(0, 1e-5),
    st.integers(1, 300),
    st.floats(0, 1e6),
    st.floats(1, 1e4),
)
def test_steps_and_seconds_are_inverse(base, each, per_context, n, context, steps):
    decode = costs.Decode(base, each, per_context)
    seconds = decode.seconds(n, context, steps)
    assert decode.steps(n, context, seconds) == pytest.approx(steps, rel=1e-6)


def test_speeds_given_at_two_numbers_in_flight():
    decode = costs.decode_of_speeds([(8, 800.0), (128, 3200.0)], None)
    assert decode.speed(8, 0) == pytest.approx(800)
    assert decode.speed(128, 0) == pytest.approx(3200)
    assert decode.most == 128
    with pytest.raises(UsageError, match="must rise"):
        costs.decode_of_speeds([(8, 800.0), (128, 400.0)], None)


def test_recomputed_activations_cost_a_third_of_the_time():
    seven, h100 = Shape.of("7B"), costs.gpu("h100")
    plain, again = (costs.train_of_gpu(seven, h100, 1, 16_384, False, c) for c in (False, True))
    assert again.per_token / plain.per_token == pytest.approx(4 / 3)


def test_a_gpu_by_its_data_sheet():
    seven = Shape.of("7B")
    one = costs.decode_of_gpu(seven, costs.gpu("h100"), 1, 1000, None)
    assert 80 < one.speed(1, 500) < 3.35e12 / (2 * seven.parameters)  # the roofline
    assert one.speed(256, 500) > 50 * one.speed(1, 500)
    two = costs.decode_of_gpu(seven, costs.gpu("h100"), 2, 1000, None)
    assert one.speed(64, 500) < two.speed(64, 500) < 2 * one.speed(64, 500)
    with pytest.raises(UsageError, match="--gpus-per-replica"):
        costs.decode_of_gpu(Shape.of("72B"), costs.gpu("h100"), 1, 1000, None)
    with pytest.raises(UsageError, match="Did you mean 'h100'"):
        costs.gpu("h10")
