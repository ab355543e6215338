"""Seconds: of a decode step with n sequences in flight, and of a training step.

A decode step gives every sequence in flight one token. It reads the weights once, computes for each
sequence and reads each one's keys and values:

    seconds = base + per_sequence * n + per_context * (tokens of context, all sequences)

so the speed of a sequence falls with the number in flight while their sum rises. A training step is
`fixed` seconds and `per_token` for each token, over the ranks. On a GPU that was not measured these
come from published peak figures times assumed efficiencies (`of_gpu`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from swr1.errors import UsageError
from swr1.planning.shape import GIB, Shape
from swr1.registry import suggest


class GPU(NamedTuple):
    """Peak dense bfloat16 FLOP/s, bytes/s of memory, bytes of memory: the makers' data sheets."""

    flops: float
    bandwidth: float
    memory: float


GPUS = {
    "a100": GPU(312e12, 2.04e12, 80e9),
    "h100": GPU(989e12, 3.35e12, 80e9),
    "h200": GPU(989e12, 4.8e12, 141e9),
    "l40s": GPU(362e12, 0.864e12, 48e9),
}
READ_EFFICIENCY = 0.6  # of the peak bandwidth, when decoding
DECODE_EFFICIENCY = 0.5  # of the peak FLOP/s, in decode steps and prefill
TRAIN_EFFICIENCY = 0.35  # of the peak FLOP/s, 6 FLOP a weight and token
STEP_OVERHEAD = 2e-3  # seconds a decode step: launches, sampling, scheduling
CACHE_SHARE = 0.9  # of a GPU's memory that an engine takes
LINK = 50e9  # bytes/s between GPUs, each way
ALL_REDUCE = 15e-6  # seconds for a small all-reduce between the GPUs of one engine
DEFAULT_GPU = "h100"
MICRO_TOKENS = 16_384  # of a forward pass: train-step's default on a GPU
COPY = 0.1  # of the time that writing takes: GPU to host at ten times the disk
DISK = 2e9  # bytes/s of the disk that versions and states are written to and read from


@dataclass(frozen=True)
class Decode:
    """One engine replica. All in seconds, see the head of this file; `most` bounds n."""

    base: float
    per_sequence: float
    per_context: float = 0.0
    prefill: float = 0.0  # a token of a prompt
    most: int = 256

    def seconds(self, n: int, context: float, steps: float) -> float:
        """For `steps` decode steps of n sequences that have `context` tokens at the start."""
        grown = steps * context + n * steps * steps / 2
        return (self.base + self.per_sequence * n) * steps + self.per_context * grown

    def steps(self, n: int, context: float, seconds: float) -> float:
        """How many decode steps that takes: the inverse of `seconds`."""
        a = self.per_context * n / 2
        b = self.base + self.per_sequence * n + self.per_context * context
        if a * seconds < 1e-9 * b * b:
            return seconds / b
        return (math.sqrt(b * b + 4 * a * seconds) - b) / (2 * a)

    def speed(self, n: int, context: float) -> float:
        """Tokens/s of a replica with n sequences of `context` tokens each."""
        return n / (self.base + self.per_sequence * n + self.per_context * n * context)


@dataclass(frozen=True)
class Train:
    """One optimizer step over `ranks` GPUs (or cores).

    Attributes:
        per_token: seconds of one rank for one token. fixed: seconds a step, whatever its size.
        per_round: seconds for each micro-batch of a rank (gathering weights that are cut over ranks).
        micro_tokens: what a rank computes at a time: ranks beyond tokens / micro_tokens idle.
    """

    per_token: float
    fixed: float = 0.0
    per_round: float = 0.0
    ranks: int = 1
    micro_tokens: int = 16_384

    def seconds(self, tokens: float) -> float:
        """Ranks take whole micro-batches in turn, as training/parallel.py does."""
        whole = max(1, math.ceil(tokens / self.micro_tokens))
        rounds = math.ceil(whole / self.ranks)
        return self.fixed + self.per_round * rounds + self.per_token * tokens * rounds / whole


def gpu(name: str) -> GPU:
    """Raises UsageError for one that is not known."""
    if name.lower() not in GPUS:
        raise UsageError(
            f"no figures of a {name!r}: {', '.join(GPUS)}, or give the speeds"
            f" (--rollout-speed, --train-speed).{suggest(name.lower(), GPUS)}"
        )
    return GPUS[name.lower()]


def places(shape: Shape, device: GPU, per_replica: int, tokens: float) -> int:
    """Sequences of `tokens` tokens that fit beside the weights of an engine on `per_replica` GPUs.

    Raises UsageError when none does.
    """
    room = CACHE_SHARE * device.memory * per_replica - 2 * shape.parameters
    fit = int(room / (shape.kv_bytes() * tokens)) if room > 0 else 0
    if fit < 1:
        need = math.ceil((2 * shape.parameters) / (CACHE_SHARE * device.memory))
        need = 1 << max(per_replica, need).bit_length()  # layers are cut into powers of two
        raise UsageError(
            f"{shape.name} in bfloat16 ({2 * shape.parameters / GIB:.0f} GiB) leaves no room for a"
            f" sequence on {per_replica} GPU(s): try --gpus-per-replica {need}"
        )
    return fit


def decode_of_gpu(
    shape: Shape, device: GPU, per_replica: int, tokens: float, most: int | None
) -> Decode:
    """A replica of `per_replica` GPUs, by roofline: bfloat16 weights and cache.

    On several GPUs each layer ends in two all-reduces of the hidden states, which nothing hides.

    Args:
        tokens: a sequence's prompt and mean completion; bounds what fits in the cache.
        most: sequences in flight at most; None: what fits, up to 256 (vLLM's default).

    Raises UsageError when the model does not fit.
    """
    fit = places(shape, device, per_replica, tokens)
    bandwidth = device.bandwidth * READ_EFFICIENCY * per_replica
    compute = device.flops * DECODE_EFFICIENCY * per_replica
    wait = sent = 0.0
    if per_replica > 1:
        wait = 2 * shape.layers * ALL_REDUCE
        sent = 2 * shape.layers * shape.hidden * 2 * 2 * (per_replica - 1) / per_replica / LINK
    return Decode(
        base=STEP_OVERHEAD + 2 * shape.parameters / bandwidth + wait,
        per_sequence=shape.flops(trained=False) / compute + sent,
        per_context=shape.kv_bytes() / bandwidth,
        prefill=shape.flops(trained=False) / compute + sent,
        most=min(fit, most or 256),
    )


def decode_of_speeds(points: list[tuple[int, float]], most: int | None) -> Decode:
    """From tokens/s of one replica at numbers in flight: n / speed = base + per_sequence * n.

    One point says nothing about the base: it is taken as 0, so the speed holds for any number.

    Raises UsageError for speeds that fall with the number in flight.
    """
    largest = max(n for n, _ in points)
    if len(points) == 1:
        return Decode(0.0, 1 / points[0][1], most=most or largest)
    import numpy as np

    n = np.array([p[0] for p in points], dtype=float)
    slope, base = np.polyfit(n, n / np.array([p[1] for p in points]), 1)
    if slope <= 0 or base < 0:
        raise UsageError(
            "the speeds do not fit seconds = a + b * n with a, b >= 0 for a decode step: tokens/s"
            " must rise with the number in flight, and less than in proportion"
        )
    return Decode(float(base), float(slope), most=most or largest)


def train_of_gpu(
    shape: Shape,
    device: GPU,
    ranks: int,
    micro_tokens: int,
    sharded: bool,
    checkpointing: bool = False,
) -> Train:
    """A step on `ranks` GPUs: 6 FLOP a weight and token, 8 where activations are computed again;
    gradients (float32) cross the link twice, sharded weights (bfloat16) once each way for every
    micro-batch. Nothing overlaps."""
    across = shape.parameters * (ranks > 1) / LINK
    again = shape.flops(trained=False) if checkpointing else 0.0
    return Train(
        per_token=(shape.flops(trained=True) + again) / (device.flops * TRAIN_EFFICIENCY),
        fixed=8 * across,
        per_round=4 * across if sharded else 0.0,
        ranks=ranks,
        micro_tokens=micro_tokens,
    )
