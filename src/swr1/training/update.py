"""One RL step on a batch of complete groups: advantages, losses, optimizer steps, metrics.

Advantages (batch_statistics.py) are taken over the whole batch before anything is split. Whatever the cut into
micro-batches, the gradient is that of the one big batch: every mean divides by global counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swr1.errors import SwrError
from swr1.objectives.aggregate import Counts, aggregate
from swr1.objectives.importance import LEVELS, effective_share, mask, normalise, truncate
from swr1.objectives.kl import ESTIMATORS, off_policy
from swr1.objectives.lagrange import Multiplier
from swr1.objectives.losses import LOSSES, ratio, sequence_ratio
from swr1.objectives.preserving import actions, likelihood_drop
from swr1.objectives.presets import Objective, options_for
from swr1.training.batch_statistics import (
    advantages,
    describe,
    step_metrics,
    zero_variance,
)
from swr1.training.config import RLConfig
from swr1.training.critic import Critic
from swr1.training.groups import Sample, mean_of
from swr1.training.optimizer import Optimizer
from swr1.training.parallel import ProcessGroup
from swr1.training.reward_parts import part_of
from swr1.training.scorer import Scorer


class BadStep(SwrError):
    """An update whose loss or gradient is not finite; the weights are as they were before it."""


@dataclass(kw_only=True)
class Learner:
    """The models of a step: the policy with its optimizer, and all others that the objective needs.

    Attributes:
        reference: scores of the KL term, if it has one. multiplier: the state of a Lagrangian
            objective. critic: of an objective whose advantages need values ("gae").
    """

    scorer: Scorer
    optimizer: Optimizer
    reference: Scorer | None = None
    multiplier: Multiplier | None = None
    critic: Critic | None = None


class _Batch(NamedTuple):
    """The samples of a batch and the values computed from all of them, one entry each.

    `spans`: where each group begins, and the end. Without a critic `values` is None.
    """

    samples: list[Sample]
    spans: list[int]
    advantages: list[Tensor]
    reference: list[Tensor] | None
    values: list[Tensor] | None
    returns: list[Tensor]

    def trained(self, groups: list[int], mask_truncated: bool) -> list[int]:
        """The samples of these groups that have a loss."""
        indices = [i for g in sorted(groups) for i in range(self.spans[g], self.spans[g + 1])]
        some = [(i, self.samples[i]) for i in indices]
        return [i for i, s in some if len(s.old) and not (mask_truncated and s.truncated)]


def rl_step(
    groups: list[list[Sample]], config: RLConfig, learner: Learner, *, lr: float, seed: int
) -> dict[str, Any]:
    """One batch: advantages over all of it, then its optimizer steps. Returns the metrics.

    The multiplier of a Lagrangian objective first moves by the batch's mean cost; a critic learns
    after each update. Raises BadStep for an update that is not finite, unless those are skipped.
    """
    objective, scorer = config.resolved_objective, learner.scorer
    generator = torch.Generator().manual_seed(seed)
    everything = [s for g in groups for s in g]
    metrics = describe(everything, zero_variance(groups, "reward"))
    if objective.process:
        metrics |= step_metrics(everything)
    if config.shuffle_rewards:
        _shuffle_rewards(everything, generator)
    if objective.cost:
        metrics |= _price(everything, objective, learner.multiplier)
    used = groups
    if by := config.filter_on:
        used = [g for g, same in zip(groups, zero_variance(groups, by), strict=True) if not same]
    metrics["groups_left_out"] = len(groups) - len(used)
    samples = [s for g in used for s in g]
    if config.importance != "none":
        metrics |= _correct([s for s in samples if s.lag], scorer, config)
    reference = learner.reference.logprobs(samples) if learner.reference and samples else None
    values = learner.critic.values(samples) if learner.critic else None
    price = metrics.get("lambda", 0.0)
    advantage, returns = advantages(samples, used, objective, reference, values, price)
    spans = torch.tensor([0] + [len(g) for g in used]).cumsum(0).tolist()
    batch = _Batch(samples, spans, advantage, reference, values, returns)

    tally = _Tally(reference is not None, objective.llds > 0)
    for _ in range(int(config.epochs)):
        for chosen in _minibatches(len(used), config.minibatch or config.batch, generator):
            if trained := batch.trained(chosen, config.mask_truncated):
                _update(batch, trained, config, learner, lr, tally)
    if values:
        metrics |= {"value_loss": mean_of(tally.value_losses), **_explained(values, returns)}
    return metrics | tally.metrics(scorer.ranks) | {"skipped_updates": tally.skipped}


def _shuffle_rewards(samples: list[Sample], generator: torch.Generator) -> None:
    given = [(s.reward, s.parts, s.scores) for s in samples]
    for s, i in zip(samples, torch.randperm(len(given), generator=generator), strict=True):
        s.reward, s.parts, s.scores = given[i]


def _price(
    samples: list[Sample], objective: Objective, multiplier: Multiplier | None
) -> dict[str, Any]:
    """The mean of what the multiplier watches, and the multiplier after it has moved by that."""
    costs = part_of(samples, objective.watch or objective.cost or "")
    mean = mean_of(costs[~costs.isnan()].tolist())
    if multiplier is not None and mean is not None:
        multiplier.update(mean)
    return {
        "cost_mean": mean,
        "lambda": multiplier.value if multiplier else objective.lambda_init,
    }


def _minibatches(groups: int, size: int, generator: torch.Generator) -> Iterator[list[int]]:
    """Group numbers of each optimizer step of one pass, in random order; one full batch keeps its
    order."""
    order = torch.randperm(groups, generator=generator).tolist()
    order = list(range(groups)) if size >= groups else order
    for start in range(0, groups, size):
        yield order[start : start + size]


def _update(
    batch: _Batch,
    chosen: list[int],
    config: RLConfig,
    learner: Learner,
    lr: float,
    tally: _Tally,
) -> None:
    """One optimizer step on the chosen samples; raises BadStep."""
    objective, scorer = config.resolved_objective, learner.scorer
    samples = [batch.samples[i] for i in chosen]
    advantage = [batch.advantages[i] for i in chosen]
    reference = [batch.reference[i] for i in chosen] if batch.reference else None
    counts = Counts(sum(len(s.old) for s in samples), len(samples))
    length = objective.length or max((s.limit or s.tokens for s in batch.samples), default=1)
    loss = 0.0
    for cut, counted in scorer.ranks.share(scorer.cuts(samples)):
        loss += _backward(
            [samples[j] for j in cut],
            [advantage[j] for j in cut],
            [reference[j] for j in cut] if reference else None,
            objective,
            scorer,
            counts,
            length,
            tally if counted else None,
        )
    (loss,) = scorer.ranks.total([loss])
    optimizer = learner.optimizer
    norm = optimizer.step(lr, config.max_grad_norm) if math.isfinite(loss) else optimizer.forget()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        if config.on_nan != "skip":
            raise BadStep(
                f"loss {loss} and gradient norm {norm}. Likely causes: a learning rate too"
                " high, log-probabilities of another model, an overflow in the dtype"
            )
        tally.skipped += 1
        return
    tally.updates.append((loss, norm))
    if learner.critic and batch.values:
        tally.value_losses.append(
            learner.critic.learn(
                samples,
                [batch.values[i] for i in chosen],
                [batch.returns[i] for i in chosen],
                objective.value_clip,
                config.max_grad_norm,
            )
        )


def _explained(values: list[Tensor], returns: list[Tensor]) -> dict[str, float | None]:
    """Explained variance of the returns by the values before the step: 1 is perfect, 0 is none."""
    value, target = torch.cat(values).double(), torch.cat(returns).double()
    known = len(target) > 1 and bool(target.var() > 0)
    return {
        "value_mean": mean_of(value.tolist()),
        "value_explained": float(1 - (target - value).var() / target.var()) if known else None,
    }


def _correct(stale: list[Sample], scorer: Scorer, config: RLConfig) -> dict[str, Any]:
    """Give stale samples the log-probabilities of the weights before the update, and their weight.

    Fresh samples stay as they are: their ratio is 1 up to rounding. Returns the
    share of the stale samples' tokens whose ratio is above the cap.
    """
    level, cap = config.importance, config.importance_cap
    if not any(len(s.recorded) for s in stale):
        return {"importance_capped": 0.0}
    for s, now in zip(stale, scorer.logprobs(stale), strict=True):
        s.old = now
    sizes = torch.tensor([len(s.recorded) for s in stale])
    seq = torch.repeat_interleave(torch.arange(len(stale)), sizes)
    raw = LEVELS[level](
        torch.cat([s.old for s in stale]), torch.cat([s.recorded for s in stale]), seq
    )
    weight = (mask if config.importance_mask else truncate)(raw, cap, config.importance_floor)
    if config.importance_normalise:
        weight = normalise(weight, seq, level)
    for s, part in zip(stale, weight.split(sizes.tolist()), strict=True):
        s.weight = part
    return {"importance_capped": mean_of((raw > cap).tolist())}


def _backward(
    samples: list[Sample],
    advantage: list[Tensor],
    reference: list[Tensor] | None,
    objective: Objective,
    scorer: Scorer,
    counts: Counts,
    length: float,
    tally: _Tally | None,
) -> float:
    """One micro-batch's share of the loss and its gradient; sums what is reported.

    Without a `tally` the micro-batch does not count (another rank has it): its gradient is 0.
    """
    logp, entropy = scorer(samples, entropy="grad" if objective.entropy else "value")
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
        return aggregate(x, seq, objective.aggregation, counts, length)

    function = LOSSES[objective.loss]
    loss = mean(function(logp, old, adv, seq, **options_for(function, objective)))
    kl = None
    if reference:
        ref = torch.cat(reference).to(device)
        kl = ESTIMATORS[objective.kl_estimator](logp, ref)
        if objective.kl_in == "loss" and objective.kl_ratio:
            kl = off_policy(objective.kl_estimator, logp, ref, old)
        if objective.kl_in == "loss":
            loss = loss + objective.kl * mean(kl)
    if objective.entropy:
        loss = loss - objective.entropy * mean(entropy, weighted=False)
    drop = None
    if objective.llds:
        unit = seq
        if objective.llds_gate == "action":
            unit = actions(torch.cat([s.example.targets for s in samples]).to(device), seq)
        drop = likelihood_drop(logp, recorded, adv, unit)
        loss = loss + objective.llds * mean(drop, weighted=False)
    if tally is None:
        (loss * 0).backward()
        return 0.0
    loss.backward()
    with torch.no_grad():
        moved = sequence_ratio(logp, old, seq) if objective.loss == "gspo" else ratio(logp, old)
        tally.add(ratio(logp, recorded), moved, adv, entropy, kl, drop, objective)
    return float(loss.detach())


def _wide(x: Tensor) -> Tensor:
    """`x` in float64, which MPS does not have."""
    return (x.cpu() if x.device.type == "mps" else x).double()


class _Tally:
    """Sums over the micro-batches of one step, for its metrics."""

    def __init__(self, with_kl: bool, with_drop: bool) -> None:
        self.with_kl, self.with_drop = with_kl, with_drop
        self.updates: list[tuple[float, float]] = []
        self.value_losses: list[float] = []
        self.skipped = 0
        self.sums: Counter[str] = Counter()
        self.low, self.high = math.inf, -math.inf

    def add(
        self,
        r: Tensor,
        moved: Tensor,
        adv: Tensor,
        entropy: Tensor,
        kl: Tensor | None,
        drop: Tensor | None,
        objective: Objective,
    ) -> None:
        """`r` is the raw ratio to the policy that sampled, `moved` the one that is clipped."""
        self.sums["tokens"] += r.numel()
        up, down = moved > 1 + objective.clip_high, moved < 1 - objective.clip_low
        clipped = (up & (adv > 0)) | (down & (adv < 0))
        for name, x in (
            ("ratio", r),
            ("ratio squared", _wide(r) ** 2),
            ("clipped", clipped),
            ("entropy", entropy),
            # KL(behaviour || policy) by k3: how far the policy is from the one that sampled.
            ("kl_behaviour", r - 1 - r.log()),
            ("kl", kl),
            ("drop", drop),
            ("dropped", None if drop is None else drop > 0),
        ):
            if x is not None:
                self.sums[name] += float(_wide(x).sum())  # type: ignore[assignment]
        self.low = min(self.low, float(r.min()))
        self.high = max(self.high, float(r.max()))

    def metrics(self, ranks: ProcessGroup) -> dict[str, Any]:
        """The metrics over all ranks."""
        names = ["tokens", "ratio", "ratio squared", "clipped", "entropy", "kl_behaviour", "kl"]
        names += ["drop", "dropped"]
        sums = dict(zip(names, ranks.total([self.sums[n] for n in names]), strict=True))
        minus_low, high = ranks.total([-self.low, self.high], "max")
        tokens = sums["tokens"]

        def mean(name: str) -> float | None:
            return sums[name] / tokens if tokens else None

        square = sums["ratio squared"]
        return {
            "loss": mean_of(loss for loss, _ in self.updates),
            "grad_norm": mean_of(norm for _, norm in self.updates),
            "kl": mean("kl") if self.with_kl else None,
            "kl_behaviour": mean("kl_behaviour"),
            "entropy": mean("entropy"),
            "ratio_min": -minus_low if tokens else None,
            "ratio_mean": mean("ratio"),
            "ratio_max": high if tokens else None,
            "ess": effective_share(tokens, sums["ratio"], square) if tokens else None,
            "clip_share": mean("clipped"),
            **({"llds": mean("drop"), "llds_share": mean("dropped")} if self.with_drop else {}),
            "updates": len(self.updates),
        }
