"""What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths."""

from pathlib import Path
from typing import Annotated, Any

import typer

from swr1.commands._stage import _load_config
from swr1.errors import UsageError

RUN, LENGTHS, MACHINES = "The run", "Lengths, in tokens", "Machines and speeds"
MEMORY, TROUBLE = "Memory of a training step", "What goes wrong"


def _in(panel: str, help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


def _speeds(text: str | None) -> list[tuple[int, float]] | None:
    """ "1200@8,5200@128" -> [(8, 1200.0), (128, 5200.0)]."""
    if text is None:
        return None
    points = []
    try:
        for part in text.split(","):
            speed, _, number = part.partition("@")
            points.append((int(number or 256), float(speed)))
    except ValueError:
        points = []
    if not points or min(min(n, speed) for n, speed in points) <= 0:
        raise UsageError(
            f"--rollout-speed is tokens/s of a replica, such as 5200, or at numbers in flight, such"
            f" as 1200@8,5200@128; not {text!r}"
        )
    return points


def _pair(option: str, like: str, text: str) -> tuple[float, float]:
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        raise UsageError(f"{option} is two numbers such as {like}, not {text!r}") from None
    return first, second


def command(
    model: Annotated[
        str | None, typer.Option(help="Size (0.5B ... 72B: Qwen2.5), policy or model folder.")
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(help="Measured speeds from this RL run: policy folder or metrics.jsonl."),
    ] = None,
    rollout_metrics: Annotated[
        str | None, typer.Option(help="The file of its `rollout --metrics` (for runs with K > 0).")
    ] = None,
    steps: Annotated[int | None, _in(RUN, "Optimizer steps.", min=1)] = None,
    prompts: Annotated[int | None, _in(RUN, "Instead: prompts, all epochs.", min=1)] = None,
    batch: Annotated[int | None, _in(RUN, "Prompts per step.", min=1)] = None,
    samples: Annotated[int | None, _in(RUN, "Completions per prompt.", min=1)] = None,
    max_lag: Annotated[int, _in(RUN, "K: see rollout --max-lag.", min=0)] = 0,
    publish_every: Annotated[int, _in(RUN, "Steps per version.", min=1)] = 1,
    checkpoint_every: Annotated[
        int | None, _in(RUN, "Steps per trainer state [as published].", min=1)
    ] = None,
    block: Annotated[
        int | None,
        _in(RUN, "Prompts per block (hf's rollout --batch); default: continuous batching.", min=1),
    ] = None,
    lengths: Annotated[
        list[str], _in(LENGTHS, "Records with completions: lengths are drawn from them.")
    ] = (),  # type: ignore[assignment]
    length_mean: Annotated[float | None, _in(LENGTHS, "Mean of completions.", min=1)] = None,
    length_p95: Annotated[float | None, _in(LENGTHS, "95% are shorter; lognormal.", min=1)] = None,
    max_tokens: Annotated[int | None, _in(LENGTHS, "The longest completion.", min=1)] = None,
    prompt_tokens: Annotated[float | None, _in(LENGTHS, "Mean of prompts.", min=0)] = None,
    gpu: Annotated[
        str, _in(MACHINES, "a100, h100, h200 or l40s, where no speed is known.")
    ] = "h100",
    rollout_gpus: Annotated[int, _in(MACHINES, "GPUs (or cores) that generate.")] = 1,
    train_gpus: Annotated[int, _in(MACHINES, "GPUs (or cores) that train.")] = 1,
    gpus_per_replica: Annotated[int, _in(MACHINES, "GPUs that hold one engine.")] = 1,
    in_flight: Annotated[int | None, _in(MACHINES, "Sequences per replica at most.", min=1)] = None,
    rollout_speed: Annotated[
        str | None,
        _in(MACHINES, "Tokens/s of a replica, at numbers in flight.", metavar="S[@N],..."),
    ] = None,
    train_speed: Annotated[
        float | None, _in(MACHINES, "Tokens/s of one GPU in training.", min=1e-9)
    ] = None,
    pipe_speed: Annotated[
        float | None,
        _in(MACHINES, "Tokens/s of the slowest stage between: a judge, say.", min=1e-9),
    ] = None,
    swap: Annotated[float | None, _in(MACHINES, "Seconds to take new weights.", min=0)] = None,
    publish: Annotated[float | None, _in(MACHINES, "Seconds to write a version.", min=0)] = None,
    contention: Annotated[
        str | None,
        _in(
            MACHINES,
            "Both on one machine: how many times as long they take while both work.",
            metavar="ENGINE,TRAINER",
        ),
    ] = None,
    price: Annotated[float | None, _in(MACHINES, "Of a GPU hour.", min=0)] = None,
    micro_tokens: Annotated[int | None, _in(MEMORY, "Tokens of a forward pass.", min=1)] = None,
    dtype: Annotated[str | None, _in(MEMORY, "bfloat16 or float32 products.")] = None,
    optimizer: Annotated[str, _in(MEMORY, "adamw, muon, adamw8bit, adafactor, sgd.")] = "adamw",
    fsdp: Annotated[bool, _in(MEMORY, "Cut weights over the ranks.", "--fsdp")] = False,
    gradient_checkpointing: Annotated[
        bool, _in(MEMORY, "Recompute activations.", "--gradient-checkpointing")
    ] = False,
    reference: Annotated[bool, _in(MEMORY, "A reference model beside.", "--reference")] = False,
    mtbf: Annotated[
        float | None, _in(TROUBLE, "Hours between failures of one GPU.", min=1e-6)
    ] = None,
    restart: Annotated[float | None, _in(TROUBLE, "Seconds until one is back.", min=0)] = None,
    on_failure: Annotated[
        str, _in(TROUBLE, "line: the whole pipe begins again; node: only what was lost.")
    ] = "line",
    stragglers: Annotated[
        str | None,
        _in(TROUBLE, "Share of GPUs that are slow, and how slow.", metavar="SHARE,FACTOR"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with the same flags.", callback=_load_config, is_eager=True),
    ] = None,
):
    """What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths.

    swr1 plan --from-run runs/kk --lengths rollouts.jsonl --steps 1000 --max-lag 2

    swr1 plan --model 7B --batch 128 --samples 16 --length-mean 1500 --length-p95 4500
    --rollout-gpus 6 --train-gpus 2 --fsdp --max-lag 1

    It simulates the first steps of the pipe and prints every number that it rests on, with where that
    comes from: measured, given or assumed.
    """
    from swr1.planning.plan import Wishes, make_plan

    if on_failure not in ("line", "node"):
        raise UsageError(f"--on-failure is line or node, not {on_failure!r}")
    share, factor = _pair("--stragglers", "0.02,1.5", stragglers or "0,1")
    wishes = Wishes(
        model=model,
        steps=steps,
        prompts=prompts,
        batch=batch,
        samples=samples,
        max_lag=max_lag,
        publish_every=publish_every,
        checkpoint_every=checkpoint_every,
        block=block,
        length_mean=length_mean,
        length_p95=length_p95,
        max_tokens=max_tokens,
        prompt_tokens=prompt_tokens,
        gpu=gpu,
        rollout_gpus=rollout_gpus,
        train_gpus=train_gpus,
        gpus_per_replica=gpus_per_replica,
        in_flight=in_flight,
        rollout_speed=_speeds(rollout_speed),
        train_speed=train_speed,
        pipe_speed=pipe_speed,
        swap=swap,
        publish=publish,
        contention=_pair("--contention", "1.2,1.5", contention) if contention else None,
        slow_share=share,
        slow_factor=factor,
        mtbf_hours=mtbf,
        restart=restart,
        line_fails=on_failure == "line",
        micro_tokens=micro_tokens,
        dtype=dtype,
        optimizer=optimizer,
        sharded=fsdp,
        checkpointing=gradient_checkpointing,
        reference=reference,
        price=price,
        from_run=from_run,
        rollout_metrics=rollout_metrics,
        seed=seed,
    )
    plan = make_plan(wishes, _records(list(lengths)) if lengths else None)
    if as_json:
        import orjson

        print(orjson.dumps(plan, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode())
        return
    from swr1.planning.page import page
    from swr1.viewing import console, put

    put(page(plan), console())


def _records(names: list[str]) -> list[dict]:
    """What is needed of the completions: not their texts."""
    from swr1.errors import DataError
    from swr1.streams import read

    def bad(where: str, reason: str, record: object) -> None:
        raise DataError(reason, where)

    kept = []
    for record, _ in read(names, on_bad=bad):
        if isinstance(record, dict):
            kept.append({"id": record["id"], "generation": record.get("generation") or {}})
    return kept
