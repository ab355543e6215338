"""Reinforcement learning: scored records in, better versions of the policy out.

    train_rl(records, Policy("runs/kk"), "reinforce++", batch=64, lr=1e-6)

One step takes `batch` complete groups (all samples of so many prompts), turns their rewards into
advantages over the whole batch, and makes one optimizer step (more with `minibatch` or `epochs`),
then may publish a version. Here is the loop over the stream; update.py has the step itself,
swr1.objectives the formulas, engine.py the model's side, state.py what survives a kill.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from swr1.errors import SwrError, UsageError
from swr1.models import check_fit, load_tokenizer
from swr1.objectives.importance import LEVELS
from swr1.objectives.lagrange import Multiplier
from swr1.objectives.presets import Objective, get_preset
from swr1.policy import PassRates, Policy, model_folder
from swr1.training import engine
from swr1.training.batches import Batch, Batches
from swr1.training.checks import check_policy, write_aside
from swr1.training.critic import Critic
from swr1.training.groups import Sample, mean_of, read_sample
from swr1.training.parallel import NO_ADAPTERS, Team, join, shard
from swr1.training.parts import Expected
from swr1.training.scorer import Offloaded, Recorded, Scorer
from swr1.training.state import Run
from swr1.training.update import BadStep, rl_step

MULTIPLIER = "multiplier.json"


def say(message: str) -> None:
    """A line for people, on stderr."""
    print(message, file=sys.stderr, flush=True)


# Options that shape the result, and that a resumed run may change: it says so.
TOLD = frozenset(
    """batch minibatch epochs lr warmup schedule weight_decay max_grad_norm dtype reference
    reference_offload drop_dead mask_truncated allow_truncated_sampling shuffle_rewards importance
    importance_cap importance_mask max_staleness refill remainder on_nan gradient_checkpointing
    seed""".split()
)


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
    micro_tokens: int = 0,
    dtype: str = "float32",
    device: str = "auto",
    parallel: str = "auto",
    lora_r: int = 0,
    lora_alpha: float | None = None,
    quantize: str | None = None,
    gradient_checkpointing: bool = False,
    reference: str | None = None,
    reference_offload: bool = False,
    drop_dead: bool = False,
    mask_truncated: bool = False,
    allow_truncated_sampling: bool = False,
    shuffle_rewards: bool = False,
    importance: str = "token",
    importance_cap: float = 2.0,
    importance_mask: bool = False,
    importance_floor: float = 0.0,
    importance_normalise: bool = False,
    max_staleness: int | None = None,
    refill: int = 0,
    remainder: str = "drop",
    ratio_tolerance: float = 0.02,
    on_nan: str = "stop",
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
        micro_tokens: tokens per forward pass (engine.pass_tokens): memory and speed, not the result.
        dtype: of the matrix products and the published weights; trained weights are float32.
        parallel: how the ranks of a launcher share the update, as in parallel.join.
        lora_r: rank of adapters to train instead of the weights; merged when published.
        gradient_checkpointing: recompute activations in the backward pass: memory for time.
        quantize: "nf4" keeps the weights beside the adapters in 4 bits (QLoRA).
        reference: model of the KL term; None: the version that this run started from; "records":
            none, its log-probabilities are in the records (`generation.ref_logprobs`).
        reference_offload: the reference waits on the CPU, in bfloat16, until it is asked.
        drop_dead: leave groups without any difference in reward out of the batch.
        mask_truncated: leave completions cut at the token limit out of the loss (they still count
            in their group's baseline).
        shuffle_rewards: permute the rewards within each batch before anything is computed from
            them: a control that must not learn. The metrics tell the true rewards.
        importance: how the loss of samples that are older than the policy is weighted: "token" or
            "sequence" (ratios of the weights before the update to the policy that sampled,
            truncated to `importance_floor` ... `importance_cap`, or masked outside of them with
            `importance_mask`, and divided by their mean with `importance_normalise`), or "none":
            the clip of the ratio to the policy that sampled is all. On-policy they are one.
        max_staleness: groups with a sample that is more optimizer steps old are dropped.
        refill: groups that `drop_dead` or the objective's `filter_on` leave out are replaced by
            later ones, up to so many batches of them in a step.
        ratio_tolerance: before anything is trained, the policy must be the one that sampled, to
            this KL per token in nats (checks.check_policy).
        on_nan: "stop" before an update whose loss or gradient is not finite, or "skip" it; the
            batch is written into the trainer's folder.
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
    told = {name: value for name, value in locals().items() if name in TOLD}
    goal = get_preset(objective, **objective_options)
    told |= asdict(goal)
    if min(batch, epochs, publish_every, minibatch or 1) < 1:
        raise UsageError("batch, minibatch, epochs and publish-every are at least 1")
    if not 0 <= importance_floor <= importance_cap:
        raise UsageError(f"importance-floor is from 0 to the cap, not {importance_floor}")
    _check_words(importance, importance_cap, remainder, on_nan)
    if quantize and not lora_r:
        raise UsageError("weights in 4 bits are not trained themselves: give --lora-r")
    filter_on = goal.filter_on or ("reward" if drop_dead else None)
    if refill and (not filter_on or shuffle_rewards):
        raise UsageError(
            "refill replaces the groups that --drop-dead or --filter-on leaves out, by their true"
            " rewards"
        )
    rate_at = engine.Schedule(lr, schedule, warmup, steps)
    where = engine.pick_device(device)
    micro_tokens = engine.pass_tokens(micro_tokens, where)
    compute = engine.torch_dtype(dtype)

    with ExitStack() as stack:
        team = stack.enter_context(join(where, parallel))
        if not team.lead:
            log, on_step = _silent, None

        def begin() -> Run:
            stack.enter_context(policy.lock(f"train-step {objective}"))
            fixed = {
                "objective": objective,
                "optimizer": optimizer,
                "lora_r": lora_r,
                "lora_alpha": engine.scale_of(lora_r, lora_alpha),
                "quantize": quantize,
            }
            return Run(
                policy,
                "rl",
                fixed=fixed,
                told=told,
                metrics=metrics,
                keep=keep,
                resume=resume,
                log=log,
            )

        run = team.first(begin)
        run.log = log
        if steps is not None and run.step >= steps:
            log(f"{policy.path}: step {run.step} of {steps} is done already")
            _close(records)
            return _summary(run, {})
        base = policy.folder(run.base)
        model = engine.load_model(base, where, torch.float32, quantize, compute)
        tokenizer = load_tokenizer(base)
        check_fit(model, tokenizer, base)
        if team.sharded and lora_r:
            raise UsageError(NO_ADAPTERS)
        adapters = engine.add_lora(model, lora_r, lora_alpha, seed) if lora_r else None
        if gradient_checkpointing:
            engine.checkpoint_activations(model)
        shard(model, team, engine.token_logprobs)
        stepper = engine.Optimizer(
            model.named_parameters(), optimizer, lr=lr, weight_decay=weight_decay, team=team
        )
        beside = _Beside(
            PassRates.load(run.carried),
            _multiplier(goal, run.carried),
            _critic(goal, run, base, where, micro_tokens, compute, team),
        )

        def save(folder: Path, weights: dict[str, torch.Tensor]) -> None:
            engine.save_model(model, tokenizer, folder, compute, weights)
            beside.save_with_version(folder)

        run.start(model, stepper, save, beside.save_with_state, team)
        scorer = Scorer(model, micro_tokens, compute, team=team)
        ref: Scorer | None = None
        if goal.kl > 0:
            if adapters is not None and reference is None:
                ref = Scorer(model, micro_tokens, compute, adapters, team=team)
            else:
                ref = _reference(
                    reference, reference_offload, base, where, micro_tokens, compute, team
                )
        vocab = model.get_input_embeddings().weight.shape[0]
        batches = Batches(
            records,
            lambda r: read_sample(r, vocab, allow_truncated_sampling=allow_truncated_sampling),
            run,
            beside.rates,
            size=batch,
            max_staleness=max_staleness,
            filter_on=filter_on,
            refill=refill,
            remainder=remainder,
        )
        step = partial(
            rl_step,
            goal=goal,
            scorer=scorer,
            ref=ref,
            stepper=stepper,
            max_grad_norm=max_grad_norm,
            minibatch=minibatch or batch,
            epochs=epochs,
            drop_dead=drop_dead,
            mask_truncated=mask_truncated,
            shuffle_rewards=shuffle_rewards,
            importance=importance,
            importance_cap=importance_cap,
            importance_mask=importance_mask,
            importance_floor=importance_floor,
            importance_normalise=importance_normalise,
            multiplier=beside.multiplier,
            critic=beside.critic,
            skip_bad=on_nan == "skip",
        )
        team.first(lambda: _announce(run, batch, publish_every))
        expected = Expected(goal, filter_on, log)
        resumed, checked = run.step > 0, False
        try:
            while steps is None or run.step < steps:
                taken = team.first(batches.take)
                if not taken.groups:
                    break
                expected.see([s for g in taken.groups for s in g])
                clock = time.perf_counter()
                if not checked:
                    limit = math.inf if allow_truncated_sampling else ratio_tolerance
                    check_policy(taken.groups, scorer, limit, log)
                    checked = True
                rate = rate_at(run.step)
                now = partial(step, lr=rate, seed=seed * 1_000_003 + run.step)
                learned = _learn(now, taken.groups, run, team)
                # A group that was dropped is behind this run all the same.
                run.groups_consumed += len(taken.groups) + taken.dropped.total()
                done = run.step + 1
                last = done == steps
                row = run.end_step(
                    {
                        "stage": "rl",
                        "objective": objective,
                        **learned,
                        **_came(taken),
                        "groups_consumed": run.groups_consumed,
                        "lr": rate,
                        "wait_s": round(taken.seconds, 3),
                        "compute_s": round(time.perf_counter() - clock, 3),
                    },
                    checkpoint=last or done % (checkpoint_every or publish_every) == 0,
                    publish=last or done % publish_every == 0,
                )
                if on_step:
                    on_step(row)
        except SwrError as error:
            if team.lead:
                raise
            raise SystemExit(error.exit_code) from None  # every rank met it, the lead tells it
        finally:
            _close(records)
        run.finish()
    if team.lead and not resumed:  # else the part may have come before
        expected.check()
    for reason, n in batches.dropped.items():
        log(f"{n} samples dropped: {reason}")
    return _summary(run, batches.dropped)


def _check_words(importance: str, importance_cap: float, remainder: str, on_nan: str) -> None:
    if importance not in ("none", *LEVELS) or not importance_cap > 0:
        raise UsageError(
            f"importance is none, token or sequence with a positive cap, not {importance!r} with"
            f" {importance_cap}"
        )
    if remainder not in ("drop", "train"):
        raise UsageError(f"unknown remainder {remainder!r}: it is drop or train")
    if on_nan not in ("stop", "skip"):
        raise UsageError(f"unknown on-nan {on_nan!r}: it is stop or skip")


class _Beside(NamedTuple):
    """What is saved beside the policy's weights: with each version, the critic with states only."""

    rates: PassRates
    multiplier: Multiplier | None
    critic: Critic | None

    def save_with_version(self, folder: Path) -> None:
        self.rates.save(folder)
        if self.multiplier:
            (folder / MULTIPLIER).write_text(json.dumps(self.multiplier.state()))

    def save_with_state(self, folder: Path) -> None:
        self.save_with_version(folder)
        if self.critic:
            self.critic.save(folder)


def _multiplier(goal: Objective, folder: Path) -> Multiplier | None:
    """Of a Lagrangian objective, as a version or a state left it."""
    if goal.combine != "lagrangian":
        return None
    multiplier = Multiplier(goal.lambda_init, goal.lambda_lr, goal.cost_limit, goal.lambda_max)
    if (folder / MULTIPLIER).exists():
        multiplier.restore(json.loads((folder / MULTIPLIER).read_text()))
    return multiplier


def _critic(
    goal: Objective,
    run: Run,
    base: Path,
    where: torch.device,
    micro_tokens: int,
    compute: torch.dtype,
    team: Team,
) -> Critic | None:
    """Of an objective whose advantages need values, as the state left it."""
    if goal.advantage != "gae":
        return None
    if team.sharded:
        raise UsageError("a critic is not trained with sharded weights: --parallel ddp")
    critic = Critic(
        base, where, lr=goal.critic_lr, micro_tokens=micro_tokens, dtype=compute, team=team
    )
    critic.restore(run.carried)
    return critic


def _reference(
    name: str | None,
    offload: bool,
    base: Path,
    where: torch.device,
    micro_tokens: int,
    compute: torch.dtype,
    team: Team,
) -> Scorer:
    """The frozen model of the KL term, or what the records say of it."""
    if name == "records":
        return Recorded()
    folder = model_folder(name) if name else base
    if offload:
        return Offloaded(folder, where, micro_tokens, team)
    frozen = engine.load_model(folder, where, torch.float32, compute=compute)
    shard(frozen, team, engine.token_logprobs)
    return Scorer(frozen, micro_tokens, compute, team=team)


def _announce(run: Run, batch: int, publish_every: int) -> None:
    """Tell rollouts what this run takes, and where it stands."""
    before = int(run.policy.meta(run.base).get("groups_consumed", 0))
    run.policy.announce(
        batch, publish_every, run.groups_consumed - before, before, run.groups_dropped
    )


def _learn(
    step: Callable[[list[list[Sample]]], dict[str, Any]],
    groups: list[list[Sample]],
    run: Run,
    team: Team,
) -> dict[str, Any]:
    """The step's metrics; a batch that gave no finite loss or gradient is written aside."""

    def put_aside() -> Path:
        return team.first(lambda: write_aside(groups, run.policy.path / "trainer", run.step + 1))

    try:
        row = step(groups)
    except BadStep as error:
        raise SwrError(
            f"step {run.step + 1}: {error}; {run.policy.path} stays at version {run.version},"
            f" the batch is in {put_aside()}"
        ) from None
    if row["skipped_updates"]:
        run.log(
            f"step {run.step + 1}: skipped {row['skipped_updates']} updates whose loss or gradient"
            f" was not finite; the batch is in {put_aside()}"
        )
    return row


def _came(taken: Batch) -> dict[str, Any]:
    """How old the samples of a batch were, and what was dropped on the way to it."""
    lags = [s.lag for group in taken.groups for s in group]
    return {
        "lag": mean_of(lags),
        "lag_max": max(lags, default=None),
        "dropped_stale": taken.dropped["stale"],
        "dropped_dead": taken.dropped["dead"],
        "dropped_incomplete": taken.dropped["incomplete"],
    }


def _silent(message: str) -> None:
    """What every rank but the lead says."""


def _summary(run: Run, dropped: Mapping[str, int]) -> dict[str, Any]:
    return {
        "steps": run.step,
        "version": run.version,
        "groups_consumed": run.groups_consumed,
        "dropped": dict(dropped),
    }


def _close(records: Iterable[dict]) -> None:
    if close := getattr(records, "close", None):
        close()
