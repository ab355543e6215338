"""What weights in flight buy: the same RL run with versions taken between blocks and under way.

    python benchmarks/in_flight.py runs/logic-rl-laptop-0 runs/logic-rl-laptop-1   # a start each; an hour
    python benchmarks/in_flight.py --uneven --steps 40                             # makes its own start

RUN is a folder of recipes/logic-rl.sh: its start, its prompts, what it held out. 16 prompts x 8 samples a
step, as in benchmarks/loop.py, one thread a process. `--uneven` is a task whose answers differ 20-fold in
length: to count to a number, of which three in four are 10 or so and the others 200 or so.

A row has the clock a step (from the trainer's own times, without start-up), the share of its time in
which the engine wrote nothing, the lag of a trained token in optimizer steps, how long the completions
of the first and of the last quarter of the steps were, and what is right at the end by one greedy evaluation.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.loop import Task, accuracy, chain, ours, swr1, task_of

SETTINGS = {
    "K=0": (0, ""),
    "K=1 between": (1, "--weights between"),
    "K=1 in flight": (1, ""),
    "K=1 in flight, recomputed": (1, "--recompute-cache"),
    "K=1 in flight, finished": (1, "--order finished"),
    "K=2 between": (2, "--weights between"),
    "K=2 in flight": (2, ""),
    "K=2 in flight, finished": (2, "--order finished"),
}
COUNTED = '''
def counted(record):
    """Right when all numbers up to the answer are there, in order."""
    right = record["completion"].split() == [str(n) for n in range(1, int(record["answer"]) + 1)]
    return {"score": float(right), "label": "correct" if right else "wrong"}


def reward(record):
    return record["verdicts"]["counted"]["score"]
'''


def counting(folder: Path) -> Task:
    """The uneven task, with a start that half knows it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "count.py").write_text(COUNTED)
    draw = random.Random(0)

    def write(name: str, count: int, taught: bool) -> None:
        with open(folder / name, "w") as file:
            for i in range(count):
                end = draw.randint(190, 210) if draw.random() < 0.25 else draw.randint(8, 12)
                record: dict[str, Any] = {
                    "v": 1,
                    "id": f"{name[:5]}-{i}",
                    "task": "count",
                    "prompt": [{"role": "user", "content": f"count to {end}"}],
                    "answer": str(end),
                    "info": {},
                }
                if taught:
                    record["completion"] = " ".join(str(n) for n in range(1, end + 1))
                file.write(json.dumps(record) + "\n")

    for name, count, taught in (("sft.jsonl", 3000, True), ("prompts.jsonl", 4000, False)):
        write(name, count, taught)
    write("held-out.jsonl", 100, False)
    if not (folder / "start").exists():
        shape = (
            "--hidden 128 --layers 3 --heads 4 --intermediate 256 --rope-theta 1000 --context 512"
        )
        chain(
            swr1(
                f"init-policy {{}} {{}} --system-prompt none {shape}",
                folder / "start",
                folder / "sft.jsonl",
            )
        )
        chain(
            swr1(
                "train-step sft {} --policy {} --system-prompt none --threads 1 --optimizer muon"
                " --lr 0.005 --warmup 50 --schedule linear --batch-tokens 2000 --steps 500",
                folder / "sft.jsonl",
                folder / "start",
            )
        )
    own = f"{folder / 'count.py'}:"
    return Task(
        "prompts.jsonl", "held-out.jsonl", "--system-prompt none", (own + "counted",), "counted",
        own + "reward", 240, 1e-4, "prompts.jsonl", 4, 4,
    )  # fmt: skip


def row_of(
    run: Path, out: Path, seed: int, steps: int, name: str, task: Task, engine: str = "hf"
) -> str:
    """Train with one setting and tell its figures as a row of Markdown."""
    lag, more = SETTINGS[name]
    more += f" --engine {engine}"
    ours(run, out, seed, steps, lag, more, task)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    seconds = json.loads((out / "rollout.jsonl").read_text().splitlines()[-1])["tallies"]["seconds"]
    clock = sum(r["wait_s"] + r["compute_s"] for r in rows[1:]) / (len(rows) - 1)
    quarter = max(1, len(rows) // 4)
    first, last = (
        sum(r["length_mean"] for r in some) / quarter for some in (rows[:quarter], rows[-quarter:])
    )
    lags = sum(r["lag"] for r in rows) / len(rows)
    right, low, high = accuracy(run, out, out, task)
    idle = seconds["idle"] / sum(seconds.values())
    return (
        f"| {name} | {seed} | {clock:.2f} | {60 / clock:.1f} | {100 * idle:.0f} | {lags:.2f}"
        f" | {max(r['lag_max'] for r in rows)} | {first:.0f} -> {last:.0f} | {right:.1f} ({low:.0f}-{high:.0f}) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="*", help="one for each seed")
    parser.add_argument("--uneven", action="store_true")
    parser.add_argument("--engine", default="hf", help="of rollout, such as vllm")
    parser.add_argument("--steps", type=int, default=70)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--out", type=Path, default=Path("runs/in-flight"))
    o = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    o.out.mkdir(parents=True, exist_ok=True)
    if not o.uneven and len(o.runs) != len(o.seeds):
        parser.error("one RUN for each of --seeds, or --uneven")
    columns = ["setting", "seed", "clock s a step", "steps a minute", "engine idle, %", "lag"]
    columns += ["lag, largest", "tokens", "right, greedy"]
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|", flush=True)
    for number, seed in enumerate(o.seeds):
        run = o.out / "uneven" if o.uneven else o.runs[number]
        task = counting(run) if o.uneven else task_of(run)
        for name in o.settings:
            stem = name.replace(",", "").replace(" ", "-").replace("=", "")
            out = o.out / f"{'uneven-' * o.uneven}{stem}-{seed}"
            print(row_of(run, out, seed, o.steps, name, task, o.engine), flush=True)


if __name__ == "__main__":
    main()
