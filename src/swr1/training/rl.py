"""Reinforcement learning: scored records in, better versions of the policy out.

    train_rl(records, Policy("runs/kk"), "reinforce++", batch=64, lr=1e-6)

One step takes `batch` complete groups (all samples of so many prompts), turns their rewards into
advantages over the whole batch, and makes one optimizer step (more with `minibatch` or `epochs`),
then may publish a version. The objective's formulas are in swr1.objectives, the model's side in
engine.py, what survives a kill in state.py.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from swr1.errors import DataError, SwrError, UsageError
from swr1.objectives.advantages import ADVANTAGES, dead_groups, token_rewards
from swr1.objectives.aggregate import Counts, aggregate
from swr1.objectives.kl import ESTIMATORS
from swr1.objectives.losses import LOSSES, ratio
from swr1.objectives.presets import Objective, get_preset
from swr1.policy import Policy, model_folder
from swr1.training import engine
from swr1.training.groups import Sample, digest, gather, mean_of, read_sample
from swr1.training.state import Run


def say(message: str) -> None:
    """A line for people, on stderr."""
    print(message, file=sys.stderr, flush=True)


def train_rl(
    records: Iterable[dict],
    policy: Policy,
    objective: str = "reinforce++",
    *,
    batch: int = 8,
    minibatch: int | None = None,
    epochs: int = 1,
    steps: int | None = None,
    lr: float = 1e-6,
    warmup: int = 0,
    schedule: str = "constant",
    optimizer: str = "adamw",
    weight_decay: float = 0.0,
    max_grad_norm: float | None = 1.0,
    micro_tokens: int = 16_384,
    dtype: str = "float32",
    device: str = "auto",
    lora_r: int = 0,
    lora_alpha: float | None = None,
    reference: str | None = None,
    drop_dead: bool = False,
    mask_truncated: bool = False,
    allow_truncated_sampling: bool = False,
    shuffle_rewards: bool = False,
    remainder: str = "drop",
    publish_every: int = 1,
    checkpoint_every: int | None = None,
    keep: int | None = 3,
    metrics: str | Path | None = None,
    resume: bool = True,
    seed: int = 0,
    log: Callable[[str], None] = say,
    on_step: Callable[[dict], None] | None = None,
    **objective_options: Any,
) -> dict[str, Any]:
    """Train `policy` on scored records until the input ends or `steps` are done.

    Args:
        records: scored records (see the records' documentation); closed when `steps` are done.
        objective: a preset's name; its fields are further options (`kl`, `kl_in`, `kl_estimator`,
            `clip_low`, `clip_high`, `aggregation`, `entropy`, `gamma`, ...).
        batch: groups (prompts) per step. minibatch: groups per optimizer step (None: all of them).
        epochs: passes over the batch. steps: in total, over all resumed parts of this run.
        lr: learning rate, warmed up over `warmup` steps; `schedule` as in engine.Schedule.
        optimizer: "adamw" or "muon" (hidden matrices by Muon, the rest by AdamW).
        micro_tokens: padded tokens per forward pass; changes memory and speed, not the result.
        dtype: of the matrix products and the published weights; trained weights are float32.
        lora_r: rank of adapters to train instead of the weights; merged when published.
        reference: model of the KL term; None: the version that this run started from.
        drop_dead: leave groups without any difference in reward out of the batch.
        mask_truncated: leave completions cut at the token limit out of the loss (they still count
            in their group's baseline).
        shuffle_rewards: permute the rewards within each batch before anything is computed from
            them: a control that must not learn. The metrics tell the true rewards.
        remainder: "drop" or "train" on the groups left when the input ends within a batch.
        publish_every, checkpoint_every: steps; the second defaults to the first.
        keep: newest versions kept on disk (None: all), besides the one this run started from.
        resume: False starts a new run from the latest version.
        seed: of adapters and of the order of minibatches.
        on_step: called with each step's metrics row.

    Returns a summary: steps, version, groups_consumed, and what was dropped, by reason.
    Raises UsageError, DataError (naming the record), and SwrError when loss or gradient is not
    finite: the policy on disk stays at its last published version.
    """
    goal = get_preset(objective, **objective_options)
    if min(batch, epochs, publish_every, micro_tokens, minibatch or 1) < 1:
        raise UsageError("batch, minibatch, epochs, micro-tokens and publish-every are at least 1")
    if remainder not in ("drop", "train"):
        raise UsageError(f"unknown remainder {remainder!r}: it is drop or train")
    checkpoint_every = checkpoint_every or publish_every
    rate_at = engine.Schedule(lr, schedule, warmup, steps)
    where = engine.pick_device(device)
    compute = engine.torch_dtype(dtype)
    dropped: Counter[str] = Counter()

    with policy.lock(f"train-step {objective}"):
        run = Run(
            policy,
            "rl",
            fixed={"optimizer": optimizer, "lora_r": lora_r},
            metrics=metrics,
            keep=keep,
            resume=resume,
            log=log,
        )
        if steps is not None and run.step >= steps:
            log(f"{policy.path}: step {run.step} of {steps} is done already")
            _close(records)
            return _summary(run, dropped)
        run.plan({"batch": batch, "publish_every": publish_every})
        base = policy.folder(run.base)
        model = engine.load_model(base, where, torch.float32)
        tokenizer = engine.load_tokenizer(base)
        adapters = engine.add_lora(model, lora_r, lora_alpha, seed) if lora_r else None
        stepper = engine.Optimizer(
            model.named_parameters(), optimizer, lr=lr, weight_decay=weight_decay
        )
        run.start(model, stepper, lambda f: engine.save_model(model, tokenizer, f, compute))
        scorer = _Scorer(model, micro_tokens, compute)
        ref = None
        if goal.kl > 0:
            if adapters is not None and reference is None:
                ref = _Scorer(model, micro_tokens, compute, adapters)
            else:
                folder = model_folder(reference) if reference else base
                ref = _Scorer(
                    engine.load_model(folder, where, torch.float32), micro_tokens, compute
                )
        vocab = model.get_input_embeddings().weight.shape[0]
        groups = _from_position(
            gather(
                records,
                lambda r: read_sample(r, vocab, allow_truncated_sampling=allow_truncated_sampling),
                dropped,
            ),
            run,
            log,
        )
        first = True
        try:
            while steps is None or run.step < steps:
                clock = time.perf_counter()
                taken = list(islice(groups, batch))
                waited = time.perf_counter() - clock
                if len(taken) < batch and not (taken and remainder == "train"):
                    if taken:
                        dropped["in a last batch that was not full"] += sum(map(len, taken))
                    break
                rate = rate_at(run.step)
                row = _step(
                    taken,
                    goal,
                    scorer,
                    ref,
                    stepper,
                    lr=rate,
                    max_grad_norm=max_grad_norm,
                    minibatch=minibatch or batch,
                    epochs=epochs,
                    drop_dead=drop_dead,
                    mask_truncated=mask_truncated,
                    shuffle_rewards=shuffle_rewards,
                    seed=seed * 1_000_003 + run.step,
                    what=f"step {run.step + 1}; {policy.path} stays at version {run.version}",
                )
                lags = [run.version - s.version for g in taken for s in g if s.version is not None]
                run.groups_consumed += len(taken)
                run.position["groups"] += len(taken)
                done = run.step + 1
                last = done == steps
                row = run.end_step(
                    {
                        "stage": "rl",
                        "objective": objective,
                        **row,
                        "lag": mean_of(lags),
                        "lag_max": max(lags, default=None),
                        "groups_consumed": run.groups_consumed,
                        "lr": rate,
                        "wait_s": round(waited, 3),
                        "compute_s": round(time.perf_counter() - clock - waited, 3),
                    },
                    checkpoint=last or done % checkpoint_every == 0,
                    publish=last or done % publish_every == 0,
                )
                if first:
                    _check_ratio(row, log)
                    first = False
                if on_step:
                    on_step(row)
        finally:
            _close(records)
        run.finish()
    for reason, n in dropped.items():
        log(f"{n} samples dropped: {reason}")
    return _summary(run, dropped)


def _summary(run: Run, dropped: Counter[str]) -> dict[str, Any]:
    return {
        "steps": run.step,
        "version": run.version,
        "groups_consumed": run.groups_consumed,
        "dropped": dict(dropped),
    }


def _close(records: Iterable[dict]) -> None:
    if close := getattr(records, "close", None):
        close()


def _from_position(
    groups: Iterator[list[Sample]], run: Run, log: Callable[[str], None]
) -> Iterator[list[Sample]]:
    """Skip what an interrupted run had read, if this is the same input; know a new one."""
    start = next(groups, None)
    if start is None:
        return
    mark = digest(start)
    done = run.position.get("groups", 0) if run.position.get("first") == mark else 0
    if run.position and run.position.get("first") != mark:
        log(f"another input than before: read from its start (the run is at step {run.step})")
    run.position = {"first": mark, "groups": done}
    if done:
        log(f"resumed at step {run.step}: the first {done} groups of the input are behind it")
        for n in range(1, done):
            if next(groups, None) is None:
                raise DataError(f"the input has {n} groups, but {done} were read from it before")
    else:
        yield start
    yield from groups


class _Scorer:
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
    def reference(self, samples: list[Sample]) -> list[Tensor]:
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


def _step(
    groups: list[list[Sample]],
    goal: Objective,
    scorer: _Scorer,
    ref: _Scorer | None,
    stepper: engine.Optimizer,
    *,
    lr: float,
    max_grad_norm: float | None,
    minibatch: int,
    epochs: int,
    drop_dead: bool,
    mask_truncated: bool,
    shuffle_rewards: bool,
    seed: int,
    what: str,
) -> dict[str, Any]:
    """One batch: advantages over all of it, then its optimizer steps. Returns the metrics."""
    generator = torch.Generator().manual_seed(seed)
    dead = _dead(groups)
    row = _describe([s for g in groups for s in g], dead)
    if shuffle_rewards:
        everything = [s for g in groups for s in g]
        rewards = [s.reward for s in everything]
        for s, i in zip(everything, torch.randperm(len(rewards), generator=generator), strict=True):
            s.reward = rewards[i]
        dead = _dead(groups)
    used = [g for g, d in zip(groups, dead, strict=True) if not (d and drop_dead)]
    samples = [s for g in used for s in g]
    spans = torch.tensor([0] + [len(g) for g in used]).cumsum(0).tolist()
    reference = ref.reference(samples) if ref and samples else None
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
    scorer: _Scorer,
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
    adv = torch.cat(advantage).to(device)

    def mean(x: Tensor) -> Tensor:
        return aggregate(x, seq, goal.aggregation, counts, length)

    options = {f: getattr(goal, f) for f in ("clip_low", "clip_high", "dual_clip")}
    loss = mean(LOSSES[goal.loss](logp, old, adv, **options))
    kl = None
    if reference:
        kl = ESTIMATORS[goal.kl_estimator](logp, torch.cat(reference).to(device))
        if goal.kl_in == "loss":
            loss = loss + goal.kl * mean(kl)
    if goal.entropy:
        loss = loss - goal.entropy * mean(entropy)
    loss.backward()
    with torch.no_grad():
        tally.add(ratio(logp, old), adv, entropy, kl, goal)
    return float(loss.detach())


class _Tally:
    """Sums over the micro-batches of one step, for its metrics row."""

    def __init__(self) -> None:
        self.updates: list[tuple[float, float]] = []
        self.tokens = 0
        self.sums: Counter[str] = Counter()
        self.low, self.high = math.inf, -math.inf

    def add(
        self, r: Tensor, adv: Tensor, entropy: Tensor, kl: Tensor | None, goal: Objective
    ) -> None:
        self.tokens += r.numel()
        clipped = ((r > 1 + goal.clip_high) & (adv > 0)) | ((r < 1 - goal.clip_low) & (adv < 0))
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
            "clip_share": mean("clipped"),
            "updates": len(self.updates),
        }


def _describe(samples: list[Sample], dead: list[bool]) -> dict[str, Any]:
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


def _check_ratio(row: dict[str, Any], log: Callable[[str], None]) -> None:
    """Tell the raw ratio of the first batch, and what a wrong one usually means."""
    if row["ratio_mean"] is None:
        return
    log(
        f"first batch: ratio to the policy that sampled, mean {row['ratio_mean']:.4f}"
        f" (min {row['ratio_min']:.4f}, max {row['ratio_max']:.4f}); 1 on-policy"
    )
    if abs(row["ratio_mean"] - 1) > 0.05 and row["updates"] == 1 and not row["lag_max"]:
        log(
            "warning: that is not 1 although the samples are of this version. Likely causes: a"
            " temperature that the log-probabilities do not include, another chat template or"
            " tokenizer, truncated sampling, another dtype"
        )
