"""The rollout stage as a whole: who completes, which prompts, in what order, at whose pace.

    job = Rollout("runs/kk", engine="hf", samples=8, sampling=Sampling(max_tokens=512), max_lag=1)
    with Stage("rollout", job.facts(), inputs=["puzzles.jsonl"], block=job.batch) as stage:
        job.run(stage)

Here the parts are put together with the engine, a stage and, through it, the trainer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swr1.engines import REGISTRY, Engine, Sampling, engine_options, open_engine
from swr1.errors import DataError, UsageError
from swr1.prompts import load_prompt, parse_arguments
from swr1.rollout.blocks import rollout
from swr1.rollout.curriculum import Curriculum
from swr1.rollout.follower import Weights
from swr1.rollout.prompt_stream import Prompts
from swr1.rollout.writer import Outlet
from swr1.streams import Stage
from swr1.streams.stage import default_threads

PAUSE = 1.0  # seconds of silence after which a half-full block begins, if somebody waits for it


@dataclass
class Rollout:
    """What a rollout is to do; `run` does it, with a stage that is open.

    Args:
        policy: policy folder, model folder or hub name; None for an engine that needs none.
        engine: its name; `engine_options` are its own. One that is None is not given, nor is an
            "auto" that the engine does not know; any other that it does not know is refused.
        system_prompt, prefill: as in swr1.prompts; prefill None leaves it as the prompt says.
        template: arguments of the chat template, KEY=VALUE.
        samples: completions per prompt.
        sampling: how tokens are drawn; its seed is that of every draw here.
        epochs, shuffle: times round the input, in another order each time.
        batch: prompts that are worked on together: the stage's `block`.
        max_lag: follow the versions that a train-step publishes, as in Weights; None: the newest
            version of now.
        curriculum: draw prompts by pass rate; `by` is a key of info, as in Curriculum.
        wait: seconds to wait for a version, or for the trainer, at most.

    Raises UsageError for wishes that do not go together, before anything heavy is loaded.
    """

    policy: str | None
    engine: str = "hf"
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    system_prompt: str = "logic-rl"
    prefill: str | None = None
    template: Sequence[str] = ()
    epochs: int = 1
    shuffle: bool = False
    batch: int = 16
    max_lag: int | None = None
    curriculum: bool = False
    by: str = "people"
    wait: float = 600.0

    def __post_init__(self) -> None:
        self.prompt = load_prompt(self.system_prompt)
        if self.prefill is not None:
            self.prompt = replace(self.prompt, prefill=self.prefill)
        self.prompt = replace(self.prompt, arguments=parse_arguments(self.template))
        if self.policy is None and self._needs_policy():
            raise UsageError("--policy is missing: which policy completes the prompts?")
        fixed = getattr(REGISTRY.get(self.engine), "fixed_weights", False)
        if self.max_lag is not None and fixed and not self.engine_options.get("reload"):
            known = engine_options(self.engine)
            how = "says how with --reload" if "reload" in known else "cannot, use hf"
            raise UsageError(
                f"--max-lag needs new weights all the time: the engine {self.engine!r} {how}"
            )
        self.weights = Weights(self.policy or "no-policy", self.max_lag, self.wait)
        if self.curriculum and self.max_lag is None:
            raise UsageError("--curriculum goes by what train-step learns: use it with --max-lag")

    def _needs_policy(self) -> bool:
        # hf is not asked: that would import torch, seconds before the error.
        return self.engine == "hf" or getattr(REGISTRY.get(self.engine), "needs_policy", True)

    def facts(self) -> dict[str, Any]:
        """What shapes the records beside the options: the version, where it stays the same."""
        return {"policy_version": self.weights.version} if self.max_lag is None else {}

    def open_engine(self) -> Engine:
        """The engine, on the version that is the newest now."""
        options, known = dict(self.engine_options), engine_options(self.engine)
        if "follow" in known:
            options["follow"] = self.max_lag is not None
        if "threads" in known:
            options["threads"] = options.get("threads") or default_threads()
        asked = {
            name: value
            for name, value in options.items()
            if value is not None and (name in known or value != "auto")
        }
        return open_engine(self.engine, self.weights.folder, **asked)

    def run(self, stage: Stage) -> None:
        """Complete the prompts that `stage` reads and write them to it.

        With `max_lag` a trainer must be at the other end. Raises what Weights.follow and
        Weights.admit raise; what stage.drop raises for a prompt that cannot be completed.
        """
        _Running(self, stage).run()


class _Running:
    """A rollout at work: its parts, and what they tell one another."""

    def __init__(self, job: Rollout, stage: Stage) -> None:
        self.job, self.stage, self.weights = job, stage, job.weights
        self.outlet = Outlet(stage, job.samples)
        # When there is nothing to train, the stages after this one learn that nothing failed.
        used = self.weights.follow(self.outlet.wait)
        if job.max_lag is not None and (before := self.weights.note_batch(job.batch, used)):
            stage.say(
                f"warning: --batch was {before} when this run began and is {job.batch} now: what"
                " is computed together differs, so the weights will not be those of an unbroken"
                f" run, bit for bit (they will be with --batch {before})"
            )
        self.engine: Any = job.open_engine()
        seed = job.sampling.seed
        self.prompts = (
            Curriculum(stage, job.epochs, seed, self.weights, job.by, self.fits)
            if job.curriculum
            else Prompts(stage, job.epochs, seed if job.shuffle else None, used, self.fits)
        )

    def run(self) -> None:
        job, stage = self.job, self.stage
        write = stage.write if job.max_lag is None else self.outlet.write
        try:
            for record in rollout(
                self.prompts,
                self.engine,
                prompt=job.prompt,
                samples=job.samples,
                sampling=job.sampling,
                policy_name=job.policy or job.engine,
                admit=self.admit,
                refresh=lambda: self.weights.version,
                epoch_of=self.prompts.epoch_of,
                done=stage,
                on_error=self.refuse,
                prompts_per_block=job.batch,
                # In a file a block is the same whenever it is run; behind a pipe somebody waits.
                patience=PAUSE if stage.output == "-" else math.inf,
            ):
                write(record)
            self.outlet.flush()
        finally:
            if hasattr(self.engine, "summary"):
                stage.tallies["requests"].update(self.engine.counts())
                stage.say(self.engine.summary())
        self.prompts.close(job.samples)

    def fits(self, record: Any) -> bool:
        """Whether a prompt can be completed; it is told here only where its turn never comes."""
        try:
            self.engine.request((record["id"], 0, 0), record["prompt"], self.job.prompt)
        except DataError as error:
            if self.job.curriculum:  # else it was dropped when its turn came
                self.stage.drop(error.reason, record.where, record)
            return False
        return True

    def admit(self, wanted: int) -> int:
        """How many of `wanted` prompts may start, when they may; what is done goes out before."""
        size = wanted
        # No waiting at the end of the input: the trainer may be waiting for it.
        if self.prompts.more():
            size = self.weights.admit(self.engine, self.prompts.given, wanted, self.rest)
        self.outlet.flush()
        return size

    def rest(self) -> None:
        """Nothing to do until the trainer has done something."""
        if hasattr(self.engine, "rest"):
            self.engine.rest()  # before the trainer hears that it is its turn
        self.outlet.wait()

    def refuse(self, record: Any, error: DataError) -> None:
        """Drop a prompt that cannot be completed."""
        self.prompts.lose(record)
        self.stage.drop(error.reason, record.where, record)
