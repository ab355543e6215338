"""Packed rows: the same numbers as each sequence alone, and no sequence that touches another."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import load, tiny_policy
from transformers import AutoConfig, AutoModelForCausalLM

from swr1.training import engine, packing
from swr1.training.logprobs import settle, token_logprobs
from swr1.training.packing import Example, Layout, packs

TINY = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def tiny(kind: str, **more):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **(TINY | more))
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load(tiny_policy(tmp_path_factory.mktemp("packing") / "p"))[0]


def groups(vocab: int, sizes: list[tuple[int, list[int]]], seed: int = 0) -> list[Example]:
    """Groups of completions: (tokens of the prompt, tokens of each completion)."""
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> torch.Tensor:
        return torch.randint(vocab, (n,), generator=generator)

    out = []
    for n, completions in sizes:
        prompt = draw(n)
        for k in completions:
            out.append(Example(torch.cat([prompt, draw(k)]), torch.arange(n, n + k)))
    return out


SIZES = [(5, [3, 9, 1, 30]), (1, [4]), (12, [2, 2])]


def padded(model):
    """The same weights, called the plain way."""
    other = copy.deepcopy(model)
    other.set_attn_implementation("sdpa")
    assert not packing.enabled(other)
    return other


@pytest.mark.parametrize(
    "kind", ["llama", "qwen2", "qwen3", "phi3", "granite", "olmo2", "smollm3", "gemma", "gpt2"]
)
def test_packed_rows_give_what_padded_batches_give(kind: str):
    model = tiny(kind)
    plain = copy.deepcopy(model)
    assert settle(model) == []
    some = groups(97, SIZES)
    t = torch.full((sum(len(e.targets) for e in some),), 0.8)
    results = []
    for m in (model, plain):
        logp, entropy = token_logprobs(m, some, t, entropy="grad")
        (logp * torch.linspace(-1, 1, len(logp)) + 0.1 * entropy).sum().backward()
        results.append((logp, entropy, [p.grad for p in m.parameters() if p.grad is not None]))
    (a, b, c), (x, y, z) = results
    assert torch.allclose(a, x, atol=1e-5) and torch.allclose(b, y, atol=1e-5)
    assert len(c) == len(z) > 5
    assert all(torch.allclose(p, q, atol=1e-5) for p, q in zip(c, z, strict=True))


def test_a_sequence_touches_no_other(model):
    """Every token of one sequence changes; the others keep their numbers, to the bit where the row
    keeps its shape."""
    some = groups(model.config.vocab_size, SIZES)
    before = token_logprobs(model, some)[0].split([len(e.targets) for e in some])
    other = (some[1].ids + 1) % model.config.vocab_size
    other[:5] = some[1].ids[:5]
    changed = [some[0], Example(other, some[1].targets), *some[2:]]
    after = token_logprobs(model, changed)[0].split([len(e.targets) for e in changed])
    assert not torch.allclose(before[1], after[1], atol=1e-3)
    assert all(torch.equal(before[i], after[i]) for i in range(len(some)) if i != 1)
    fewer = [e for i, e in enumerate(some) if i != 1]
    without = token_logprobs(model, fewer)[0]
    rest = torch.cat([before[i] for i in range(len(some)) if i != 1])
    assert torch.allclose(rest, without, atol=1e-6)


def test_a_prompt_is_there_once_and_the_last_token_not_at_all():
    some = groups(97, SIZES)
    layout = Layout.of(some, torch.device("cpu"))
    assert layout.sizes == [5, 2, 8, 29, 1, 3, 12, 1, 1]
    assert layout.before == [None, 0, 0, 0, None, 4, None, 6, 6]
    assert len(layout.ids) == len(layout.positions) == sum(layout.sizes)
    assert layout.positions.tolist()[:9] == [0, 1, 2, 3, 4, 5, 6, 5, 6]
    want = torch.cat([e.ids[e.targets - 1] for e in some])
    assert torch.equal(layout.ids[layout.predictors], want)


def test_interior_masks_and_prompts_that_end_elsewhere(model):
    """Targets with holes, a first target late in the completion, one that is the first token."""
    some = groups(model.config.vocab_size, [(6, [12, 12, 12])])
    some = [
        Example(some[0].ids, some[0].targets[::3]),
        Example(some[1].ids, some[1].targets[5:]),
        Example(some[2].ids, torch.tensor([1, 17])),
    ]
    assert torch.allclose(
        token_logprobs(model, some)[0], token_logprobs(padded(model), some)[0], atol=1e-5
    )


lengths = st.lists(
    st.tuples(st.integers(1, 20), st.lists(st.integers(1, 40), min_size=1, max_size=6)), max_size=6
)


@given(lengths, st.integers(1, 150))
def test_packs_cover_everything_once_within_the_budget(sizes, budget):
    some = groups(10**6, sizes)
    cuts = packs(some, budget)
    assert [i for cut in cuts for i in cut] == list(range(len(some)))
    for cut in cuts:
        row = Layout.of([some[i] for i in cut], torch.device("cpu"))
        assert len(row.ids) <= budget or len(cut) == 1


def test_the_cut_into_micro_batches_changes_no_gradient(model):
    def gradient(budget: int):
        model.zero_grad()
        some = groups(model.config.vocab_size, SIZES)
        cuts = engine.cuts(model, some, budget)
        for cut in cuts:
            token_logprobs(model, [some[i] for i in cut])[0].sum().backward()
        return len(cuts), [p.grad.clone() for p in model.parameters()]

    (one, whole), (many, parts) = gradient(10**6), gradient(20)
    assert one == 1 and many == 3
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(whole, parts, strict=True))


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("mistral", {"sliding_window": 4}, "attend"),
        ("gemma2", {}, "attend"),
        ("stablelm", {}, "in a packed row it is off by"),
    ],
)
def test_a_model_that_cannot_be_packed_is_padded(kind: str, more: dict, reason: str):
    model = tiny(kind, **more)
    assert reason in settle(model)[0]
    assert not packing.enabled(model)
    some = groups(97, SIZES)
    alone = torch.cat([token_logprobs(model, [e])[0] for e in some])
    assert torch.allclose(token_logprobs(model, some)[0], alone, atol=1e-5)
    assert engine.cuts(model, some, 40) == engine.micro_batches([len(e.ids) for e in some], 40)


def test_loading_says_that_a_model_is_padded(tmp_path, capsys):
    tiny("mistral", sliding_window=8).save_pretrained(tmp_path)
    engine.load_model(tmp_path, torch.device("cpu"), torch.float32)
    assert "MistralForCausalLM is trained in padded batches" in capsys.readouterr().err


def test_a_model_that_can_be_packed_is_still_called_plainly(model):
    """With a padding mask, as anybody else would call it; and its folder shows no trace."""
    ids = torch.arange(12).view(2, 6)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1] * 6])
    with torch.no_grad():
        a = model(input_ids=ids, attention_mask=mask).logits[:, 2:]
        b = padded(model)(input_ids=ids, attention_mask=mask).logits[:, 2:]
    assert torch.equal(a, b)
    assert packing.NAME not in model.config.to_json_string()


def test_the_kernel_for_many_lengths_is_asked_the_right_thing(model, monkeypatch):
    """No GPU needed: a stand-in for torch's varlen_attn that does what its documentation says."""
    asked, dtypes = [], set()

    def varlen_attn(q, k, v, of_q, of_k, longest_q, longest_k, *, scale, window_size, enable_gqa):
        assert window_size == (-1, 0) and enable_gqa and of_q.dtype == of_k.dtype == torch.int32
        asked.append((longest_q, longest_k))
        dtypes.update((q.dtype, k.dtype, v.dtype))
        out = []
        for i in range(len(of_q) - 1):
            here = [
                x[a:b].transpose(0, 1)[None]
                for x, a, b in (
                    (q, of_q[i], of_q[i + 1]),
                    (k, of_k[i], of_k[i + 1]),
                    (v, of_k[i], of_k[i + 1]),
                )
            ]
            n, m = here[0].shape[2], here[1].shape[2]
            assert n <= longest_q and m <= longest_k
            mask = torch.ones(n, m, dtype=torch.bool).tril(m - n)  # lower right, as in flash
            out.append(
                torch.nn.functional.scaled_dot_product_attention(
                    *here, mask, scale=scale, enable_gqa=True
                )[0].transpose(0, 1)
            )
        return torch.cat(out)

    some = groups(model.config.vocab_size, SIZES)
    want = token_logprobs(model, some)[0]
    monkeypatch.setattr(packing, "_varlen", lambda: varlen_attn)
    monkeypatch.setattr(packing, "_flat", lambda query: True)
    assert torch.allclose(token_logprobs(model, some)[0], want, atol=1e-6)
    assert set(asked) == {(29, 34)} and dtypes == {torch.float32}
    dtypes.clear()
    low, _ = token_logprobs(model, some, autocast=torch.bfloat16)
    assert dtypes == {torch.bfloat16}
    assert low.dtype == torch.float32 and torch.allclose(low, want, atol=0.2)


def test_bfloat16_packed_is_as_near_as_padded(model):
    some = groups(model.config.vocab_size, SIZES)
    exact = token_logprobs(model, some)[0]
    off = [
        (token_logprobs(m, some, autocast=torch.bfloat16)[0] - exact).abs().mean()
        for m in (model, padded(model))
    ]
    assert 0 < off[0] < 1.5 * off[1] < 0.1
