"""Logic-RL's loop here and with TRL's GRPOTrainer: same start, prompts, reward and settings.

    python benchmarks/loop.py runs/logic-rl-laptop-0                # 70 steps, seeds 0 1 2; an hour
    python benchmarks/loop.py runs/logic-rl-laptop-0 --steps 10 --seeds 0 --systems "swr1 K=0" trl
    python benchmarks/loop.py runs/m3-laptop-0 --steps 20           # with pictures, of recipes/m3.sh

RUN is a folder of recipes/logic-rl.sh: its start, its prompts, what it held out. Each system trains all
weights for `--steps` steps of 16 prompts x 8 samples, T = 1, at most 480 tokens, AdamW 3e-4 without a
schedule, no KL, the mean over all tokens, one thread a process. `swr1 K=0` is the pipe of four stages
whose rollout waits for every version, `swr1 K=1` that with `--max-lag 1`. TRL gets the prompts as `swr1
export trl` writes them, and the reward as a function (`swr1.rewards.as_reward_function`), with padded
micro-batches of 32 and without recomputed activations, which is its fastest setting here.

Every process is measured by the kernel when it ends: processor seconds, and its largest resident set.
Start-up, imports and saving count. Then each policy answers what is held out, greedily, by one
evaluation. TRL's asynchronous GRPO and unsloth need a GPU; so do verl and prime-rl.

With pictures: the drawn questions of `make m3` alone, its reward, AdamW 2e-4, at most 110 tokens. TRL needs a processor of
transformers, which needs torchvision.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

SYSTEMS = ["swr1 K=0", "swr1 K=1", "trl"]
PROMPTS, SAMPLES = 16, 8


class Task(NamedTuple):
    """What is trained on: files in the run's folder, how they are asked, who judges, what pays; prompts and
    samples of a step."""

    train: str
    held_out: str
    ask: str
    verifiers: tuple[str, ...]
    right: str  # the verdict that is counted
    reward: str
    longest: int
    lr: float
    rows: str  # the file for TRL
    prompts: int = PROMPTS
    samples: int = SAMPLES


REWARD = Path(__file__).parent.parent / "recipes" / "pictures" / "reward.toml"
PUZZLES = Task(
    "prompts.jsonl",
    "held-out.jsonl",
    "--system-prompt logic-rl-terse",
    ("format", "knights"),
    "knights",
    "logic-rl",
    480,
    3e-4,
    "prompts.jsonl",
)
PICTURES = Task(
    "train-pictures.jsonl",
    "pictures.jsonl",
    "--system-prompt none",
    ("format", "exact", "visual-focus"),
    "exact",
    str(REWARD),
    110,
    2e-4,
    "prompts.parquet",
)


def task_of(run: Path) -> Task:
    return PICTURES if (run / PICTURES.train).exists() else PUZZLES


def chain(*commands: list[str]) -> dict[str, dict[str, float]]:
    """Run a pipe; by name of stage its processor seconds and GiB, as the kernel says at its end.

    Raises SystemExit where a process fails.
    """
    running: list[tuple[str, subprocess.Popen[bytes]]] = []
    source: Any = subprocess.DEVNULL
    for command in commands:
        last = len(running) == len(commands) - 1
        one = subprocess.Popen(
            command,
            stdin=source,
            stdout=subprocess.DEVNULL if last else subprocess.PIPE,
        )
        if source is not subprocess.DEVNULL:
            source.close()
        running.append((command[1] if command[0].endswith("swr1") else "trl", one))
        source = one.stdout
    told = {}
    for name, one in running:
        _, status, used = os.wait4(one.pid, 0)
        one.returncode = os.waitstatus_to_exitcode(status)
        if one.returncode:
            raise SystemExit(f"{name} ended with {one.returncode}")
        told[name] = {"cpu": used.ru_utime + used.ru_stime, "gib": used.ru_maxrss / 2**20}
    return told


def swr1(words: str, *paths: object) -> list[str]:
    """A command: {} in `words` stand for `paths`, which may have spaces."""
    rest = iter(paths)
    program = str(Path(sys.executable).parent / "swr1")
    return [program, *(str(next(rest)) if w == "{}" else w for w in words.split()), "-q"]


def ours(
    run: Path, out: Path, seed: int, steps: int, lag: int, more: str = "", task: Task | None = None
) -> dict[str, Any]:
    """The pipe, with `more` options of rollout; {"stages", "clock", "rewards"}."""
    task = task or task_of(run)
    chain(swr1("init-policy {} --from {}", out, run / "start"))
    begun = time.perf_counter()
    stages = chain(
        swr1(
            f"rollout {{}} --policy {{}} --max-lag {lag} --shuffle --epochs 100 --seed {seed} {task.ask}"
            f" --samples {task.samples} --temperature 1 --max-tokens {task.longest} --batch {task.prompts} {more}"
            " --metrics {}",
            run / task.train,
            out,
            out / "rollout.jsonl",
        ),
        swr1(f"verify {' '.join(task.verifiers)}"),
        swr1("reward {}", task.reward),
        swr1(
            f"train-step grpo --batch {task.prompts} --lr {task.lr} --kl 0 --aggregation token-mean"
            f" --micro-tokens 2048 --policy {{}} --steps {steps} --picture-folders {{}}",
            out,
            run,
        ),
    )
    seconds = time.perf_counter() - begun
    told = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {"stages": stages, "clock": seconds, "rewards": [one["reward_mean"] for one in told]}


def theirs(run: Path, out: Path, seed: int, steps: int) -> dict[str, Any]:
    """TRL, in a process of its own; as `ours`."""
    begun = time.perf_counter()
    command = [sys.executable, __file__, str(run), "--trl", str(out)]
    stages = chain([*command, "--steps", str(steps), "--seeds", str(seed)])
    seconds = time.perf_counter() - begun
    told = json.loads((out / "log.json").read_text())
    return {
        "stages": stages,
        "clock": seconds,
        "rewards": [x["reward"] for x in told if "reward" in x],
    }


def train_with_trl(run: Path, out: Path, seed: int, steps: int) -> None:
    """GRPOTrainer on the exported prompts; the model and its log are saved in `out`."""
    import torch
    from datasets import load_dataset
    from trl import GRPOConfig, GRPOTrainer

    from swr1.models import load_tokenizer
    from swr1.rewards import as_reward_function

    torch.set_num_threads(1)
    task = task_of(run)
    kind = "parquet" if task.rows.endswith(".parquet") else "json"
    rows = load_dataset(kind, data_files=str(out.parent / task.rows), split="train")
    start = str((run / "start" / "latest").resolve())
    opened = None
    if rows[0]["prompt"][-1]["role"] == "assistant":  # TRL 1.16 would close that turn: so as text
        opened, tokenizer = rows[0]["prompt"][-1]["content"], load_tokenizer(start)

        def as_text(row: dict[str, Any]) -> dict[str, Any]:
            how = {"continue_final_message": True, "tokenize": False}
            return {"prompt": tokenizer.apply_chat_template(row["prompt"], **how)}

        rows = rows.map(as_text)
    config = GRPOConfig(
        output_dir=str(out),
        per_device_train_batch_size=32,
        gradient_accumulation_steps=PROMPTS * SAMPLES // 32,
        num_generations=SAMPLES,
        max_completion_length=task.longest,
        temperature=1.0,
        learning_rate=task.lr,
        lr_scheduler_type="constant",
        max_steps=steps,
        loss_type="dapo",
        beta=0.0,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        model_init_kwargs={"dtype": "float32"},
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=seed,
    )
    trainer = GRPOTrainer(
        model=start,
        reward_funcs=as_reward_function(task.reward, task.verifiers, prefill=opened),
        args=config,
        train_dataset=rows,
    )
    trainer.train()
    trainer.save_model(str(out))
    trainer.processing_class.save_pretrained(str(out))
    (out / "log.json").write_text(json.dumps(trainer.state.log_history))


def accuracy(
    run: Path, policy: Path, out: Path, task: Task | None = None
) -> tuple[float, float, float]:
    """% right of what is held out, greedy, with its interval."""
    from swr1.evals.stats import wilson

    task, judged = task or task_of(run), out / "judged.jsonl"
    chain(
        swr1(
            f"rollout {{}} --policy {{}} {task.ask} --temperature 0 --max-tokens 900 --batch 64",
            run / task.held_out,
            policy,
        ),
        swr1(
            f"verify {' '.join(task.verifiers)} --force --picture-folders {{}} -o {{}}", run, judged
        ),
    )
    labels = [
        json.loads(line)["verdicts"][task.right]["label"]
        for line in judged.read_text().splitlines()
    ]
    right = labels.count("correct") / len(labels)
    low, high = wilson(right, len(labels))
    return 100 * right, 100 * low, 100 * high


def picture(curves: dict[str, list[list[float]]], path: Path) -> None:
    """Mean reward by step: a line a system, over the mean of its seeds; a thin one each seed."""
    from swr1.plotting import clean_axes, finish, look, new_figure, save_figure

    figure = new_figure(7, 4)
    axes = clean_axes(figure.subplots(), x="optimizer step", y="mean reward of a completion")
    for i, (name, seeds) in enumerate(curves.items()):
        style = look(i)
        for one in seeds:
            axes.plot(range(1, len(one) + 1), one, color=style["color"], alpha=0.25, linewidth=0.8)
        mean = [sum(step) / len(step) for step in zip(*seeds, strict=False)]
        axes.plot(range(1, len(mean) + 1), mean, **style, markevery=10, label=name)
    figure.legend(loc="outside lower center", ncols=len(curves), frameon=False)
    save_figure(finish(figure), path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=70)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--trl", type=Path, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.trl:
        train_with_trl(o.run, o.trl, o.seeds[0], o.steps)
        return
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    o.out.mkdir(parents=True, exist_ok=True)
    task = task_of(o.run)
    rows = o.out / task.rows
    rows.unlink(missing_ok=True)
    chain(swr1(f"export trl {{}} {task.ask} -o {{}}", o.run / task.train, rows))
    curves: dict[str, list[list[float]]] = {}
    columns = ["system", "seed", "processor s a step", "clock s a step", "GiB, largest process"]
    columns += ["right, greedy", "processor s by stage"]
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|", flush=True)
    for seed in o.seeds:
        for system in o.systems:
            out = o.out / f"{system.replace(' ', '-').replace('=', '')}-{seed}"
            if system == "trl":
                told, policy = theirs(o.run, out, seed, o.steps), out
            else:
                told, policy = ours(o.run, out, seed, o.steps, int(system[-1])), out
            right, low, high = accuracy(o.run, policy, out)
            used = told["stages"]
            stages = ", ".join(f"{name} {one['cpu']:.1f}" for name, one in used.items())
            print(
                f"| {system} | {seed} | {sum(x['cpu'] for x in used.values()) / o.steps:.2f}"
                f" | {told['clock'] / o.steps:.2f} | {max(x['gib'] for x in used.values()):.2f}"
                f" | {right:.1f} ({low:.0f}-{high:.0f}) | {stages} |",
                flush=True,
            )
            curves.setdefault(system, []).append(told["rewards"])
    picture(curves, o.out / "loop.png")
    (o.out / "rewards.json").write_text(json.dumps(curves))
    print(f"{o.out}/loop.png, {o.out}/rewards.json")


if __name__ == "__main__":
    main()
