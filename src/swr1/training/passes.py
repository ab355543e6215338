"""Passes over data that is held in memory, in shuffled batches: the loop of every mode but RL.

    passes = Passes(batch=32, epochs=2, lr=1e-3)
    passes.train(policy, "sft", lengths, digest, load=..., learn=..., save=...)

sft.py, preference.py and classifier.py say what the data is and what a batch teaches; the order of
batches, the optimizer, versions, metrics and going on after a kill are here, once. The order
derives from the seed alone, so a killed run continues with the very batches it would have seen, and
on CPU in float32 ends with the same weights, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from swr1.errors import SwrError, UsageError
from swr1.policy import MARKER, Policy
from swr1.training import engine
from swr1.training.parallel import NO_ADAPTERS, Team, join, shard
from swr1.training.rl import say
from swr1.training.state import Run

# Batches of like length are cut from shuffled stretches of so many batches.
STRETCH = 50
# Options that shape the result, and that a resumed run may change: it says so.
TOLD = ("lr", "warmup", "schedule", "weight_decay", "max_grad_norm", "dtype")


@dataclass(kw_only=True)
class Passes:
    """How to train; every field is an option of all these modes.

    Attributes:
        batch: items per step; batch_tokens: instead, as many as fit in so many padded tokens.
        epochs: passes over the data, may be a fraction; steps: instead, a number of steps.
        lr, warmup, schedule: as in engine.Schedule. optimizer: "adamw" or "muon".
        micro_tokens: tokens per forward pass (engine.pass_tokens): memory and speed, not the result.
        dtype: of the matrix products and the published weights; trained weights are float32.
        parallel: how the ranks of a launcher share a step, as in parallel.join.
        lora_r: rank of adapters to train instead of the weights; merged when published.
        gradient_checkpointing: recompute activations in the backward pass: memory for time.
        publish_every: steps between versions (None: at the end only).
        checkpoint_every: steps between trainer states (None: about every twentieth of the run).
        keep: newest versions kept on disk (None: all), besides the one this run started from.
        resume: False starts a new run from the latest version.
        on_step: called with each step's metrics row.
    """

    batch: int = 32
    batch_tokens: int | None = None
    epochs: float = 1
    steps: int | None = None
    lr: float = 1e-3
    warmup: int = 0
    schedule: str = "constant"
    optimizer: str = "adamw"
    weight_decay: float = 0.0
    max_grad_norm: float | None = 1.0
    micro_tokens: int = 0
    dtype: str = "float32"
    device: str = "auto"
    parallel: str = "auto"
    lora_r: int = 0
    lora_alpha: float | None = None
    gradient_checkpointing: bool = False
    publish_every: int | None = None
    checkpoint_every: int | None = None
    keep: int | None = 3
    metrics: str | Path | None = None
    resume: bool = True
    seed: int = 0
    log: Callable[[str], None] = say
    on_step: Callable[[dict], None] | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for impossible options, before anything is read or loaded."""
        if min(self.batch, self.batch_tokens or 1) < 1 or not self.epochs > 0:
            raise UsageError("batch, batch-tokens and epochs must be positive")
        engine.Schedule(self.lr, self.schedule, self.warmup, 1)
        self.compute = engine.torch_dtype(self.dtype)
        self.where = engine.pick_device(self.device)
        self.micro_tokens = engine.pass_tokens(self.micro_tokens, self.where)
        self.team = Team()

    @contextmanager
    def session(self, policy: Policy, what: str) -> Iterator[Team]:
        """Hold the policy's lock; with a launcher, its ranks: the lead alone holds it and speaks.

        What is read must come to the others by `team.first`.
        """
        with join(self.where, self.parallel) as team, ExitStack() as held:
            self.team = team
            if not team.lead:
                self.log, self.on_step = lambda _: None, None
            team.first(lambda: held.enter_context(policy.lock(what)))
            yield team

    def train(
        self,
        policy: Policy,
        stage: str,
        lengths: Sequence[int],
        data: str,
        *,
        load: Callable[[Path], Any],
        learn: Callable[[Any, list[int]], tuple[float, dict[str, Any]]],
        save: Callable[[Any, Path, dict[str, torch.Tensor]], None],
        prepare: Callable[[Any, list[int]], None] = lambda model, items: None,
        measure: Callable[[Any], dict[str, Any]] = lambda model: {},
        fixed: dict[str, Any] | None = None,
        stretch: int = STRETCH,
    ) -> dict[str, Any]:
        """Train the policy, whose lock is held (on every rank of a session).

        Args:
            lengths: of every item of the data, in tokens. data: a digest of all items.
            load: the model, float32, from a version's folder.
            learn: one batch, given by the numbers of its items: computes loss and gradient, on
                several ranks its part of the gradient and all of the rest. Returns the loss and
                what else goes into the step's metrics line.
            save: the model, with the plain weights it is given, into a version's empty folder.
            prepare: is shown the model as the run began, and the items that are still to come.
            measure: what is added to the metrics line of a step that publishes.
            fixed: further options that a run cannot change under way.
            stretch: batches that are made of like length, of so many shuffled ones. 1: batches are
                random, which a judge needs: a refusal is short, and like length would be like label.

        Returns a summary: steps, version, tokens, tokens_per_s. Raises SwrError when loss or
        gradient is not finite: the policy on disk stays at its last published version.
        """
        order = (lengths, self.batch, self.batch_tokens, self.seed)
        per_epoch = len(batches(*order, 0, stretch))
        total = self.steps if self.steps is not None else max(1, round(self.epochs * per_epoch))
        rate_at = engine.Schedule(self.lr, self.schedule, self.warmup, total)
        kept = {"optimizer": self.optimizer, "lora_r": self.lora_r, "data": f"{data} {order[1:]}"}
        kept |= {"lora_alpha": engine.scale_of(self.lora_r, self.lora_alpha)} | (fixed or {})
        told = {name: getattr(self, name) for name in TOLD}
        run = self.team.first(
            lambda: Run(
                policy,
                stage,
                fixed=kept,
                told=told,
                metrics=self.metrics,
                keep=self.keep,
                resume=self.resume and not _other_ended(policy, stage, kept),
                log=self.log,
            )
        )
        run.log = self.log
        run.position = {"steps": total}
        if run.step >= total:
            self.log(f"{policy.path}: step {run.step} of {total} is done already")
            return {"steps": run.step, "version": run.version, "tokens": 0}
        model = load(policy.folder(run.base))
        if self.lora_r:
            if self.team.sharded:
                raise UsageError(NO_ADAPTERS)
            engine.add_lora(model, self.lora_r, self.lora_alpha, self.seed)
        if self.gradient_checkpointing:
            engine.checkpoint_activations(model)
        shard(model, self.team, engine.token_logprobs)
        coming = from_step(run.step, *order, stretch)
        chosen_of = [next(coming) for _ in range(total - run.step)]
        prepare(model, sorted({i for chosen in chosen_of for i in chosen}))
        stepper = engine.Optimizer(
            model.named_parameters(),
            self.optimizer,
            lr=self.lr,
            weight_decay=self.weight_decay,
            team=self.team,
        )
        run.start(
            model, stepper, lambda folder, weights: save(model, folder, weights), team=self.team
        )
        saves = self.checkpoint_every or self.publish_every or max(1, total // 20)
        if run.step:
            self.log(f"resumed at step {run.step} of {total}")
        begun, seen = time.perf_counter(), 0
        for chosen in chosen_of:
            done, rate = run.step + 1, rate_at(run.step)
            loss, facts = learn(model, chosen)
            norm = stepper.step(rate, self.max_grad_norm)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise SwrError(
                    f"loss {loss} and gradient norm {norm} at step {done}; {policy.path} stays at"
                    f" version {run.version}. Try a lower learning rate or a warm-up"
                )
            tokens = sum(lengths[i] for i in chosen)
            seen += tokens
            publish = done == total or bool(self.publish_every and done % self.publish_every == 0)
            row = run.end_step(
                {
                    "stage": stage,
                    "loss": loss,
                    "grad_norm": norm,
                    "lr": rate,
                    "epoch": round(done / per_epoch, 4),
                    "tokens": tokens,
                    **facts,
                    **(measure(model) if publish else {}),
                    "seconds": round(time.perf_counter() - begun, 3),
                },
                checkpoint=done == total or done % saves == 0,
                publish=publish,
            )
            if self.on_step:
                self.on_step(row)
        run.finish()
        speed = seen / (time.perf_counter() - begun)
        return {"steps": run.step, "version": run.version, "tokens": seen, "tokens_per_s": speed}


def _other_ended(policy: Policy, stage: str, fixed: dict[str, Any]) -> bool:
    """Whether the policy's last run is one of other data or options, and did all of its steps.

    Then this is a new run from the latest version, as in expert iteration: sample, train, sample.
    """
    markers = sorted((policy.path / "trainer").glob(f"[0-9]*/{MARKER}"))
    state = json.loads(markers[-1].read_text()) if markers else {}
    if state.get("stage") != stage or state["fixed"] == fixed:
        return False
    published = not state["publish_due"] or policy.latest() > state["version"]
    return published and state["step"] >= state["position"].get("steps", math.inf)


def batches(
    lengths: Sequence[int],
    batch: int,
    batch_tokens: int | None,
    seed: int,
    epoch: int,
    stretch: int = STRETCH,
) -> list[list[int]]:
    """The batches of one epoch, in order: shuffled, of like length within a stretch."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(lengths), generator=generator).tolist()
    if batch_tokens:
        batch = max(1, batch_tokens * len(lengths) // sum(lengths))
    found = []
    for start in range(0, len(order), stretch * batch):
        some = sorted(order[start : start + stretch * batch], key=lambda i: (lengths[i], i))
        if batch_tokens:
            cuts = engine.micro_batches([lengths[i] for i in some], batch_tokens)
            cut = [[some[j] for j in c] for c in cuts]
        else:
            cut = [some[i : i + batch] for i in range(0, len(some), batch)]
        found += [cut[i] for i in torch.randperm(len(cut), generator=generator).tolist()]
    return found


def from_step(
    step: int,
    lengths: Sequence[int],
    batch: int,
    batch_tokens: int | None,
    seed: int,
    stretch: int = STRETCH,
) -> Iterator[list[int]]:
    """Batches without end, epoch after epoch, from number `step` on."""
    epoch = 0
    while True:
        found = batches(lengths, batch, batch_tokens, seed, epoch, stretch)
        yield from found[step:]
        step = max(0, step - len(found))
        epoch += 1


def digest(*parts: Iterable[Any]) -> str:
    """What tells these items (tensors, or anything with a telling repr) from any others."""
    h = hashlib.sha256()
    for part in parts:
        for x in part:
            h.update(x.numpy().tobytes() if isinstance(x, torch.Tensor) else repr(x).encode())
    return h.hexdigest()[:16]
