"""From options, or a run that was made, to a plan: every number with its source, then figures.

The figures of time, lag and idleness are a simulation of the first steps, continued at its pace.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import Any

from swr1.errors import UsageError
from swr1.planning import costs
from swr1.planning.config import PlanConfig
from swr1.planning.costs import Decode, Train
from swr1.planning.ledger import Ledger
from swr1.planning.lengths import (
    Empirical,
    Lengths,
    Lognormal,
    Seen,
    from_records,
    read_completions,
    summary,
)
from swr1.planning.measured import Run, read_run, rollout_speed
from swr1.planning.shape import Shape
from swr1.planning.simulation import Outcome, Setting, simulate

SEQUENCES = 60_000  # that are simulated at most, beyond the fewest steps
MOST_STEPS, FEWEST_STEPS = 60, 6
COMPARED = 20_000  # sequences of a run whose alternatives are simulated too


def make_plan(config: PlanConfig, records: list[dict] | None = None) -> dict[str, Any]:
    """The plan as plain data: `run`, `time`, `tokens`, `sides`, `memory`, `alternatives`, `facts`.

    Args:
        records: completions whose lengths are taken, those of `config.lengths` by default. If they
            are of the run in `config.from_run`, they show more of its engine's speed.

    Raises UsageError for what cannot be, DataError for files without what they should hold.
    """
    w, ledger = config, Ledger()
    if records is None and w.lengths:
        records = read_completions(w.lengths)
    shape = Shape.of(w.model) if w.model else None
    seen = from_records(records) if records else None
    run = None
    if w.from_run:
        run = read_run(w.from_run, records, (seen and seen.prompt) or 0.0)
    setting = _setting(w, ledger, shape, seen, run)
    steps = _steps(w, ledger, setting.batch)
    setting = replace(setting, steps=_simulated(setting, steps))
    outcome = simulate(setting)
    seconds = outcome.seconds + (steps - setting.steps) * outcome.step_seconds
    lengths = summary(setting.lengths)
    gpus = w.rollout_gpus + w.train_gpus
    completions = steps * setting.batch * setting.samples
    hours = seconds * gpus / 3600
    return {
        "run": {
            "steps": steps,
            "batch": setting.batch,
            "samples": setting.samples,
            "completions": completions,
            "max_lag": setting.max_lag,
            "rollout_gpus": w.rollout_gpus,
            "train_gpus": w.train_gpus,
            "lengths": lengths,
        },
        "time": {
            "seconds": seconds,
            "step_seconds": outcome.step_seconds,
            "saving_seconds": setting.publish / setting.publish_every
            + setting.checkpoint / setting.checkpoint_every,
            "simulated_steps": setting.steps,
            "gpu_hours": hours,
            "price": None if w.price is None else hours * w.price,
            "failures": outcome.failures * steps / setting.steps,
        },
        "tokens": {
            "completions": completions * lengths["mean"],
            "per_second": outcome.trained / outcome.seconds,
            "useful_share": outcome.useful,
        },
        "sides": _sides(outcome, setting),
        "memory": _memory(w, ledger, shape, setting, lengths),
        "alternatives": _alternatives(w, setting, steps, seconds),
        "facts": ledger.rows(),
    }


def _setting(
    w: PlanConfig,
    ledger: Ledger,
    shape: Shape | None,
    seen: Seen | None,
    run: Run | None,
) -> Setting:
    slow_share, slow_factor = w.stragglers or (0.0, 1.0)
    batch = _batch(w, ledger, run)
    samples = _samples(w, ledger, run, batch)
    lengths, prompt = _lengths(w, ledger, seen, run)
    decode, swap = _decode(w, ledger, shape, run, summary(lengths)["mean"] + prompt, samples)
    train = _train(w, ledger, shape, run)
    disk = f"{costs.DISK / 1e9:g} GB/s"
    weights = 2.0 * shape.parameters if shape else 0.0
    otherwise = weights / costs.DISK if run is None else 0.0
    if swap is None:
        swap = ledger.pick("swap of weights", w.swap, otherwise, "s", f"weights at {disk}")
    within = "not in metrics.jsonl" if run else f"weights at {disk}"
    publish = ledger.pick("publishing", w.publish, otherwise, "s", within)
    every = w.checkpoint_every or w.publish_every
    saving = 0.0
    if run is None and shape:
        saving = 12.0 * shape.parameters / costs.DISK
        ledger.assumed("trainer state", saving, "s", f"12 bytes a weight, {disk}")
    mtbf = 0.0
    restart = 0.0
    if w.mtbf:
        mtbf = 3600 * ledger.given("time between failures of a GPU", w.mtbf, "h")
        restart = ledger.pick("restart", w.restart, 300.0, "s", "no measurement")
    if w.pipe_speed:
        ledger.given("slowest stage between", w.pipe_speed, "tokens/s")
    else:
        ledger.assumed("stages between", "no time", "", "rules judge 1.4M tokens a CPU second")
    if w.contention is not None:
        factors = "engine {:g}, trainer {:g}".format(*w.contention)
        ledger.given("contention", factors, "times as long")
    return Setting(
        steps=1,
        batch=batch,
        samples=samples,
        lengths=lengths,
        decode=decode,
        train=train,
        prompt=prompt,
        max_lag=w.max_lag,
        publish_every=w.publish_every,
        block=w.block,
        replicas=w.rollout_gpus // w.gpus_per_replica,
        gpus_per_replica=w.gpus_per_replica,
        swap=swap,
        publish=publish,
        checkpoint=saving,
        checkpoint_every=every,
        pipe_per_token=1 / w.pipe_speed if w.pipe_speed else 0.0,
        slow_share=slow_share,
        slow_factor=slow_factor,
        mtbf=mtbf,
        restart=restart,
        line_fails=w.on_failure == "line",
        contention=w.contention or (1.0, 1.0),
        seed=w.seed,
    )


def _batch(w: PlanConfig, ledger: Ledger, run: Run | None) -> int:
    if w.batch is None and run and run.batch:
        return ledger.measured("batch", run.batch, "prompts", run.path)
    return ledger.pick("batch", w.batch, 16, "prompts", "train-step's usual size")


def _samples(w: PlanConfig, ledger: Ledger, run: Run | None, batch: int) -> int:
    if w.samples is None and run and run.batch:
        return ledger.measured("samples", max(1, round(run.samples / run.batch)), "", run.path)
    return ledger.pick("samples", w.samples, 8, "a prompt", "as in the recipes")


def _steps(w: PlanConfig, ledger: Ledger, batch: int) -> int:
    if w.steps is not None and w.prompts is not None:
        raise UsageError("--steps and --prompts say the same: give one of them")
    if w.prompts is not None:
        ledger.given("prompts", w.prompts)
        return max(1, w.prompts // batch)
    return ledger.pick("steps", w.steps, 100, "", "an example")


def _lengths(
    w: PlanConfig, ledger: Ledger, seen: Seen | None, run: Run | None
) -> tuple[Lengths, float]:
    """Of completions, and the mean of the prompts."""
    limit = w.max_tokens
    if seen and w.length_mean:
        raise UsageError("--lengths and --length-mean say the same: give one of them")
    if seen:
        lengths: Lengths = Empirical(seen.groups, limit or max(map(max, seen.groups)))
        ledger.measured("lengths", lengths.describe(), "tokens", "records")
    elif run and w.length_mean is None:
        limit = limit or max(1, round(8 * run.length_mean))
        spread = Lognormal.of(run.length_mean, w.length_p95, limit)
        lengths = spread
        ledger.measured("mean length", run.length_mean, "tokens", run.path)
        _spread(w, ledger, spread)
    else:
        mean = ledger.pick("mean length", w.length_mean, 500.0, "tokens", "an example")
        limit = limit or round(8 * mean)
        spread = Lognormal.of(mean, w.length_p95, limit)
        lengths = spread
        _spread(w, ledger, spread)
    if w.max_tokens is not None:
        ledger.given("longest", w.max_tokens, "tokens")
    if w.prompt_tokens is None and seen and seen.prompt:
        return lengths, ledger.measured("prompt", seen.prompt, "tokens", "records")
    otherwise = 0.0 if run else 200.0
    why = "its cost is in what was measured" if run else "an example"
    return lengths, ledger.pick("prompt", w.prompt_tokens, otherwise, "tokens", why)


def _spread(w: PlanConfig, ledger: Ledger, lengths: Lognormal) -> None:
    if w.length_p95 is None:
        ledger.assumed("spread of lengths", lengths.spread, "of ln", "a usual tail, lognormal")
    else:
        ledger.given("95th percentile", w.length_p95, "tokens")


def _decode(
    w: PlanConfig,
    ledger: Ledger,
    shape: Shape | None,
    run: Run | None,
    tokens: float,
    samples: int,
) -> tuple[Decode, float | None]:
    """The engine's costs, and a measured swap."""
    name = "engine speed of a replica"
    most = w.in_flight
    if w.block:
        most = most or w.block * samples
    if w.rollout_speed:
        speeds = ", ".join(
            f"{speed:g} at {n}" if n else f"{speed:g}" for n, speed in w.rollout_speed
        )
        ledger.given(name, speeds, "tokens/s at in flight")
        return costs.decode_of_speeds(w.rollout_speed, most), None
    if w.rollout_metrics and run:
        speed = rollout_speed(w.rollout_metrics, run.length_mean)
        ledger.measured(name, speed, "tokens/s", w.rollout_metrics)
        return costs.decode_of_speeds([(most or 256, speed)], most), None
    if run:
        if run.per_sequence is None:
            raise UsageError(
                f"{run.path} does not show the engine's speed: at K > 0 its trainer hardly waited."
                " Add --rollout-metrics FILE (rollout --metrics) or --rollout-speed"
            )
        each, base = 1e6 * run.per_sequence, 1e6 * (run.base or 0.0)
        ledger.measured(name, f"{base:.0f} + {each:.1f} n", "us a step", run.rollout_from)
        swap = w.swap
        if swap is None:
            swap = ledger.measured("swap of weights", run.swap, "s a block", run.rollout_from)
        return Decode(run.base or 0.0, run.per_sequence, most=most or 1 << 20), swap
    if shape is None:
        raise UsageError(
            "no engine speed: give --rollout-speed, --from-run RUN, or --model (with --gpu)"
        )
    device = costs.gpu(w.gpu)
    decode = costs.decode_of_gpu(shape, device, w.gpus_per_replica, tokens, most)
    shown = f"{decode.speed(1, tokens / 2):,.0f} at 1, {decode.speed(decode.most, tokens / 2):,.0f}"
    ledger.assumed(
        name,
        f"{shown} at {decode.most}",
        "tokens/s",
        f"{w.gpu} peaks: {costs.READ_EFFICIENCY:.0%} of bandwidth,"
        f" {costs.DECODE_EFFICIENCY:.0%} of FLOP/s, {1000 * costs.STEP_OVERHEAD:g} ms a step",
    )
    return decode, None


def _train(w: PlanConfig, ledger: Ledger, shape: Shape | None, run: Run | None) -> Train:
    name = "training speed of a GPU"
    micro = ledger.pick("micro-tokens", w.micro_tokens, 16_384, "tokens", "train-step's on a GPU")
    if w.train_speed:
        ledger.given(name, w.train_speed, "tokens/s")
        return Train(1 / w.train_speed, ranks=w.train_gpus, micro_tokens=micro)
    if run:
        text = f"{run.fixed:.2f} s + {1e6 * run.per_token:.0f} us a token"
        side = ", side by side with the engine" if run.together else ""
        ledger.measured(name, text, "a step", f"{run.steps} steps of {run.path}{side}")
        return Train(run.per_token, run.fixed, ranks=w.train_gpus, micro_tokens=micro)
    if shape is None:
        raise UsageError(
            "no training speed: give --train-speed, --from-run RUN, or --model (with --gpu)"
        )
    device = costs.gpu(w.gpu)
    train = costs.train_of_gpu(shape, device, w.train_gpus, micro, w.fsdp)
    ledger.assumed(
        name,
        1 / train.per_token,
        "tokens/s",
        f"{w.gpu} peak x {costs.TRAIN_EFFICIENCY:.0%}; links {costs.LINK / 1e9:g} GB/s, no overlap",
    )
    return train


def _simulated(setting: Setting, steps: int) -> int:
    enough = max(FEWEST_STEPS, SEQUENCES // (setting.batch * setting.samples))
    return max(1, min(steps, MOST_STEPS, enough + setting.max_lag))


def _sides(outcome: Outcome, setting: Setting) -> dict[str, Any]:
    return {
        "rollout_idle": outcome.rollout_idle,
        "train_idle": outcome.train_idle,
        "in_flight": outcome.in_flight,
        "lag_mean": fmean(outcome.lags[-max(1, len(outcome.lags) // 2) :]),
        "lag_max": outcome.lag_max,
        "binds": binding(outcome, setting),
    }


def binding(outcome: Outcome, setting: Setting) -> str:
    """What holds the run up: "turns", "longest" (completion), "rollout" or "train"."""
    if setting.max_lag == 0:
        return "turns"
    if min(outcome.rollout_idle, outcome.train_idle) > 0.05:
        return "longest"
    return "rollout" if outcome.train_idle > outcome.rollout_idle else "train"


def _memory(
    w: PlanConfig, ledger: Ledger, shape: Shape | None, setting: Setting, lengths: dict[str, float]
) -> dict[str, Any] | None:
    if shape is None:
        return None
    dtype = ledger.pick("training products", w.dtype, "bfloat16", "", "train-step --dtype")
    ledger.given("optimizer", w.optimizer, "", "an option or its default")
    train = shape.training_memory(
        micro_tokens=setting.train.micro_tokens,
        dtype=dtype,
        optimizer=w.optimizer,
        ranks=w.train_gpus,
        sharded=w.fsdp,
        checkpointing=w.gradient_checkpointing,
        reference=w.reference,
    )
    share = setting.batch * setting.samples * (setting.max_lag + 1) / setting.replicas
    flying = min(setting.decode.most, max(1, round(share)))
    device = costs.GPUS.get(w.gpu.lower()) if w.from_run is None else None
    return {
        "parameters": shape.parameters,
        "gpu": device and device.memory,
        "training": train,
        "rollout": {
            "weights": 2.0 * shape.parameters,
            "cache_per_token": shape.kv_bytes(),
            "cache": shape.kv_bytes() * flying * (setting.prompt + lengths["mean"]),
            "in_flight": flying,
        },
    }


def _alternatives(
    w: PlanConfig, setting: Setting, steps: int, seconds: float
) -> list[dict[str, Any]]:
    """The same run with one option changed; none if these would take long to simulate."""
    if setting.steps * setting.batch * setting.samples > COMPARED:
        return []
    gpus = w.rollout_gpus + w.train_gpus
    train = setting.train
    lags = [k for k in (0, 1, 2, 4) if k != setting.max_lag and k + 1 >= setting.publish_every]
    turns: list[tuple[str, Setting, int]] = [
        (f"--max-lag {k}", replace(setting, max_lag=k), gpus) for k in lags
    ]
    turns += [
        (
            "rollout GPUs x 2",
            replace(setting, replicas=2 * setting.replicas),
            gpus + w.rollout_gpus,
        ),
        (
            "train GPUs x 2",
            replace(setting, train=replace(train, ranks=2 * train.ranks)),
            gpus + w.train_gpus,
        ),
    ]
    out = []
    for label, other, count in turns:
        outcome = simulate(other)
        whole = outcome.seconds + (steps - other.steps) * outcome.step_seconds
        out.append(
            {
                "knob": label,
                "seconds": whole,
                "ratio": whole / seconds,
                "gpu_hours": whole * count / 3600,
            }
        )
    return out
