"""Reinforcement learning: scored records in, better versions of the policy out.

    train_rl(records, Policy("runs/kk"), RLConfig(objective="reinforce++", batch=64, lr=1e-6))

One step takes `batch` complete groups (all samples of so many prompts), turns their rewards into
advantages over the whole batch, and makes one optimizer step (more with `minibatch` or `epochs`),
then may publish a version. Here is the loop over the stream; config.py has the options, update.py
the step itself, swr1.objectives the formulas, engine.py the model's side, state.py what survives a
kill.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from swr1.devices import pick_device
from swr1.errors import SwrError, UsageError
from swr1.models import check_fit, load_tokenizer
from swr1.objectives.lagrange import Multiplier
from swr1.objectives.presets import Objective
from swr1.pass_rates import PassRates
from swr1.policy import Policy, model_folder
from swr1.training import engine
from swr1.training.background import steps_per_state
from swr1.training.batches import Batch, Batches
from swr1.training.checks import check_policy, write_aside
from swr1.training.config import RLConfig
from swr1.training.credit import StepCredit
from swr1.training.critic import Critic
from swr1.training.groups import Sample, read_sample
from swr1.training.optimizer import Optimizer, Schedule
from swr1.training.parallel import ProcessGroup, join, shard
from swr1.training.remembered import SystemPrompts
from swr1.training.reward_parts import Expected
from swr1.training.scorer import Offloaded, Recorded, Scorer
from swr1.training.state import Run, say
from swr1.training.update import BadStep, Learner, rl_step
from swr1.vision import Vision, vision_of

MULTIPLIER = "multiplier.json"


def train_rl(
    records: Iterable[dict],
    policy: Policy,
    config: RLConfig | None = None,
    *,
    metrics: str | Path | None = None,
    log: Callable[[str], None] = say,
    on_step: Callable[[dict], None] | None = None,
) -> dict[str, Any]:
    """Train `policy` on scored records until the input ends or `steps` are done.

    Args:
        records: scored records (see the records' documentation); closed when `steps` are done.
        config: objective and options.
        metrics: the file that gets a JSON line per step; None: metrics.jsonl of the policy.
        log: called with messages for people. on_step: called with each step's metrics.

    Returns a summary: steps, version, groups_consumed, and what was dropped, by reason.
    Raises UsageError, DataError (naming the record), and SwrError when loss or gradient is not
    finite: the policy on disk stays at its last published version.
    """
    config = config or RLConfig()
    Schedule(config.lr, config.schedule, config.warmup, config.steps)
    setup = _Setup.of(config)
    with join(setup.device, config.parallel) as ranks, ExitStack() as held:
        if not ranks.lead:
            log, on_step = lambda _: None, None
        setup = setup._replace(ranks=ranks)
        run = ranks.first(lambda: _begin(policy, config, metrics, log, held))
        run.log = log
        if config.steps is not None and run.step >= config.steps:
            log(f"{policy.path}: step {run.step} of {config.steps} is done already")
            _close(records)
            return _summary(run, {})
        learner, extra, vocabulary, credit = _load(run, config, setup)
        prompts = SystemPrompts(log)

        def read(record: dict) -> Sample:
            generation = record.get("generation") or {}
            prompts.add(generation.get("system_prompt"), record.get("task"))
            run.remembered |= prompts.marker()
            sample = read_sample(
                record, vocabulary, config.allow_truncated_sampling, vision_of(learner.scorer.model)
            )
            if credit:
                sample.steps = credit(record)
            return sample

        batches = Batches(
            records,
            read,
            run,
            extra.rates,
            size=config.batch,
            max_staleness=config.max_staleness,
            filter_on=config.filter_on,
            dynamic_sampling=config.dynamic_sampling,
            remainder=config.remainder,
        )
        expected = Expected(config.resolved_objective, config.filter_on, log)
        resumed = run.step > 0
        held.callback(run.close)
        try:
            _loop(batches, run, config, learner, expected, on_step)
        except SwrError as error:
            if ranks.lead:
                raise
            raise SystemExit(error.exit_code) from None  # every rank met it, the lead reports it
        finally:
            _close(records)
        run.finish()
    if ranks.lead and not resumed:  # else the part may have come before
        expected.check()
    for reason, n in batches.dropped.items():
        log(f"{n} samples dropped: {reason}")
    return _summary(run, batches.dropped)


class _Setup(NamedTuple):
    """The device and the precision in which models compute."""

    device: torch.device
    dtype: torch.dtype
    micro_tokens: int
    ranks: ProcessGroup

    @classmethod
    def of(cls, config: RLConfig) -> _Setup:
        """Raises UsageError for a device, dtype or size that cannot be."""
        device = pick_device(config.device)
        tokens = engine.pass_tokens(config.micro_tokens, device)
        return cls(device, engine.torch_dtype(config.dtype), tokens, ProcessGroup())

    def scorer(self, model: Any, adapters: Any = None) -> Scorer:
        return Scorer(model, self.micro_tokens, self.dtype, adapters, ranks=self.ranks)


def _begin(
    policy: Policy,
    config: RLConfig,
    metrics: str | Path | None,
    log: Callable[[str], None],
    held: ExitStack,
) -> Run:
    """Take the policy's lock, and find where the run stands; on the lead."""
    objective = config.resolved_objective
    held.enter_context(policy.lock(f"train-step {objective.name}"))
    fixed = {
        "objective": objective.name,
        "optimizer": config.optimizer,
        "lora_r": config.lora_r,
        "lora_alpha": engine.scale_of(config.lora_r, config.lora_alpha),
        "quantize": config.quantize,
        **({"freeze_vision": True} if config.freeze_vision else {}),
    }
    return Run(
        policy,
        "rl",
        fixed=fixed,
        changeable=config.changeable() | asdict(objective),
        metrics=metrics,
        keep=config.keep,
        resume=config.resume,
        log=log,
    )


def _load(
    run: Run, config: RLConfig, setup: _Setup
) -> tuple[Learner, _ExtraState, int, StepCredit | None]:
    """Models and optimizer as the run left them; the extra state; the vocabulary's size; how steps
    get their credit."""
    objective, base, ranks = config.resolved_objective, run.policy.folder(run.base), setup.ranks
    model = engine.load_model(base, setup.device, torch.float32, config.quantize, setup.dtype)
    tokenizer = load_tokenizer(base)
    check_fit(model, tokenizer, base)
    vision = vision_of(model)
    if vision and objective.advantage == "gae":
        raise UsageError(
            f"{objective.name} needs a critic, which takes no pictures yet and would judge blind: use"
            " grpo, reinforce++ or another objective without one"
        )
    adapters = engine.make_trainable(model, config, ranks)
    optimizer = Optimizer.of(model, config, ranks)
    extra = _ExtraState(
        PassRates.load(run.carried),
        _multiplier(objective, run.carried),
        _critic(objective, run, base, setup),
    )

    def save(folder: Path, weights: dict[str, torch.Tensor]) -> None:
        engine.save_model(model, tokenizer, folder, setup.dtype, weights)

    run.start(
        model,
        optimizer,
        save,
        extra.save_with_version,
        extra.save_with_state,
        ranks,
        setup.dtype,
        config.background,
    )
    learner = Learner(
        scorer=setup.scorer(model),
        optimizer=optimizer,
        multiplier=extra.multiplier,
        critic=extra.critic,
    )
    if objective.kl > 0:
        if adapters is not None and config.reference is None:
            learner.reference = setup.scorer(model, adapters)
        else:
            learner.reference = _reference(config, base, setup, vision)
    credit = StepCredit(tokenizer, objective.process_from) if objective.process else None
    return learner, extra, model.get_input_embeddings().weight.shape[0], credit


def _loop(
    batches: Batches,
    run: Run,
    config: RLConfig,
    learner: Learner,
    expected: Expected,
    on_step: Callable[[dict], None] | None,
) -> None:
    """Take steps until the input ends or all steps are done."""
    ranks, steps = learner.scorer.ranks, config.steps
    rate_at = Schedule(config.lr, config.schedule, config.warmup, steps)
    ranks.first(lambda: _announce(run, config))
    checked = False
    saves = steps_per_state(config.checkpoint_every, config.publish_every, learner.scorer.model)
    while steps is None or run.step < steps:
        taken = ranks.first(batches.take)
        if not taken.groups:
            break
        expected.see([s for g in taken.groups for s in g])
        clock = time.perf_counter()
        if not checked:
            limit = math.inf if config.allow_truncated_sampling else config.ratio_tolerance
            check_policy(taken.groups, learner.scorer, limit, run.log)
            checked = True
        lr, done = rate_at(run.step), run.step + 1
        learned = _learn(taken.groups, config, learner, run, lr)
        # Dropped groups are consumed too.
        run.groups_consumed += len(taken.groups) + taken.dropped.total()
        metrics = {
            "stage": "rl",
            "objective": config.resolved_objective.name,
            **learned,
            **_arrival(taken),
            "groups_consumed": run.groups_consumed,
            "lr": lr,
            "wait_s": round(taken.seconds, 3),
            "compute_s": round(time.perf_counter() - clock, 3),
        }
        metrics = run.end_step(
            metrics,
            checkpoint=done == steps or done % saves == 0,
            publish=done == steps or done % config.publish_every == 0,
        )
        if on_step:
            on_step(metrics)


@dataclass
class _ExtraState:
    """The files saved beside the policy's weights: with each version; the critic with states only."""

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


def _multiplier(objective: Objective, folder: Path) -> Multiplier | None:
    """The multiplier of a Lagrangian objective, as a version or a state left it."""
    if not objective.cost:
        return None
    multiplier = Multiplier(
        objective.lambda_init,
        objective.lambda_lr,
        objective.cost_limit,
        objective.lambda_max,
        objective.lambda_rule,
    )
    if (folder / MULTIPLIER).exists():
        multiplier.restore(json.loads((folder / MULTIPLIER).read_text()))
    return multiplier


def _critic(objective: Objective, run: Run, base: Path, setup: _Setup) -> Critic | None:
    """The critic of an objective whose advantages need values, as the state left it."""
    if objective.advantage != "gae":
        return None
    if setup.ranks.sharded:
        raise UsageError("a critic is not trained with sharded weights: --parallel ddp")
    critic = Critic(
        base,
        setup.device,
        lr=objective.critic_lr,
        micro_tokens=setup.micro_tokens,
        dtype=setup.dtype,
        ranks=setup.ranks,
    )
    critic.restore(run.carried)
    return critic


def _reference(config: RLConfig, base: Path, setup: _Setup, vision: Vision | None) -> Scorer:
    """The frozen model of the KL term, or its log-probabilities in the records."""
    if config.reference == "records":
        return Recorded()
    folder = model_folder(config.reference) if config.reference else base
    if config.reference_offload:
        return Offloaded(folder, setup.device, setup.micro_tokens, setup.ranks, vision)
    frozen = engine.load_model(
        folder, setup.device, torch.float32, autocast=setup.dtype, vision=vision
    )
    shard(frozen, setup.ranks, engine.token_logprobs)
    return setup.scorer(frozen)


def _announce(run: Run, config: RLConfig) -> None:
    """Announce batch size and progress to the rollouts that follow this policy, and the goal."""
    before = int(run.policy.meta(run.base).get("groups_consumed", 0))
    run.policy.announce(
        config.batch,
        config.publish_every,
        run.groups_consumed - before,
        before,
        run.groups_dropped,
        config.steps,
    )


def _learn(
    groups: list[list[Sample]], config: RLConfig, learner: Learner, run: Run, lr: float
) -> dict[str, Any]:
    """The step's metrics; a batch that gave no finite loss or gradient is written aside."""

    def put_aside() -> Path:
        folder = run.policy.path / "trainer"
        return learner.scorer.ranks.first(lambda: write_aside(groups, folder, run.step + 1))

    try:
        metrics = rl_step(groups, config, learner, lr=lr, seed=config.seed * 1_000_003 + run.step)
    except BadStep as error:
        raise SwrError(
            f"step {run.step + 1}: {error}; {run.policy.path} stays at version {run.version},"
            f" the batch is in {put_aside()}"
        ) from None
    if metrics["skipped_updates"]:
        run.log(
            f"step {run.step + 1}: skipped {metrics['skipped_updates']} updates whose loss or"
            f" gradient was not finite; the batch is in {put_aside()}"
        )
    return metrics


def _arrival(taken: Batch) -> dict[str, Any]:
    """The ages of a batch's tokens, and the counts of drops before it."""
    samples = [s for group in taken.groups for s in group]
    tokens: Counter[int] = Counter()
    for s in samples:
        for lag, n in s.lags:
            tokens[lag] += n
    total = tokens.total()
    return {
        "lag": sum(lag * n for lag, n in tokens.items()) / total if total else None,
        "lag_max": max((s.lag for s in samples), default=None),
        "lag_shares": {str(lag): n / total for lag, n in sorted(tokens.items()) if n},
        "dropped_stale": taken.dropped["stale"],
        "dropped_zero_variance": taken.dropped["zero-variance"],
        "dropped_incomplete": taken.dropped["incomplete"],
    }


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
