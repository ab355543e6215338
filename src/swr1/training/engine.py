"""What every update is made of: a model, micro-batches, an optimizer, a learning rate.

Plain torch loops use these (rl.py, passes.py), not a library's Trainer class: exact resume, batches
that arrive as a stream, and versions that are published during training are the core of this project,
and each is hard to add to somebody else's loop.

packing.py lays sequences into rows without padding, logprobs.py scores them.
"""

import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from swr1 import models, probe
from swr1.errors import UsageError
from swr1.training import packing, parallel
from swr1.training.config import TrainConfig
from swr1.training.logprobs import settle, token_logprobs, way_of
from swr1.training.packing import Example
from swr1.training.parallel import ProcessGroup
from swr1.vision import Vision, tower_of, vision_of

__all__ = ["Example", "token_logprobs"]  # what users of this module also take from it


def pass_tokens(requested: int, device: torch.device) -> int:
    """Tokens per forward pass; 0 stands for what fits: 2,048 on a CPU, 16,384 elsewhere.

    Raises UsageError for a negative number.
    """
    if requested < 0:
        raise UsageError(
            f"micro-tokens is a positive number, or 0 for the default, not {requested}"
        )
    return requested or (2_048 if device.type == "cpu" else 16_384)


def torch_dtype(name: str) -> torch.dtype:
    if name not in ("float32", "bfloat16"):
        raise UsageError(f"unknown dtype {name!r}: it is float32 or bfloat16")
    return getattr(torch, name)


def load_model(
    folder: str | Path,
    device: torch.device,
    dtype: torch.dtype,
    quantize: str | None = None,
    autocast: torch.dtype | None = None,
    vision: Vision | None = None,
) -> Any:
    """A causal language model whose log-probabilities agree with those of plain calls.

    Dropout stays off (eval mode) throughout: the log-probabilities of an update must be those of
    the policy that sampled. A message on stderr says when a model must be called in a slower way.

    `vision`: the eyes that the records were read with, for a model that takes pictures.
    `autocast`: of the matrix products, where that is not the weights' own dtype. `quantize`: "nf4"
    keeps the weights of linear layers, which must then be left frozen, in 4 bits (QLoRA, arXiv
    2305.14314). Raises UsageError for another, or without bitsandbytes, and SwrError for a model
    that gives right log-probabilities in no way (logprobs.settle).
    """
    options = _quantized(quantize, device) if quantize else {}
    model = models.load_causal_lm(folder, dtype, **options)
    model = (model if quantize else model.to(device)).eval()
    if vision and vision_of(model):
        model.swr1_vision = vision
    for layer in _in_4_bits(model).values():
        layer.train()  # in eval mode they may pack themselves anew for inference
    for why in settle(model, autocast):
        if os.environ.get("RANK", "0") == "0":
            print(f"{type(model).__name__} {why}", file=sys.stderr, flush=True)
    return model


def _quantized(kind: str, device: torch.device) -> dict[str, Any]:
    """What load_causal_lm needs to load weights in 4 bits."""
    if kind != "nf4":
        raise UsageError(f"unknown quantization {kind!r}: it is nf4")
    if not find_spec("bitsandbytes"):
        raise UsageError("4-bit weights need bitsandbytes: pip install 'swr1[qlora]'")
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
    )
    return {"quantization_config": config, "device_map": {"": device}}


def _in_4_bits(model: Any) -> dict[str, Any]:
    """The layers whose weights are in 4 bits, by name."""
    if not getattr(model, "is_loaded_in_4bit", False):
        return {}
    from bitsandbytes.nn import Linear4bit

    return {n: m for n, m in model.named_modules() if isinstance(m, Linear4bit)}


def context_length(folder: str | Path) -> int:
    """The longest sequence in tokens that the model of a model folder was made for."""
    config = models.load_config(folder).get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or 10**9)


def micro_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Indices, longest first, cut so that no padded batch is beyond `max_tokens` tokens.

    A sequence longer than that has a micro-batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    cuts: list[list[int]] = []
    for i in order:
        if cuts and lengths[cuts[-1][0]] * (len(cuts[-1]) + 1) <= max_tokens:
            cuts[-1].append(i)
        else:
            cuts.append([i])
    return cuts


def cuts(model: Any, examples: Sequence[Example], max_tokens: int) -> list[list[int]]:
    """Indices of the examples of each forward pass of at most `max_tokens` tokens: packed, or padded
    for a model that cannot be called with packed rows."""
    if way_of(model).packed:
        return packing.packs(examples, max_tokens)
    return micro_batches([len(e.ids) for e in examples], max_tokens)


def scale_of(r: int, alpha: float | None) -> float | None:
    """The alpha of adapters of rank `r`, twice that where none is given; None without adapters."""
    return (2.0 * r if alpha is None else float(alpha)) if r else None


def add_lora(model: Any, r: int, alpha: float | None, seed: int, frozen: Any = None) -> Any:
    """Put trainable rank-`r` adapters beside every linear layer but the output, but those that end a
    state space, and but those within the module `frozen`; the rest freezes.

    Returns peft's wrapper; `model` itself is changed in place and stays what is called. Raises
    UsageError for an architecture that takes none.
    """
    from peft import LoraConfig, get_peft_model

    devices = [model.device] if model.device.type == "cuda" else []
    left_out = set(frozen.modules()) if frozen is not None else set()
    with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        torch.manual_seed(seed)
        config = LoraConfig(
            r=r,
            lora_alpha=scale_of(r, alpha),  # type: ignore[arg-type]  # a float serves
            target_modules="all-linear",
            # The kernels of state spaces (Mamba) read this layer's weights past an adapter.
            exclude_modules=[
                f"{name}.out_proj"
                for name, m in model.named_modules()
                if hasattr(m, "A_log") and hasattr(m, "D")
            ]
            + [name for name, m in model.named_modules() if m in left_out],
        )
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise UsageError(
                f"{type(model).__name__}: --lora-r is not possible with this architecture:"
                f" {probe.reason(error)}"
            ) from error


def make_trainable(model: Any, config: TrainConfig, ranks: ProcessGroup) -> Any:
    """Frozen parts, adapters, checkpoints and shards of a loaded model, as the options say.

    Returns peft's wrapper, None without adapters. Raises UsageError where that cannot be.
    """
    tower = tower_of(model)
    if config.freeze_vision:
        if tower is None:
            raise UsageError(
                f"{type(model).__name__} has no vision tower: leave out --freeze-vision"
            )
        tower.requires_grad_(False)
    adapters = None
    if config.lora_r:
        if ranks.sharded:
            raise UsageError("adapters are not trained with sharded weights: use --parallel ddp")
        frozen = tower if config.freeze_vision else None
        adapters = add_lora(model, config.lora_r, config.lora_alpha, config.seed, frozen)
    if config.gradient_checkpointing:
        checkpoint_activations(model)
    parallel.shard(model, ranks, token_logprobs)
    return adapters


def checkpoint_activations(model: Any) -> None:
    """Keep one activation per layer and recompute the rest in the backward pass: less memory for
    about a third more time.

    transformers does so in train mode only. The model stays in eval mode: the layers that recompute
    are put in train mode, each alone without its submodules, and their own random parts (dropout,
    dropped layers, a router's jitter) are set to 0. Raises UsageError for an architecture that
    cannot do it, or whose outputs change.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    name = f"{type(model).__name__}: --gradient-checkpointing"
    before = _answers(model)
    # The name of recent versions, and the one before it.
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    try:
        enable({"use_reentrant": False})
    except (ValueError, NotImplementedError) as error:
        raise UsageError(
            f"{name} is not possible with this architecture: {probe.reason(error)}"
        ) from error
    recomputing = [m for m in model.modules() if getattr(m, "gradient_checkpointing", False)]
    layers = [m for m in recomputing if isinstance(m, GradientCheckpointingLayer)]
    for module in layers or recomputing:
        module.training = True
        for what, value in vars(module).items():
            if isinstance(value, float) and any(word in what for word in ("drop", "jitter")):
                setattr(module, what, 0.0)
    with torch.enable_grad():
        off = float((_answers(model) - before).abs().max())
    if not off <= 1e-3 * float(before.std()) + 1e-5:
        raise UsageError(f"{name} changes what it says, by {off:.2g}: leave it out")


def _answers(model: Any) -> Tensor:
    """[T, any] logits of a short text; of a language model or one with a head."""
    options = {"use_cache": False} if "use_cache" in probe.parameters(model) else {}
    ids = probe.draw(model)[0][None].to(model.device)
    return model(input_ids=ids, **options).logits[0].detach().float()


def plain_state(model: Any) -> dict[str, Tensor]:
    """The weights by their plain names, adapters added in, 4 bits made dense; the model itself is
    not touched.

    (peft's own merge and unmerge would not give back the same bits.)
    """
    from peft.tuners.lora import LoraLayer

    state = {}
    small = _in_4_bits(model)
    if small:
        from bitsandbytes.functional import dequantize_4bit
    layers = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    for name, value in model.state_dict().items():
        module, _, what = name.partition(".weight")
        if ".lora_" in name or (what and module in small):
            continue  # an adapter, or the scales of a 4-bit weight
        if module in small and name.endswith(".weight"):
            value = small[module].weight
            value = dequantize_4bit(value.data, value.quant_state)
        layer, _, what = name.rpartition(".")
        # Adapters of several parameters of one module (experts) lie in one another.
        while layer.endswith(".base_layer"):
            layer = layer.removesuffix(".base_layer")
            if getattr(layers[layer], "parameter_name", "weight") == what:
                delta = layers[layer].get_delta_weight("default")
                value = (value.float() + delta.float()).to(value.dtype)
        state[name.replace(".base_layer", "")] = value
    # Weights that are one tensor under two names are stored once, also when they were gathered.
    for tied in model.all_tied_weights_keys:
        state.pop(tied, None)
    return state


def save_model(
    model: Any,
    tokenizer: Any,
    folder: Path,
    dtype: torch.dtype,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write a plain model folder: weights in `dtype`, config, tokenizer, chat template, and of a model
    that takes pictures its image processor.

    `weights`: of plain_state, where they were gathered before.
    """
    weights = plain_state(model) if weights is None else weights
    state = {k: v.detach().to("cpu", dtype) for k, v in weights.items()}
    if _in_4_bits(model):  # transformers would write those, whatever it is given
        from huggingface_hub import save_torch_state_dict

        save_torch_state_dict(state, folder)
        model.config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
    else:
        model.save_pretrained(folder, state_dict=state)
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = str(dtype).removeprefix("torch.")
    config.pop("quantization_config", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save_pretrained(folder)
    if vision := vision_of(model):
        vision.save(folder)
