"""A model that scores completions: log-probabilities of many samples, micro-batch by micro-batch.

The policy, the reference of a KL term and the weights before an update are all scored this way.
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from swr1.errors import DataError, UsageError
from swr1.training import engine
from swr1.training.engine import Example
from swr1.training.groups import Sample
from swr1.training.parallel import ProcessGroup, call
from swr1.vision import Vision


def trained_cuts(
    samples: list[Sample], cuts: Callable[[list[Example]], list[list[int]]]
) -> list[list[int]]:
    """Micro-batches, by `cuts`, of the samples that have something to train on."""
    trained = [i for i, s in enumerate(samples) if len(s.old)]
    return [[trained[j] for j in cut] for cut in cuts([samples[i].example for i in trained])]


def by_sample(
    samples: list[Sample],
    cuts: list[list[int]],
    score: Callable[[list[Sample]], Tensor],
    ranks: ProcessGroup,
) -> list[Tensor]:
    """`score` of the trained tokens, split by sample, on the CPU; every rank computes a part and
    has them all."""
    out: dict[int, Tensor] = {}
    for cut, counts in ranks.share(cuts):
        some = [samples[i] for i in cut]
        parts = score(some).cpu().split([len(s.old) for s in some])
        if counts:
            out |= dict(zip(cut, parts, strict=True))
    merged = ranks.merge(out)
    return [merged.get(i, torch.empty(0)) for i in range(len(samples))]


class Scorer:
    """A model that gives log-probabilities in micro-batches; a reference has its adapters off."""

    def __init__(
        self,
        model: Any,
        micro_tokens: int,
        dtype: torch.dtype,
        adapters: Any = None,
        ranks: ProcessGroup | None = None,
    ) -> None:
        self.model, self.micro_tokens, self.dtype = model, micro_tokens, dtype
        self.adapters, self.ranks = adapters, ranks or ProcessGroup()
        self.score = call(model, engine.token_logprobs)

    def cuts(self, samples: list[Sample]) -> list[list[int]]:
        return trained_cuts(samples, lambda some: engine.cuts(self.model, some, self.micro_tokens))

    def __call__(
        self, samples: list[Sample], entropy: str | None = None
    ) -> tuple[Tensor, Tensor | None]:
        temperature = torch.cat([torch.full((len(s.old),), s.temperature) for s in samples])
        return self.score(
            [s.example for s in samples],
            temperature,
            entropy=entropy,
            autocast=self.dtype,
        )

    @torch.no_grad()
    def logprobs(self, samples: list[Sample]) -> list[Tensor]:
        """[N] of each sample, on the CPU."""
        with self.adapters.disable_adapter() if self.adapters is not None else nullcontext():
            return by_sample(samples, self.cuts(samples), lambda some: self(some)[0], self.ranks)


class Offloaded(Scorer):
    """A frozen reference kept on the CPU in bfloat16: half the memory, and GPU memory only while it
    scores a batch. Its log-probabilities are those of rounded weights."""

    def __init__(
        self,
        folder: str | Path,
        device: torch.device,
        micro_tokens: int,
        ranks: ProcessGroup | None = None,
        vision: Vision | None = None,
    ) -> None:
        """Raises UsageError with sharded weights."""
        if ranks and ranks.sharded:
            raise UsageError("a reference of sharded weights is not offloaded: use --parallel ddp")
        model = engine.load_model(folder, torch.device("cpu"), torch.bfloat16, vision=vision)
        super().__init__(model, micro_tokens, torch.bfloat16, ranks=ranks)
        self.device = device

    def logprobs(self, samples: list[Sample]) -> list[Tensor]:
        self.model.to(self.device)
        try:
            return super().logprobs(samples)
        finally:
            self.model.to("cpu")


class Recorded(Scorer):
    """A reference that was scored before: its log-probabilities are in the records."""

    def __init__(self) -> None: ...  # it has no model

    def logprobs(self, samples: list[Sample]) -> list[Tensor]:
        """Raises DataError for a sample without them."""
        out = []
        for s in samples:
            if s.ref is None:
                raise DataError(
                    f"record {s.id!r}, sample {s.sample}: no `generation.ref_logprobs`, which"
                    " --reference records takes the KL from",
                    s.location,
                )
            out.append(s.ref)
        return out
