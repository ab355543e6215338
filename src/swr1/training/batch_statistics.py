"""Batch metrics, group filters and advantages of one RL step.

All of them look at the whole batch, before anything is split into micro-batches or ranks.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from swr1.errors import DataError
from swr1.objectives.advantages import ADVANTAGES, token_rewards, whiten, zero_variance_groups
from swr1.objectives.combine import (
    advantage_of,
    boost_live,
    lagrangian,
    normalise_then_sum,
    standardise,
    sum_of_parts,
)
from swr1.objectives.critic import gae
from swr1.objectives.kl import ESTIMATORS
from swr1.objectives.presets import Objective, options_for
from swr1.objectives.process import process
from swr1.objectives.shaping import overlong_penalty, shortness
from swr1.records import RIGHT_OR_WRONG
from swr1.training.groups import Sample, mean_of
from swr1.training.reward_parts import part_of, part_or_score


def describe(samples: list[Sample], without_variance: list[bool]) -> dict[str, Any]:
    """Metrics of a batch: rewards, verdicts, lengths; `without_variance` is about its groups."""
    rewards = torch.tensor([s.reward for s in samples], dtype=torch.float64)
    values = [
        (name, value) for s in samples for name, value in s.parts.items() if not math.isnan(value)
    ]
    parts = sorted({name for name, _ in values})
    scores = sorted({name for s in samples for name in s.scores})
    right = {v: mean_of(s.scores[v] == 1 for s in samples if v in s.scores) for v in scores}
    answer_scores = [
        next((s.scores[v] for v in RIGHT_OR_WRONG if v in s.scores), None) for s in samples
    ]
    others = [v for v in scores if v != "format"]
    if any(x is not None for x in answer_scores):
        accuracy = mean_of(x == 1 for x in answer_scores if x is not None)
    else:  # a verifier of one's own
        accuracy = right[others[0]] if len(others) == 1 else None
    return {
        "reward_mean": float(rewards.mean()),
        "reward_std": float(rewards.std()) if len(rewards) > 1 else 0.0,
        "reward_parts": {p: mean_of(v for name, v in values if name == p) for p in parts},
        "verdicts": right,
        "accuracy": accuracy,
        "logprob_right": _mean_logprob(samples, answer_scores),
        "format_rate": right.get("format"),
        "length_mean": mean_of(s.tokens for s in samples),
        "truncated": mean_of(s.truncated for s in samples),
        "zero_variance_groups": mean_of(without_variance),
        "samples": len(samples),
        "tokens": sum(s.tokens for s in samples),
    }


def _mean_logprob(samples: list[Sample], scores: list[float | None]) -> float | None:
    """Mean log-probability, in nats per token, of right answers when they were sampled.

    Where it falls, RL is unlearning what is right: it is the first sign of a collapse in RL with
    searches (arXiv 2512.04220).
    """
    pairs = zip(samples, scores, strict=True)
    old = [s.old for s, score in pairs if score == 1 and len(s.old)]
    return float(torch.cat(old).mean()) if old else None


def zero_variance(groups: list[list[Sample]], what: str) -> list[bool]:
    """For each group, whether it has no difference in the reward, or in the named part or verdict.

    Samples without that value, or without trained tokens, do not count.
    """
    everything = [s for g in groups for s in g]
    if what == "reward":
        values = torch.tensor([s.reward for s in everything], dtype=torch.float64)
    else:
        values = part_or_score(everything, what)
    group = torch.tensor([n for n, g in enumerate(groups) for _ in g])
    known = ~values.isnan() & torch.tensor([len(s.old) > 0 for s in everything])
    same = zero_variance_groups(values[known], group[known]).tolist()
    return same + [True] * (len(groups) - len(same))


def advantages(
    samples: list[Sample],
    groups: list[list[Sample]],
    objective: Objective,
    reference: list[Tensor] | None,
    values: list[Tensor] | None,
    multiplier: float,
) -> tuple[list[Tensor], list[Tensor]]:
    """Per-token advantages of each sample, from the whole batch; and returns, with `values`."""
    if not samples:
        return [], []
    sizes = [len(s.old) for s in samples]
    seq = torch.repeat_interleave(torch.arange(len(samples)), torch.tensor(sizes))
    group = torch.tensor([n for n, g in enumerate(groups) for _ in g])
    penalty = None
    if reference and objective.kl_in == "reward":
        old = torch.cat([s.old for s in samples])
        penalty = objective.kl * ESTIMATORS[objective.kl_estimator](old, torch.cat(reference))
    weights = dict(objective.parts or {})
    parts = {name: part_of(samples, name) for name in weights}
    reward = torch.tensor([s.reward for s in samples], dtype=torch.float64)
    if weights:
        reward = sum_of_parts(parts, weights, group)
    if objective.overlong:
        parts["overlong"], weights["overlong"] = _overlong(samples, objective), 1.0
        reward = reward + parts["overlong"]
    if values:
        rewards = token_rewards(reward, seq, penalty)
        flat, returns = gae(
            rewards, torch.cat(values), seq, gamma=objective.gamma, lam=objective.lam
        )
        return list(whiten(flat).split(sizes)), list(returns.split(sizes))
    function = ADVANTAGES[objective.advantage]
    estimator = partial(function, **options_for(function, objective))
    if objective.combine == "normalise-then-sum":
        flat = normalise_then_sum(parts, weights, seq, group, estimator)
    elif objective.cost:
        cost = part_of(samples, objective.cost)
        if objective.combine == "lagrangian":
            flat = lagrangian(reward, cost, multiplier, seq, group, estimator, penalty)
        else:
            flat = advantage_of(reward - multiplier * cost, seq, group, estimator, penalty)
    else:
        flat = advantage_of(reward, seq, group, estimator, penalty)
    if objective.process:
        share = objective.process
        flat = (1 - share) * flat + share * _by_step(samples, seq, group, objective.eps)
    if objective.shorten:
        length = torch.tensor(sizes)
        success = part_of(samples, objective.success).masked_fill(length == 0, math.nan)
        flat = flat + objective.shorten * shortness(length, success, group)[seq]
    if objective.whiten:
        flat = standardise(flat, seq, ~reward.isnan(), objective.eps)
    if objective.boost:
        flat = boost_live(flat, seq, group, objective.boost)
    return list(flat.split(sizes)), []


def _by_step(samples: list[Sample], seq: Tensor, group: Tensor, eps: float) -> Tensor:
    """The advantage of each token by the rewards of steps [N]."""
    starts = torch.tensor([0] + [len(s.old) for s in samples]).cumsum(0).tolist()
    steps = [
        (n + at, worth) for n, s in zip(starts, samples, strict=False) for at, worth in s.steps
    ]
    last = torch.tensor([n for n, _ in steps], dtype=torch.long)
    worth = torch.tensor([w for _, w in steps], dtype=torch.float64)
    return process(worth, last, seq, group, eps=eps)


def step_metrics(samples: list[Sample]) -> dict[str, Any]:
    """What a batch's steps were worth: judged steps per sample, and their mean reward."""
    return {
        "steps_judged": mean_of(len(s.steps) for s in samples),
        "step_reward_mean": mean_of(worth for s in samples for _, worth in s.steps),
    }


def _overlong(samples: list[Sample], objective: Objective) -> Tensor:
    """The punishment of each sample's length [S]. Raises DataError if it has no token limit."""
    for s in samples:
        if not (s.limit or objective.length):
            raise DataError(
                f"record {s.id!r}: no `generation.sampling.max_tokens` to punish long answers by;"
                " give --length, or --overlong 0",
                s.location,
            )
    return overlong_penalty(
        torch.tensor([s.tokens for s in samples]),
        torch.tensor([s.limit or objective.length for s in samples]),
        objective.overlong,
        objective.overlong_factor,
        objective.overlong_capped,
    )
