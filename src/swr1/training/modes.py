"""The training modes beside RL: what each trains, on which records, after which paper.

`swr1 train-step NAME` looks here before it looks among the objectives of RL. A new mode is a
function train(records, policy, config, *, metrics, log, on_step) in a file of this room, a dataclass
of its options in config.py, and an entry here.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from swr1.training.config import (
    DPOConfig,
    GuardConfig,
    PassesConfig,
    ProcessModelConfig,
    RewardModelConfig,
    SFTConfig,
)


class Mode(NamedTuple):
    """`train` is "module:function"; `config` holds its options."""

    train: str
    config: type[PassesConfig]
    loss: str
    reads: str
    source: str

    def load(self) -> Callable[..., dict[str, Any]]:
        module, _, name = self.train.partition(":")
        return getattr(importlib.import_module(module), name)


MODES = {
    "sft": Mode(
        "swr1.training.sft:train_sft",
        SFTConfig,
        "cross-entropy",
        "completions or traces; with --reward-at-least or --best-of the best completions",
        "rejection sampling: RFT, arXiv 2308.01825; RAFT, arXiv 2304.06767",
    ),
    "dpo": Mode(
        "swr1.training.preference:train_dpo",
        DPOConfig,
        "-log sigmoid of the implicit reward margin",
        "scored groups (best against worst), or `chosen` and `rejected`",
        "DPO, arXiv 2305.18290; label smoothing: Mitchell 2023",
    ),
    "reward-model": Mode(
        "swr1.training.classifier:train_reward_model",
        RewardModelConfig,
        "-log sigmoid of the score margin (Bradley-Terry)",
        "as dpo",
        "InstructGPT, arXiv 2203.02155, eq. 1",
    ),
    "process-model": Mode(
        "swr1.training.process_model:train_process_model",
        ProcessModelConfig,
        "cross-entropy of right and wrong at each step's end",
        "steps with labels: swr1 verify steps, swr1 label-steps, or swr1 trace --steps",
        "Let's verify step by step, arXiv 2305.20050",
    ),
    "guard": Mode(
        "swr1.training.classifier:train_guard",
        GuardConfig,
        "cross-entropy of safe, unsafe, needless-refusal (or --labels)",
        "completions with a label",
        "temperature scaling: arXiv 1706.04599",
    ),
}


# These make classifiers; all others make policies, which write.
JUDGES = ("reward-model", "process-model", "guard")


def as_table() -> Any:
    """The modes as a rich table, for people."""
    from rich.table import Table

    table = Table("mode", "loss", "records", "source")
    for name, mode in MODES.items():
        table.add_row(name, mode.loss, mode.reads, mode.source)
    return table
