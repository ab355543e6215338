"""A model whose outputs are known: the reference of the conformance suite.

Greedily it writes SCRIPT, whose characters are split over tokens, after the "\\n" that ends a
generation prompt (and after "<think>\\n"); straight after "<think>" it has nothing to say. Sampled,
it wanders. What it thinks likely also depends, a little, on all that came before, so that a wrong
prompt shows in the log-probabilities. It is a plain Qwen2 folder with a byte-level tokenizer.
"""

from itertools import pairwise

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging

SCRIPT = "wé🙂!xyz"
CONTEXT = 128
SPECIAL = ["<|bos|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
SPECIAL += [f"<|unused{i}|>" for i in range(22)]
MERGES = [("u", "s"), ("e", "r"), ("h", "i"), ("s", "t"), ("x", "y")]

TEMPLATES = {
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "bos": (
        "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "no-system": (
        "{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
}


def make_tokenizer(template: str = "chatml") -> PreTrainedTokenizerFast:
    """Bytes, a few merges, and a start token that encoding adds unless told not to."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = letters + ["".join(m) for m in MERGES]
    core = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=MERGES))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(s, special=True) for s in SPECIAL])
    core.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", core.token_to_id("<|bos|>"))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|bos|>", eos_token="<|im_end|>", pad_token="<|bos|>"
    )
    tokenizer.chat_template = TEMPLATES[template]
    return tokenizer


def save_reference(folder, seed: int = 0, template: str = "chatml") -> str:
    """Write the model folder. Other seeds write other scripts' noise, not another script."""
    tokenizer = make_tokenizer(template)
    width = len(tokenizer)
    assert width % 8 == 0
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=width,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=9,
        num_key_value_heads=3,
        head_dim=32,  # the width by the heads, as vLLM has it; the least that it serves on CPUs
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    model = Qwen2ForCausalLM(config)
    chain = tokenizer("\n" + SCRIPT + "<|im_end|>", add_special_tokens=False)["input_ids"]
    think = tokenizer.convert_tokens_to_ids("<think>")
    assert len(set(chain)) == len(chain), "each token of the script must be there once"
    with torch.no_grad():
        size = width**0.5  # what RMSNorm makes of a one-hot vector
        model.model.embed_tokens.weight.copy_(torch.eye(width) * 8)
        model.model.layers[0].self_attn.o_proj.weight.mul_(0.02)
        model.model.layers[0].mlp.down_proj.weight.mul_(0.01)
        head = torch.randn(width, width) * 0.7 / size
        for token, following in [*pairwise(chain), (think, chain[-1])]:
            head[following, token] += 11 / size
        model.lm_head.weight.copy_(head)
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
