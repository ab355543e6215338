"""Train a policy on records: one optimizer step per batch of complete groups, or SFT."""

from pathlib import Path
from typing import Annotated

import typer

from swr1.commands._stage import stage_command

GOAL, SFT, RUN = "The objective (default: the preset's)", "Only sft", "The run"
UNSET_LR = {"sft": 1e-3}


def list_objectives(wanted: bool) -> None:
    """Print the table of presets and stop."""
    if not wanted:
        return
    from rich.console import Console
    from rich.table import Table

    from swr1.objectives.presets import PRESETS

    table = Table("objective", "advantage", "loss", "mean", "KL", "source")
    table.add_row("sft", "", "cross-entropy", "token-mean", "", "targets of the records")
    for p in PRESETS.values():
        kl = f"{p.kl:g} {p.kl_estimator} in {p.kl_in}" if p.kl else "none"
        table.add_row(p.name, p.advantage, p.loss, p.aggregation, kl, p.paper)
    Console().print(table)
    raise typer.Exit


def goal(help: str):
    return typer.Option(help=help, rich_help_panel=GOAL)


def run(help: str):
    return typer.Option(help=help, rich_help_panel=RUN)


@stage_command(writes=False, quiet_options=("device", "threads"))
def command(
    open_stage,
    objective: Annotated[
        str, typer.Argument(help="sft, reinforce++, grpo, ... (--list shows them all)")
    ],
    policy: Annotated[Path, typer.Option(help="The policy folder to train.")],
    lr: Annotated[float | None, typer.Option(help="Learning rate [1e-6; sft: 1e-3].")] = None,
    batch: Annotated[
        int, typer.Option(help="Groups (prompts) per step; sft: sequences per step.")
    ] = 8,
    steps: Annotated[int | None, typer.Option(help="Steps in all, resumed ones included.")] = None,
    epochs: Annotated[
        float, typer.Option(help="Passes over each batch; sft: passes over the data.")
    ] = 1,
    minibatch: Annotated[int | None, typer.Option(help="Groups per optimizer step [all].")] = None,
    optimizer: Annotated[
        str, typer.Option(help="adamw, or muon (hidden matrices by Muon, the rest by AdamW).")
    ] = "adamw",
    warmup: Annotated[int, typer.Option(help="Steps of rising learning rate.")] = 0,
    schedule: Annotated[str, typer.Option(help="constant, linear or cosine.")] = "constant",
    weight_decay: Annotated[float, typer.Option()] = 0.0,
    max_grad_norm: Annotated[float, typer.Option(help="Clip the gradient's norm here.")] = 1.0,
    lora_r: Annotated[
        int, typer.Option(help="Train LoRA adapters of this rank; 0: all weights.")
    ] = 0,
    lora_alpha: Annotated[float | None, typer.Option(help="Scale of the adapters.")] = None,
    kl: Annotated[float | None, goal("Coefficient of the KL to the reference; 0: none.")] = None,
    kl_in: Annotated[str | None, goal("loss or reward.")] = None,
    kl_estimator: Annotated[str | None, goal("k1, k2 or k3.")] = None,
    clip: Annotated[
        float | None, goal("Clip the ratio to 1 - this ... 1 + this (or the next option).")
    ] = None,
    clip_high: Annotated[float | None, goal("Upper clip, where it differs.")] = None,
    dual_clip: Annotated[float | None, goal("Bound the loss of negative advantages.")] = None,
    advantage: Annotated[str | None, goal("The advantage estimator.")] = None,
    aggregation: Annotated[
        str | None, goal("token-mean, seq-mean-token-mean, seq-mean-token-sum or constant.")
    ] = None,
    entropy: Annotated[float | None, goal("Coefficient of an entropy bonus.")] = None,
    gamma: Annotated[float | None, goal("Discount per token.")] = None,
    reference: Annotated[
        str | None, goal("Model that KL is taken to; default: the policy when the run began.")
    ] = None,
    drop_dead: Annotated[
        bool, typer.Option("--drop-dead", help="Leave out groups whose rewards are all equal.")
    ] = False,
    mask_truncated: Annotated[
        bool, typer.Option("--mask-truncated", help="No loss on completions cut at the limit.")
    ] = False,
    allow_truncated_sampling: Annotated[
        bool,
        typer.Option(
            "--allow-truncated-sampling", help="Take records drawn with top_p, top_k or min_p."
        ),
    ] = False,
    shuffle_rewards: Annotated[
        bool,
        typer.Option(
            "--shuffle-rewards",
            help="A control: permute the rewards within each batch. Nothing should be learned.",
        ),
    ] = False,
    system_prompt: Annotated[
        str, typer.Option(help="As the rollouts will use it.", rich_help_panel=SFT)
    ] = "logic-rl",
    min_reward: Annotated[
        float | None,
        typer.Option(help="Only completions with at least this reward.", rich_help_panel=SFT),
    ] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Tokens per step instead of --batch.", rich_help_panel=SFT)
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Leave longer sequences out.", rich_help_panel=SFT)
    ] = None,
    micro_tokens: Annotated[
        int, run("Tokens per forward pass: memory and speed, not the result.")
    ] = 16_384,
    dtype: Annotated[str, run("float32 or bfloat16, of products and published weights.")] = (
        "float32"
    ),
    device: Annotated[str, run("auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int | None, run("CPU threads; default: 1 in a pipe, else all.")] = None,
    publish_every: Annotated[
        int | None, run("Steps between published versions [1; sft: the end only].")
    ] = None,
    checkpoint_every: Annotated[
        int | None, run("Steps between trainer states [as published].")
    ] = None,
    keep: Annotated[int, run("Newest versions kept on disk.")] = 3,
    seed: Annotated[int, run("Of data order and adapters.")] = 0,
    no_resume: Annotated[
        bool,
        typer.Option("--no-resume", help="Start a new run from the latest.", rich_help_panel=RUN),
    ] = False,
    remainder: Annotated[str, run("drop or train a last batch that is not full.")] = "drop",
    list: Annotated[
        bool,
        typer.Option("--list", callback=list_objectives, is_eager=True, help="Show objectives."),
    ] = False,
):
    """Train a policy on records: one optimizer step per batch of complete groups, or SFT.

    swr1 train-step sft traces.jsonl --policy runs/kk --epochs 2

    swr1 train-step reinforce++ rewarded.jsonl --policy runs/kk --batch 64
    """
    from swr1.objectives.presets import get_preset
    from swr1.policy import Policy
    from swr1.streams.stage import default_threads

    numbers = {
        "kl": kl,
        "kl_in": kl_in,
        "kl_estimator": kl_estimator,
        "clip_low": clip,
        "clip_high": clip if clip_high is None else clip_high,
        "dual_clip": dual_clip,
        "advantage": advantage,
        "aggregation": aggregation,
        "entropy": entropy,
        "gamma": gamma,
    }
    if objective != "sft":
        get_preset(objective, **numbers)
    shared = {
        "batch": batch,
        "epochs": epochs,
        "steps": steps,
        "lr": lr or UNSET_LR.get(objective, 1e-6),
        "warmup": warmup,
        "schedule": schedule,
        "optimizer": optimizer,
        "weight_decay": weight_decay,
        "max_grad_norm": max_grad_norm,
        "micro_tokens": micro_tokens,
        "dtype": dtype,
        "device": device,
        "lora_r": lora_r,
        "lora_alpha": lora_alpha,
        "checkpoint_every": checkpoint_every,
        "keep": keep,
        "resume": not no_resume,
        "seed": seed,
    }
    home = Policy(policy)
    home.latest()  # complain about the folder before anything heavy is loaded
    needs = ("id",) if objective == "sft" else ("id", "reward", "generation.token_ids")
    with open_stage(total=steps) as stage:
        import torch

        if cores := threads or default_threads():
            torch.set_num_threads(cores)
        records = filter(None, stage.read(needs))
        shared |= {"metrics": stage.metrics, "log": stage.say, "on_step": stage.on_step}
        stage.metrics = None  # the file gets a line per step
        if objective == "sft":
            from swr1.prompts import load_prompt
            from swr1.training.sft import train_sft

            prompt = load_prompt(system_prompt)
            summary = train_sft(
                records,
                home,
                system=prompt.system,
                prefill=prompt.prefill,
                reward_at_least=min_reward,
                batch_tokens=batch_tokens,
                max_length=max_length,
                publish_every=publish_every,
                **shared,
            )
        else:
            from swr1.training.rl import train_rl

            shared["epochs"] = int(epochs)
            summary = train_rl(
                records,
                home,
                objective,
                minibatch=minibatch,
                reference=reference,
                drop_dead=drop_dead,
                mask_truncated=mask_truncated,
                allow_truncated_sampling=allow_truncated_sampling,
                shuffle_rewards=shuffle_rewards,
                remainder=remainder,
                publish_every=publish_every or 1,
                **shared,
                **numbers,
            )
        stage.say(f"{home.path} is at version {summary['version']}, step {summary['steps']}")
