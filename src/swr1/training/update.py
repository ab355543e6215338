"""One RL step on a batch of complete groups: advantages, losses, optimizer steps, metrics.

Advantages are taken over the whole batch before anything is split. Whatever the cut into
micro-batches, the gradient is that of the one big batch: every mean divides by global counts.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from swr1.errors import SwrError
from swr1.objectives.advantages import ADVANTAGES, dead_groups, token_rewards
from swr1.objectives.aggregate import Counts, aggregate
from swr1.objectives.importance import LEVELS, effective_share, mask, truncate
from swr1.objectives.kl import ESTIMATORS
from swr1.objectives.losses import LOSSES, ratio
from swr1.objectives.presets import Objective
from swr1.training import engine
from swr1.training.groups import Sample, mean_of
from swr1.training.scorer import Scorer


def rl_step(
    groups: list[list[Sample]],
    goal: Objective,
    scorer: Scorer,
    ref: Scorer | None,
    stepper: engine.Optimizer,
    *,
    lr: float,
    max_grad_norm: float | None,
    minibatch: int,
    epochs: int,
    drop_dead: bool,
    mask_truncated: bool,
    shuffle_rewards: bool,
    importance: str,
    importance_cap: float,
    importance_mask: bool,
    seed: int,
    what: str,
) -> dict[str, Any]:
    """One batch: advantages over all of it, then its optimizer steps. Returns the metrics."""
    generator = torch.Generator().manual_seed(seed)
    dead = _dead(groups)
    row = describe([s for g in groups for s in g], dead)
    if shuffle_rewards:
        everything = [s for g in groups for s in g]
        rewards = [s.reward for s in everything]
        for s, i in zip(everything, torch.randperm(len(rewards), generator=generator), strict=True):
            s.reward = rewards[i]
        dead = _dead(groups)
    used = [g for g, d in zip(groups, dead, strict=True) if not (d and drop_dead)]
    samples = [s for g in used for s in g]
    spans = torch.tensor([0] + [len(g) for g in used]).cumsum(0).tolist()
    if importance != "none":
        row |= _correct(
            [s for s in samples if s.lag], scorer, importance, importance_cap, importance_mask
        )
    reference = ref.logprobs(samples) if ref and samples else None
    advantage = _advantages(samples, used, goal, reference)

    tally = _Tally()
    length = goal.length or max((s.limit or s.tokens for s in samples), default=1)
    for _ in range(epochs):
        order = torch.randperm(len(used), generator=generator).tolist()
        order = list(range(len(used))) if minibatch >= len(used) else order
        for start in range(0, len(used), minibatch):
            chosen = [
                i
                for g in sorted(order[start : start + minibatch])
                for i in range(spans[g], spans[g + 1])
                if len(samples[i].old) and not (mask_truncated and samples[i].truncated)
            ]
            if not chosen:
                continue
            counts = Counts(sum(len(samples[i].old) for i in chosen), len(chosen))
            loss = 0.0
            for cut in scorer.cuts([samples[i] for i in chosen]):
                loss += _backward(
                    [samples[chosen[j]] for j in cut],
                    [advantage[chosen[j]] for j in cut],
                    [reference[chosen[j]] for j in cut] if reference else None,
                    goal,
                    scorer,
                    counts,
                    length,
                    tally,
                )
            norm = stepper.step(lr, max_grad_norm)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise SwrError(
                    f"loss {loss} and gradient norm {norm} at {what}. Likely causes: a learning"
                    " rate too high, log-probabilities of another model, an overflow in the dtype"
                )
            tally.updates.append((loss, norm))
    return row | tally.row(goal)


def _correct(
    stale: list[Sample], scorer: Scorer, level: str, cap: float, leave_out: bool
) -> dict[str, Any]:
    """Give stale samples the log-probabilities of the weights before the update, and their weight.

    Samples of the very policy stay as they are: their ratio is 1 but for rounding. Returns the
    share of the stale samples' tokens whose ratio is above the cap.
    """
    if not any(len(s.recorded) for s in stale):
        return {"importance_capped": 0.0}
    for s, now in zip(stale, scorer.logprobs(stale), strict=True):
        s.old = now
    sizes = torch.tensor([len(s.recorded) for s in stale])
    seq = torch.repeat_interleave(torch.arange(len(stale)), sizes)
    raw = LEVELS[level](
        torch.cat([s.old for s in stale]), torch.cat([s.recorded for s in stale]), seq
    )
    weight = (mask if leave_out else truncate)(raw, cap)
    for s, part in zip(stale, weight.split(sizes.tolist()), strict=True):
        s.weight = part
    return {"importance_capped": mean_of((raw > cap).tolist())}


def _dead(groups: list[list[Sample]]) -> list[bool]:
    """Which groups have no difference in reward."""
    return dead_groups(
        torch.tensor([s.reward for g in groups for s in g], dtype=torch.float64),
        torch.tensor([n for n, g in enumerate(groups) for _ in g]),
    ).tolist()


def _advantages(
    samples: list[Sample],
    groups: list[list[Sample]],
    goal: Objective,
    reference: list[Tensor] | None,
) -> list[Tensor]:
    """One tensor of per-token advantages for each sample, from the whole batch."""
    if not samples:
        return []
    sizes = [len(s.old) for s in samples]
    seq = torch.repeat_interleave(torch.arange(len(samples)), torch.tensor(sizes))
    penalty = None
    if reference and goal.kl_in == "reward":
        old = torch.cat([s.old for s in samples])
        penalty = goal.kl * ESTIMATORS[goal.kl_estimator](old, torch.cat(reference))
    flat = ADVANTAGES[goal.advantage](
        token_rewards(torch.tensor([s.reward for s in samples]), seq, penalty),
        seq,
        torch.tensor([n for n, g in enumerate(groups) for _ in g]),
        gamma=goal.gamma,
    )
    return list(flat.split(sizes))


def _backward(
    samples: list[Sample],
    advantage: list[Tensor],
    reference: list[Tensor] | None,
    goal: Objective,
    scorer: Scorer,
    counts: Counts,
    length: float,
    tally: _Tally,
) -> float:
    """One micro-batch's share of the loss and its gradient; sums what is reported."""
    logp, entropy = scorer(samples, entropy="grad" if goal.entropy else "value")
    assert entropy is not None
    device = logp.device
    sizes = torch.tensor([len(s.old) for s in samples])
    seq = torch.repeat_interleave(torch.arange(len(samples)), sizes).to(device)
    old = torch.cat([s.old for s in samples]).to(device)
    recorded = torch.cat([s.recorded for s in samples]).to(device)
    adv = torch.cat(advantage).to(device)

    weight = None
    if any(s.weight is not None for s in samples):
        parts = [torch.ones(len(s.old)) if s.weight is None else s.weight for s in samples]
        weight = torch.cat(parts).to(device)

    def mean(x: Tensor, weighted: bool = True) -> Tensor:
        if weighted and weight is not None:
            x = x * weight
        return aggregate(x, seq, goal.aggregation, counts, length)

    options = {f: getattr(goal, f) for f in ("clip_low", "clip_high", "dual_clip")}
    loss = mean(LOSSES[goal.loss](logp, old, adv, **options))
    kl = None
    if reference:
        kl = ESTIMATORS[goal.kl_estimator](logp, torch.cat(reference).to(device))
        if goal.kl_in == "loss":
            loss = loss + goal.kl * mean(kl)
    if goal.entropy:
        loss = loss - goal.entropy * mean(entropy, weighted=False)
    loss.backward()
    with torch.no_grad():
        tally.add(ratio(logp, recorded), ratio(logp, old), adv, entropy, kl, goal)
    return float(loss.detach())


class _Tally:
    """Sums over the micro-batches of one step, for its metrics row."""

    def __init__(self) -> None:
        self.updates: list[tuple[float, float]] = []
        self.tokens = 0
        self.sums: Counter[str] = Counter()
        self.raw: list[Tensor] = []
        self.low, self.high = math.inf, -math.inf

    def add(
        self,
        r: Tensor,
        moved: Tensor,
        adv: Tensor,
        entropy: Tensor,
        kl: Tensor | None,
        goal: Objective,
    ) -> None:
        """`r` is the raw ratio to the policy that sampled, `moved` the one that PPO clips."""
        self.tokens += r.numel()
        self.raw.append(r.cpu())
        up, down = moved > 1 + goal.clip_high, moved < 1 - goal.clip_low
        clipped = (up & (adv > 0)) | (down & (adv < 0))
        for name, x in (
            ("ratio", r),
            ("clipped", clipped),
            ("entropy", entropy),
            # KL(behaviour || policy) by k3: how far the policy is from the one that sampled.
            ("kl_behaviour", r - 1 - r.log()),
            ("kl", kl),
        ):
            if x is not None:
                self.sums[name] += float(x.double().sum())  # type: ignore[assignment]
        self.low = min(self.low, float(r.min()))
        self.high = max(self.high, float(r.max()))

    def row(self, goal: Objective) -> dict[str, Any]:
        def mean(name: str) -> float | None:
            return self.sums[name] / self.tokens if self.tokens and name in self.sums else None

        return {
            "loss": mean_of(loss for loss, _ in self.updates),
            "grad_norm": mean_of(norm for _, norm in self.updates),
            "kl": mean("kl"),
            "kl_behaviour": mean("kl_behaviour"),
            "entropy": mean("entropy"),
            "ratio_min": self.low if self.tokens else None,
            "ratio_mean": mean("ratio"),
            "ratio_max": self.high if self.tokens else None,
            "ess": effective_share(torch.cat(self.raw)) if self.tokens else None,
            "clip_share": mean("clipped"),
            "updates": len(self.updates),
        }


def describe(samples: list[Sample], dead: list[bool]) -> dict[str, Any]:
    """What the batch says about the policy that sampled it."""
    rewards = torch.tensor([s.reward for s in samples], dtype=torch.float64)
    parts = sorted({name for s in samples for name in s.parts})
    scores = sorted({name for s in samples for name in s.scores})
    right = {v: mean_of(s.scores[v] == 1 for s in samples if v in s.scores) for v in scores}
    answers = [v for v in scores if v != "format"]
    return {
        "reward_mean": float(rewards.mean()),
        "reward_std": float(rewards.std()) if len(rewards) > 1 else 0.0,
        "reward_parts": {p: mean_of(s.parts[p] for s in samples if p in s.parts) for p in parts},
        "verdicts": right,
        "accuracy": right["knights"]
        if "knights" in right
        else right[answers[0]]
        if answers
        else None,
        "format_rate": right.get("format"),
        "length_mean": mean_of(s.tokens for s in samples),
        "truncated": mean_of(s.truncated for s in samples),
        "dead_groups": mean_of(dead),
        "samples": len(samples),
        "tokens": sum(s.tokens for s in samples),
    }
