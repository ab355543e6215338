"""One RL step without an optimizer: its loss, gradient and metrics for records made at random."""

from __future__ import annotations

import random
from typing import Any

import torch
from tiny_runs import rl_config

from swr1.training.groups import read_sample
from swr1.training.parallel import ProcessGroup
from swr1.training.scorer import Scorer
from swr1.training.update import Learner, rl_step

VOCAB = 20
LIMIT = 8


class Bigrams(torch.nn.Module):
    """The smallest policy, in float64: the next token depends on the one before. Its own scorer."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        table = torch.randn(VOCAB, VOCAB, generator=generator, dtype=torch.float64)
        self.table = torch.nn.Parameter(table)
        self.ranks = ProcessGroup()

    def cuts(self, samples):
        return [[i for i, s in enumerate(samples) if len(s.old)]]

    def forward(self, samples, entropy=None):
        before = torch.cat([s.example.ids[s.example.targets - 1] for s in samples])
        token = torch.cat([s.example.ids[s.example.targets] for s in samples])
        temperature = torch.cat([torch.full((len(s.old), 1), s.temperature) for s in samples])
        logp = (self.table[before] / temperature).log_softmax(-1)
        return logp.gather(1, token[:, None])[:, 0], -(logp.exp() * logp).sum(-1)

    @torch.no_grad()
    def logprobs(self, samples):
        return list(self(samples)[0].split([len(s.old) for s in samples]))


class Gradient:
    """In an optimizer's place: keeps the gradient and takes no step."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.gradients: list[torch.Tensor] = []

    def step(self, lr: float, max_grad_norm: float | None) -> float:
        flat = [
            (torch.zeros_like(p) if p.grad is None else p.grad).flatten()
            for p in self.model.parameters()
        ]
        self.gradients.append(torch.cat(flat).clone())
        self.model.zero_grad(set_to_none=True)
        return float(self.gradients[-1].norm())


def measure(
    model: Any, groups: list[list[dict]], objective: str, micro: int = 100_000, **options: Any
) -> tuple[dict[str, Any], torch.Tensor | None]:
    """The metrics of a step on these records, and the gradient of its (last) update.

    `model` and `ref` are models, or scorers of their own kind.
    """

    def scorer(of: Any) -> Any:
        return of if of is None or hasattr(of, "cuts") else Scorer(of, micro, torch.float32)

    ref = options.pop("ref", None)
    lr, seed = options.pop("lr", 1.0), options.pop("seed", 0)
    lag = options.pop("lag", 0)
    state = {k: options.pop(k) for k in ("multiplier", "critic") if k in options}
    fields = {"max_grad_norm": None, "minibatch": max(len(groups), 1), "importance": "none"}
    config = rl_config(objective, **fields | options)
    optimizer: Any = Gradient(model)
    learner = Learner(scorer=scorer(model), reference=scorer(ref), optimizer=optimizer, **state)
    samples = [[read_sample(r, VOCAB) for r in g] for g in groups]
    for sample in (s for g in samples for s in g):
        sample.lag = lag
    metrics = rl_step(samples, config, learner, lr=lr, seed=seed)
    return metrics, optimizer.gradients[-1] if optimizer.gradients else None


def random_groups(seed: int, groups: int = 3, largest: int = 4) -> list[list[dict]]:
    """Groups of 1 to `largest`, completions of 0 to LIMIT tokens, some masked within or wholly,
    recorded by a policy that is not the model, with parts and rewards that often agree."""
    rng = random.Random(seed)
    out = []
    for g in range(groups):
        prompt = [rng.randrange(VOCAB) for _ in range(rng.randint(1, 5))]
        size = rng.randint(1, largest)
        same = rng.random() < 0.25
        group = []
        for k in range(size):
            n = rng.choice([0, 1, 2, 3, 5, LIMIT])
            kind = rng.random()
            mask = [0 if kind < 0.15 else int(kind > 0.6 or rng.random() < 0.7) for _ in range(n)]
            right = 1.0 if same else float(rng.random() < 0.5)
            wordy = rng.choice([0.0, 0.5, 2.0])
            group.append(
                record(
                    f"p{g}",
                    k,
                    size,
                    prompt,
                    [rng.randrange(VOCAB) for _ in range(n)],
                    [-rng.uniform(2, 4) for _ in range(n)],
                    mask,
                    {"right": right, "wordy": wordy},
                    reward=right if same else right - wordy / 4,
                )
            )
        out.append(group)
    return out


def record(
    id_: str,
    sample: int,
    size: int,
    prompt: list[int],
    tokens: list[int],
    logprobs: list[float],
    mask: list[int],
    parts: dict[str, float | None],
    reward: float,
) -> dict:
    return {
        "id": id_,
        "sample": sample,
        "generation": {
            "epoch": 0,
            "group": size,
            "policy": {"name": "p", "version": 0},
            "sampling": {"temperature": 0.9, "max_tokens": LIMIT},
            "prompt_ids": prompt,
            "token_ids": tokens,
            "logprobs": logprobs,
            "loss_mask": mask,
            "finish_reason": "length" if len(tokens) == LIMIT else "stop",
        },
        "verdicts": {"right": {"score": parts.get("right")}},
        "reward": reward,
        "reward_parts": {k: {"value": v, "weight": 1.0} for k, v in parts.items()},
    }
