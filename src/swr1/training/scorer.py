"""A model that scores completions: log-probabilities of many samples, micro-batch by micro-batch.

The policy, the reference of a KL term and the weights before an update are all asked this way.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from swr1.training import engine
from swr1.training.groups import Sample


class Scorer:
    """A model that gives log-probabilities in micro-batches; a reference has its adapters off."""

    def __init__(
        self, model: Any, micro_tokens: int, dtype: torch.dtype, adapters: Any = None
    ) -> None:
        self.model, self.micro_tokens, self.dtype = model, micro_tokens, dtype
        self.adapters = adapters

    def cuts(self, samples: list[Sample]) -> list[list[int]]:
        """Micro-batches of the samples that have something to train on."""
        there = [i for i, s in enumerate(samples) if len(s.old)]
        lengths = [len(samples[i].example.ids) for i in there]
        return [[there[j] for j in cut] for cut in engine.micro_batches(lengths, self.micro_tokens)]

    def __call__(
        self, samples: list[Sample], entropy: str | None = None
    ) -> tuple[Tensor, Tensor | None]:
        temperature = torch.cat([torch.full((len(s.old),), s.temperature) for s in samples])
        return engine.token_logprobs(
            self.model,
            [s.example for s in samples],
            temperature,
            entropy=entropy,
            autocast=self.dtype,
        )

    @torch.no_grad()
    def logprobs(self, samples: list[Sample]) -> list[Tensor]:
        """Per sample, on the CPU."""
        out = [torch.empty(0)] * len(samples)
        for cut in self.cuts(samples):
            some = [samples[i] for i in cut]
            if self.adapters is not None:
                with self.adapters.disable_adapter():
                    logp, _ = self(some)
            else:
                logp, _ = self(some)
            for i, part in zip(cut, logp.cpu().split([len(s.old) for s in some]), strict=True):
                out[i] = part
        return out
