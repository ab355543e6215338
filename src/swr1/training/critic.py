"""PPO's critic: a second model that estimates, before every token, the reward still to come.

It starts as the policy with a new head of zeros (so its first values are 0, and the first advantages
plain returns), has an optimizer of its own, and learns from the returns of the same batch. It is
transformers' token classifier with one label; the trainer's state holds it, versions do not.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from swr1.models import load_state
from swr1.objectives.aggregate import Counts, aggregate
from swr1.objectives.critic import value_loss
from swr1.training import engine
from swr1.training.groups import Sample
from swr1.training.heads import Item, forward, open_model, open_tokenizer
from swr1.training.optimizer import Optimizer
from swr1.training.parallel import ProcessGroup
from swr1.training.scorer import by_sample, trained_cuts

FILE = "critic.pt"


class Critic:
    """A value model and its optimizer."""

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        *,
        lr: float,
        micro_tokens: int,
        dtype: torch.dtype,
        ranks: ProcessGroup | None = None,
    ) -> None:
        """Args: folder: the policy it starts from. lr: of its AdamW, constant."""
        self.lr, self.micro_tokens, self.dtype = lr, micro_tokens, dtype
        self.ranks = ranks or ProcessGroup()
        self.model: Any = open_model(
            folder, ["value"], open_tokenizer(folder), device, tokens=True, new_head=True
        )
        trunk = set(map(id, self.model.base_model.parameters()))
        with torch.no_grad():
            for p in self.model.parameters():
                if id(p) not in trunk:
                    p.zero_()
        self.optimizer = Optimizer(self.model.named_parameters(), lr=lr, ranks=ranks)

    def cuts(self, samples: list[Sample]) -> list[list[int]]:
        return trained_cuts(
            samples,
            lambda some: engine.micro_batches([len(e.ids) for e in some], self.micro_tokens),
        )

    def __call__(self, samples: list[Sample]) -> Tensor:
        """The value before each trained token [N], float32, samples one after another."""
        items = [
            Item(s.id, [s.example.ids], s.example.targets, s.example.targets - 1) for s in samples
        ]
        return forward(self.model, items, self.dtype).squeeze(-1)

    @torch.no_grad()
    def values(self, samples: list[Sample]) -> list[Tensor]:
        """[N] of each sample, on the CPU."""
        return by_sample(samples, self.cuts(samples), self, self.ranks)

    def learn(
        self,
        samples: list[Sample],
        old: list[Tensor],
        returns: list[Tensor],
        value_clip: float | None,
        max_grad_norm: float | None,
    ) -> float:
        """One step towards `returns` [N each], from the values `old` before the batch; the loss.

        Token-mean over all micro-batches and ranks. A step that is not finite is not taken.
        """
        counts = Counts(sum(len(s.old) for s in samples), len(samples))
        total = 0.0
        for cut, _ in self.ranks.share(self.cuts(samples)):
            value = self([samples[i] for i in cut])
            was, target = (torch.cat([x[i] for i in cut]).to(value) for x in (old, returns))
            sizes = torch.tensor([len(old[i]) for i in cut])
            seq = torch.repeat_interleave(torch.arange(len(cut)), sizes).to(value.device)
            loss = value_loss(value, target, was, value_clip=value_clip)
            share = aggregate(loss, seq, "token-mean", counts)
            share.backward()
            total += float(share.detach())
        (total,) = self.ranks.total([total])
        self.optimizer.step(self.lr, max_grad_norm)
        return total

    def save(self, folder: Path) -> None:
        """Weights and optimizer, into the folder of a trainer's state."""
        weights = self.model.state_dict()
        torch.save({"weights": weights, "optimizer": self.optimizer.state_dict()}, folder / FILE)

    def restore(self, folder: Path) -> None:
        """What `save` left there; a folder without it changes nothing."""
        if (folder / FILE).exists():
            state = load_state(folder / FILE, self.model.device)
            self.model.load_state_dict(state["weights"])
            self.optimizer.load_state_dict(state["optimizer"])
