"""The options of `swr1 plan`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from swr1.errors import UsageError
from swr1.options import option

ANY_NUMBER = 256  # in flight, where a speed names none


def parse_speeds(text: str) -> list[tuple[int, float]]:
    """ "1200@8,5200@128" -> [(8, 1200.0), (128, 5200.0)]: tokens/s by sequences in flight.

    Raises UsageError for anything else.
    """
    points = []
    try:
        for part in text.split(","):
            speed, _, number = part.partition("@")
            points.append((int(number or ANY_NUMBER), float(speed)))
    except ValueError:
        points = []
    if not points or min(min(n, speed) for n, speed in points) <= 0:
        raise UsageError(
            f"--rollout-speed is tokens/s of a replica, such as 5200, or at numbers in flight, such"
            f" as 1200@8,5200@128; not {text!r}"
        )
    return points


def parse_pair(flag: str, example: str, text: str) -> tuple[float, float]:
    """ "1.2,1.5" -> (1.2, 1.5). Raises UsageError, with an example, for anything else."""
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"{flag} is two numbers such as {example}, not {text!r}") from None
    return first, second


run = partial(option, panel="The run")
of_lengths = partial(option, panel="Lengths, in tokens")
machines = partial(option, panel="Machines and speeds")
memory = partial(option, panel="Memory of a training step")
trouble = partial(option, panel="What goes wrong")


@dataclass(kw_only=True)
class PlanConfig:
    """What is to be planned. A field that is None is measured or assumed.

    Raises UsageError for an impossible value.
    """

    model: str | None = option(
        None, "Size (0.5B ... 72B: Qwen2.5), policy or model folder.", usual=True
    )
    from_run: str | None = option(
        None, "Measured speeds from this RL run: policy folder or metrics.jsonl.", usual=True
    )
    rollout_metrics: str | None = option(
        None, "The file of its `rollout --metrics` (for runs with K > 0)."
    )
    steps: int | None = run(None, "Optimizer steps.", min=1, usual=True)
    prompts: int | None = run(None, "Instead: prompts, all epochs.", min=1)
    batch: int | None = run(None, "Prompts per step.", min=1, usual=True)
    samples: int | None = run(None, "Completions per prompt.", min=1, usual=True)
    max_lag: int = run(0, "K: see rollout --max-lag.", min=0, usual=True)
    publish_every: int = run(1, "Steps per version.", min=1)
    checkpoint_every: int | None = run(
        None, "Steps per trainer state.", min=1, default="50, as the recipes", usual=True
    )
    block: int | None = run(
        None,
        "Prompts per block, between which versions are taken (rollout --weights between --batch N).",
        min=1,
        default="none: prompts start one by one, and versions come in flight",
    )
    at_once: int | None = run(
        None,
        "Prompts that are written at once in flight (rollout --batch of hf).",
        min=1,
        default="any number",
    )
    order: str = run("input", "How groups leave: see rollout --order.", metavar="RULE")
    background: bool | None = run(
        None,
        "See train-step --background.",
        default="yes, but for models below 16M weights and speeds of runs",
        negatable=True,
    )
    lengths: tuple[str, ...] = of_lengths(
        (), "Records with completions: lengths are drawn from them.", usual=True
    )
    length_mean: float | None = of_lengths(None, "Mean of completions.", min=1, usual=True)
    length_p95: float | None = of_lengths(None, "95% are shorter; lognormal.", min=1, usual=True)
    max_tokens: int | None = of_lengths(None, "The longest completion.", min=1)
    prompt_tokens: float | None = of_lengths(None, "Mean of prompts.", min=0)
    gpu: str | None = machines(
        None, "a100, h100, h200 or l40s, where no speed is known.", usual=True, default="h100"
    )
    gpus: int | None = machines(
        None,
        "GPUs of both sides: all splits are tried, the fastest is shown.",
        min=1,
        usual=True,
        default="8, where speeds are data sheets'",
    )
    rollout_gpus: int | None = machines(
        None, "Instead: GPUs (or cores) that generate.", min=1, usual=True
    )
    train_gpus: int | None = machines(
        None, "Instead: GPUs (or cores) that train.", min=1, usual=True
    )
    gpus_per_replica: int | None = machines(
        None, "GPUs that hold one engine.", min=1, default="1; with --gpus: as is fastest"
    )
    in_flight: int | None = machines(None, "Sequences per replica at most.", min=1)
    rollout_speed: list[tuple[int, float]] | None = machines(
        None,
        "Tokens/s of a replica, at numbers in flight.",
        metavar="S[@N],...",
        parse=parse_speeds,
    )
    train_speed: float | None = machines(None, "Tokens/s of one GPU in training.", min=1e-9)
    pipe_speed: float | None = machines(
        None, "Tokens/s of the slowest stage between: a judge, say.", min=1e-9
    )
    swap: float | None = machines(None, "Seconds to take new weights.", min=0)
    publish: float | None = machines(None, "Seconds to write a version.", min=0)
    contention: tuple[float, float] | None = machines(
        None,
        "Both on one machine: how many times as long they take while both work.",
        metavar="ENGINE,TRAINER",
        parse=partial(parse_pair, "--contention", "1.2,1.5"),
    )
    price: float | None = machines(None, "Price of a GPU hour.", min=0)
    micro_tokens: int | None = memory(None, "Tokens of a forward pass.", min=1)
    dtype: str | None = memory(None, "bfloat16 or float32 products.")
    optimizer: str | None = memory(None, "adamw, muon, adamw8bit, adafactor, sgd.", default="adamw")
    fsdp: bool | None = memory(
        None, "Cut weights over the ranks.", default="no; with --gpus: as is fastest"
    )
    gradient_checkpointing: bool | None = memory(
        None, "Recompute activations.", default="no; with --gpus: as is fastest"
    )
    reference: bool = memory(False, "Hold a reference model as well.")
    mtbf: float | None = trouble(None, "Hours between failures of one GPU.", min=1e-6)
    restart: float | None = trouble(None, "Seconds until one is back.", min=0)
    on_failure: str = trouble(
        "line", "line: the whole pipe begins again; node: only what was lost."
    )
    stragglers: tuple[float, float] | None = trouble(
        None,
        "Share of GPUs that are slow, and how slow.",
        metavar="SHARE,FACTOR",
        parse=partial(parse_pair, "--stragglers", "0.02,1.5"),
    )
    seed: int = option(0, "Seed of the simulation.")

    def __post_init__(self) -> None:
        if self.on_failure not in ("line", "node"):
            raise UsageError(f"--on-failure is line or node, not {self.on_failure!r}")
