"""Version 0: tokenizers that a person can read back, seeded weights, other people's models."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import make_policy, same_weights, tiny_policy, weights

from swr1.errors import DataError, SwrError, UsageError
from swr1.prompts import render
from swr1.training.init import corpus_texts, init_policy, make_tokenizer

PUZZLE = (
    "A very special island. Zoey said, \"Oliver isn't a knight.\" In Zoey's words: "
    '"If Jean-Luc is a knave then I am (surely) not!" So who is who?'
)
ANSWER = "<think>\ncheck zoey: T = true\n</think>\n<answer>\n(1) Zoey is a knight\n</answer>"
CORPUS = [PUZZLE, ANSWER]


def plain(text: str) -> str:
    """Spaces taken out: the word-level tokenizer gives text back up to them."""
    return text.replace(" ", "")


@pytest.fixture(scope="module", params=["word", "bpe"])
def tokenizer(request):
    return make_tokenizer(request.param, CORPUS, None if request.param == "word" else 400)


def test_texts_come_back(tokenizer):
    for text in CORPUS:
        back = tokenizer.decode(tokenizer(text)["input_ids"])
        assert plain(back) == plain(text)


def test_word_level_text_reads_as_written():
    tokenizer = make_tokenizer("word", CORPUS)
    assert tokenizer.decode(tokenizer(ANSWER)["input_ids"]) == (
        "<think>\ncheck zoey: T = true\n</think>\n<answer>\n(1) Zoey is a knight\n</answer>"
    )
    assert "isn't a knight." in tokenizer.decode(tokenizer(PUZZLE)["input_ids"])
    # A completion is decoded without its prefill, and joined to it afterwards.
    ids = tokenizer(" check zoey: T")["input_ids"]
    assert "<think>" + tokenizer.decode(ids) == "<think> check zoey: T"


WORDS = ["Zoey", "knight", "isn't", "words", "(", ")", ",", ".", "\n", "<think>", "</answer>", ":"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=20))
def test_any_text_of_known_words_round_trips(words):
    tokenizer = make_tokenizer("word", CORPUS)
    text = " ".join(words)
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    back = tokenizer.decode(ids)
    assert plain(back) == plain(text)
    assert tokenizer(back)["input_ids"] == ids


def test_tags_and_line_breaks_are_single_tokens_that_decoding_keeps(tokenizer):
    for tag in ("<think>", "</think>", "<answer>", "</answer>"):
        assert len(tokenizer(tag)["input_ids"]) == 1
    text = tokenizer.decode(
        [*tokenizer(ANSWER)["input_ids"], tokenizer.eos_token_id, tokenizer.pad_token_id],
        skip_special_tokens=True,
    )
    assert plain(text) == plain(ANSWER)


def test_chat_is_chatml_and_the_turn_ends_with_eos(tokenizer):
    messages = [{"role": "user", "content": "who is who?"}]
    ids = render(tokenizer, messages, "a knight", "<think>")
    assert plain(tokenizer.decode(ids)) == (
        "<|im_start|>system\naknight<|im_end|>\n<|im_start|>user\nwhoiswho?<|im_end|>\n"
        "<|im_start|>assistant\n<think>"
    )
    assert tokenizer.convert_ids_to_tokens(tokenizer.eos_token_id) == "<|im_end|>"
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)


def test_unknown_words_and_the_limit_of_a_vocabulary():
    small = make_tokenizer("word", ["rare common common"], vocab=13)
    assert len(small) == 13
    assert small("common")["input_ids"] != [small.unk_token_id]
    assert small("rare")["input_ids"] == [small.unk_token_id]
    assert len(make_tokenizer("bpe", CORPUS, vocab=300)) == 300


def test_the_same_corpus_in_another_order_gives_the_same_vocabulary():
    there = make_tokenizer("word", CORPUS).get_vocab()
    assert there == make_tokenizer("word", CORPUS[::-1]).get_vocab()


def test_corpus_texts():
    record = {
        "prompt": [{"role": "user", "content": "a"}, {"role": "user", "content": [{"text": "b"}]}],
        "info": {"trace": "c"},
        "completion": "d",
    }
    assert list(corpus_texts([record, {"id": "e"}])) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_plain_transformers_loads_what_was_made(tmp_path, architecture: str, kind: str):
    """Also the tokenizer: for some architectures AutoTokenizer builds one of its own."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    policy = make_policy(
        tmp_path / "p",
        corpus=CORPUS,
        tokenizer=kind,
        architecture=architecture,
        hidden=32,
        heads=4,
        kv_heads=2,
        max_positions=128,
    )
    made = make_tokenizer(kind, CORPUS)
    found = AutoTokenizer.from_pretrained(policy.folder())
    assert found(PUZZLE)["input_ids"] == made(PUZZLE)["input_ids"]
    assert found.decode(found(ANSWER)["input_ids"]) == made.decode(made(ANSWER)["input_ids"])
    assert (found.eos_token, found.chat_template) == (made.eos_token, made.chat_template)
    model = AutoModelForCausalLM.from_pretrained(policy.folder())
    assert model.config.vocab_size == len(made)
    assert model.generation_config.eos_token_id == made.eos_token_id
    assert policy.meta()["parameters"] == sum(p.numel() for p in model.parameters())
    assert policy.meta()["step"] == policy.meta()["groups_consumed"] == 0


def test_weights_come_from_the_seed_alone(tmp_path):
    a, b, c = (tiny_policy(tmp_path / str(i), seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert same_weights(weights(a), weights(b))
    assert not same_weights(weights(a), weights(c))
    state = torch.random.get_rng_state()
    tiny_policy(tmp_path / "d")
    assert torch.equal(state, torch.random.get_rng_state())


def test_from_a_policy_or_a_model_folder(tmp_path):
    first = tiny_policy(tmp_path / "a")
    copy = init_policy(tmp_path / "b", source=first.path)
    again = init_policy(tmp_path / "c", source=first.folder(0), dtype="bfloat16")
    assert same_weights(weights(first), weights(copy))
    embed = "model.embed_tokens.weight"
    assert torch.equal(weights(again)[embed], weights(first)[embed].bfloat16())


def test_an_existing_policy_is_kept_unless_forced(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    (policy.path / "metrics.jsonl").write_text("{}\n")
    before = weights(policy)
    with pytest.raises(UsageError, match="--force"):
        tiny_policy(tmp_path / "p", seed=1)
    assert same_weights(weights(policy), before)
    with pytest.raises(SwrError, match="train-step"), policy.lock():
        tiny_policy(tmp_path / "p", seed=1, force=True)
    tiny_policy(tmp_path / "p", seed=1, force=True)
    assert not same_weights(weights(policy), before)
    assert policy.versions() == [0] and not (policy.path / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hidden": 30, "heads": 4}, UsageError, "multiple of heads"),
        ({"heads": 3, "hidden": 9}, UsageError, "even multiple"),
        ({"layers": 0}, UsageError, "positive"),
        ({"architecture": "qwen2"}, UsageError, "llama or qwen3"),
        ({"tokenizer": "sentencepiece"}, UsageError, "word or bpe"),
        ({"vocab": 5}, UsageError, "at least 9"),
        ({"dtype": "float8"}, UsageError, "float8"),
        ({"corpus": []}, DataError, "needs a corpus"),
        ({"source": "./nowhere"}, DataError, "no such folder"),
        ({"source": "model.gguf"}, DataError, "no such file"),
    ],
)
def test_wrong_use_leaves_no_folder(tmp_path, options: dict, error: type, message: str):
    with pytest.raises(error, match=message):
        make_policy(tmp_path / "p", **({"corpus": CORPUS} | options))
    assert not (tmp_path / "p" / "versions").exists()


def test_a_folder_that_is_no_model_is_named(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    with pytest.raises(SwrError, match="cannot load a causal language model"):
        init_policy(tmp_path / "p", source=tmp_path / "m")


def test_from_a_gguf_file(tmp_path):
    """A one-layer Llama written as GGUF: quantized weights come in as floats, the tokenizer too."""
    import gguf
    import numpy as np

    file = tmp_path / "m.gguf"
    hidden, vocab, rng = 64, 8, np.random.default_rng(0)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(32)
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(["<|im_start|>", "<|im_end|>", "a", "b", "c", "d", "ab", "Ġ"])
    writer.add_token_types([3, 3, 1, 1, 1, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    tensors = {f"blk.0.{n}.weight": (hidden, hidden) for n in names} | {
        "token_embd.weight": (vocab, hidden),
        "output.weight": (vocab, hidden),
    }
    for name, shape in tensors.items():
        data = gguf.quantize(
            rng.normal(size=shape).astype(np.float32), gguf.GGMLQuantizationType.Q8_0
        )
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    for name in ("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"):
        writer.add_tensor(name, np.ones(hidden, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    policy = init_policy(tmp_path / "p", source=file, dtype="bfloat16")
    state = weights(policy)
    assert state["model.embed_tokens.weight"].dtype == torch.bfloat16
    assert state["model.embed_tokens.weight"].float().std().item() == pytest.approx(1, rel=0.1)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy.folder())
    assert tokenizer.convert_ids_to_tokens(tokenizer("abcd")["input_ids"])[-3:] == ["ab", "c", "d"]
