"""The train-step stage as a whole: what an objective's name means, and which records it reads.

    job = TrainStep("grpo", "runs/kk", {"batch": 64, "lr": 1e-6}, {"kl": 0.01})
    with Stage("train-step", {}, inputs=["rewarded.jsonl"], output=None) as stage:
        job.run(stage)

modes.py has SFT, DPO and the models that judge, rl.py the RL step with every other objective. torch
is imported when one of them is: `takes` and `run` do so.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.objectives.presets import PRESETS, get_preset
from swr1.policy import Policy
from swr1.prompts import load_prompt, parse_arguments
from swr1.registry import suggest
from swr1.streams import Stage
from swr1.streams.stage import default_threads
from swr1.training.modes import JUDGES, MODES, options_of

PATIENCE = 300.0  # seconds of silence in a pipe after which open groups are given up


class TrainStep:
    """Training by one objective or mode, on one policy folder.

    Args:
        objective: a mode (modes.MODES) or a preset of RL (presets.PRESETS).
        policy: the folder.
        options: of the trainer, by name; those that are None, or that it does not take, are left
            out. Beside `takes` there are, for modes that render, `system_prompt` (a name or file)
            and `template` (KEY=VALUE: arguments of the chat template), and for RL `clip` (both
            clips) and `group_patience` (seconds).
        goal: fields of the objective (presets.Objective), None where the preset's stays.

    Raises UsageError for an unknown objective, for fields it cannot have, and for a folder that
    holds another kind of model; before anything heavy is loaded.
    """

    def __init__(
        self,
        objective: str,
        policy: str | Path,
        options: Mapping[str, Any],
        goal: Mapping[str, Any],
    ) -> None:
        self.objective, self.home = objective, Policy(policy)
        self.options = {name: value for name, value in options.items() if value is not None}
        self.goal = {name: value for name, value in goal.items() if value is not None}
        self.fields = goal.keys()
        clip = self.options.get("clip")
        if clip is not None:
            self.goal = {"clip_low": clip, "clip_high": clip} | self.goal
        self.mode = MODES.get(objective)
        if not self.mode:
            if objective not in PRESETS and ".py:" not in objective:
                names = [*MODES, *PRESETS]
                near = suggest(objective, names)
                raise UsageError(
                    f"unknown objective {objective!r}.{near} Known: {', '.join(names)}"
                )
            get_preset(objective, **self.goal)
        if not self.options.get("start") or self.home.versions():
            refuse_mixture(self.home.meta().get("stage"), objective, self.home.path)

    @cached_property
    def train(self) -> Callable[..., dict[str, Any]]:
        """The function that trains: train(records, policy, ...)."""
        if self.mode:
            return self.mode.load()
        from swr1.training.rl import train_rl

        return train_rl

    @property
    def takes(self) -> set[str]:
        """The names of the options and fields that are heeded."""
        if self.mode:
            return self._own | ({"system_prompt", "template"} if self.mode.renders else set())
        return {*self._own, *self.fields, "clip", "group_patience"}

    @property
    def _own(self) -> set[str]:
        """The options that `train` has under the same name."""
        if self.mode:
            return options_of(self.train)
        return inspect.signature(self.train).parameters.keys() - {"policy", "objective"}

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
        told = {"metrics": stage.metrics, "log": stage.say, "on_step": stage.on_step}
        stage.metrics = None  # the file gets a line per step
        more: dict[str, Any] = {}
        records: Iterator
        if self.mode:
            records = stage.read(["id"])
            if self.mode.renders:
                more = self._rendering()
        else:
            more = {"objective": self.objective, "epochs": int(self.options.get("epochs", 1))}
            more |= self.goal
            patience = self.options.get("group_patience", PATIENCE)
            records = stage.read_marked(["id", "reward", "generation.token_ids"], patience)
        options = {name: value for name, value in self.options.items() if name in self._own}
        summary = self.train(filter(None, records), self.home, **(options | told | more))
        stage.say(f"{self.home.path} is at version {summary['version']}, step {summary['steps']}")
        if not allow_fewer_steps:
            self._check_steps(stage, summary["steps"])
        return summary

    def _check_steps(self, stage: Stage, done: int) -> None:
        """A run that did less than it was asked for must not look like one that did it."""
        asked = self.options.get("steps")
        if done >= (1 if asked is None else asked):
            return
        if os.environ.get("RANK", "0") != "0":
            raise SystemExit(SwrError.exit_code)  # the first rank tells it
        what = "did no step" if asked is None else f"did {done} of {asked} steps"
        why = "no input came" if not stage.came else f"the input ended after {stage.came:,} records"
        if not done and stage.came and not self.mode:
            why += f", which made no full batch of {self.options.get('batch', 8)} groups"
        raise SwrError(
            f"{what}: {why}. Has a stage before it failed? The same command on more records goes"
            " on; --allow-fewer-steps makes this no error"
        )

    def _rendering(self) -> dict[str, Any]:
        """What a mode is told of the prompts that the rollouts will be of."""
        named = self.options.get("system_prompt")
        prompt = load_prompt(named or "logic-rl")
        arguments = parse_arguments(self.options.get("template") or [])
        if arguments:
            prompt = replace(prompt, arguments=arguments)
        return {"prompt": prompt, "as_sampled": named is None and not arguments}


def refuse_mixture(trained: str | None, objective: str, policy: Path) -> None:
    """Raises UsageError when a judge would follow a policy in one folder, or the reverse."""
    if trained and (trained in JUDGES) != (objective in JUDGES):
        raise UsageError(
            f"{policy} was trained by {trained}, and {objective} makes another kind of model: give"
            f" it a folder of its own" + (f", with --start {policy}" if objective in JUDGES else "")
        )
