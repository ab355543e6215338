"""The train-step stage as a whole: what an objective's name means, and which records it reads.

    job = TrainStep("grpo", "runs/kk", {"batch": 64, "lr": 1e-6, "kl": 0.01})
    with Stage("train-step", {}, inputs=["rewarded.jsonl"], output=None) as stage:
        job.run(stage)

modes.py has SFT, DPO and the models that judge, rl.py the RL step with every other objective;
config.py their options. torch is imported by `run` only.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.objectives.presets import PRESETS, Objective, get_preset
from swr1.options import flag_of, options_of
from swr1.policy import Policy
from swr1.registry import check_known
from swr1.streams import Stage
from swr1.streams.stage import default_threads
from swr1.training.config import RLConfig
from swr1.training.modes import JUDGES, MODES


class TrainStep:
    """Training by one objective or mode, on one policy folder.

    Args:
        objective: a mode (modes.MODES) or a preset of RL (presets.PRESETS).
        policy: the folder.
        options: the options that are given, by name: fields of the mode's config (config.py); for
            RL of RLConfig and of the objective (presets.Objective).

    Raises UsageError for an unknown objective, for an option that it does not use, for impossible
    values, and for a folder that holds another kind of model; before anything heavy is loaded.
    """

    def __init__(self, objective: str, policy: str | Path, options: Mapping[str, Any]) -> None:
        self.objective, self.home = objective, Policy(policy)
        self.mode = MODES.get(objective)
        self.config: Any
        if ".py:" not in objective:
            check_known("objective", objective, [*MODES, *PRESETS])
        if self.mode:
            refuse_others(objective, options, self.mode.config)
            self.config = self.mode.config(**options)
        else:
            refuse_others(objective, options, RLConfig, Objective)
            of_objective = options_of(Objective)
            preset = {name: v for name, v in options.items() if name in of_objective}
            others = {name: v for name, v in options.items() if name not in of_objective}
            self.config = RLConfig(objective=get_preset(objective, **preset), **others)
        if not getattr(self.config, "start", None) or self.home.versions():
            refuse_mixture(self.home.meta().get("stage"), objective, self.home.path)

    def run(
        self, stage: Stage, threads: int | None = None, allow_fewer_steps: bool = False
    ) -> dict[str, Any]:
        """Train on what `stage` reads; the trainer's metrics go where the stage's would.

        Returns the trainer's summary, among it `version` and `steps`. Raises SwrError when the input
        ended before the steps that were asked for, or before any, unless `allow_fewer_steps`.
        """
        import torch

        if cores := threads or default_threads():
            torch.set_num_threads(cores)
        hooks: dict[str, Any] = {
            "metrics": stage.metrics,
            "log": stage.say,
            "on_step": stage.on_step,
        }
        stage.metrics = None  # the file gets a line per step
        records: Any
        train: Callable[..., dict[str, Any]]
        if isinstance(self.config, RLConfig):
            from swr1.training.rl import train_rl

            train, needs = train_rl, ["id", "reward", "generation.token_ids"]
            records = stage.read_marked(needs, self.config.group_patience)
        else:
            assert self.mode
            train, records = self.mode.load(), stage.read(["id"])
        summary = train(filter(None, records), self.home, self.config, **hooks)
        stage.say(f"{self.home.path} is at version {summary['version']}, step {summary['steps']}")
        if not allow_fewer_steps:
            self._check_steps(stage, summary["steps"])
        return summary

    def _check_steps(self, stage: Stage, done: int) -> None:
        """A run that did less than it was asked for must not look like one that did it."""
        requested = self.config.steps
        if done >= (1 if requested is None else requested):
            return
        if os.environ.get("RANK", "0") != "0":
            raise SystemExit(SwrError.exit_code)  # the first rank reports it
        what = "did no step" if requested is None else f"did {done} of {requested} steps"
        why = "no input came" if not stage.came else f"the input ended after {stage.came:,} records"
        if not done and stage.came and not self.mode:
            why += f", which made no full batch of {self.config.batch} groups"
        raise SwrError(
            f"{what}: {why}. Has a stage before it failed? The same command on more records goes"
            " on; --allow-fewer-steps makes this no error"
        )


def refuse_others(objective: str, options: Mapping[str, Any], *configs: type) -> None:
    """Raises UsageError for an option that no field of these dataclasses heeds."""
    heeded = options_of(*configs)
    for name in options:
        if name not in heeded:
            flag = flag_of(name)
            raise UsageError(f"{objective} does not use {flag}; see swr1 train-step --list")


def refuse_mixture(trained: str | None, objective: str, policy: Path) -> None:
    """Raises UsageError when a judge would follow a policy in one folder, or the reverse."""
    if trained and (trained in JUDGES) != (objective in JUDGES):
        raise UsageError(
            f"{policy} was trained by {trained}, and {objective} makes another kind of model: give"
            f" it a folder of its own" + (f", with --start {policy}" if objective in JUDGES else "")
        )
