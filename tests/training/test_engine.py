"""Log-probabilities, micro-batches, optimizers and adapters against the plainest way to get them."""

import copy
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import load, tiny_policy

from swr1.errors import UsageError
from swr1.models import load_tokenizer
from swr1.training import engine, logprobs
from swr1.training.engine import Example, micro_batches, token_logprobs
from swr1.training.optimizer import Optimizer, Schedule


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(tiny_policy(tmp_path_factory.mktemp("engine") / "p"))[0]


def examples(model, lengths: list[int], seed: int = 0) -> list[Example]:
    """Random sequences; every other position from the third on is a target."""
    generator = torch.Generator().manual_seed(seed)
    vocab = model.config.vocab_size
    return [
        Example(torch.randint(vocab, (n,), generator=generator), torch.arange(2, n, 2))
        for n in lengths
    ]


def one_by_one(model, some: list[Example], temperature: float = 1.0):
    """The oracle: each sequence alone, the whole softmax, no padding."""
    logps, entropies = [], []
    for e in some:
        logits = model(input_ids=e.ids[None]).logits[0].double() / temperature
        table = torch.log_softmax(logits, -1)
        for position in e.targets.tolist():
            row = table[position - 1]
            logps.append(row[e.ids[position]])
            entropies.append(-(row.exp() * row).sum())
    return torch.stack(logps), torch.stack(entropies)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_logprobs_and_entropy_are_those_of_each_sequence_alone(model, temperature: float):
    some = examples(model, [9, 3, 30, 17])
    n = sum(len(e.targets) for e in some)
    logp, entropy = token_logprobs(model, some, torch.full((n,), temperature), entropy="value")
    want, want_entropy = one_by_one(model, some, temperature)
    assert logp.dtype == torch.float32
    assert torch.allclose(logp.double(), want, atol=2e-6)
    assert torch.allclose(entropy.double(), want_entropy, atol=2e-6)
    assert not entropy.requires_grad and logp.requires_grad


@pytest.mark.parametrize("entropy", [None, "value", "grad"])
@pytest.mark.parametrize("temperature", [None, 0.7])
def test_blocks_of_logits_change_neither_value_nor_gradient(
    model, monkeypatch, entropy, temperature
):
    """Kept or computed again, in one block or many, by hand or by autograd."""

    def gradients(model):
        some = examples(model, [20, 31])
        t = temperature and torch.full((sum(len(e.targets) for e in some),), temperature)
        logp, h = token_logprobs(model, some, t, entropy=entropy)
        loss = (logp * torch.linspace(-1, 1, len(logp))).sum()
        assert (h is not None and h.requires_grad) == (entropy == "grad")
        if entropy == "grad":
            loss = loss + h.square().sum()
        model.zero_grad()
        loss.backward()
        return [loss.detach()] + [p.grad.clone() for p in model.model.parameters()]

    def same(a, b):
        return all(torch.allclose(x, y, atol=1e-5) for x, y in zip(a, b, strict=True))

    whole = gradients(model)
    biased = copy.deepcopy(model)  # an output layer with a bias is left to autograd
    biased.lm_head.bias = torch.nn.Parameter(torch.zeros(model.config.vocab_size))
    assert same(whole, gradients(biased))
    monkeypatch.setattr(logprobs, "BLOCK", {"cpu": 5 * model.config.vocab_size})
    assert same(whole, gradients(model))
    monkeypatch.setattr(logprobs, "KEPT", 5 * model.config.vocab_size)
    assert same(whole, gradients(model)) and same(whole, gradients(biased))


@pytest.mark.parametrize("lora_r", [0, 2])
def test_recomputed_activations_give_the_same_gradient(tmp_path, lora_r: int):
    def gradients(recompute: bool):
        model, _ = load(tiny_policy(tmp_path / str(recompute), architecture="qwen3"))
        if lora_r:
            engine.add_lora(model, lora_r, None, seed=0)
        if recompute:
            engine.checkpoint_activations(model)
        calls = []
        model.model.layers[0].self_attn.register_forward_hook(lambda *_: calls.append(1))
        logp, _ = token_logprobs(model, examples(model, [20, 31]))
        logp.sum().backward()
        return len(calls), [p.grad for p in model.parameters() if p.requires_grad]

    plain, recomputed = gradients(False), gradients(True)
    assert (plain[0], recomputed[0]) == (1, 2)
    assert plain[1] and all(map(torch.equal, plain[1], recomputed[1]))


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_micro_batches_cover_everything_once_within_the_budget(lengths, budget):
    cuts = micro_batches(lengths, budget)
    assert sorted(i for cut in cuts for i in cut) == list(range(len(lengths)))
    for cut in cuts:
        width = max(lengths[i] for i in cut)
        assert width * len(cut) <= budget or len(cut) == 1


def test_schedule():
    warm = Schedule(1.0, "linear", warmup=2, total=6)
    assert [warm(s) for s in range(7)] == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    cosine = Schedule(2.0, "cosine", total=4)
    assert [cosine(s) for s in range(5)] == pytest.approx([2.0, 1 + 0.5**0.5, 1.0, 1 - 0.5**0.5, 0])
    assert Schedule(3.0)(10**6) == 3.0
    with pytest.raises(UsageError, match="give --steps"):
        Schedule(1.0, "cosine")
    with pytest.raises(UsageError, match=r"'cosin'.*'cosine'"):
        Schedule(1.0, "cosin")


@pytest.mark.parametrize("kind", ["adamw", "muon", "adafactor", "sgd"])
def test_an_optimizer_moves_every_weight_and_clips(model, kind: str):
    model = copy.deepcopy(model)
    optimizer = Optimizer(model.named_parameters(), kind, lr=1e-3)
    before = [p.detach().clone() for p in model.parameters()]
    logp, _ = token_logprobs(model, examples(model, [20]))
    (-100 * logp.mean()).backward()
    true_norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm().item()
    assert optimizer.step(1e-2, max_grad_norm=1.0) == pytest.approx(true_norm, rel=1e-4)
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())


def test_muon_takes_the_hidden_matrices_only(model):
    optimizer = Optimizer(model.named_parameters(), "muon", lr=1e-3)
    muon, adamw = optimizer.parts
    names = {id(p): n for n, p in model.named_parameters()}
    by_muon = {names[id(p)] for g in muon.param_groups for p in g["params"]}
    by_adamw = {names[id(p)] for g in adamw.param_groups for p in g["params"]}
    assert len(by_muon) == 7 * model.config.num_hidden_layers
    assert all("proj" in n for n in by_muon)
    assert by_muon | by_adamw == set(names.values()) and not by_muon & by_adamw
    assert any("embed" in n for n in by_adamw)


@pytest.mark.parametrize("shape", [(256, 256), (32, 512)])
def test_a_muon_step_has_the_size_of_an_adamw_step(shape):
    """About a fifth of the learning rate for each weight, whatever the matrix's shape: what AdamW
    does on the whole in training, so that one learning rate serves both."""
    weight = torch.nn.Parameter(torch.zeros(shape))
    optimizer = Optimizer([("layers.0.mlp.up_proj.weight", weight)], "muon", lr=1e-3)
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    optimizer.step(1e-3, None)
    assert 0.15e-3 < weight.detach().square().mean().sqrt().item() < 0.25e-3


def test_a_gradient_that_is_not_finite_steps_nowhere(model):
    model = copy.deepcopy(model)
    optimizer = Optimizer(model.named_parameters(), lr=1.0)
    before = copy.deepcopy(model.state_dict())
    logp, _ = token_logprobs(model, examples(model, [20]))
    (logp.mean() * float("nan")).backward()
    norm = optimizer.step(1.0, 1.0)
    assert norm != norm
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_merged_adapters_give_the_same_logits_and_leave_the_model_alone(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    model, tokenizer = load(policy)
    engine.add_lora(model, r=4, alpha=None, seed=3)
    for name, p in model.named_parameters():
        if "lora_B" in name:  # zeros at first: an adapter that does nothing
            torch.nn.init.normal_(p, std=0.1)
    before = copy.deepcopy(model.state_dict())
    ids = torch.arange(10)[None]
    with torch.no_grad():
        want = model(input_ids=ids).logits
    version = policy.publish(
        lambda f: engine.save_model(model, tokenizer, f, torch.float32), {"step": 1}
    )
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    merged, _ = load(policy, version)
    base, _ = load(policy, 0)
    with torch.no_grad():
        assert torch.allclose(merged(input_ids=ids).logits, want, atol=1e-5)
        assert not torch.allclose(base(input_ids=ids).logits, want, atol=1e-2)
    assert not any("lora" in n for n, _ in merged.named_parameters())


def test_an_optimizer_that_is_not_there(model, monkeypatch):
    with pytest.raises(UsageError, match=r"'adam'.*adamw"):
        Optimizer(model.named_parameters(), "adam", lr=1.0)
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"swr1\[qlora\]"):
        Optimizer(model.named_parameters(), "adamw8bit", lr=1.0)


def test_4_bits_need_bitsandbytes_and_a_known_kind(tmp_path, monkeypatch):
    cpu = torch.device("cpu")
    with pytest.raises(UsageError, match=r"'int3'.*nf4"):
        engine.load_model(tmp_path, cpu, torch.float32, quantize="int3")
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"swr1\[qlora\]"):
        engine.load_model(tmp_path, cpu, torch.float32, quantize="nf4")


def test_a_model_in_4_bits_is_published_dense_with_the_logits_it_trained_with(tmp_path):
    """Adapters on a base in 4 bits: the version is a plain model that needs no bitsandbytes."""
    pytest.importorskip("bitsandbytes")
    policy = tiny_policy(tmp_path / "p", hidden=64, heads=4)
    model = engine.load_model(policy.folder(), torch.device("cpu"), torch.float32, "nf4")
    engine.add_lora(model, 4, None, seed=0)
    optimizer = Optimizer(model.named_parameters(), lr=1e-2)
    some = examples(model, [20, 31])
    for _ in range(3):
        logp, _ = token_logprobs(model, some)
        (-logp.mean()).backward()
        optimizer.step(1e-2, 1.0)
    trained = token_logprobs(model, some)[0].detach()
    assert trained.mean() > logp.mean() + 1e-3
    _, tokenizer = load(policy)
    policy.publish(lambda f: engine.save_model(model, tokenizer, f, torch.float32), {})
    again = load(policy)[0]
    assert not hasattr(again.config, "quantization_config")
    assert torch.allclose(token_logprobs(again, some)[0], trained, atol=1e-5)
    before = load(policy, 0)[0]
    assert not torch.allclose(token_logprobs(before, some)[0], trained, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("lora_r", [0, 8])
@pytest.mark.skipif("SWR1_TEST_MODEL" not in os.environ, reason="no SWR1_TEST_MODEL=folder")
def test_a_real_model_is_published_with_the_logits_it_trained_with(tmp_path, lora_r: int):
    """The check of the tests above on pretrained weights, e.g. SmolLM2-135M."""
    from transformers import AutoModelForCausalLM

    folder = os.environ["SWR1_TEST_MODEL"]
    model = engine.load_model(folder, torch.device("cpu"), torch.float32)
    if lora_r:
        engine.add_lora(model, lora_r, None, seed=0)
    optimizer = Optimizer(model.named_parameters(), lr=1e-3)
    some = examples(model, [40, 60])
    token_logprobs(model, some)[0].sum().backward()
    optimizer.step(1e-3, 1.0)
    engine.save_model(model, load_tokenizer(folder), tmp_path, torch.float32)
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        a, b = (m(input_ids=some[0].ids[None]).logits for m in (model, again))
    # Adapters are added in: the last bits differ then.
    assert torch.equal(a, b) if not lora_r else torch.allclose(a, b, atol=1e-3)


def test_a_version_is_a_plain_model_folder_in_the_dtype_asked_for(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    policy = tiny_policy(tmp_path / "p")
    model, tokenizer = load(policy)
    policy.publish(lambda f: engine.save_model(model, tokenizer, f, torch.bfloat16), {})
    again = AutoModelForCausalLM.from_pretrained(policy.folder())
    assert again.dtype == torch.bfloat16
    assert torch.equal(again.model.embed_tokens.weight, model.model.embed_tokens.weight.bfloat16())
    spoken = AutoTokenizer.from_pretrained(policy.folder())
    assert spoken.get_vocab() == tokenizer.get_vocab()
    assert spoken.chat_template == tokenizer.chat_template
