"""Every causal architecture of transformers, tiny and random: are its log-probabilities right here?

    python benchmarks/architectures.py                     # all, as transformers lists them
    python benchmarks/architectures.py llama mamba2 -v     # some, with what was said
    python benchmarks/architectures.py --json table.json   # for a page

Each runs in a process of its own under a time limit. Measured are, in nats, the largest differences
from a plain forward pass over each sequence alone (model(ids).logits, no cache):

- rollout: what the hf engine recorded, for uneven prompts with two samples each, 12 tokens;
- training: token_logprobs in the way that was chosen when the model was loaded;
- recomputed: the same with gradient checkpointing and every dropout and jitter of the configuration
  at 0.1;
- reload: after save_model and load_model.

An architecture is right where all that it does is below 1e-3; refused where a stage refuses it in one
line (the line is shown); wrong otherwise. Wrong must be 0.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
import torch

LIMIT = 1e-3
SECONDS = 240
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
    "index_topk": 64,
    "index_n_heads": 16,
    "index_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "state_size": 8,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--json", type=Path)
    parser.add_argument("-v", action="store_true", help="show what was said")
    parser.add_argument("--speed", action="store_true", help="tokens per second beside generate")
    options = parser.parse_args()
    import transformers.modeling_utils

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    if options.speed:
        for kind in options.kinds:
            print(kind, *_speed(kind), flush=True)
        return
    rows = []
    print(
        f"{'architecture':28} {'rollout':>9} {'cache':9} {'training':>9} {'way':>14} {'recomp.':>9} {'reload':>7}  verdict"
    )
    for kind in options.kinds or kinds():
        row = _run(kind)
        rows.append(row)
        print(_line(row), flush=True)
        if options.v:
            print("\n".join(f"    {x}" for x in row.get("said", [])))
    counts = {
        v: sum(r["verdict"] == v for r in rows) for v in ("right", "refused", "wrong", "not built")
    }
    print(f"{len(rows)} architectures: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(bool(counts["wrong"]))


def kinds() -> list[str]:
    """All that transformers knows as causal language models, and variants that are known to matter."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return [*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *VARIANTS]


def _line(row: dict) -> str:
    def nats(key: str) -> str:
        value = row.get(key)
        return "-" if value is None else f"{value:.1e}" if isinstance(value, float) else value

    return (
        f"{row['kind']:28} {nats('rollout'):>9} {row.get('cache', '-'):9} {nats('training'):>9}"
        f" {row.get('way', '-'):>14} {nats('recomputed'):>9} {row.get('reload', '-'):>7}"
        f"  {row['verdict']}{': ' + row['why'] if row.get('why') else ''}"
    )


def _send(kind: str, pipe) -> None:
    pipe.send(_one(kind))


def _run(kind: str) -> dict:
    begun = time.perf_counter()
    mine, its = multiprocessing.Pipe(duplex=False)
    # A copy of this process: transformers is imported once.
    process = multiprocessing.get_context("fork").Process(target=_send, args=(kind, its))
    process.start()
    its.close()
    row = {"verdict": "wrong", "why": f"no end within {SECONDS} s"}
    if mine.poll(SECONDS):
        try:
            row = mine.recv()
        except EOFError:
            row = {"verdict": "wrong", "why": "its process died"}
    process.kill()
    process.join()
    return {"kind": kind, **row, "seconds": round(time.perf_counter() - begun, 1)}


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
    "cohere_compass_text": {"layer_types": ["full_attention", "full_attention"]},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1},
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
    "qwen4_exp_text": {
        "indexer_budget": 64,
        "indexer_compress_ratio": 4,
        "indexer_n_heads": 16,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 16,
    },
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
    "mixtral jitter": {"router_jitter_noise": 0.1},
    "opt layerdrop": {"layerdrop": 0.3},
    "llama bias": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "cohere scale": {"logit_scale": 0.5},
}
VARIANTS = [name for name in OVERRIDES if " " in name]


def make(kind: str):
    """The model, tiny and random, in eval mode."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    name = kind.split()[0]
    config = CONFIG_MAPPING[name](**(_small(CONFIG_MAPPING[name]()) | OVERRIDES.get(kind, {})))
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


def _tokenizer(size: int):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({f"w{i}": i for i in range(size)}, unk_token="w0"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="w0", eos_token="w2", unk_token="w0"
    )


def _one(kind: str) -> dict:
    """All measurements of one architecture."""
    import contextlib
    import io
    import warnings

    warnings.filterwarnings("ignore")
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    row: dict = {}
    try:
        model = make(kind)
    except Exception as error:
        return {"verdict": "not built", "why": _reason(error)}
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(said):
        model.save_pretrained(folder)
        _tokenizer(min(264, model.config.get_text_config().vocab_size)).save_pretrained(folder)
        try:
            AutoModelForCausalLM.from_pretrained(folder)
        except Exception as error:
            return {"verdict": "not built", "why": f"not loaded again: {_reason(error)}"}
        try:
            _measure(kind, Path(folder), row)
        except Exception as error:
            row |= {
                "verdict": "wrong",
                "why": _reason(error),
                "trace": traceback.format_exc()[-1500:],
            }
    row["said"] = said.getvalue().splitlines()
    return row


def _measure(kind: str, folder: Path, row: dict) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from swr1.engines import Request, Sampling
    from swr1.engines.hf import HFEngine
    from swr1.errors import SwrError
    from swr1.models import load_tokenizer
    from swr1.probe import parameters
    from swr1.training import engine
    from swr1.training.engine import Example, token_logprobs
    from swr1.training.logprobs import way_of

    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    no_cache = {"use_cache": False} if "use_cache" in parameters(plain) else {}

    def direct(prompt: list[int], written: list[int]) -> torch.Tensor:
        with torch.no_grad():
            logits = plain(input_ids=torch.tensor([prompt + written]), **no_cache).logits[0]
        table = torch.log_softmax(logits.float(), -1)[len(prompt) - 1 : -1]
        return table.gather(1, torch.tensor(written)[:, None])[:, 0]

    generator = torch.Generator().manual_seed(1)
    sizes = [37, 11, 24, 11, 50]
    prompts = [torch.randint(3, 250, (n,), generator=generator).tolist() for n in sizes]
    refused = []
    rollouts = []
    try:
        hf = HFEngine(folder, device="cpu")
        row["cache"] = hf._way.name
        requests = [Request((str(i), 0, s), p) for i, p in enumerate(prompts) for s in range(2)]
        done = hf.generate(requests, Sampling(1.0, max_tokens=12, seed=3))
        rollouts = [(r.prompt_ids, c.token_ids) for r, c in zip(requests, done, strict=True)]
        gaps = [
            (direct(p, w) - torch.from_numpy(c.logprobs.copy())).abs().max()
            for (p, w), c in zip(rollouts, done, strict=True)
        ]
        row["rollout"] = float(torch.stack(gaps).max())
    except SwrError as error:
        refused.append(f"rollout: {error}")
    if not rollouts:
        rollouts = [(p, prompts[0][:n]) for p in prompts for n in (12, 7)]
    examples = [
        Example(torch.tensor(p + w), torch.arange(len(p), len(p) + len(w))) for p, w in rollouts
    ]
    want = None
    try:
        model = engine.load_model(folder, torch.device("cpu"), torch.float32)
        way = way_of(model)
        names = ["packed" if way.packed else "alone" if way.alone else "padded"]
        row["way"] = "+".join(names + ([] if way.rebuilt else ["logits"]))
        want = torch.cat([direct(p, w) for p, w in rollouts])
        row["training"] = float((token_logprobs(model, examples)[0].detach() - want).abs().max())
        again = folder / "again"
        again.mkdir()
        engine.save_model(model, load_tokenizer(folder), again, torch.float32)
        back = engine.load_model(again, torch.device("cpu"), torch.float32)
        row["reload"] = (
            "yes"
            if float((token_logprobs(back, examples)[0] - want).detach().abs().max()) < LIMIT
            else "NO"
        )
    except SwrError as error:
        refused.append(f"train-step: {error}")
    if want is not None:
        try:
            row["recomputed"] = _recomputed(folder, examples, want)
        except SwrError as error:
            row["recomputed"] = "refused"
            row["recomputing"] = str(error)
    bad = [
        k
        for k in ("rollout", "training", "recomputed")
        if isinstance(row.get(k), float) and not row[k] < LIMIT
    ]
    if bad or row.get("reload") == "NO":
        row |= {"verdict": "wrong", "why": ", ".join(bad) or "reload"}
    elif refused:
        row |= {"verdict": "refused", "why": "; ".join(refused)}
    else:
        row["verdict"] = "right"


def _recomputed(folder: Path, examples: list, want) -> float:
    """The error with gradient checkpointing, in a model whose every chance is at 0.1; its gradients
    must be finite."""
    import torch

    from swr1.training import engine
    from swr1.training.engine import token_logprobs

    file = folder / "config.json"
    config = json.loads(file.read_text())
    words = ("drop", "jitter", "pdrop")
    for part in [config, *(v for v in config.values() if isinstance(v, dict))]:
        for key, value in part.items():
            if isinstance(value, float) and any(w in key for w in words):
                part[key] = 0.1
    file.write_text(json.dumps(config))
    model = engine.load_model(folder, torch.device("cpu"), torch.float32)
    engine.checkpoint_activations(model)
    found, _ = token_logprobs(model, examples)
    found.sum().backward()
    if not all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None):
        raise ValueError("a gradient is not finite")
    return float((found.detach() - want).abs().max())


def _speed(kind: str) -> list[str]:
    """Tokens per second of the hf engine and of transformers' generate (all 64 sequences in a batch
    padded on the left), in turns, the best of three: 16 prompts of 40 to 70 tokens, 4 samples each,
    64 tokens written; and the seconds that the probe took."""
    from swr1.engines import Request, Sampling
    from swr1.engines._ways import choose
    from swr1.engines.hf import HFEngine

    if not {"num_heads", "mamba_n_heads"} & OVERRIDES.get(kind, {}).keys():
        SIZES.update(hidden_size=256, intermediate_size=512, initializer_range=0.02)
    model = make(kind)
    model.generation_config.eos_token_id = model.config.eos_token_id = None
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        _tokenizer(264).save_pretrained(folder)
        hf = HFEngine(folder, device="cpu")
    hf._eos = hf._eos[:0]
    prompts = [[5 + (7 * i + j) % 200 for j in range(40 + 2 * i)] for i in range(16)]
    requests = [Request((str(i), 0, s), p) for i, p in enumerate(prompts) for s in range(4)]
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(r.prompt_ids)) + r.prompt_ids for r in requests])
    best = [0.0, 0.0]
    for _ in range(3):
        begun = time.perf_counter()
        hf.generate(requests, Sampling(max_tokens=64))
        best[0] = max(best[0], 64 * 64 / (time.perf_counter() - begun))
        begun = time.perf_counter()
        model.generate(
            input_ids=ids,
            attention_mask=(ids != 0).long(),
            max_new_tokens=64,
            do_sample=True,
            pad_token_id=0,
        )
        best[1] = max(best[1], 64 * 64 / (time.perf_counter() - begun))
    begun = time.perf_counter()
    choose(model, 128)
    probed = time.perf_counter() - begun
    return [hf._way.name, f"{best[0]:.0f}", f"{best[1]:.0f}", f"{probed:.2f} s"]


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160] if lines else ''}"


if __name__ == "__main__":
    main()
