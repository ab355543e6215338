"""A Qwen2 folder (the reference model) as a GGUF file, in float32: for llama.cpp's servers.

    python to_gguf.py FOLDER FILE.gguf

Needs gguf and safetensors. Byte-level BPE tokenizers only; this is no general converter.
"""

import json
import sys
from pathlib import Path

import gguf
from safetensors.numpy import load_file

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def convert(folder: Path, file: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    made = json.loads((folder / "tokenizer.json").read_text())
    template = (folder / "chat_template.jinja").read_text()
    out = gguf.GGUFWriter(file, "qwen2")
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(config["num_attention_heads"])
    out.add_head_count_kv(config["num_key_value_heads"])
    out.add_key_length(config["head_dim"])
    out.add_value_length(config["head_dim"])
    out.add_rope_dimension_count(config["head_dim"])
    out.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])

    added = {token["id"]: token["content"] for token in made["added_tokens"]}
    words = {index: word for word, index in made["model"]["vocab"].items()} | added
    kinds = [
        gguf.TokenType.CONTROL if i in added else gguf.TokenType.NORMAL for i in range(len(words))
    ]
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list([words[i] for i in range(len(words))])
    out.add_token_types(kinds)
    out.add_token_merges(
        [m if isinstance(m, str) else " ".join(m) for m in made["model"]["merges"]]
    )
    out.add_bos_token_id(config["bos_token_id"])
    out.add_eos_token_id(config["eos_token_id"])
    out.add_add_bos_token(False)
    out.add_chat_template(template)

    for name, values in load_file(folder / "model.safetensors").items():
        stem, _, kind = name.rpartition(".")
        layer = ""
        if stem.startswith("model.layers."):
            _, _, number, stem = stem.split(".", 3)
            layer = f"blk.{number}."
        out.add_tensor(f"{layer}{NAMES[stem]}.{kind}", values)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2])
