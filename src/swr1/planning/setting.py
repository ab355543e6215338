"""From options, or a run that was made, to a setting to simulate: every number with its source."""

from __future__ import annotations

from swr1.errors import UsageError
from swr1.planning import costs
from swr1.planning.config import PlanConfig
from swr1.planning.costs import Decode, Train
from swr1.planning.ledger import Ledger
from swr1.planning.lengths import Empirical, Lengths, Lognormal, Seen, summary
from swr1.planning.machines import Split
from swr1.planning.measured import Run, rollout_speed
from swr1.planning.shape import Shape
from swr1.planning.simulation import Setting

CHECKPOINT_EVERY = 50  # steps, as train-step has it of large models
SMALL = 16 * 2**20  # weights: train-step writes those of fewer within its steps


class Basis:
    """What a plan is made of: the options, the model's shape, lengths that were seen, a run."""

    def __init__(
        self, config: PlanConfig, shape: Shape | None, seen: Seen | None, run: Run | None
    ) -> None:
        self.config, self.shape, self.seen, self.run = config, shape, seen, run

    @property
    def tokens(self) -> float:
        """Of a prompt and a mean completion."""
        lengths, prompt = _lengths(self.config, Ledger(), self.seen, self.run)
        return summary(lengths)["mean"] + prompt


def setting_of(basis: Basis, split: Split, ledger: Ledger) -> Setting:
    """The run on the GPUs of `split`; `ledger` gets every number. Raises UsageError."""
    w, shape, seen, run = basis.config, basis.shape, basis.seen, basis.run
    slow_share, slow_factor = w.stragglers or (0.0, 1.0)
    batch = _batch(w, ledger, run)
    samples = _samples(w, ledger, run, batch)
    lengths, prompt = _lengths(w, ledger, seen, run)
    tokens = summary(lengths)["mean"] + prompt
    decode, swap = _decode(w, split, ledger, shape, run, tokens, samples)
    train = _train(w, split, ledger, shape, run)
    disk = f"{costs.DISK / 1e9:g} GB/s"
    weights = 2.0 * shape.parameters if shape else 0.0
    otherwise = weights / costs.DISK if run is None else 0.0
    if swap is None:
        swap = ledger.pick("swap of weights", w.swap, otherwise, "s", f"weights at {disk}")
    within = "not in metrics.jsonl" if run else f"weights at {disk}"
    publish = ledger.pick("publishing", w.publish, otherwise, "s", within)
    saving, every = 0.0, w.checkpoint_every or CHECKPOINT_EVERY
    if run is None and shape:
        saving = 12.0 * shape.parameters / costs.DISK
        ledger.assumed("trainer state", saving, "s", f"12 bytes a weight, {disk}")
        why = "train-step's, above 1 GiB of weights"
        ledger.pick("steps per state", w.checkpoint_every, CHECKPOINT_EVERY, "", why)
    background = w.background
    if background is None:
        background = bool(run is None and (shape is None or shape.parameters >= SMALL))
    ledger.assumed(
        "versions and states",
        "beside the steps" if background else "within the steps",
        "",
        f"a copy takes {costs.COPY:g} of the time" if background else "the model is small",
    )
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
        at_once=w.at_once,
        order=w.order,
        background=background,
        copy=costs.COPY,
        replicas=split.rollout // split.per_replica,
        gpus_per_replica=split.per_replica,
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
    return ledger.pick("batch", w.batch, 16, "prompts", "as in the laptop recipe")


def _samples(w: PlanConfig, ledger: Ledger, run: Run | None, batch: int) -> int:
    if w.samples is None and run and run.batch:
        return ledger.measured("samples", max(1, round(run.samples / run.batch)), "", run.path)
    return ledger.pick("samples", w.samples, 8, "a prompt", "as in the recipes")


def steps_of(w: PlanConfig, ledger: Ledger, batch: int) -> int:
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
    split: Split,
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
    kind = _kind(w, ledger)
    decode = costs.decode_of_gpu(shape, costs.gpu(kind), split.per_replica, tokens, w.in_flight)
    shown = f"{decode.speed(1, tokens / 2):,.0f} at 1, {decode.speed(decode.most, tokens / 2):,.0f}"
    ledger.assumed(
        name,
        f"{shown} at {decode.most}",
        "tokens/s",
        f"{kind} peaks: {costs.READ_EFFICIENCY:.0%} of bandwidth,"
        f" {costs.DECODE_EFFICIENCY:.0%} of FLOP/s, {1000 * costs.STEP_OVERHEAD:g} ms a step",
    )
    return decode, None


def _kind(w: PlanConfig, ledger: Ledger) -> str:
    if w.gpu is None:
        return ledger.default("GPU", costs.DEFAULT_GPU, "", "--gpu")
    return ledger.given("GPU", w.gpu)


def _train(
    w: PlanConfig, split: Split, ledger: Ledger, shape: Shape | None, run: Run | None
) -> Train:
    name = "training speed of a GPU"
    micro = split.micro_tokens
    if w.micro_tokens is not None:
        ledger.given("micro-tokens", micro, "tokens")
    elif micro == costs.MICRO_TOKENS:
        ledger.default("micro-tokens", micro, "tokens", "train-step's on a GPU")
    else:
        ledger.assumed("micro-tokens", micro, "tokens", "the most that fits")
    if w.train_speed:
        ledger.given(name, w.train_speed, "tokens/s")
        return Train(1 / w.train_speed, ranks=split.train, micro_tokens=micro)
    if run:
        text = f"{run.fixed:.2f} s + {1e6 * run.per_token:.0f} us a token"
        side = ", side by side with the engine" if run.together else ""
        ledger.measured(name, text, "a step", f"{run.steps} steps of {run.path}{side}")
        return Train(run.per_token, run.fixed, ranks=split.train, micro_tokens=micro)
    if shape is None:
        raise UsageError(
            "no training speed: give --train-speed, --from-run RUN, or --model (with --gpu)"
        )
    kind = _kind(w, ledger)
    train = costs.train_of_gpu(
        shape, costs.gpu(kind), split.train, micro, split.fsdp, split.checkpointing
    )
    ledger.assumed(
        name,
        1 / train.per_token,
        "tokens/s",
        f"{kind} peak x {costs.TRAIN_EFFICIENCY:.0%}; links {costs.LINK / 1e9:g} GB/s, no overlap",
    )
    return train
