"""Passes over data that is held in memory, in shuffled batches: the loop of all modes but RL.

    passes = Passes(SFTConfig(batch=32, epochs=2, lr=1e-3))
    passes.train(policy, "sft", Data(lengths, digest), Teaching(load, learn, save))

sft.py, preference.py and classifier.py define the data and the loss of a batch. The order of batches,
the optimizer, versions, metrics and resuming after a kill are here. The order
derives from the seed alone, so a killed run continues with the very batches it would have seen, and
on CPU in float32 ends with the same weights, bit for bit.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from swr1.devices import pick_device
from swr1.errors import SwrError
from swr1.models import load_vision
from swr1.policy import MARKER, Policy
from swr1.training import engine
from swr1.training.config import PassesConfig
from swr1.training.optimizer import Optimizer, Schedule
from swr1.training.parallel import ProcessGroup, join
from swr1.training.state import Run, say
from swr1.vision import Vision

# Batches of like length are cut from shuffled stretches of so many batches.
STRETCH = 50


class Data(NamedTuple):
    """The items to learn from: the length of each, in tokens, and a digest of them all."""

    lengths: Sequence[int]
    digest: str


class Teaching(NamedTuple):
    """What a mode does with a model.

    Attributes:
        load: makes the model, float32, from a version's folder.
        learn: one batch, given by the numbers of its items: computes loss and gradient, on several
            ranks this rank's part of the gradient and all of the rest. Returns the loss and what
            else goes into the step's metrics.
        save: writes the model, with the plain weights it is given, into a version's empty folder.
        prepare: gets the model as the run began, and the items that are still to come.
        measure: adds to the metrics of a step that publishes.
    """

    load: Callable[[Path], Any]
    learn: Callable[[Any, list[int]], tuple[float, dict[str, Any]]]
    save: Callable[[Any, Path, dict[str, torch.Tensor]], None]
    prepare: Callable[[Any, list[int]], None] = lambda model, items: None
    measure: Callable[[Any], dict[str, Any]] = lambda model: {}


class Passes:
    """The loop of a mode, and how its models compute (device, dtype, micro_tokens, ranks).

    Raises UsageError for impossible options, before anything is read or loaded.
    """

    def __init__(
        self,
        config: PassesConfig,
        *,
        metrics: str | Path | None = None,
        log: Callable[[str], None] = say,
        on_step: Callable[[dict], None] | None = None,
    ) -> None:
        """Args: metrics, log, on_step: as in rl.train_rl."""
        Schedule(config.lr, config.schedule, config.warmup, 1)
        self.config, self.metrics, self.log, self.on_step = config, metrics, log, on_step
        self.dtype = engine.torch_dtype(config.dtype)
        self.device = pick_device(config.device)
        self.micro_tokens = engine.pass_tokens(config.micro_tokens, self.device)
        self.ranks = ProcessGroup()
        self.remembered: dict[str, Any] = {}  # further facts for the markers of versions
        self.vision: Vision | None = None

    @contextmanager
    def session(self, policy: Policy, what: str) -> Iterator[ProcessGroup]:
        """Hold the policy's lock; under a launcher join its ranks, of which only the lead holds the
        lock, reads and logs. The others get what it read by `ranks.first`.
        """
        with join(self.device, self.config.parallel) as ranks, ExitStack() as held:
            self.ranks = ranks
            if not ranks.lead:
                self.log, self.on_step = lambda _: None, None
            ranks.first(lambda: held.enter_context(policy.lock(what)))
            yield ranks

    def load_vision(self, policy: Policy, tokenizer: Any) -> Vision | None:
        """How a policy takes pictures; None for one that takes none."""
        self.vision = load_vision(policy.folder(), tokenizer)
        return self.vision

    def load_policy(self, folder: Path) -> Any:
        """Teaching.load of a mode that trains a policy."""
        return engine.load_model(
            folder, self.device, torch.float32, autocast=self.dtype, vision=self.vision
        )

    def saver(self, tokenizer: Any) -> Callable[[Any, Path, dict[str, torch.Tensor]], None]:
        """Teaching.save of a mode that trains a policy."""
        return lambda model, folder, weights: engine.save_model(
            model, tokenizer, folder, self.dtype, weights
        )

    def train(
        self,
        policy: Policy,
        stage: str,
        data: Data,
        teaching: Teaching,
        *,
        fixed: dict[str, Any] | None = None,
        stretch: int = STRETCH,
    ) -> dict[str, Any]:
        """Train the policy, whose lock is held (on every rank of a session).

        Args:
            fixed: further options that a run cannot change under way.
            stretch: batches of items of similar length are cut from this many shuffled batches. 1:
                batches are random, which a judge needs: batching by length would batch by label,
                since refusals are short.

        Returns a summary: steps, version, tokens, tokens_per_s. Raises SwrError when loss or
        gradient is not finite: the policy on disk stays at its last published version.
        """
        config, lengths = self.config, data.lengths
        order = (lengths, config.batch, config.batch_tokens, config.seed)
        per_epoch = len(batches(*order, 0, stretch))
        total = config.steps
        if total is None:
            total = max(1, round(config.epochs * per_epoch))
        unchanging = {
            "optimizer": config.optimizer,
            "lora_r": config.lora_r,
            "data": f"{data.digest} {order[1:]}",
            "lora_alpha": engine.scale_of(config.lora_r, config.lora_alpha),
            **({"freeze_vision": True} if config.freeze_vision else {}),
            **(fixed or {}),
        }
        run = self.ranks.first(lambda: self._begin(policy, stage, unchanging))
        run.log = self.log
        run.remembered |= self.remembered
        run.position = {"steps": total}
        if run.step >= total:
            self.log(f"{policy.path}: step {run.step} of {total} is done already")
            return {"steps": run.step, "version": run.version, "tokens": 0}
        model = teaching.load(policy.folder(run.base))
        engine.make_trainable(model, config, self.ranks)
        coming = from_step(run.step, *order, stretch)
        chosen_of = [next(coming) for _ in range(total - run.step)]
        teaching.prepare(model, sorted({i for chosen in chosen_of for i in chosen}))
        optimizer = Optimizer.of(model, config, self.ranks)
        run.start(
            model,
            optimizer,
            lambda folder, weights: teaching.save(model, folder, weights),
            ranks=self.ranks,
            background=config.background,
        )
        with closing(run):
            if run.step:
                self.log(f"resumed at step {run.step} of {total}")
            rate_at = Schedule(config.lr, config.schedule, config.warmup, total)
            saves = config.checkpoint_every or config.publish_every or max(1, total // 20)
            begun, seen = time.perf_counter(), 0
            for chosen in chosen_of:
                done, lr = run.step + 1, rate_at(run.step)
                loss, facts = teaching.learn(model, chosen)
                norm = optimizer.step(lr, config.max_grad_norm)
                if not (math.isfinite(loss) and math.isfinite(norm)):
                    raise SwrError(
                        f"loss {loss} and gradient norm {norm} at step {done}; {policy.path}"
                        f" stays at version {run.version}. Try a lower learning rate or a warm-up"
                    )
                tokens = sum(lengths[i] for i in chosen)
                seen += tokens
                publish = done == total or bool(
                    config.publish_every and done % config.publish_every == 0
                )
                metrics = {
                    "stage": stage,
                    "loss": loss,
                    "grad_norm": norm,
                    "lr": lr,
                    "epoch": round(done / per_epoch, 4),
                    "tokens": tokens,
                    **facts,
                    **(teaching.measure(model) if publish else {}),
                    "seconds": round(time.perf_counter() - begun, 3),
                }
                metrics = run.end_step(
                    metrics, checkpoint=done == total or done % saves == 0, publish=publish
                )
                if self.on_step:
                    self.on_step(metrics)
            run.finish()
        speed = seen / (time.perf_counter() - begun)
        return {"steps": run.step, "version": run.version, "tokens": seen, "tokens_per_s": speed}

    def _begin(self, policy: Policy, stage: str, fixed: dict[str, Any]) -> Run:
        return Run(
            policy,
            stage,
            fixed=fixed,
            changeable=self.config.changeable(),
            metrics=self.metrics,
            keep=self.config.keep,
            resume=self.config.resume and not _other_ended(policy, stage, fixed),
            log=self.log,
        )


def _other_ended(policy: Policy, stage: str, fixed: dict[str, Any]) -> bool:
    """Whether the policy's last run had other data or options, and did all of its steps.

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
    cut_batches = []
    for start in range(0, len(order), stretch * batch):
        some = sorted(order[start : start + stretch * batch], key=lambda i: (lengths[i], i))
        if batch_tokens:
            cuts = engine.micro_batches([lengths[i] for i in some], batch_tokens)
            cut = [[some[j] for j in c] for c in cuts]
        else:
            cut = [some[i : i + batch] for i in range(0, len(some), batch)]
        cut_batches += [cut[i] for i in torch.randperm(len(cut), generator=generator).tolist()]
    return cut_batches


def from_step(
    step: int,
    lengths: Sequence[int],
    batch: int,
    batch_tokens: int | None,
    seed: int,
    stretch: int = STRETCH,
) -> Iterator[list[int]]:
    """Endless batches, epoch after epoch, starting at number `step`."""
    epoch = 0
    while True:
        epoch_batches = batches(lengths, batch, batch_tokens, seed, epoch, stretch)
        yield from epoch_batches[step:]
        step = max(0, step - len(epoch_batches))
        epoch += 1


def digest(*parts: Iterable[Any]) -> str:
    """A digest of these items: tensors, or objects whose repr identifies them."""
    h = hashlib.sha256()
    for part in parts:
        for x in part:
            h.update(x.numpy().tobytes() if isinstance(x, torch.Tensor) else repr(x).encode())
    return h.hexdigest()[:16]
