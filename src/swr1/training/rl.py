"""Reinforcement learning: scored records in, better versions of the policy out.

    train_rl(records, Policy("runs/kk"), "reinforce++", batch=64, lr=1e-6)

One step takes `batch` complete groups (all samples of so many prompts), turns their rewards into
advantages over the whole batch, and makes one optimizer step (more with `minibatch` or `epochs`),
then may publish a version. Here is the loop over the stream; update.py has the step itself,
swr1.objectives the formulas, engine.py the model's side, state.py what survives a kill.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from swr1.errors import DataError, UsageError
from swr1.objectives.importance import LEVELS
from swr1.objectives.presets import get_preset
from swr1.policy import PassRates, Policy, model_folder
from swr1.training import engine
from swr1.training.groups import Sample, digest, gather, mean_of, read_sample
from swr1.training.parallel import join, shard
from swr1.training.scorer import Scorer
from swr1.training.state import Run
from swr1.training.update import rl_step


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
    parallel: str = "auto",
    lora_r: int = 0,
    lora_alpha: float | None = None,
    gradient_checkpointing: bool = False,
    reference: str | None = None,
    drop_dead: bool = False,
    mask_truncated: bool = False,
    allow_truncated_sampling: bool = False,
    shuffle_rewards: bool = False,
    importance: str = "token",
    importance_cap: float = 2.0,
    importance_mask: bool = False,
    max_staleness: int | None = None,
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
        parallel: how the ranks of a launcher share the update, as in parallel.join.
        lora_r: rank of adapters to train instead of the weights; merged when published.
        gradient_checkpointing: recompute activations in the backward pass: memory for time.
        reference: model of the KL term; None: the version that this run started from.
        drop_dead: leave groups without any difference in reward out of the batch.
        mask_truncated: leave completions cut at the token limit out of the loss (they still count
            in their group's baseline).
        shuffle_rewards: permute the rewards within each batch before anything is computed from
            them: a control that must not learn. The metrics tell the true rewards.
        importance: how the loss of samples that are older than the policy is weighted: "token" or
            "sequence" (ratios of the weights before the update to the policy that sampled,
            truncated at `importance_cap`, or masked beyond it with `importance_mask`), or "none":
            the clip of the ratio to the policy that sampled is all. On-policy they are one.
        max_staleness: groups with a sample that is more optimizer steps old are dropped.
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
    if importance not in ("none", *LEVELS) or not importance_cap > 0:
        raise UsageError(
            f"importance is none, token or sequence with a positive cap, not {importance!r} with"
            f" {importance_cap}"
        )
    if remainder not in ("drop", "train"):
        raise UsageError(f"unknown remainder {remainder!r}: it is drop or train")
    checkpoint_every = checkpoint_every or publish_every
    rate_at = engine.Schedule(lr, schedule, warmup, steps)
    where = engine.pick_device(device)
    compute = engine.torch_dtype(dtype)
    dropped: Counter[str] = Counter()

    with ExitStack() as stack:
        team = stack.enter_context(join(where, parallel))
        if not team.lead:
            log, on_step = _silent, None

        def begin() -> Run:
            stack.enter_context(policy.lock(f"train-step {objective}"))
            return Run(
                policy,
                "rl",
                fixed={"optimizer": optimizer, "lora_r": lora_r},
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
            return _summary(run, dropped)
        base = policy.folder(run.base)
        model = engine.load_model(base, where, torch.float32)
        tokenizer = engine.load_tokenizer(base)
        if team.sharded and lora_r:
            raise UsageError("adapters are not trained with sharded weights: use --parallel ddp")
        adapters = engine.add_lora(model, lora_r, lora_alpha, seed) if lora_r else None
        if gradient_checkpointing:
            engine.checkpoint_activations(model)
        shard(model, team, engine.token_logprobs)
        stepper = engine.Optimizer(
            model.named_parameters(), optimizer, lr=lr, weight_decay=weight_decay, team=team
        )
        rates = _rates(run)

        def save(folder: Path, weights: dict[str, torch.Tensor]) -> None:
            engine.save_model(model, tokenizer, folder, compute, weights)
            rates.save(folder)

        run.start(model, stepper, save, rates.save, team)
        scorer = Scorer(model, micro_tokens, compute, team=team)
        ref = None
        if goal.kl > 0:
            if adapters is not None and reference is None:
                ref = Scorer(model, micro_tokens, compute, adapters, team=team)
            else:
                folder = model_folder(reference) if reference else base
                frozen = engine.load_model(folder, where, torch.float32)
                shard(frozen, team, engine.token_logprobs)
                ref = Scorer(frozen, micro_tokens, compute, team=team)
        vocab = model.get_input_embeddings().weight.shape[0]
        gone: Counter[str] = Counter()  # groups dropped since the last step, by kind

        def tell_dropped() -> None:
            policy.count_dropped(run.groups_dropped + gone.total())

        groups = _from_position(
            gather(
                records,
                lambda r: read_sample(r, vocab, allow_truncated_sampling=allow_truncated_sampling),
                dropped,
                on_lost=lambda: gone.update(["incomplete"]),
                on_wait=tell_dropped,
            ),
            run,
            log,
            gone,
        )

        def announce() -> None:
            before = int(policy.meta(run.base).get("groups_consumed", 0))
            policy.announce(
                batch, publish_every, run.groups_consumed - before, before, run.groups_dropped
            )

        def take() -> tuple[list[list[Sample]], Counter[str], float]:
            """The next batch, the groups dropped before it, by kind, and the seconds it took."""
            clock = time.perf_counter()
            taken: list[list[Sample]] = []
            while len(taken) < batch and (group := next(groups, None)) is not None:
                for s in group:
                    s.lag = _lag(s, run)
                passed = [bool(s.scores) and set(s.scores.values()) == {1} for s in group]
                rates.add(group[0].id, sum(passed), len(group), run.version)
                if max_staleness is not None and max(s.lag for s in group) > max_staleness:
                    gone["stale"] += 1
                    tell_dropped()
                    dropped[f"more than {max_staleness} steps old"] += len(group)
                else:
                    taken.append(group)
            if len(taken) < batch and not (taken and remainder == "train"):
                dropped["in a last batch that was not full"] += sum(map(len, taken))
                taken = []
            dropped_now = gone.copy()
            run.groups_dropped += gone.total()
            gone.clear()
            return taken, dropped_now, time.perf_counter() - clock

        team.first(announce)
        first = True
        try:
            while steps is None or run.step < steps:
                taken, lost, waited = team.first(take)
                if not taken:
                    break
                clock = time.perf_counter()
                rate = rate_at(run.step)
                row = rl_step(
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
                    importance=importance,
                    importance_cap=importance_cap,
                    importance_mask=importance_mask,
                    seed=seed * 1_000_003 + run.step,
                    what=f"step {run.step + 1}; {policy.path} stays at version {run.version}",
                )
                lags = [s.lag for g in taken for s in g]
                # A group that was dropped is behind this run all the same.
                run.groups_consumed += len(taken) + lost.total()
                if team.lead:
                    run.position["groups"] += len(taken) + lost["stale"]
                done = run.step + 1
                last = done == steps
                row = run.end_step(
                    {
                        "stage": "rl",
                        "objective": objective,
                        **row,
                        "lag": mean_of(lags),
                        "lag_max": max(lags, default=None),
                        "dropped_stale": lost["stale"],
                        "dropped_incomplete": lost["incomplete"],
                        "groups_consumed": run.groups_consumed,
                        "lr": rate,
                        "wait_s": round(waited, 3),
                        "compute_s": round(time.perf_counter() - clock, 3),
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


def _silent(message: str) -> None:
    """What every rank but the lead says."""


def _rates(run: Run) -> PassRates:
    """Of the state that is continued, else of the version that the run starts from."""
    states = [run.folder] if run.resumed and run.folder else []
    for folder in (*states, run.policy.folder(run.version)):
        if (folder / PassRates.FILE).exists():
            return PassRates.load(folder)
    return PassRates()


def _lag(sample: Sample, run: Run) -> int:
    """How many optimizer steps older than the weights the policy that sampled is.

    Versions of another folder cannot be compared with this one's (a run on rollouts of the policy
    that it was made from): those samples count as being of this run's beginning.
    Raises DataError for a version that this policy does not have yet.
    """
    ours = Path(sample.policy).resolve().name == run.policy.path.resolve().name
    if sample.version is None or not ours:
        return run.step
    if sample.version > run.version:
        raise DataError(
            f"record {sample.id!r}, sample {sample.sample}: written by version {sample.version} of"
            f" {sample.policy}, but {run.policy.path} is at version {run.version}; train the policy"
            " that sampled, or make the rollouts again",
            sample.where,
        )
    return run.steps_since(sample.version)


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
    groups: Iterator[list[Sample]], run: Run, log: Callable[[str], None], gone: Counter[str]
) -> Iterator[list[Sample]]:
    """Skip what an interrupted run had read, if this is the same input; know a new one.

    What was dropped there (counted in `gone`) was counted then.
    """
    start = next(groups, None)
    if start is None:
        return
    mark = digest(start)
    done = run.position.get("groups", 0) if run.position.get("first") == mark else 0
    if run.position and run.position.get("first") != mark:
        log(f"at step {run.step}, on an input that starts with a group this run has not seen")
    run.position = {"first": mark, "groups": done}
    if done:
        log(f"resumed at step {run.step}: the first {done} groups of the input are behind it")
        for n in range(1, done):
            if next(groups, None) is None:
                raise DataError(f"the input has {n} groups, but {done} were read from it before")
        gone.clear()
    else:
        yield start
    yield from groups


def _check_ratio(row: dict[str, Any], log: Callable[[str], None]) -> None:
    """Tell the raw ratio of the first batch, and what a wrong one usually means.

    What is judged is KL(behaviour || policy): the mean of the ratio cannot show a wrong
    temperature or template, for over samples of the behaviour policy its expectation is 1 anyway.
    """
    if row["ratio_mean"] is None:
        return
    log(
        f"first batch: ratio to the policy that sampled, mean {row['ratio_mean']:.4f}"
        f" (min {row['ratio_min']:.4f}, max {row['ratio_max']:.4f}),"
        f" KL {row['kl_behaviour']:.2g} nats per token; on-policy they are 1 and 0"
    )
    if row["kl_behaviour"] > 0.02 and row["updates"] == 1 and not row["lag_max"]:
        log(
            "warning: the policy is not the one that sampled, although the version is the same."
            " Likely causes: a temperature that the log-probabilities do not include, another chat"
            " template or tokenizer, truncated sampling, another dtype"
        )
