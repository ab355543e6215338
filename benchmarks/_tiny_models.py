"""Configurations of every causal architecture of transformers that are tiny, and the models of them."""

from __future__ import annotations

import torch

SIZES = {
    **dict.fromkeys(
        ["hidden_size", "d_model", "n_embd", "dim", "embedding_size", "word_embed_proj_dim"], 32
    ),
    **dict.fromkeys(
        [
            "intermediate_size",
            "ffn_dim",
            "n_inner",
            "decoder_ffn_dim",
            "encoder_ffn_dim",
            "ffn_hidden_size",
        ],
        48,
    ),
    **dict.fromkeys(
        [
            "num_hidden_layers",
            "n_layer",
            "n_layers",
            "num_layers",
            "decoder_layers",
            "encoder_layers",
        ],
        2,
    ),
    **dict.fromkeys(
        [
            "num_attention_heads",
            "n_head",
            "n_heads",
            "num_heads",
            "decoder_attention_heads",
            "encoder_attention_heads",
        ],
        4,
    ),
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 264,
    **dict.fromkeys(["max_position_embeddings", "n_positions", "n_ctx"], 128),
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.3,
    "init_std": 0.3,
    "sliding_window": 16,
    "attention_chunk_size": 16,
    **dict.fromkeys(["num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"], 4),
    **dict.fromkeys(["num_experts_per_tok", "moe_k"], 2),
    **dict.fromkeys(
        [
            "moe_intermediate_size",
            "shared_expert_intermediate_size",
            "moe_shared_expert_intermediate_size",
        ],
        16,
    ),
    "n_group": 1,
    "topk_group": 1,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "first_k_dense_replace": 1,
    "hidden_size_global": 32,
    "index_topk": 64,
    "index_n_heads": 16,
    "index_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "state_size": 8,
}

QWEN4 = {
    "indexer_budget": 64,
    "indexer_compress_ratio": 4,
    "indexer_n_heads": 16,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 16,
}
# What an architecture needs beside SIZES, or instead; a name with a space is a variant of its first word.
OVERRIDES: dict[str, dict] = {
    "bamba": {
        "mamba_n_heads": 8,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "mamba_n_groups": 1,
        "attn_layer_indices": [1],
    },
    "falcon_h1": {
        "mamba_n_heads": 8,
        "mamba_d_head": 8,
        "mamba_d_ssm": 64,
        "mamba_d_state": 8,
        "lm_head_multiplier": 0.5,
    },
    "granitemoehybrid": {
        "mamba_n_heads": 8,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "layer_types": ["mamba", "attention"],
    },
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    **{k: {"layer_types": ["conv", "full_attention"]} for k in ("lfm2", "lfm2_moe")},
    "recurrent_gemma": {"num_hidden_layers": 3},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "hyperclovax": {"logits_scaling": 4.0},
    "granite": {"logits_scaling": 4.0},
    "gemma2": {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0},
    "blt": {"encoder_hash_byte_group_vocab": 50, "encoder_hash_byte_group_size": [3, 4]},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    },
    "kimi_linear": {"linear_head_dim": 8, "linear_num_heads": 4},
    "nemotron_h": {
        "layers_block_type": ["mamba", "attention", "moe"],
        "mamba_num_heads": 8,
        "mamba_head_dim": 8,
        "ssm_state_size": 8,
        "n_groups": 1,
    },
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0}},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "deepseek_v4": {
        "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 16},
        "index_topk": 16,
    },
    **{kind: {"rotary_dim": 4} for kind in ("codegen", "gptj")},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "gemma4": {
        "text_config": {
            "vocab_size_per_layer_input": 264,
            "hidden_size_per_layer_input": 8,
            "num_kv_shared_layers": 0,
        }
    },
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 0,
        "layer_types": ["full_attention", "sliding_attention"] * 2,
        "vocab_size_per_layer_input": 264,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 8,
        "activation_sparsity_pattern": None,
        "intermediate_size": [48] * 4,
    },
    "gemma4_text": {
        "vocab_size_per_layer_input": 264,
        "hidden_size_per_layer_input": 8,
        "num_kv_shared_layers": 0,
    },
    "qwen4_exp_text": QWEN4,
    "qwen4_exp": {"text_config": QWEN4},
    "reformer": {
        "is_decoder": True,
        "axial_pos_embds_dim": [16, 16],
        "axial_pos_shape": [8, 16],
        "attn_layers": ["local", "lsh"],
        "num_buckets": 2,
    },
    "zamba": {
        "num_hidden_layers": 3,
        "layers_block_type": ["mamba", "hybrid", "hybrid"],
        "n_mamba_heads": 2,
        "mamba_d_state": 8,
        "mamba_dt_rank": 4,
    },
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"],
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "mamba_d_state": 8,
        "mamba_ngroups": 1,
    },
    "zaya": {"num_experts_per_tok": 1},
    "nemotron": {"num_key_value_heads": 2, "head_dim": 8},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "ministral": {"head_dim": 8},
    **{
        f"{kind} decoder": {"is_decoder": True}
        for kind in (
            "bert",
            "roberta",
            "electra",
            "xlm-roberta",
            "rembert",
            "roformer",
            "ernie",
            "camembert",
        )
    },
    "xmod decoder": {"is_decoder": True, "default_language": "en_XX"},
    "phi3 longrope": {
        "original_max_position_embeddings": 40,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 4, "long_factor": [4.0] * 4},
    },
    "llama dynamic": {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}},
    "llama yarn": {
        "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    },
    "llama llama3": {
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        }
    },
    "llama4_text tuned": {
        "floor_scale": 16,
        "attn_temperature_tuning": True,
        "no_rope_layers": [1, 0],
    },
    "qwen2 window": {
        "use_sliding_window": True,
        "max_window_layers": 1,
        "layer_types": ["full_attention", "sliding_attention"],
    },
    "minimax_m3_vl_text sparse": {
        "layer_types": ["full_attention", "minimax_m3_sparse"],
        "index_n_heads": 2,
        "index_block_size": 8,
        "index_topk_blocks": 8,
    },
    "ministral3 tuned": {
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 16,
            "llama_4_scaling_beta": 0.5,
        }
    },
    "inkling_text tuned": {"log_scaling_n_floor": 16, "log_scaling_alpha": 0.5},
    "inkling2_text tuned": {"log_scaling_n_floor": 16, "log_scaling_alpha": 0.5},
    "mixtral jitter": {"router_jitter_noise": 0.1},
    "opt layerdrop": {"layerdrop": 0.3},
    "llama bias": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "cohere scale": {"logit_scale": 0.5},
}
VARIANTS = [name for name in OVERRIDES if " " in name]


def make(kind: str):
    """The model, tiny and random, in eval mode."""
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    name = kind.split()[0]
    options = _small(CONFIG_MAPPING[name]())
    for key, value in OVERRIDES.get(kind, {}).items():
        inside = isinstance(value, dict) and isinstance(options.get(key), dict)
        options[key] = options[key] | value if inside else value
    config = CONFIG_MAPPING[name](**options)
    torch.manual_seed(0)
    with torch.device("meta"):
        size = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    if size > 6e7:
        raise ValueError(f"{size:,} parameters")
    model = AutoModelForCausalLM.from_config(config).eval().float()
    with torch.no_grad():
        for p in model.parameters():  # opinions: flat distributions would hide every error
            if p.ndim >= 2 and float(p.std()) < 0.1:
                p.mul_(0.2 / max(float(p.std()), 1e-3))
    return model


def _small(config) -> dict:
    """The options that make a configuration, with those inside it, small."""
    known = set(vars(config)) | set(config.attribute_map)
    always = ("pad_token_id", "bos_token_id", "eos_token_id")
    made = {
        k: v
        for k, v in SIZES.items()
        if k in known and (k in always or _get(config, k) is not None)
    }
    for name in getattr(config, "sub_configs", {}):
        part = getattr(config, name, None)
        if part is not None and not isinstance(part, dict):
            made[name] = {"model_type": part.model_type, **_small(part)}
    if "kv_lora_rank" in made and "num_key_value_heads" in made:
        made["num_key_value_heads"] = made["num_attention_heads"]
    if types := vars(config).get("layer_types"):
        kinds = list(dict.fromkeys(types))
        made["layer_types"] = (kinds * 2)[: max(2, len(kinds))]
        for name in ("num_hidden_layers", "n_layer", "num_layers"):
            if name in made:
                made[name] = len(made["layer_types"])
    return made


def _get(config, name: str):
    try:
        return getattr(config, name, None)
    except Exception:  # one that may vary from layer to layer
        return None
