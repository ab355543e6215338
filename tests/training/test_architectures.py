"""One architecture of each kind that went wrong somewhere: right, or refused in one line."""

import sys
from pathlib import Path

import pytest
import torch
from test_packing import groups, tiny

from swr1 import positions
from swr1.engines import Request, Sampling, open_engine
from swr1.engines.hf.variants import choose
from swr1.errors import SwrError, UsageError
from swr1.training import engine
from swr1.training.logprobs import Way, settle, token_logprobs, way_of

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from _tiny_models import make
from architectures import _tokenizer

LONG = {
    "original_max_position_embeddings": 24,
    "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 4, "long_factor": [6.0] * 4},
}


@pytest.fixture(autouse=True)
def by_itself():
    """What a wrong row would hide: the numbers below are those of a model without a cache."""
    torch.manual_seed(0)


def alone(model, examples) -> torch.Tensor:
    """The plainest call there is, one sequence at a time."""
    parts = []
    with torch.no_grad():
        for e in examples:
            table = torch.log_softmax(
                model(input_ids=e.ids[None], use_cache=False).logits[0].float(), -1
            )
            parts.append(table[e.targets - 1].gather(1, e.ids[e.targets][:, None])[:, 0])
    return torch.cat(parts)


@pytest.mark.parametrize(
    ("kind", "training", "cache"),
    [
        ("llama", Way(), "cohorts"),
        ("granite", Way(), "cohorts"),  # divides its logits
        ("hyperclovax", Way(rebuilt=False), "cohorts"),  # multiplies by what has the same name
        ("gemma2", Way(packed=False), "rows"),  # windows, capped logits
        ("falcon_h1", Way(False, False), "runs"),  # attention beside a state; scaled in the head
        ("mamba2", Way(packed=False), "runs"),
        ("qwen3_next", Way(packed=False), "runs"),
        ("lfm2", Way(packed=False), "runs"),  # short convolutions
        ("recurrent_gemma", Way(False, False), "native"),  # states lie in its modules
        ("llama4_text tuned", Way(False, False), "native"),  # counts positions by its cache
        ("openai-gpt", Way(packed=False), "recompute"),  # no cache at all
    ],
)
def test_a_model_is_asked_in_the_fastest_way_that_is_right(kind, training, cache, tmp_path):
    model = make(kind)
    model.save_pretrained(tmp_path)
    _tokenizer(264).save_pretrained(tmp_path)
    some = groups(250, [(11, [5, 3]), (24, [6]), (40, [4])])
    want = alone(model, some)
    settle(model)
    assert way_of(model) == training
    found, _ = token_logprobs(model, some)
    assert torch.allclose(found, want, atol=1e-4)
    found.sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)

    hf = open_engine("hf", tmp_path, device="cpu")
    assert hf.variant.name == cache
    requests = [
        Request((str(i), 0, s), e.ids[: int(e.targets[0])].tolist())
        for i, e in enumerate(some)
        for s in range(2)
    ]
    done = hf.generate(requests, Sampling(max_tokens=9, seed=1))
    plain = make(kind)
    for request, got in zip(requests, done, strict=True):
        ids = torch.tensor(request.prompt_ids + got.token_ids)
        row = engine.Example(ids, torch.arange(len(request.prompt_ids), len(ids)))
        assert torch.allclose(torch.from_numpy(got.logprobs), alone(plain, [row]), atol=2e-4)
    again = hf.generate(requests, Sampling(max_tokens=9, seed=1))
    assert [a.logprobs.tobytes() for a in again] == [d.logprobs.tobytes() for d in done]


def test_what_sees_later_tokens_is_refused_in_one_line():
    model = make("bert")
    for ask in (settle, lambda m: choose(m, 128)):
        with pytest.raises(SwrError, match="BertLMHeadModel lets a token see what comes") as error:
            ask(model)
        assert "\n" not in str(error.value)
    settle(make("bert decoder"))


def test_nan_is_said_to_be_nan():
    model = tiny("llama")
    model.lm_head.weight.data[3] = float("nan")
    with pytest.raises(SwrError, match="gives NaN"):
        settle(model)


def test_a_wrong_way_is_never_taken(monkeypatch):
    """Whatever is wrong on our side: the plain way, and it is said."""
    from swr1.training import logprobs

    monkeypatch.setattr(logprobs, "_scale", lambda config, temperature, tokens: tokens * 0 + 0.9)
    model = tiny("llama")
    said = settle(model)
    assert way_of(model) == Way(rebuilt=False)
    assert "rebuilt from hidden states they are off by" in said[0]


def test_lengths_that_change_positions_are_never_in_one_pass(tmp_path):
    model = tiny("phi3", hidden_size=32, vocab_size=264, initializer_range=0.3, **LONG)
    model.save_pretrained(tmp_path)
    _tokenizer(264).save_pretrained(tmp_path)
    assert positions.threshold(model.config) == 24
    # 24 tokens: still the first factors; 25: a pass reads 24 of them, and must seem longer.
    some = groups(250, [(10, [4, 14, 15, 30]), (30, [5])])
    want = alone(model, some)
    settle(model)
    for budget in (10**6, 40):
        found = [0.0] * len(some)
        for cut in engine.cuts(model, some, budget):
            logp, entropy = token_logprobs(model, [some[i] for i in cut], entropy="value")
            assert len(entropy) == len(logp)
            for i, part in zip(cut, logp.split([len(some[i].targets) for i in cut]), strict=True):
                found[i] = part
        assert torch.allclose(torch.cat(found), want, atol=1e-4)

    hf = open_engine("hf", tmp_path, device="cpu")
    requests = [Request((str(i), 0, 0), list(range(5, 5 + n))) for i, n in enumerate((8, 20, 40))]
    done = hf.generate(requests, Sampling(max_tokens=30, seed=2))
    for request, got in zip(requests, done, strict=True):
        total = len(request.prompt_ids) + len(got.token_ids)
        assert total <= 24 or len(request.prompt_ids) > 24
        row = engine.Example(
            torch.tensor(request.prompt_ids + got.token_ids),
            torch.arange(len(request.prompt_ids), total),
        )
        fresh = tiny("phi3", hidden_size=32, vocab_size=264, initializer_range=0.3, **LONG)
        assert torch.allclose(torch.from_numpy(got.logprobs), alone(fresh, [row]), atol=2e-4)


def test_dynamic_positions_end_where_they_begin_to_depend_on_the_past():
    model = tiny("llama", rope_scaling={"rope_type": "dynamic", "factor": 2.0})
    settle(model)
    token_logprobs(model, groups(97, [(100, [28])]))
    with pytest.raises(SwrError, match="129 tokens is beyond the 128 up to"):
        token_logprobs(model, groups(97, [(100, [29])]))


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("deepseek_v32", 64),  # keys
        ("deepseek_v4", 64),  # 16 keys that stand for 4 tokens each
        ("minimax_m3_vl_text sparse", 64),  # 8 blocks of 8
        ("minimax_m3_vl_text", None),  # no layer of it chooses
        ("qwen4_exp_text", 64),
    ],
)
def test_all_ends_where_keys_begin_to_be_chosen(kind, end, tmp_path, capsys):
    model = make(kind)
    assert positions.end(model.config) == end
    if end is None or kind == "qwen4_exp_text":
        return
    model.save_pretrained(tmp_path)
    _tokenizer(264).save_pretrained(tmp_path)
    hf = open_engine("hf", tmp_path, device="cpu")
    assert f"prompts and completions end at {end} tokens" in capsys.readouterr().err
    request = Request(("a", 0, 0), list(range(5, 55)))
    (got,) = hf.generate([request], Sampling(max_tokens=30, seed=2))
    assert len(got.token_ids) <= end - 50
    ids = torch.tensor(request.prompt_ids + got.token_ids)
    want = alone(model, [engine.Example(ids, torch.arange(50, len(ids)))])
    assert torch.allclose(torch.from_numpy(got.logprobs), want, atol=2e-4)
    with pytest.raises(SwrError, match=f"65 tokens is beyond the {end} up to"):
        token_logprobs(model, groups(250, [(50, [15])]))


@pytest.mark.parametrize(
    "kind", ["llama", "granite", "hyperclovax", "falcon_h1", "mamba2", "qwen3_next", "deepseek_v3"]
)
def test_adapters_are_asked_as_the_model_was_and_saved_as_they_are_asked(kind, tmp_path):
    """The way that was found before there were adapters serves with them, whatever they say."""
    make(kind).save_pretrained(tmp_path / "base")
    tokenizer = _tokenizer(264)
    tokenizer.save_pretrained(tmp_path / "base")
    model = engine.load_model(tmp_path / "base", torch.device("cpu"), torch.float32)
    way = way_of(model)
    some = groups(250, [(11, [5, 3]), (24, [6])])
    before = alone(model, some)
    engine.add_lora(model, 4, None, seed=0)
    torch.manual_seed(3)
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.05)
    assert way_of(model) == way
    found = token_logprobs(model, some)[0].detach()
    assert (found - before).abs().max() > 1e-2
    assert torch.allclose(found, alone(model, some), atol=1e-4)
    (tmp_path / "saved").mkdir()
    engine.save_model(model, tokenizer, tmp_path / "saved", torch.float32)
    again = engine.load_model(tmp_path / "saved", torch.device("cpu"), torch.float32)
    assert torch.allclose(found, alone(again, some), atol=1e-3)


def test_a_rollout_in_bfloat16_records_what_a_plain_call_in_it_says(tmp_path):
    make("gemma2").save_pretrained(tmp_path)
    _tokenizer(264).save_pretrained(tmp_path)
    hf = open_engine("hf", tmp_path, dtype="bfloat16", device="cpu")
    assert hf.variant.name == "rows"
    requests = [Request((str(n), 0, 0), list(range(5, 5 + n))) for n in (8, 20)]
    done = hf.generate(requests, Sampling(max_tokens=9, seed=1))
    plain = make("gemma2").to(torch.bfloat16)
    for request, got in zip(requests, done, strict=True):
        assert got.logprobs.dtype == "float32"
        ids = torch.tensor(request.prompt_ids + got.token_ids)
        want = alone(plain, [engine.Example(ids, torch.arange(len(request.prompt_ids), len(ids)))])
        off = torch.from_numpy(got.logprobs) - want
        assert off.square().mean().sqrt() < 0.05


CHANCES = {
    "opt": {"dropout": 0.5, "attention_dropout": 0.5, "layerdrop": 0.5},
    "mixtral": {"router_jitter_noise": 0.3, "attention_dropout": 0.5},
    "bloom": {"hidden_dropout": 0.5, "attention_dropout": 0.5},
    "gpt2": {"attn_pdrop": 0.5, "resid_pdrop": 0.5, "embd_pdrop": 0.5},
    "starcoder2": {"residual_dropout": 0.5, "attention_dropout": 0.5, "embedding_dropout": 0.5},
}


@pytest.mark.parametrize("kind", CHANCES)
def test_recomputing_brings_no_chance_back(kind):
    sizes = {"ffn_dim": 48, "word_embed_proj_dim": 32, "num_local_experts": 4}
    model = tiny(kind, **sizes, **CHANCES[kind])
    settle(model)
    some = groups(97, [(11, [9, 4])])
    before = token_logprobs(model, some)[0].detach()
    engine.checkpoint_activations(model)
    assert not model.training
    found, _ = token_logprobs(model, some)
    found.sum().backward()
    assert torch.allclose(found.detach(), before, atol=1e-5)
    assert any(p.grad is not None for p in model.parameters())


def test_an_architecture_that_cannot_recompute_is_named():
    with pytest.raises(UsageError, match="JetMoeForCausalLM: --gradient-checkpointing is not poss"):
        engine.checkpoint_activations(make("jetmoe"))
