"""How a run grows with GPUs, simulated; and the simulation against runs of this machine.

    python benchmarks/scaling.py sweep -o docs/scaling.png   # tables and pictures of docs/scaling.md
    python benchmarks/scaling.py check --policy runs/kk --prompts prompts.jsonl

`sweep` takes a 7B policy on GPUs that nobody measured here: its speeds are data sheets' figures times
assumed efficiencies (swr1.planning.costs), printed with it.

`check` runs the pipe once to measure speeds, writes down what the plan expects of other batches,
samples and limits, and only then runs those. The machine may be busy with other work, so speed is
the processor time of the rollout and of the train-step, one thread each; the trainer gets a
learning rate of 1e-6, so that lengths stay.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import orjson

from swr1 import plotting
from swr1.planning import costs
from swr1.planning.config import PlanConfig
from swr1.planning.lengths import Lognormal
from swr1.planning.plan import make_plan
from swr1.planning.shape import Shape
from swr1.planning.simulation import Outcome, Setting, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEAN, P95, LIMIT, PROMPT, SAMPLES = 2000, 6000, 8192, 300, 16
GPUS = (1, 8, 64, 256, 1000)
CHECKS = (  # name, prompts a step, samples, longest
    ("8 x 8", 8, 8, 480),
    ("16 x 4", 16, 4, 480),
    ("32 x 8", 32, 8, 480),
    ("16 x 8, cut at 160", 16, 8, 160),
)


def seven(gpus: int, share: float = 0.6, **changes: object) -> Setting:
    """A 7B policy on `gpus` H100, `share` of them for rollout; 4 prompts a GPU in a step.

    One GPU is shared, the two sides take turns on it, and adapters are trained: the optimizer's state
    of all weights would not fit.
    """
    shape, device = Shape.of("7B"), costs.gpu("h100")
    rollout = max(1, round(gpus * share))
    train = max(1, gpus - rollout)
    setting = Setting(
        steps=12,
        batch=4 * gpus,
        samples=SAMPLES,
        lengths=Lognormal.of(MEAN, P95, LIMIT),
        decode=costs.decode_of_gpu(shape, device, 1, MEAN + PROMPT, None),
        train=costs.train_of_gpu(shape, device, train, 8192, sharded=True),
        prompt=PROMPT,
        max_lag=int(gpus > 1),
        replicas=rollout,
        swap=2 * shape.parameters / costs.DISK,
        publish=2 * shape.parameters / costs.DISK,
        checkpoint=12 * shape.parameters / costs.DISK * (gpus > 1),
        checkpoint_every=50,
        restart=300.0,
    )
    return replace(setting, **changes)  # type: ignore[arg-type]


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def per_gpu(outcome: Outcome, gpus: int) -> float:
    """Trained tokens per second and GPU, the time in which the pipe filled left out."""
    return outcome.trained / len(outcome.lags) / outcome.step_seconds / gpus


def figures(outcome: Outcome, gpus: int) -> tuple[str, ...]:
    return (
        f"{outcome.step_seconds:.0f}",
        f"{per_gpu(outcome, gpus):.0f}",
        f"{outcome.rollout_idle:.0%}",
        f"{outcome.train_idle:.0%}",
        f"{fmean(outcome.lags[2:]):.1f}",
    )


def sweep(out: str) -> None:
    columns = ("s a step", "tokens/s a GPU", "rollout idle", "trainer idle", "lag")
    device = seven(8)
    print(f"decode: {device.decode}\ntrain: {device.train}\nswap {device.swap:.1f} s")

    head("GPUs", "work", *columns)
    grown, fixed = [], []
    for gpus in GPUS:
        grown.append(simulate(seven(gpus)))
        row(gpus, "4 prompts a GPU", *figures(grown[-1], gpus))
    for gpus in GPUS:
        fixed.append(simulate(seven(gpus, batch=256)))
        row(gpus, "256 prompts", *figures(fixed[-1], gpus))

    head("for rollout, of 64", *columns)
    shares = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
    split = [simulate(seven(64, share)) for share in shares]
    for share, outcome in zip(shares, split, strict=True):
        row(round(64 * share), *figures(outcome, 64))

    head("64 GPUs", *columns)
    base = seven(64)
    turned: dict[str, Setting] = {f"K={k}": replace(base, max_lag=k) for k in (0, 1, 2, 4)}
    turned |= {f"{n} samples": replace(base, samples=n, batch=4096 // n) for n in (4, 64)}
    for limit in (4096, 32_768):
        lengths = Lognormal(MEAN, base.lengths.spread, limit)  # type: ignore[attr-defined]
        turned[f"cut at {limit}"] = replace(base, lengths=lengths)
    for swap in (0.0, 60.0):
        turned[f"swap and publishing {swap:.0f} s"] = replace(base, swap=swap, publish=swap)
    turned["a state each step"] = replace(base, checkpoint_every=1)
    turned["2% of GPUs 1.5 times slower"] = replace(base, slow_share=0.02, slow_factor=1.5)
    for name, setting in turned.items():
        row(name, *figures(simulate(setting), 64))

    head("1,000 GPUs, failures of one each", "a failure ends", "time of the run", "tokens lost")
    big = seven(1000, batch=128, steps=120, checkpoint_every=10)
    calm = simulate(big)
    for hours in (5_000, 500):
        for line in (True, False):
            runs = [
                simulate(replace(big, mtbf=3600.0 * hours, line_fails=line, seed=s))
                for s in range(2)
            ]
            ratio = fmean(run.seconds for run in runs) / calm.seconds
            lost = 1 - fmean(run.trained / run.generated for run in runs)
            lost -= 1 - calm.trained / calm.generated
            what = "the whole pipe" if line else "one engine, or one step"
            row(f"{hours:,} h", what, f"x {ratio:.2f}", f"{max(0.0, lost):.1%}")

    draw(grown, fixed, {round(64 * s): o for s, o in zip(shares, split, strict=True)}, out)


def draw(grown: list[Outcome], fixed: list[Outcome], split: dict[int, Outcome], out: str) -> None:
    """Throughput by GPUs; idle shares by the split of 64 (GPUs for rollout -> outcome); time by K."""
    figure = plotting.new_figure(11, 4.2)
    left, middle, right = figure.subplots(1, 3)
    y = "trained tokens per second and GPU"
    plotting.clean_axes(left, "Throughput", x="number of GPUs", y=y)
    throughput = {
        "4 prompts a step for each GPU": [per_gpu(o, n) for o, n in zip(grown, GPUS, strict=True)],
        "256 prompts a step": [per_gpu(o, n) for o, n in zip(fixed, GPUS, strict=True)],
    }
    left.set_xscale("log")
    left.set_xticks(GPUS, [f"{n:,}" for n in GPUS])
    left.minorticks_off()
    left.yaxis.set_major_formatter("{x:,.0f}")
    curves(left, GPUS, throughput)

    x = "GPUs for rollout, of 64 (the others train)"
    plotting.clean_axes(middle, "Idle time", x=x, y="idle, % of the time")
    idle = {
        "rollout": [100 * o.rollout_idle for o in split.values()],
        "trainer": [100 * o.train_idle for o in split.values()],
    }
    curves(middle, list(split), idle)
    middle.set_xlim(0, 64)
    middle.set_xticks(range(0, 65, 16))

    x = "K: steps by which rollouts may lag"
    plotting.clean_axes(right, "Time of a step, 64 GPUs", x=x, y="seconds")
    base, times = seven(64), {}
    spread = base.lengths.spread  # type: ignore[attr-defined]
    for name, one in (("lengths with a long tail", spread), ("all lengths alike", 0.0)):
        setting = replace(base, lengths=Lognormal(MEAN, one, LIMIT))
        times[name] = [simulate(replace(setting, max_lag=k)).step_seconds for k in range(5)]
    curves(right, range(5), times)
    right.set_xticks(range(5))
    figure.suptitle(
        "Computed by the simulation behind swr1 plan, for a 7B policy on H100 GPUs: not measured",
        x=0.01,
        ha="left",
        fontsize=plotting.TITLE,
        color=plotting.INK,
    )
    plotting.save_figure(plotting.finish(figure), out)


def curves(axes: Axes, xs: Sequence[float], named: dict[str, list[float]]) -> None:
    for index, ys in enumerate(named.values()):
        size = 8 - 2.5 * index  # of two in one place, the first is still seen
        mark = {"markersize": size, "markeredgecolor": "white", "clip_on": False}
        axes.plot(xs, ys, zorder=3, **mark, **plotting.look(index))
    axes.set_ylim(0, 1.3 * max(map(max, named.values())))  # room for the legend
    plotting.legend(axes, axes.get_lines(), list(named), loc="upper right")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pipe(
    folder: Path,
    policy: str,
    prompts: str,
    system: str,
    batch: int,
    samples: int,
    most: int,
    steps: int,
) -> Path:
    """Run the pipe at K=0; a metrics.jsonl whose seconds are processor time, and the records."""
    folder.mkdir()
    swr1 = str(Path(sys.executable).parent / "swr1")
    subprocess.run([swr1, "init-policy", "rl", "--from", policy], cwd=folder, check=True)
    stages = [
        f"rollout {prompts} --policy rl --max-lag 0 --shuffle --epochs 100 --system-prompt {system}"
        f" --samples {samples} --max-tokens {most} --batch {batch}",
        "tee",
        "verify format knights",
        "reward logic-rl",
        f"train-step grpo --policy rl --batch {batch} --lr 1e-6 --kl 0 --steps {steps}",
    ]
    running: list[subprocess.Popen] = []
    source = None
    for stage in stages:
        words = ["tee", "records.jsonl"] if stage == "tee" else [swr1, *stage.split(), "--quiet"]
        process = subprocess.Popen(words, cwd=folder, stdin=source, stdout=subprocess.PIPE)
        if source is not None:
            source.close()
        source = process.stdout
        running.append(process)
    metrics, before, rows = folder / "rl" / "metrics.jsonl", None, []
    ends = [running[0].pid, running[-1].pid]
    while running[-1].poll() is None:
        now = [cpu_seconds(pid) for pid in ends]
        lines = metrics.read_bytes().splitlines() if metrics.exists() else []
        if len(lines) > len(rows):
            spent = [b - a for a, b in zip(before or now, now, strict=True)]
            step = orjson.loads(lines[len(rows)])
            rows.append(step | {"wait_s": spent[0], "compute_s": spent[1]})
            before = now
        time.sleep(0.02)
    for process in running:
        process.wait()
    (folder / "trainer").mkdir()
    (folder / "trainer" / "plan.json").write_bytes(orjson.dumps({"batch": batch}))
    (folder / "metrics.jsonl").write_bytes(
        b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in rows)
    )
    return folder


def slim(folder: Path) -> list[dict]:
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    return [{k: r[k] for k in ("id", "generation")} for r in map(orjson.loads, lines)]


def expected(run: Path, records: list[dict], batch: int, samples: int, most: int) -> list[float]:
    """Seconds of rollout and of training in a step."""
    plan = make_plan(
        PlanConfig(
            from_run=str(run), block=batch, batch=batch, samples=samples, max_tokens=most, steps=40
        ),
        records,
    )
    step = plan["time"]["step_seconds"]
    idle = plan["sides"]["train_idle"]
    return [step * idle, step * (1 - idle)]


def check(policy: str, prompts: str, system: str, steps: int) -> None:
    policy, prompts = str(Path(policy).resolve()), str(Path(prompts).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        first = pipe(Path(scratch, "first"), policy, prompts, system, 16, 8, 480, steps)
        records = slim(first)
        told = [(expected(first, records, *setting[1:]), setting) for setting in CHECKS]
        for seconds, setting in told:
            print(f"expected of {setting[0]}: rollout {seconds[0]:.2f} s, train {seconds[1]:.2f} s")
        head("prompts x samples", "rollout: expected", "measured", "train: expected", "measured",
             "step")  # fmt: skip
        whole = [(expected(first, records, 16, 8, 480), ("16 x 8 (measured from)", 16, 8, 480))]
        for number, (seconds, setting) in enumerate(whole + told):
            run = first
            if number:
                run = pipe(Path(scratch, str(number)), policy, prompts, system, *setting[1:], steps)
            rows = [orjson.loads(x) for x in (run / "metrics.jsonl").read_bytes().splitlines()][1:]
            seen = [fmean(r[key] for r in rows) for key in ("wait_s", "compute_s")]
            error = sum(seconds) / sum(seen) - 1
            row(
                setting[0],
                *(f"{x:.2f}" for pair in zip(seconds, seen, strict=True) for x in pair),
                f"{error:+.0%}",
            )
            if number:
                shutil.rmtree(run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("sweep")
    one.add_argument("-o", "--output", default="docs/scaling.png")
    two = commands.add_parser("check")
    two.add_argument("--policy", required=True)
    two.add_argument("--prompts", required=True)
    two.add_argument("--system-prompt", default="logic-rl-terse")
    two.add_argument("--steps", type=int, default=9)
    options = parser.parse_args()
    if options.command == "sweep":
        sweep(options.output)
    else:
        check(options.policy, options.prompts, options.system_prompt, options.steps)
