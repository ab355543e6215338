"""Train a policy on records: an RL step per batch of groups, SFT, DPO, or a judge."""

import inspect
import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._objective import PANEL, with_objective_fields
from swr1.commands._stage import option, stage_command
from swr1.errors import UsageError
from swr1.terminal import console
from swr1.training.running import TrainStep, refuse_mixture

__all__ = ["command", "refuse_mixture", "refuse_others"]


def list_objectives(wanted: bool) -> None:
    """Print the table of presets and stop."""
    if wanted:
        from swr1.objectives.presets import as_table
        from swr1.training import modes

        console().print(as_table(), modes.as_table())
        raise typer.Exit


goal = partial(option, panel=PANEL)
data = partial(option, panel="The records")
mode = partial(option, panel="The modes around RL (see --list)")
run = partial(option, panel="The run")


@stage_command(
    writes=False, opens_models=True, quiet_options=("device", "threads", "allow_fewer_steps")
)
@with_objective_fields
def command(
    open_stage,
    objective: Annotated[
        str, typer.Argument(help="sft, reinforce++, grpo, ... (--list shows them all)")
    ],
    policy: Annotated[Path, option("The policy folder to train.")],
    lr: Annotated[
        float | None, option("Learning rate [1e-6; sft: 1e-3; guard, ...: 2e-5].")
    ] = None,
    batch: Annotated[
        int | None, option("Groups (prompts) per step [8]; sft, dpo, ...: items [32].")
    ] = None,
    steps: Annotated[int | None, option("Steps in all, resumed ones included.")] = None,
    allow_fewer_steps: Annotated[
        bool,
        option("No error where the input ends before --steps (or any).", "--allow-fewer-steps"),
    ] = False,
    epochs: Annotated[float, option("Passes over each batch; sft, dpo, ...: over the data.")] = 1,
    minibatch: Annotated[int | None, option("Groups per optimizer step [all].")] = None,
    optimizer: Annotated[
        str, option("adamw, muon (matrices; the rest by AdamW), adamw8bit, adafactor or sgd.")
    ] = "adamw",
    warmup: Annotated[int, option("Steps of rising learning rate.")] = 0,
    schedule: Annotated[str, option("constant, linear or cosine.")] = "constant",
    weight_decay: Annotated[float, option("Of all weights.")] = 0.0,
    max_grad_norm: Annotated[float, option("Clip the gradient's norm here.")] = 1.0,
    lora_r: Annotated[int, option("Train LoRA adapters of this rank; 0: all weights.")] = 0,
    lora_alpha: Annotated[float | None, option("Scale of the adapters.")] = None,
    quantize: Annotated[
        str | None, option("nf4: weights beside the adapters in 4 bits (QLoRA).")
    ] = None,
    gradient_checkpointing: Annotated[
        bool, option("Recompute activations: memory for time.", "--gradient-checkpointing")
    ] = False,
    clip: Annotated[float | None, goal("Both clips: the ratio to 1 - this ... 1 + this.")] = None,
    importance: Annotated[
        str, goal("Weight stale samples by their ratio: none, token or sequence.")
    ] = "token",
    importance_cap: Annotated[float, goal("Truncate that weight here.")] = 2.0,
    importance_mask: Annotated[
        bool, goal("Weight 0 beyond cap and floor, instead of these.", "--importance-mask")
    ] = False,
    importance_floor: Annotated[float, goal("No such weight is below this.")] = 0.0,
    importance_normalise: Annotated[
        bool, goal("Divide those weights by their mean.", "--importance-normalise")
    ] = False,
    reference: Annotated[
        str | None, goal("Model of the KL [the policy at the start], or records.")
    ] = None,
    reference_offload: Annotated[
        bool, goal("It waits on the CPU, in bfloat16.", "--reference-offload")
    ] = False,
    max_staleness: Annotated[
        int | None, data("Drop groups sampled more optimizer steps ago than this.")
    ] = None,
    group_patience: Annotated[
        float, data("In a pipe: seconds of silence after which open groups are given up.")
    ] = 300.0,
    drop_dead: Annotated[
        bool, data("Leave out groups whose rewards are all equal.", "--drop-dead")
    ] = False,
    refill: Annotated[
        int, data("Replace groups left out by later ones: at most so many batches a step.")
    ] = 0,
    mask_truncated: Annotated[
        bool, data("No loss on completions cut at the limit.", "--mask-truncated")
    ] = False,
    allow_truncated_sampling: Annotated[
        bool,
        data("Take records drawn with top_p, top_k or min_p.", "--allow-truncated-sampling"),
    ] = False,
    shuffle_rewards: Annotated[
        bool,
        data("A control: permute rewards within a batch, to learn nothing.", "--shuffle-rewards"),
    ] = False,
    remainder: Annotated[str, data("drop or train a last batch that is not full.")] = "drop",
    system_prompt: Annotated[
        str | None, mode("As the rollouts will use it [rollouts: as sampled; else logic-rl].")
    ] = None,
    template: Annotated[
        list[str] | None, mode("KEY=VALUE for the chat template, as the rollouts will use it.")
    ] = None,
    reward_at_least: Annotated[float | None, mode("sft: only completions so good.")] = None,
    best_of: Annotated[int | None, mode("sft: only the best so many of a prompt.")] = None,
    beta: Annotated[float, mode("dpo: how dear it is to leave the reference.")] = 0.1,
    label_smoothing: Annotated[float, mode("dpo: share of pairs the wrong way round.")] = 0.0,
    margin: Annotated[float, mode("Pairs: least difference in reward, best to worst.")] = 0.0,
    label: Annotated[
        str | None, mode("guard: the field with the label [info.label, else answer].")
    ] = None,
    labels: Annotated[
        str, mode("guard: the labels, with commas.")
    ] = "safe,unsafe,needless-refusal",
    balance: Annotated[
        bool, mode("guard, process-model: weigh labels by rarity.", "--balance")
    ] = False,
    start: Annotated[
        str | None, mode("guard, ...: the model that a new folder begins with.")
    ] = None,
    held_out: Annotated[
        str, mode("guard, ...: share of prompts to measure on, or a file.")
    ] = "0.1",
    split_by: Annotated[
        str,
        mode("guard, process-model: whose values are not split: a field, or a,b if a is absent."),
    ] = "id",
    sources: Annotated[
        str | None, mode("guard: the field that says where a record comes from; told apart.")
    ] = None,
    calibrate_on: Annotated[
        str | None, mode("guard: sources, with commas, to set the threshold on, not learned from.")
    ] = None,
    batch_tokens: Annotated[int | None, mode("Tokens per step, not sequences.")] = None,
    max_length: Annotated[int | None, mode("Leave longer sequences out [the model's].")] = None,
    prompt_tokens: Annotated[
        int | None,
        mode("guard, reward-model: read so much of a prompt, its two ends; 0: none [all]."),
    ] = None,
    ratio_tolerance: Annotated[
        float, run("Refuse a first batch of another policy: KL per token, in nats.")
    ] = 0.02,
    on_nan: Annotated[
        str, run("A loss or gradient that is not finite: stop, or skip the update.")
    ] = "stop",
    micro_tokens: Annotated[
        int, run("Tokens per forward pass: memory, not the result [CPU: 2048; else 16384].")
    ] = 0,
    dtype: Annotated[str, run("float32 or bfloat16: products, published weights.")] = "float32",
    device: Annotated[str, run("auto, cpu, cuda, ...")] = "auto",
    parallel: Annotated[
        str, run("Weights on the ranks of a launcher: ddp (whole), fsdp (cut), or auto.")
    ] = "auto",
    threads: Annotated[int | None, run("CPU threads; default: 1 in a pipe, else all.")] = None,
    publish_every: Annotated[int | None, run("Steps per version [1; sft: at the end].")] = None,
    checkpoint_every: Annotated[int | None, run("Steps per trainer state [as published].")] = None,
    keep: Annotated[int, run("Newest versions kept on disk.")] = 3,
    seed: Annotated[int, run("Of data order and adapters.")] = 0,
    resume: Annotated[bool, run("Continue a stopped run, or start one from the latest.")] = True,
    list: Annotated[
        bool,
        typer.Option("--list", callback=list_objectives, is_eager=True, help="Show objectives."),
    ] = False,
    **goal_fields,
):
    """Train a policy on records: an RL step per batch of groups, SFT, DPO, or a judge.

    swr1 train-step sft traces.jsonl --policy runs/kk --epochs 2

    swr1 train-step reinforce++ rewarded.jsonl --policy runs/kk --batch 64
    """
    given = {k: v for k, v in (locals() | goal_fields).items() if v is not None}
    named = [name.strip() for name in labels.split(",")]
    job = TrainStep(objective, policy, given | {"labels": named}, goal_fields)
    # Of several ranks only the first reads, writes and speaks (swr1.training.parallel).
    others = {"quiet": True} if os.environ.get("RANK", "0") != "0" else {}
    with open_stage(total=steps, **others) as stage:
        refuse_others(given, job.takes)
        job.run(stage, threads, allow_fewer_steps)


def refuse_others(given: dict, takes: set[str]) -> None:
    """Raises UsageError for an option that was given, and that would not be heeded."""
    known = inspect.signature(command).parameters
    for name, value in given.items():
        heeded = takes | {"objective", "policy", "threads", "allow_fewer_steps"}
        if name in heeded or name not in known or value == known[name].default:
            continue
        flag = "--" + name.replace("_", "-")
        raise UsageError(f"{given['objective']} does not use {flag}; see swr1 train-step --list")
