"""The options of training: a dataclass for RL and one for each mode, fields with default and help.

    train_rl(records, Policy("runs/kk"), RLConfig(objective="grpo", batch=64, lr=1e-6))
    train_sft(records, Policy("runs/kk"), SFTConfig(epochs=2, batch=32))

`swr1 train-step` makes its command-line options of the same fields (swr1.options). Nothing heavy is
imported here. What an objective minimises is in swr1.objectives.presets.Objective.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

from swr1.devices import HELP as DEVICES
from swr1.errors import UsageError
from swr1.objectives.presets import Objective, get_preset
from swr1.options import KEY, option
from swr1.policy import Policy
from swr1.prompts import Prompt, Prompts, load_prompt, parse_arguments
from swr1.prompts.unknown import max_unknown_option

data = partial(option, panel="The records")
MODES = "The modes around RL (see --list)"
mode = partial(option, panel=MODES)
run = partial(option, panel="The run")
stale = partial(option, panel="Stale samples", changeable=True)
max_length = partial(
    mode, None, "Leave longer sequences out, in tokens.", default="the model's limit"
)
margin = partial(mode, 0.0, "Pairs of groups: least difference in reward, best to worst.")


@dataclass(kw_only=True)
class TrainConfig:
    """What every way of training has. Micro-batches, device and parallelism change no result."""

    LABEL: ClassVar[str | None] = None  # what help calls the defaults of this class by

    lr: float = option(1e-6, "Learning rate.", usual=True, changeable=True)
    batch: int = option(32, "Prompts (groups) per step; of other modes items.", usual=True)
    steps: int | None = option(
        None, "Number of steps in all, with those of earlier parts of a resumed run.", usual=True
    )
    epochs: float = option(1, "Passes over each batch; of other modes over all data.", usual=True)
    optimizer: str = option(
        "adamw", "adamw, muon (matrices; the rest by AdamW), adamw8bit, adafactor or sgd."
    )
    warmup: int = option(0, "Number of steps in which the learning rate rises.", changeable=True)
    schedule: str = option("constant", "constant, linear or cosine.", changeable=True)
    weight_decay: float = option(0.0, "Weight decay of all weights.", changeable=True)
    max_grad_norm: float | None = option(1.0, "Clip the gradient's norm here.", changeable=True)
    lora_r: int = option(
        0, "Train LoRA adapters of this rank, merged when published; 0: all weights.", usual=True
    )
    lora_alpha: float | None = option(None, "Scale of the adapters.", default="2 * rank")
    freeze_vision: bool = option(
        False, "Leave the vision tower of a model that takes pictures as it is."
    )
    gradient_checkpointing: bool = option(
        False, "Recompute activations in the backward pass: memory for time.", changeable=True
    )
    micro_tokens: int = run(
        0,
        "Tokens per forward pass: memory, not the result; 0: 2048 on a CPU, else 16384.",
    )
    dtype: str = run(
        "float32",
        "float32 or bfloat16: of the products and of published weights.",
        usual=True,
        changeable=True,
    )
    device: str = run("auto", DEVICES, usual=True)
    parallel: str = run(
        "auto", "Weights on the ranks of a launcher: ddp (whole), fsdp (sharded), or auto."
    )
    publish_every: int | None = run(1, "Steps per published version.", usual=True)
    checkpoint_every: int | None = run(
        None,
        "Steps per trainer state.",
        default="as published; with more than 1 GiB of trained weights, whose state takes 3, every 50",
    )
    background: bool | None = run(
        None,
        "Write versions and states while the next steps are made, from a copy in the host's memory: 2 bytes a"
        " weight (bfloat16) and, with a state, 12 more.",
        default="with 64 MiB of trained weights or more",
        negatable=True,
    )
    keep: int | None = run(3, "Number of newest versions kept on disk.")
    seed: int = run(0, "Seed of data order and adapters.", usual=True)
    resume: bool = run(True, "Continue a stopped run; else start a new one from the latest.")

    def changeable(self) -> dict[str, Any]:
        """The options that shape the result and that a resumed run may change: it says so."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if KEY in f.metadata and f.metadata[KEY].changeable
        }


@dataclass(kw_only=True)
class RLConfig(TrainConfig):
    """Reinforcement learning on scored groups (rl.py).

    `objective` is a preset's name or an Objective, get_preset("grpo", kl=0.01).

    Attributes:
        reference: "records" are those whose log-probabilities are in `generation.ref_logprobs`.
        importance: weights of samples older than the policy: ratios of the weights before the
            update to the policy that sampled, per token or per sequence, truncated to floor ... cap.
            "none": the clip of the ratio to the policy that sampled is all. On-policy all are 1.
        dynamic_sampling: of what `drop_zero_variance` or the objective's `filter_on` leave out.
        mask_truncated: completions cut at the token limit have no loss; they still count in their
            group's baseline.
        shuffle_rewards: before anything is computed from them. The metrics report the true ones.
        ratio_tolerance: see checks.check_policy. on_nan: the batch is written into the trainer's
            folder.
    """

    LABEL = "rl"

    objective: Objective | str = "reinforce++"
    batch: int = option(
        8, "Prompts (groups) per step; of other modes items.", usual=True, changeable=True
    )
    epochs: float = option(
        1, "Passes over each batch; of other modes over all data.", usual=True, changeable=True
    )
    minibatch: int | None = option(
        None, "Groups per optimizer step.", default="all", usual=True, changeable=True
    )
    quantize: str | None = option(None, "nf4: weights beside the adapters in 4 bits (QLoRA).")
    reference: str | None = option(
        None,
        "Model of the KL, or `records`: its log-probabilities are in the records.",
        default="the policy at the start",
        changeable=True,
    )
    reference_offload: bool = option(
        False, "Keep the reference on the CPU, in bfloat16, between batches.", changeable=True
    )
    importance: str = stale(
        "token", "Weight of stale samples, by their ratio: none, token or sequence."
    )
    importance_cap: float = stale(2.0, "Truncate that weight here.")
    importance_mask: bool = stale(False, "Give weight 0 beyond cap and floor, instead of these.")
    importance_floor: float = stale(0.0, "Smallest such weight.")
    importance_normalise: bool = stale(False, "Divide those weights by their mean.")
    max_staleness: int | None = stale(
        None, "Drop groups sampled more optimizer steps ago than this."
    )
    group_patience: float = data(
        300.0, "In a pipe: seconds of silence after which incomplete groups are dropped."
    )
    drop_zero_variance: bool = data(
        False,
        "Leave out groups whose rewards are all equal.",
        usual=True,
        changeable=True,
        aliases=("--drop-dead",),
    )
    dynamic_sampling: int = data(
        0,
        "Replace groups that are left out by later ones: at most this many batches per step.",
        changeable=True,
        aliases=("--refill",),
    )
    mask_truncated: bool = data(
        False, "No loss on completions cut at the token limit.", changeable=True
    )
    allow_truncated_sampling: bool = data(
        False, "Take records sampled with top_p, top_k or min_p.", changeable=True
    )
    shuffle_rewards: bool = data(
        False, "A control that learns nothing: permute rewards in a batch.", changeable=True
    )
    remainder: str = data("drop", "drop or train a last batch that is not full.", changeable=True)
    ratio_tolerance: float = run(
        0.02, "Refuse a first batch of another policy: KL per token, in nats."
    )
    on_nan: str = run(
        "stop", "A loss or gradient that is not finite: stop, or skip the update.", changeable=True
    )
    publish_every: int = run(1, "Steps per published version.", usual=True)
    seed: int = run(0, "Seed of data order and adapters.", usual=True, changeable=True)

    def __post_init__(self) -> None:
        """Raises UsageError for impossible options, before anything is read or loaded."""
        if isinstance(self.objective, str):
            self.objective = get_preset(self.objective)
        minibatch = 1 if self.minibatch is None else self.minibatch
        if min(self.batch, self.epochs, self.publish_every, minibatch) < 1:
            raise UsageError("batch, minibatch, epochs and publish-every are at least 1")
        if self.epochs != int(self.epochs):
            raise UsageError(f"epochs of an RL batch are whole passes, not {self.epochs}")
        if self.importance not in ("none", "token", "sequence") or not self.importance_cap > 0:
            raise UsageError(
                f"importance is none, token or sequence with a positive cap, not"
                f" {self.importance!r} with {self.importance_cap}"
            )
        if not 0 <= self.importance_floor <= self.importance_cap:
            raise UsageError(f"importance-floor is from 0 to the cap, not {self.importance_floor}")
        if self.remainder not in ("drop", "train"):
            raise UsageError(f"unknown remainder {self.remainder!r}: it is drop or train")
        if self.on_nan not in ("stop", "skip"):
            raise UsageError(f"unknown on-nan {self.on_nan!r}: it is stop or skip")
        if self.quantize and not self.lora_r:
            raise UsageError("weights in 4 bits are not trained themselves: give --lora-r")
        if self.shuffle_rewards and self.resolved_objective.process:
            raise UsageError("shuffle-rewards permutes rewards, and steps have theirs: --process 0")
        if self.dynamic_sampling and (not self.filter_on or self.shuffle_rewards):
            raise UsageError(
                "dynamic-sampling replaces the groups that --drop-zero-variance or --filter-on"
                " leaves out, by their true rewards"
            )

    @property
    def resolved_objective(self) -> Objective:
        """The objective, with its numbers."""
        assert isinstance(self.objective, Objective)
        return self.objective

    @property
    def filter_on(self) -> str | None:
        """Groups that agree in this are left out: the reward, or one of its parts or verdicts."""
        return self.resolved_objective.filter_on or ("reward" if self.drop_zero_variance else None)


@dataclass(kw_only=True)
class PassesConfig(TrainConfig):
    """Training on data held in memory (passes.py): all modes but RL."""

    lr: float = option(1e-3, "Learning rate.", usual=True, changeable=True)
    publish_every: int | None = run(
        None, "Steps per published version.", default="at the end", usual=True
    )
    batch_tokens: int | None = mode(None, "Tokens per step, instead of --batch items.")

    def __post_init__(self) -> None:
        """Raises UsageError for impossible options, before anything is read or loaded."""
        if min(self.batch, self.batch_tokens or 1) < 1 or not self.epochs > 0:
            raise UsageError("batch, batch-tokens and epochs must be positive")


@dataclass(kw_only=True)
class RenderedConfig(PassesConfig):
    """Modes that render prompts as a rollout does.

    `system_prompt` may be a Prompt, whose opening of the answer counts too; None: by the record, see
    prompts.choosing. The policy remembers it. `as_sampled`: completions that this policy's tokenizer
    wrote are learned by their token ids, behind the prompt that they had; None: unless a system prompt
    or template arguments are given.
    """

    system_prompt: str | Prompt | None = mode(
        None,
        "System prompt, which later rollouts use too.",
        kind=str,
        default="as sampled, else the policy's, else the task's",
    )
    template: tuple[str, ...] = mode(
        (), "KEY=VALUE for the chat template, as later rollouts will use it."
    )
    max_unknown: float = max_unknown_option(panel=MODES)
    as_sampled: bool | None = None

    def rendering(
        self, policy: Policy, say: Callable[[str], None] = lambda text: None
    ) -> tuple[Prompts, bool]:
        """The prompts that `policy` will be used with, and whether completions stay as sampled."""
        given = self.system_prompt
        if isinstance(given, str):
            given = load_prompt(given)
        arguments = parse_arguments(list(self.template))
        if given and not arguments:
            arguments = dict(given.arguments)
        prompts = Prompts(
            given, policy=policy.meta(), name=policy.name, arguments=arguments, say=say
        )
        sampled = given is None and not arguments
        return prompts, sampled if self.as_sampled is None else self.as_sampled


@dataclass(kw_only=True)
class SFTConfig(RenderedConfig):
    """Supervised fine-tuning (sft.py); with a bar on the reward, rejection sampling."""

    LABEL = "sft"

    reward_at_least: float | None = mode(
        None, "sft: only completions with at least this reward.", usual=True
    )
    best_of: int | None = mode(None, "sft: only this many best completions of a prompt.")
    max_length: int | None = max_length()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.best_of is not None and self.best_of < 1:
            raise UsageError(f"best-of is at least 1, not {self.best_of}")


@dataclass(kw_only=True)
class DPOConfig(RenderedConfig):
    """Direct preference optimization (preference.py); an item is a pair."""

    LABEL = "dpo"

    lr: float = option(1e-6, "Learning rate.", usual=True, changeable=True)
    beta: float = mode(0.1, "dpo: strength of the pull towards the reference.")
    label_smoothing: float = mode(
        0.0, "dpo: share of pairs assumed to be the wrong way round, below 0.5."
    )
    margin: float = margin()
    max_length: int | None = max_length()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.beta > 0 or not 0 <= self.label_smoothing < 0.5:
            raise UsageError("beta is positive, and label-smoothing at least 0 and below 0.5")


@dataclass(kw_only=True)
class JudgeConfig(PassesConfig):
    """Classifiers (classifier.py): guard, reward model, process model.

    `start`: for a policy folder that is not there, the model it begins with (a model or policy
    folder, or a hub name). `held_out`: the share of prompts that is measured on, or a file of
    records for it.
    """

    lr: float = option(2e-5, "Learning rate.", usual=True, changeable=True)
    start: str | None = mode(
        None, "guard, ...: the model that a new folder begins with.", usual=True
    )
    held_out: float | str = mode(
        0.1, "guard, ...: share of prompts to measure on, or a file of records.", kind=str
    )
    max_length: int | None = max_length()

    @property
    def held_out_share(self) -> float | None:
        """The share that is held out; None where `held_out` names a file."""
        try:
            share = float(self.held_out)
        except ValueError:
            return None
        if not 0 <= share < 1:
            raise UsageError(f"held-out is a share of the prompts, 0 <= share < 1, not {share:g}")
        return share


prompt_tokens = partial(
    mode,
    None,
    "guard, reward-model: read this many tokens of a prompt, half from each end; 0: none.",
    default="as the folder did before, or all",
)
balance = partial(mode, False, "guard, process-model: weigh labels by the inverse of frequency.")
split_by = partial(
    mode,
    "id",
    "guard, process-model: keep records that share this field on one side of the held-out split;"
    " a,b: field b where a is absent.",
)


@dataclass(kw_only=True)
class RewardModelConfig(JudgeConfig):
    """A scalar score of completions, learned from pairs."""

    LABEL = "reward-model"

    margin: float = margin()
    prompt_tokens: int | None = prompt_tokens()


def parse_labels(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


@dataclass(kw_only=True)
class ProcessModelConfig(JudgeConfig):
    """Right or wrong, at the last token of each reasoning step; or a number in each dimension."""

    LABEL = "process-model"

    balance: bool = balance()
    split_by: str = split_by()
    dimensions: tuple[str, ...] = mode(
        (),
        "process-model: learn a number per step in each of these, with commas (swr1 label-steps).",
        parse=parse_labels,
        default="right or wrong",
    )
    steps_from: str = mode(
        "",
        "process-model: the verdict that has the steps.",
        default="steps, else trace, else info.steps; with --dimensions values",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.dimensions)) < len(self.dimensions):
            raise UsageError("dimensions are all different")
        if self.dimensions and self.balance:
            raise UsageError("balance is for right and wrong, and dimensions have numbers")


@dataclass(kw_only=True)
class GuardConfig(JudgeConfig):
    """A classifier of completions.

    Attributes:
        labels: the classes. label: the field that holds a record's, dots reach inwards; None:
            `info.label`, or else `answer`.
        sources: the field that says where a record comes from, as in `split_by`: figures are given
            for each source, and a threshold is fitted in which all weigh the same (held_out.py).
        calibrate_on: values of that field, with commas. Records from there are not learned from:
            temperature and threshold are fitted to them alone.
    """

    LABEL = "guard"

    labels: tuple[str, ...] = mode(
        ("safe", "unsafe", "needless-refusal"),
        "guard: the labels, with commas.",
        parse=parse_labels,
        default="safe,unsafe,needless-refusal",
    )
    label: str | None = mode(
        None, "guard: the field with the label.", default="info.label, else answer"
    )
    balance: bool = balance()
    split_by: str = split_by()
    sources: str | None = mode(
        None, "guard: the field with a record's source; figures are given for each source."
    )
    calibrate_on: str = mode(
        "", "guard: sources, with commas, that only set the threshold and are not learned from."
    )
    prompt_tokens: int | None = prompt_tokens()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.calibration and not self.sources:
            raise UsageError(
                "calibrate-on needs --sources: the field that says where a record comes from"
            )
        if len(set(self.labels)) < 2 or len(set(self.labels)) < len(self.labels):
            raise UsageError("a guard needs at least two labels, all different")

    @property
    def calibration(self) -> list[str]:
        """The sources of `calibrate_on`."""
        return [name.strip() for name in self.calibrate_on.split(",") if name.strip()]
