"""A tiny Qwen2 policy with a word-level tokenizer: big enough to be wrong, fast enough."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

WORDS = ["<pad>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<answer>", "</answer>"]
WORDS += ["system", "user", "assistant", "zoey", "oliver", "is", "a", "knight", "knave", "and"]
WORDS += ["or", "not", "who", "says", "that", "?", ".", ":", "true", "false", "ok", "so", "then"]
CHATML = (
    "{% for m in messages %}<|im_start|> {{ m.role }} {{ m.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<pad>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="<|im_end|>", unk_token="<pad>"
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def save_policy(folder, seed: int, **changes) -> str:
    """A random policy whose distributions are neither flat nor certain."""
    torch.manual_seed(seed)
    options = {
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.4,
        "eos_token_id": 2,
        "bos_token_id": None,
        "tie_word_embeddings": True,
    }
    model = Qwen2ForCausalLM(Qwen2Config(**(options | changes)))
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return str(folder)
