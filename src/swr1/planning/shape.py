"""A model's size from its configuration alone: weights, cache bytes a token, memory of a step.

    Shape.of("7B")            # a well-known size
    Shape.of("runs/kk/latest")  # a model folder, or a policy folder

Formulas are those of decoder-only transformers with grouped-query attention and a gated MLP (Llama,
Qwen2); other families differ by a few percent. The memory of a step follows what training/ keeps:
float32 weights and gradients, the optimizer's state, activations per token of a micro-batch, and the
probabilities of `logprobs.KEPT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, UsageError, no_folder
from swr1.policy import resolve
from swr1.registry import suggest

GIB = 2**30

# hidden, layers, heads, kv heads, MLP, vocabulary, tied: the published configurations of Qwen2.5.
SIZES = {
    "0.5B": (896, 24, 14, 2, 4864, 151_936, True),
    "1.5B": (1536, 28, 12, 2, 8960, 151_936, True),
    "3B": (2048, 36, 16, 2, 11_008, 151_936, True),
    "7B": (3584, 28, 28, 4, 18_944, 152_064, False),
    "14B": (5120, 48, 40, 8, 13_824, 152_064, False),
    "32B": (5120, 64, 40, 8, 27_648, 152_064, False),
    "72B": (8192, 80, 64, 8, 29_568, 152_064, False),
}

# Optimizer state in bytes a weight, beside float32 weight and gradient (docs/performance.md).
OPTIMIZERS = {"adamw": 8, "muon": 4, "adamw8bit": 2, "adafactor": 0, "sgd": 0}

# Float32 probabilities that a forward pass keeps at most (training/logprobs.py), in bytes.
PROBABILITY_BYTES = 2**26 * 4


@dataclass(frozen=True)
class Shape:
    """The numbers of a configuration; `kv_width` is kv heads times head size."""

    name: str
    hidden: int
    layers: int
    kv_width: int
    heads: int
    intermediate: int
    vocabulary: int
    tied: bool
    bias: bool = True  # of q, k, v, as Qwen2 has it

    @classmethod
    def of(cls, name: str) -> Shape:
        """A size such as 7B, a model folder, or a policy folder.

        Raises:
            UsageError: neither a known size nor a folder.
            DataError: a folder without a configuration that can be read.
        """
        if name.upper() in SIZES:
            hidden, layers, heads, kv, mlp, vocabulary, tied = SIZES[name.upper()]
            width = hidden // heads * kv
            return cls(name.upper(), hidden, layers, width, heads, mlp, vocabulary, tied)
        folder = Path(name)
        if not folder.is_dir():
            known = ", ".join(SIZES)
            if "/" in name:
                raise UsageError(f"{name}: {no_folder(name)} (or name a size: {known})")
            raise UsageError(
                f"no model {name!r}: it is a folder, or one of {known}.{suggest(name, SIZES)}"
            )
        policy = resolve(name)
        if policy is not None:
            folder = policy.folder(policy.latest())
        return cls._from_config(name, folder / "config.json")

    @classmethod
    def _from_config(cls, name: str, file: Path) -> Shape:
        try:
            config: Any = orjson.loads(file.read_bytes())
            config = config.get("text_config") or config
            hidden, heads = config["hidden_size"], config["num_attention_heads"]
            size = config.get("head_dim") or hidden // heads
            return cls(
                name,
                hidden=hidden,
                layers=config["num_hidden_layers"],
                kv_width=size * (config.get("num_key_value_heads") or heads),
                heads=heads,
                intermediate=config["intermediate_size"],
                vocabulary=config["vocab_size"],
                tied=bool(config.get("tie_word_embeddings", True)),
                bias=bool(config.get("attention_bias", config.get("model_type") == "qwen2")),
            )
        except (OSError, orjson.JSONDecodeError, KeyError, AttributeError, TypeError) as error:
            raise DataError(
                f"not the configuration of a decoder-only transformer ({error!r})", str(file)
            ) from None

    @property
    def parameters(self) -> int:
        """Weights, all of them."""
        attention = 2 * self.hidden * (self.hidden + self.kv_width)
        if self.bias:
            attention += self.hidden + 2 * self.kv_width
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return self.layers * layer + embeddings + self.hidden

    def flops(self, trained: bool) -> float:
        """Floating-point operations a token: 2 a weight forwards, 4 more backwards (attention over
        the context, a few percent at these lengths, is left out)."""
        lookup = 0 if self.tied else self.vocabulary * self.hidden
        return (6.0 if trained else 2.0) * (self.parameters - lookup)

    def kv_bytes(self, width: int = 2) -> int:
        """Bytes of keys and values that a token of context takes; `width`: bytes a number."""
        return 2 * self.layers * self.kv_width * width

    def activation_bytes(self, width: int, checkpointing: bool) -> float:
        """Bytes a token of a micro-batch keeps for the backward pass (no padding, no scores).

        Per layer: with recomputation its input; without, what the two norms, q, k, v, the attention's
        output, the output projection and the four products of the gated MLP keep, 8 hidden + 2 kv + 4
        MLP numbers. Recomputation holds one layer's at a time.
        """
        layer = 8 * self.hidden + 2 * self.kv_width + 4 * self.intermediate
        if checkpointing:
            return (self.layers * self.hidden + layer) * width
        return self.layers * layer * width

    def training_memory(
        self,
        *,
        micro_tokens: int,
        dtype: str = "bfloat16",
        optimizer: str = "adamw",
        ranks: int = 1,
        sharded: bool = False,
        checkpointing: bool = False,
        reference: bool = False,
    ) -> dict[str, float]:
        """Bytes on one rank, by what they are for; `total` is their sum.

        Args:
            micro_tokens: tokens of a forward pass.
            sharded: weights, gradients and optimizer state are cut over the ranks (FSDP).
            reference: a second model for the KL term, in bfloat16.
        """
        if optimizer not in OPTIMIZERS:
            raise UsageError(
                f"no optimizer {optimizer!r}: {', '.join(OPTIMIZERS)}."
                f"{suggest(optimizer, OPTIMIZERS)}"
            )
        share = self.parameters / (ranks if sharded else 1)
        width = 4 if dtype == "float32" else 2
        parts = {
            "weights": 4.0 * share,
            "gradients": 4.0 * share,
            "optimizer": float(OPTIMIZERS[optimizer]) * share,
            "activations": self.activation_bytes(width, checkpointing) * micro_tokens,
            "probabilities": float(min(PROBABILITY_BYTES, 4 * micro_tokens * self.vocabulary)),
        }
        if reference:
            parts["reference"] = 2.0 * share
        return parts | {"total": sum(parts.values())}
