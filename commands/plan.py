"""What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths."""

from functools import partial
from pathlib import Path
from typing import Annotated

from swr1.commands._config import load_config
from swr1.commands._output import print_json
from swr1.commands._stage import option
from swr1.errors import UsageError

run = partial(option, panel="The run")
of_lengths = partial(option, panel="Lengths, in tokens")
machines = partial(option, panel="Machines and speeds")
memory = partial(option, panel="Memory of a training step")
trouble = partial(option, panel="What goes wrong")


def command(
    model: Annotated[
        str | None, option("Size (0.5B ... 72B: Qwen2.5), policy or model folder.")
    ] = None,
    from_run: Annotated[
        str | None,
        option("Measured speeds from this RL run: policy folder or metrics.jsonl."),
    ] = None,
    rollout_metrics: Annotated[
        str | None, option("The file of its `rollout --metrics` (for runs with K > 0).")
    ] = None,
    steps: Annotated[int | None, run("Optimizer steps.", min=1)] = None,
    prompts: Annotated[int | None, run("Instead: prompts, all epochs.", min=1)] = None,
    batch: Annotated[int | None, run("Prompts per step.", min=1)] = None,
    samples: Annotated[int | None, run("Completions per prompt.", min=1)] = None,
    max_lag: Annotated[int, run("K: see rollout --max-lag.", min=0)] = 0,
    publish_every: Annotated[int, run("Steps per version.", min=1)] = 1,
    checkpoint_every: Annotated[
        int | None, run("Steps per trainer state [as published].", min=1)
    ] = None,
    block: Annotated[
        int | None,
        run("Prompts per block (hf's rollout --batch); default: continuous batching.", min=1),
    ] = None,
    lengths: Annotated[
        list[str], of_lengths("Records with completions: lengths are drawn from them.")
    ] = (),  # type: ignore[assignment]
    length_mean: Annotated[float | None, of_lengths("Mean of completions.", min=1)] = None,
    length_p95: Annotated[float | None, of_lengths("95% are shorter; lognormal.", min=1)] = None,
    max_tokens: Annotated[int | None, of_lengths("The longest completion.", min=1)] = None,
    prompt_tokens: Annotated[float | None, of_lengths("Mean of prompts.", min=0)] = None,
    gpu: Annotated[str, machines("a100, h100, h200 or l40s, where no speed is known.")] = "h100",
    rollout_gpus: Annotated[int, machines("GPUs (or cores) that generate.")] = 1,
    train_gpus: Annotated[int, machines("GPUs (or cores) that train.")] = 1,
    gpus_per_replica: Annotated[int, machines("GPUs that hold one engine.")] = 1,
    in_flight: Annotated[int | None, machines("Sequences per replica at most.", min=1)] = None,
    rollout_speed: Annotated[
        str | None,
        machines("Tokens/s of a replica, at numbers in flight.", metavar="S[@N],..."),
    ] = None,
    train_speed: Annotated[
        float | None, machines("Tokens/s of one GPU in training.", min=1e-9)
    ] = None,
    pipe_speed: Annotated[
        float | None,
        machines("Tokens/s of the slowest stage between: a judge, say.", min=1e-9),
    ] = None,
    swap: Annotated[float | None, machines("Seconds to take new weights.", min=0)] = None,
    publish: Annotated[float | None, machines("Seconds to write a version.", min=0)] = None,
    contention: Annotated[
        str | None,
        machines(
            "Both on one machine: how many times as long they take while both work.",
            metavar="ENGINE,TRAINER",
        ),
    ] = None,
    price: Annotated[float | None, machines("Of a GPU hour.", min=0)] = None,
    micro_tokens: Annotated[int | None, memory("Tokens of a forward pass.", min=1)] = None,
    dtype: Annotated[str | None, memory("bfloat16 or float32 products.")] = None,
    optimizer: Annotated[str, memory("adamw, muon, adamw8bit, adafactor, sgd.")] = "adamw",
    fsdp: Annotated[bool, memory("Cut weights over the ranks.", "--fsdp")] = False,
    gradient_checkpointing: Annotated[
        bool, memory("Recompute activations.", "--gradient-checkpointing")
    ] = False,
    reference: Annotated[bool, memory("A reference model beside.", "--reference")] = False,
    mtbf: Annotated[float | None, trouble("Hours between failures of one GPU.", min=1e-6)] = None,
    restart: Annotated[float | None, trouble("Seconds until one is back.", min=0)] = None,
    on_failure: Annotated[
        str, trouble("line: the whole pipe begins again; node: only what was lost.")
    ] = "line",
    stragglers: Annotated[
        str | None,
        trouble("Share of GPUs that are slow, and how slow.", metavar="SHARE,FACTOR"),
    ] = None,
    seed: Annotated[int, option("Of the simulation.")] = 0,
    as_json: Annotated[bool, option("Print the numbers as JSON.", "--json")] = False,
    config: Annotated[
        Path | None,
        option("TOML file with the same flags.", callback=load_config, is_eager=True),
    ] = None,
):
    """What a run will cost: time, GPU hours, lag, idle machines, memory, from speeds and lengths.

    swr1 plan --from-run runs/kk --lengths rollouts.jsonl --steps 1000 --max-lag 2

    swr1 plan --model 7B --batch 128 --samples 16 --length-mean 1500 --length-p95 4500
    --rollout-gpus 6 --train-gpus 2 --fsdp --max-lag 1

    It simulates the first steps of the pipe and prints every number that it rests on, with where that
    comes from: measured, given or assumed.
    """
    from swr1.planning.options import parse_pair, parse_speeds, read_completions
    from swr1.planning.plan import Wishes, make_plan

    if on_failure not in ("line", "node"):
        raise UsageError(f"--on-failure is line or node, not {on_failure!r}")
    share, factor = parse_pair("--stragglers", "0.02,1.5", stragglers or "0,1")
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
        rollout_speed=parse_speeds(rollout_speed) if rollout_speed is not None else None,
        train_speed=train_speed,
        pipe_speed=pipe_speed,
        swap=swap,
        publish=publish,
        contention=parse_pair("--contention", "1.2,1.5", contention) if contention else None,
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
    plan = make_plan(wishes, read_completions(lengths) if lengths else None)
    if as_json:
        print_json(plan)
        return
    from swr1.planning.page import page
    from swr1.viewing import console, put

    put(page(plan), console())
