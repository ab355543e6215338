"""One RL step on a batch of complete groups: advantages, losses, optimizer steps, metrics.

Advantages (judging.py) are taken over the whole batch before anything is split. Whatever the cut into
micro-batches, the gradient is that of the one big batch: every mean divides by global counts.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from swr1.errors import SwrError
from swr1.objectives.aggregate import Counts, aggregate
from swr1.objectives.importance import LEVELS, effective_share, mask, normalise, truncate
from swr1.objectives.kl import ESTIMATORS, off_policy
from swr1.objectives.lagrange import Multiplier
from swr1.objectives.losses import LOSSES, ratio, sequence_ratio
from swr1.objectives.presets import Objective, options_for
from swr1.training import engine
from swr1.training.critic import Critic
from swr1.training.groups import Sample, mean_of
from swr1.training.judging import advantages, agreeing, describe
from swr1.training.parallel import Team
from swr1.training.parts import part_of
from swr1.training.scorer import Scorer


class BadStep(SwrError):
    """An update whose loss or gradient is not finite; the weights are as they were before it."""


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
    importance_floor: float = 0.0,
    importance_normalise: bool = False,
    multiplier: Multiplier | None = None,
    critic: Critic | None = None,
    skip_bad: bool = False,
) -> dict[str, Any]:
    """One batch: advantages over all of it, then its optimizer steps. Returns the metrics.

    With `multiplier`, the state of a Lagrangian objective, it first moves by the batch's mean cost.
    With `critic`, of an objective with the advantage "gae", it learns after each update.
    """
    generator = torch.Generator().manual_seed(seed)
    everything = [s for g in groups for s in g]
    row = describe(everything, agreeing(groups, "reward"))
    if shuffle_rewards:
        judged = [(s.reward, s.parts, s.scores) for s in everything]
        for s, i in zip(everything, torch.randperm(len(judged), generator=generator), strict=True):
            s.reward, s.parts, s.scores = judged[i]
    by = goal.filter_on or ("reward" if drop_dead else None)
    if goal.cost:
        costs = part_of(everything, goal.cost)
        row["cost_mean"] = mean_of(costs[~costs.isnan()].tolist())
        if multiplier is not None and row["cost_mean"] is not None:
            multiplier.update(row["cost_mean"])
        row["lambda"] = multiplier.value if multiplier else goal.lambda_init
    used = groups
    if by:
        used = [g for g, same in zip(groups, agreeing(groups, by), strict=True) if not same]
    row["groups_left_out"] = len(groups) - len(used)
    samples = [s for g in used for s in g]
    spans = torch.tensor([0] + [len(g) for g in used]).cumsum(0).tolist()
    if importance != "none":
        bounds = importance_floor, importance_cap
        stale = [s for s in samples if s.lag]
        row |= _correct(stale, scorer, importance, bounds, importance_mask, importance_normalise)
    reference = ref.logprobs(samples) if ref and samples else None
    values = critic.values(samples) if critic else None
    advantage, returns = advantages(samples, used, goal, reference, values, row.get("lambda", 0.0))
    value_losses = []

    tally = _Tally(reference is not None)
    skipped = 0
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
            for cut, part in scorer.team.share(scorer.cuts([samples[i] for i in chosen])):
                loss += _backward(
                    [samples[chosen[j]] for j in cut],
                    [advantage[chosen[j]] for j in cut],
                    [reference[chosen[j]] for j in cut] if reference else None,
                    goal,
                    scorer,
                    counts,
                    length,
                    tally if part else None,
                )
            (loss,) = scorer.team.total([loss])
            norm = stepper.step(lr, max_grad_norm) if math.isfinite(loss) else stepper.forget()
            if not (math.isfinite(loss) and math.isfinite(norm)):
                if not skip_bad:
                    raise BadStep(
                        f"loss {loss} and gradient norm {norm}. Likely causes: a learning rate too"
                        " high, log-probabilities of another model, an overflow in the dtype"
                    )
                skipped += 1
                continue
            tally.updates.append((loss, norm))
            if critic and values:
                value_losses.append(
                    critic.learn(
                        [samples[i] for i in chosen],
                        [values[i] for i in chosen],
                        [returns[i] for i in chosen],
                        goal.value_clip,
                        max_grad_norm,
                    )
                )
    if values:
        row |= {"value_loss": mean_of(value_losses), **_explained(values, returns)}
    return row | tally.row(scorer.team) | {"skipped_updates": skipped}


def _explained(values: list[Tensor], returns: list[Tensor]) -> dict[str, float | None]:
    """What the values were worth before the step: 1 if they are the returns, 0 if they say nothing."""
    value, wanted = torch.cat(values).double(), torch.cat(returns).double()
    known = len(wanted) > 1 and bool(wanted.var() > 0)
    return {
        "value_mean": mean_of(value.tolist()),
        "value_explained": float(1 - (wanted - value).var() / wanted.var()) if known else None,
    }


def _correct(
    stale: list[Sample],
    scorer: Scorer,
    level: str,
    bounds: tuple[float, float],
    leave_out: bool,
    by_mean: bool,
) -> dict[str, Any]:
    """Give stale samples the log-probabilities of the weights before the update, and their weight.

    Samples of the very policy stay as they are: their ratio is 1 but for rounding. Returns the
    share of the stale samples' tokens whose ratio is above the cap.
    """
    floor, cap = bounds
    if not any(len(s.recorded) for s in stale):
        return {"importance_capped": 0.0}
    for s, now in zip(stale, scorer.logprobs(stale), strict=True):
        s.old = now
    sizes = torch.tensor([len(s.recorded) for s in stale])
    seq = torch.repeat_interleave(torch.arange(len(stale)), sizes)
    raw = LEVELS[level](
        torch.cat([s.old for s in stale]), torch.cat([s.recorded for s in stale]), seq
    )
    weight = (mask if leave_out else truncate)(raw, cap, floor)
    if by_mean:
        weight = normalise(weight, seq, level)
    for s, part in zip(stale, weight.split(sizes.tolist()), strict=True):
        s.weight = part
    return {"importance_capped": mean_of((raw > cap).tolist())}


def _backward(
    samples: list[Sample],
    advantage: list[Tensor],
    reference: list[Tensor] | None,
    goal: Objective,
    scorer: Scorer,
    counts: Counts,
    length: float,
    tally: _Tally | None,
) -> float:
    """One micro-batch's share of the loss and its gradient; sums what is reported.

    Without a `tally` the micro-batch does not count (another rank has it): its gradient is 0.
    """
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

    function = LOSSES[goal.loss]
    loss = mean(function(logp, old, adv, seq, **options_for(function, goal)))
    kl = None
    if reference:
        ref = torch.cat(reference).to(device)
        kl = ESTIMATORS[goal.kl_estimator](logp, ref)
        if goal.kl_in == "loss" and goal.kl_ratio:
            kl = off_policy(goal.kl_estimator, logp, ref, old)
        if goal.kl_in == "loss":
            loss = loss + goal.kl * mean(kl)
    if goal.entropy:
        loss = loss - goal.entropy * mean(entropy, weighted=False)
    if tally is None:
        (loss * 0).backward()
        return 0.0
    loss.backward()
    with torch.no_grad():
        moved = sequence_ratio(logp, old, seq) if goal.loss == "gspo" else ratio(logp, old)
        tally.add(ratio(logp, recorded), moved, adv, entropy, kl, goal)
    return float(loss.detach())


class _Tally:
    """Sums over the micro-batches of one step, for its metrics row."""

    def __init__(self, with_kl: bool) -> None:
        self.with_kl = with_kl
        self.updates: list[tuple[float, float]] = []
        self.sums: Counter[str] = Counter()
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
        """`r` is the raw ratio to the policy that sampled, `moved` the one that is clipped."""
        self.sums["tokens"] += r.numel()
        up, down = moved > 1 + goal.clip_high, moved < 1 - goal.clip_low
        clipped = (up & (adv > 0)) | (down & (adv < 0))
        for name, x in (
            ("ratio", r),
            ("ratio squared", r.double() ** 2),
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

    def row(self, team: Team) -> dict[str, Any]:
        """The metrics over all ranks."""
        names = ("tokens", "ratio", "ratio squared", "clipped", "entropy", "kl_behaviour", "kl")
        sums = dict(zip(names, team.total([self.sums[n] for n in names]), strict=True))
        minus_low, high = team.total([-self.low, self.high], "max")
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
            "updates": len(self.updates),
        }
