"""The hf engine against direct forward passes and transformers' own generation and samplers."""

import os
import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from swr1.engines import Request, Sampling, open_engine
from swr1.engines.hf import HFEngine
from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_tokenizer
from swr1.prompts import load_prompt
from tests.conftest import run_swr1
from tests.engines.tiny_policy import WORDS, save_policy

EOS = WORDS.index("<|im_end|>")


def prompts(count: int, samples: int = 1, seed: int = 0) -> list[Request]:
    """Requests with prompts of 1 to 30 words, `samples` of each."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 30, count)
    words = [rng.integers(3, len(WORDS), n).tolist() for n in lengths]
    return [Request((f"r{i}", 0, s), ids) for i, ids in enumerate(words) for s in range(samples)]


def next_logits(engine, prompt: list[int], written: list[int]) -> torch.Tensor:
    """[len(written), vocabulary]: what one plain forward pass says about each token."""
    with torch.inference_mode():
        logits = engine.model(input_ids=torch.tensor([prompt + written])).logits[0]
    return logits[len(prompt) - 1 : -1]


def ids_of(completions) -> list[list[int]]:
    return [c.token_ids for c in completions]


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.6])
def test_logprobs_are_those_of_the_tempered_model(engine, temperature):
    requests = prompts(6, samples=3)
    for request, got in zip(
        requests, engine.generate(requests, Sampling(temperature, max_tokens=40)), strict=True
    ):
        logits = next_logits(engine, request.prompt_ids, got.token_ids)
        want = torch.log_softmax(logits / temperature, -1)
        want = want.gather(1, torch.tensor(got.token_ids)[:, None])[:, 0]
        assert got.logprobs.dtype == np.float32
        np.testing.assert_allclose(got.logprobs, want.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "cuts", [{"top_k": 3}, {"top_p": 0.6}, {"min_p": 0.2}, {"top_k": 6, "top_p": 0.8, "min_p": 0.1}]
)
def test_cut_distributions_are_those_of_transformers_warpers_renormalised(engine, cuts):
    from transformers import (
        LogitsProcessorList,
        MinPLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    warpers = LogitsProcessorList()
    for name, warper in (
        ("top_k", TopKLogitsWarper),
        ("top_p", TopPLogitsWarper),
        ("min_p", MinPLogitsWarper),
    ):
        if name in cuts:
            warpers.append(warper(cuts[name]))
    requests = prompts(5, samples=4)
    seen = 0
    for request, got in zip(
        requests, engine.generate(requests, Sampling(1.3, max_tokens=30, **cuts)), strict=True
    ):
        logits = next_logits(engine, request.prompt_ids, got.token_ids) / 1.3
        want = torch.log_softmax(warpers(torch.empty(0), logits), -1)
        want = want.gather(1, torch.tensor(got.token_ids)[:, None])[:, 0]
        np.testing.assert_allclose(got.logprobs, want.numpy(), atol=1e-4)
        seen += len(got.token_ids)
    assert seen > 100


def test_samples_follow_the_distribution(engine):
    """First tokens of many samples of one prompt: chi-squared against the model's probabilities."""
    from scipy.stats import chisquare

    prompt = prompts(1)[0].prompt_ids
    requests = [Request(("r", 0, s), prompt) for s in range(4000)]
    drawn = [c.token_ids[0] for c in engine.generate(requests, Sampling(max_tokens=1))]
    probs = torch.softmax(next_logits(engine, prompt, [0])[0].double(), -1).numpy()
    often = probs * len(drawn) >= 5
    counts = np.bincount(drawn, minlength=len(WORDS))
    observed = [*counts[often], counts[~often].sum()]
    expected = np.array([*probs[often], probs[~often].sum()]) * len(drawn)
    assert often.sum() >= 4
    assert chisquare(observed, expected).pvalue > 1e-4


@pytest.mark.parametrize("sliding", [False, True])
def test_greedy_equals_generate_and_a_loop_of_forward_passes(engine, tmp_path, sliding):
    if sliding:
        engine = HFEngine(
            save_policy(tmp_path, 3, use_sliding_window=True, sliding_window=8, max_window_layers=1)
        )
        assert "sliding_attention" in engine.model.config.layer_types
    requests = prompts(8)
    greedy = engine.generate(requests, Sampling(0, max_tokens=24))
    for request, got in zip(requests, greedy, strict=True):
        written: list[int] = []
        while len(written) < 24 and EOS not in written:
            written.append(int(next_logits(engine, request.prompt_ids, [*written, 0])[-1].argmax()))
        assert got.token_ids == written
        reference = engine.model.generate(
            torch.tensor([request.prompt_ids]), max_new_tokens=24, do_sample=False
        )
        assert got.token_ids == reference[0, len(request.prompt_ids) :].tolist()
        logits = next_logits(engine, request.prompt_ids, written)
        want = torch.log_softmax(logits, -1).max(-1).values
        np.testing.assert_allclose(got.logprobs, want.numpy(), atol=1e-4)


def small_model(kind: str):
    """A model of another make, its context 48 tokens long."""
    from transformers import Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel

    torch.manual_seed(4)
    ends = {"bos_token_id": None, "eos_token_id": EOS, "pad_token_id": 0}
    if kind == "gpt2":  # a table of positions: none may lie beyond it
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 48}
        config = GPT2Config(vocab_size=len(WORDS), initializer_range=0.3, **sizes, **ends)
        return GPT2LMHeadModel(config)
    return Gemma2ForCausalLM(  # sliding layers in turn with full ones, capped logits
        Gemma2Config(
            vocab_size=len(WORDS),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            sliding_window=6,
            max_position_embeddings=48,
            initializer_range=0.4,
            **ends,
        )
    )


@pytest.mark.parametrize("kind", ["gpt2", "gemma2"])
def test_other_architectures_up_to_the_end_of_their_context(kind, tmp_path, tokenizer):
    small_model(kind).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine = HFEngine(tmp_path)
    requests = [Request((f"r{n}", 0, 0), list(range(3, 3 + n))) for n in range(1, 24, 2)]
    requests += [Request(("r", 0, s), [5] * 46) for s in range(2)]
    for request, got in zip(
        requests, engine.generate(requests, Sampling(1.2, max_tokens=99)), strict=True
    ):
        logits = next_logits(engine, request.prompt_ids, got.token_ids)
        want = torch.log_softmax(logits / 1.2, -1)
        want = want.gather(1, torch.tensor(got.token_ids)[:, None])[:, 0]
        np.testing.assert_allclose(got.logprobs, want.numpy(), atol=2e-4)
        total = len(request.prompt_ids) + len(got.token_ids)
        assert total == 48 if got.finish_reason == "length" else total <= 48


def test_a_sample_does_not_depend_on_company_or_order(policy, engine):
    requests = prompts(12, samples=4)
    sampling = Sampling(max_tokens=40, seed=7)

    def run(engine, requests):
        return [(c.token_ids, c.finish_reason) for c in engine.generate(requests, sampling)]

    whole = run(engine, requests)
    assert len({tuple(ids) for ids, _ in whole}) > 40  # samples of one prompt differ
    assert run(engine, requests[::-1])[::-1] == whole
    assert [run(engine, [r])[0] for r in requests[:8]] == whole[:8]
    # a batch of few rows: sequences wait for the places of finished ones
    assert run(open_engine("hf", policy, batch_tokens=70 * 5), requests) == whole


def test_the_same_call_gives_the_same_bits(engine):
    requests = prompts(9, samples=3)
    first, second = (engine.generate(requests, Sampling(max_tokens=50)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.token_ids == b.token_ids
        assert a.logprobs.tobytes() == b.logprobs.tobytes()


def test_seed_epoch_and_sample_each_change_the_draws(engine):
    prompt = prompts(1, seed=5)[0].prompt_ids

    def draw(key, seed=0):
        return engine.generate([Request(key, prompt)], Sampling(1.5, max_tokens=60, seed=seed))[0]

    runs = [draw(("r", 0, 0)), draw(("r", 1, 0)), draw(("r", 0, 1)), draw(("s", 0, 0))]
    runs.append(draw(("r", 0, 0), seed=1))
    assert len({tuple(run.token_ids) for run in runs}) == 5


def test_a_completion_is_a_prefix_of_a_longer_one(engine):
    requests = prompts(6)
    short = engine.generate(requests, Sampling(max_tokens=5))
    long = engine.generate(requests, Sampling(max_tokens=50))
    for a, b in zip(short, long, strict=True):
        assert a.token_ids == b.token_ids[:5]


def test_finish_reasons_and_end_tokens(engine):
    requests = prompts(20, samples=4)
    reasons = set()
    for got in engine.generate(requests, Sampling(max_tokens=30)):
        reasons.add(got.finish_reason)
        assert EOS not in got.token_ids[:-1]
        assert (got.token_ids[-1] == EOS) == (got.finish_reason == "stop")
        assert len(got.token_ids) == len(got.logprobs) <= 30
        if got.finish_reason == "length":
            assert len(got.token_ids) == 30
        assert "<|im_end|>" not in got.text
    assert reasons == {"stop", "length"}


def test_text_keeps_the_tags_even_as_special_tokens(tmp_path):
    folder = save_policy(tmp_path, 0)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    tokenizer.save_pretrained(folder)
    engine = HFEngine(folder)
    ids = [WORDS.index(w) for w in ("<think>", "so", "</think>", "ok", "<|im_end|>", "<pad>")]
    text = engine._decode([ids])[0]
    assert text.replace(" ", "") == "<think>so</think>ok"


def test_stop_strings_span_tokens_and_stay_in_the_text(engine):
    requests = prompts(24, samples=4)
    free = engine.generate(requests, Sampling(max_tokens=60))
    texts = [c.text.split() for c in free]
    pairs = {(a, b) for words in texts for a, b in pairwise(words)}
    stop = max((f"{a} {b}" for a, b in pairs), key=lambda s: sum(s in c.text for c in free))
    stopped = engine.generate(requests, Sampling(max_tokens=60, stop=(stop, "never seen")))
    hits = 0
    for before, after in zip(free, stopped, strict=True):
        if stop in before.text:
            hits += 1
            assert after.finish_reason == "stop"
            assert stop in after.text
            assert stop not in engine._decode([after.token_ids[:-1]])[0]
            assert before.token_ids[: len(after.token_ids)] == after.token_ids
        else:
            assert after.token_ids == before.token_ids
    assert 3 <= hits < len(requests)


def test_hot_swap_takes_the_new_weights_in_place(policy, other_policy):
    requests, sampling = prompts(5, samples=2), Sampling(max_tokens=20)
    engine = HFEngine(policy)
    model, before = engine.model, ids_of(engine.generate(requests, sampling))
    engine.load(other_policy)
    assert engine.model is model
    after = ids_of(engine.generate(requests, sampling))
    assert after == ids_of(HFEngine(other_policy).generate(requests, sampling)) != before
    engine.load(policy)
    assert ids_of(engine.generate(requests, sampling)) == before


def test_hot_swap_to_another_shape_makes_a_new_model(policy, tmp_path):
    folder = save_policy(tmp_path, 2, num_hidden_layers=3, tie_word_embeddings=False)
    requests, sampling = prompts(4), Sampling(max_tokens=20)
    engine = HFEngine(policy)
    engine.load(folder)
    want = ids_of(HFEngine(folder).generate(requests, sampling))
    assert ids_of(engine.generate(requests, sampling)) == want


def test_a_prompt_too_long_for_the_context_is_named(engine):
    fits = Request(("fits", 0, 0), [5] * 255)
    cut = engine.generate([Request(("fits", 0, s), [5] * 254) for s in range(8)], Sampling())
    assert {(len(c.token_ids), c.finish_reason) for c in cut} >= {(2, "length")}
    assert all(len(c.token_ids) <= 2 for c in cut)
    with pytest.raises(DataError, match=r"'long'.*257 tokens.*has 256"):
        engine.generate([fits, Request(("long", 0, 0), [5] * 256)], Sampling())
    message = [{"role": "user", "content": "zoey " * 300}]
    with pytest.raises(DataError, match="'long'"):
        engine.request(("long", 0, 0), message, load_prompt("none"))


def test_nan_is_an_error_not_a_token(policy):
    engine = HFEngine(policy)
    engine.model.lm_head.weight.data[4] = float("nan")
    with pytest.raises(SwrError, match="NaN"):
        engine.generate(prompts(2), Sampling(max_tokens=4))


def test_bad_use(policy, tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'hf'"):
        open_engine("hff", policy)
    with pytest.raises(UsageError, match="Did you mean 'threads'"):
        open_engine("hf", policy, thread=1)
    with pytest.raises(UsageError, match="float16"):
        open_engine("hf", policy, dtype="float16")
    with pytest.raises(SwrError, match="cannot load"):
        open_engine("hf", str(tmp_path / "nothing"))
    for bad in ({"temperature": -1}, {"top_p": 0}, {"max_tokens": 0}, {"stop": ("",)}):
        with pytest.raises(UsageError, match=next(iter(bad))):
            Sampling(**bad)
    assert open_engine("hf", policy).generate([], Sampling()) == []


def test_bfloat16(policy):
    engine = open_engine("hf", policy, dtype="bfloat16")
    assert engine.dtype == "bfloat16"
    got = engine.generate(prompts(3), Sampling(max_tokens=8))
    assert all(np.isfinite(c.logprobs).all() for c in got)


def test_a_missing_policy_is_told_before_torch_is_imported(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    done = run_swr1("rollout", stdin=b"{}\n", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "--policy is missing" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif("SWR1_SMOLLM2" not in os.environ, reason="SWR1_SMOLLM2 names no model folder")
def test_real_weights_greedy_equals_generate():
    engine = HFEngine(os.environ["SWR1_SMOLLM2"])
    ask = ["Name three fruits.", "What is the capital of France?", "Write a haiku about rain."]
    requests = [
        engine.request((q, 0, 0), [{"role": "user", "content": q}], load_prompt("none"))
        for q in ask
    ]
    began = time.perf_counter()
    greedy = engine.generate(requests, Sampling(0, max_tokens=48))
    print(f"{sum(len(c.token_ids) for c in greedy) / (time.perf_counter() - began):.0f} tokens/s")
    for request, got in zip(requests, greedy, strict=True):
        reference = engine.model.generate(
            torch.tensor([request.prompt_ids]), max_new_tokens=48, do_sample=False
        )
        assert got.token_ids == reference[0, len(request.prompt_ids) :].tolist()
    assert "Paris" in greedy[1].text
