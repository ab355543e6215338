"""The optimizer of an update, and the learning rate of a step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.optim import _muon

from swr1.errors import UsageError
from swr1.registry import check_known
from swr1.training import parallel
from swr1.training.config import TrainConfig
from swr1.training.parallel import ProcessGroup

OPTIMIZERS = ["adamw", "muon", "adamw8bit", "adafactor", "sgd"]


class Optimizer:
    """AdamW for everything, or Muon for the hidden matrices and AdamW for the rest.

    Memory beside the weights, in units of their float32 size: adamw 2, muon 1 for the matrices,
    adamw8bit (bitsandbytes, arXiv 2110.02861) 0.5, adafactor (arXiv 1804.04235; its learning rate
    is relative to each matrix's size) and sgd next to nothing.

    Muon (K. Jordan 2024) orthogonalises the momentum of each matrix; with torch's
    "match_rms_adamw" its step has the size of an AdamW step, so that one learning rate serves both.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, Tensor]],
        kind: str = "adamw",
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        ranks: ProcessGroup | None = None,
    ) -> None:
        self.ranks = ranks or ProcessGroup()
        check_known("optimizer", kind, OPTIMIZERS)
        named = [(n, p) for n, p in parameters if p.requires_grad]
        self.parameters = [p for _, p in named]
        ends = ("embed", "lm_head", "wte", "wpe", "score", "classifier")  # not hidden
        hidden = [p for n, p in named if p.ndim == 2 and not any(word in n for word in ends)]
        matrices = hidden if kind == "muon" else []
        ours = set(map(id, matrices))
        rest = [p for p in self.parameters if id(p) not in ours]
        self.parts: list[torch.optim.Optimizer] = []
        if matrices and self.ranks.sharded:
            raise UsageError("Muon needs whole matrices: use adamw, or --parallel ddp")
        if matrices:
            on_cpu = all(p.device.type == "cpu" for p in matrices)
            muon = Float32Muon if on_cpu else torch.optim.Muon
            self.parts.append(
                muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            )
        if rest:
            self.parts.append(_plain(kind, rest, lr, betas, weight_decay))

    @classmethod
    def of(cls, model: Any, config: TrainConfig, ranks: ProcessGroup) -> Optimizer:
        """The optimizer of a model's trainable weights that the options ask for."""
        return cls(
            model.named_parameters(),
            config.optimizer,
            lr=config.lr,
            weight_decay=config.weight_decay,
            ranks=ranks,
        )

    def step(self, lr: float, max_grad_norm: float | None) -> float:
        """Clip, step at `lr`, forget the gradients. Returns the norm before clipping.

        The gradients are summed over the ranks first. A norm that is not finite is returned without
        a step being taken.
        """
        self.ranks.sum_gradients(self.parameters)
        limit = math.inf if max_grad_norm is None else max_grad_norm
        norm = float(parallel.whole(torch.nn.utils.clip_grad_norm_(self.parameters, limit)))
        if math.isfinite(norm):
            for part in self.parts:
                for group in part.param_groups:
                    group["lr"] = lr
                part.step()
        self.forget()
        return norm

    def forget(self) -> float:
        """Drop the gradients without a step; returns NaN, the norm of nothing."""
        for p in self.parameters:
            p.grad = None
        return math.nan

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            parameters = [p for group in part.param_groups for p in group["params"]]
            moments = {
                i: {k: parallel.like(v, parameters[i]) for k, v in values.items()}
                for i, values in state["state"].items()
            }
            part.load_state_dict(state | {"state": moments})


class Float32Muon(torch.optim.Muon):
    """Muon with its products in float32.

    torch has them in bfloat16, which a CPU without instructions for it emulates: on one without
    AVX-512 they took 83% of an SFT step of half a million parameters.
    """

    def step(self, closure: Any = None) -> Any:
        theirs, _muon._zeropower_via_newtonschulz = (
            _muon._zeropower_via_newtonschulz,
            orthogonalised,
        )
        try:
            return super().step(closure)
        finally:
            _muon._zeropower_via_newtonschulz = theirs


def orthogonalised(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """About U V^T of a matrix U S V^T, by Newton-Schulz iterations (K. Jordan 2024), in its dtype."""
    a, b, c = coefficients
    wide = matrix.T if matrix.size(0) > matrix.size(1) else matrix
    x = wide / wide.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if wide is not matrix else x


def _plain(
    kind: str, parameters: list[Tensor], lr: float, betas: tuple[float, float], decay: float
) -> torch.optim.Optimizer:
    """Raises UsageError for 8-bit AdamW without bitsandbytes."""
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=lr, weight_decay=decay)
    if kind == "adafactor":
        return torch.optim.Adafactor(parameters, lr=lr, weight_decay=decay)
    if kind == "adamw8bit":
        if not find_spec("bitsandbytes"):
            raise UsageError("8-bit AdamW needs bitsandbytes: pip install 'swr1[qlora]'")
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(parameters, lr=lr, betas=betas, weight_decay=decay)
    return torch.optim.AdamW(parameters, lr=lr, betas=betas, weight_decay=decay, fused=True)


SCHEDULES = ["constant", "linear", "cosine"]


class Schedule:
    """Learning rate by step: a linear warm-up, then constant, or down to 0 at step `total`."""

    def __init__(
        self, lr: float, kind: str = "constant", warmup: int = 0, total: int | None = None
    ) -> None:
        check_known("schedule", kind, SCHEDULES)
        if not 0 < lr < math.inf:
            raise UsageError(f"the learning rate must be a positive number, not {lr}")
        if kind != "constant" and total is None:
            raise UsageError(f"a {kind} schedule must know its end: give --steps")
        self.lr, self.kind, self.warmup, self.total = lr, kind, warmup, total

    def __call__(self, step: int) -> float:
        """The rate of step `step`, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if self.kind == "constant" or self.total is None:
            return self.lr
        done = min(1.0, (step - self.warmup) / max(1, self.total - self.warmup))
        return self.lr * (1 - done if self.kind == "linear" else (1 + math.cos(math.pi * done)) / 2)
