"""The objectives a second time, in plain Python loops over lists of lists, from the papers.

Layout: one list of per-token numbers for each sequence; a sequence may have none.
"""

from __future__ import annotations

import math

Ragged = list[list[float]]


def groups_of(group: list[int]) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for sequence, g in enumerate(group):
        members.setdefault(g, []).append(sequence)
    return members


def baseline_advantages(rewards: Ragged, group: list[int], kind: str) -> Ragged:
    """GRPO (with the group's or the batch's std), Dr. GRPO or RLOO; a sequence scores its sum."""
    out: Ragged = [[] for _ in rewards]
    every = [sum(row) for row in rewards if row]
    overall = sum(every) / max(len(every), 1)
    for members in groups_of(group).values():
        members = [i for i in members if rewards[i]]
        scores = [sum(rewards[i]) for i in members]
        n = len(scores)
        for i, score in zip(members, scores, strict=True):
            if n == 1 or max(scores) == min(scores):
                value = 0.0
            elif kind == "rloo":
                value = score - (sum(scores) - score) / (n - 1)
            else:
                mean = sum(scores) / n
                value = score - mean
                if kind == "grpo-batch":
                    spread = sum((s - overall) ** 2 for s in every) / (len(every) - 1)
                    value /= math.sqrt(spread) + 1e-6
                if kind == "grpo":
                    std = math.sqrt(sum((s - mean) ** 2 for s in scores) / (n - 1))
                    value /= std + 1e-6
            out[i] = [value] * len(rewards[i])
    return out


def returns(rewards: Ragged, gamma: float) -> Ragged:
    return [
        [sum(gamma ** (s - t) * row[s] for s in range(t, len(row))) for t in range(len(row))]
        for row in rewards
    ]


def whiten(values: Ragged) -> Ragged:
    flat = [v for row in values for v in row]
    if len(flat) < 2 or max(flat) == min(flat):
        return [[0.0] * len(row) for row in values]
    mean = sum(flat) / len(flat)
    variance = sum((v - mean) ** 2 for v in flat) / (len(flat) - 1)
    return [[(v - mean) / math.sqrt(variance + 1e-8) for v in row] for row in values]


def ppo_clip(
    logp: float, old: float, advantage: float, low: float, high: float, dual: float | None = None
) -> float:
    r = math.exp(logp - old)
    clipped = min(max(r, 1 - low), 1 + high)
    objective = min(r * advantage, clipped * advantage)
    if dual is not None and advantage < 0:
        objective = max(objective, dual * advantage)
    return -objective


def aggregate(losses: Ragged, mode: str, constant: float = 1.0) -> float:
    rows = [row for row in losses if row]
    if not rows:
        return 0.0
    if mode == "token-mean":
        return sum(map(sum, rows)) / sum(map(len, rows))
    if mode == "seq-mean-token-mean":
        return sum(sum(row) / len(row) for row in rows) / len(rows)
    if mode == "seq-mean-token-sum":
        return sum(map(sum, rows)) / len(rows)
    return sum(map(sum, rows)) / (len(rows) * constant)


def sapo(logp: float, old: float, advantage: float, positive: float, negative: float) -> float:
    tau = positive if advantage > 0 else negative
    gate = 1 / (1 + math.exp(-tau * (math.exp(logp - old) - 1)))
    return -4 / tau * gate * advantage


def sequence_clip(
    logp: list[float], old: list[float], advantage: float, low: float, high: float
) -> float:
    """One sequence as one action: its probability is the product of its tokens'."""
    r = math.prod(math.exp(p) for p in logp) / math.prod(math.exp(o) for o in old)
    return -min(r * advantage, clip(r, 1 - low, 1 + high) * advantage)


def clip(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def gspo(logp: list[float], old: list[float], advantage: float, low: float, high: float) -> float:
    """One sequence with one advantage: the loss of its one ratio."""
    s = math.exp(sum(p - o for p, o in zip(logp, old, strict=True)) / len(logp))
    return -min(s * advantage, clip(s, 1 - low, 1 + high) * advantage)


def cispo_gradient(logp: float, old: float, advantage: float, low: float, high: float) -> float:
    """d loss / d logp of one token: the clipped ratio weighs the score function."""
    return -clip(math.exp(logp - old), 1 - low, 1 + high) * advantage


def cpgd_gradient(
    logp: float, old: float, advantage: float, eps: float, alpha: float, cap: float
) -> float:
    """As the published code has it: clipped log-probabilities, then the clipped drift."""
    gradient = alpha * min(math.exp(logp - old) - 1, cap)
    if advantage > 0 and logp < old + math.log(1 + eps):
        gradient -= advantage  # min(logp, old + log(1 + eps)) is logp
    if advantage < 0 and logp > old + math.log(1 - eps):
        gradient -= advantage
    return gradient


def gae(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """As a double sum of discounted errors, not as a recursion."""
    ahead = [*values, 0.0][1:]
    delta = [r + gamma * a - v for r, a, v in zip(rewards, ahead, values, strict=True)]
    return [
        sum((gamma * lam) ** (s - t) * delta[s] for s in range(t, len(delta)))
        for t in range(len(delta))
    ]


def canon(
    scores: list[float], lengths: list[int], mix: float, alpha: float, beta: float
) -> list[float]:
    """One group with an even number of unequal lengths, as the published code has it."""
    order = sorted(range(len(scores)), key=lambda i: lengths[i])
    short, long = order[: len(order) // 2], order[len(order) // 2 :]
    mean_short = sum(scores[i] for i in short) / len(short)
    mean_long = sum(scores[i] for i in long) / len(long)
    out = [0.0] * len(scores)
    for i in long:
        inter = alpha * scores[i] - mean_short + beta
        out[i] = mix * inter + (1 - mix) * (scores[i] - mean_long)
    for i in short:
        inter = scores[i] - alpha * mean_long - beta
        out[i] = mix * inter + (1 - mix) * (scores[i] - mean_short)
    return out


def likelihood_drops(
    logp: Ragged, sampled: Ragged, advantage: list[float], mask: list[list[int]], by_action: bool
) -> Ragged:
    """LLDS (arXiv 2512.04220) of whole completions, masked tokens included: one list a completion."""
    out = []
    for now, before, a, own in zip(logp, sampled, advantage, mask, strict=True):
        row = [0.0] * len(now)
        t = 0
        while t < len(now):
            unit = [t] if own[t] else []
            if by_action:
                while unit and t + 1 < len(now) and own[t + 1]:
                    t += 1
                    unit.append(t)
            else:
                unit, t = [i for i in range(len(now)) if own[i]], len(now)
            if a >= 0 and sum(before[i] for i in unit) > sum(now[i] for i in unit):
                for i in unit:
                    row[i] = max(0.0, before[i] - now[i])
            t += 1
        out.append(row)
    return out
