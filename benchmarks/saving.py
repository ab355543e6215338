"""What versions and states cost a step, written within it and beside it.

    python benchmarks/saving.py                          # a policy of 76M weights made here; three minutes
    python benchmarks/saving.py --hidden 1024 --layers 16

The same scored records are trained on with --no-background and --background, a version and a state every
step, AdamW. Clock seconds a step are the difference of runs of --steps and of 2 steps, so start-up does not
count; the best of two.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.loop import chain, swr1


def clock(folder: Path, steps: int, how: str) -> float:
    policy = folder / "p"
    shutil.rmtree(policy, ignore_errors=True)
    chain(swr1("init-policy {} --from {}", policy, folder / "start"))
    begun = time.perf_counter()
    chain(
        swr1(
            f"train-step grpo {{}} --policy {{}} --batch 2 --lr 1e-5 --kl 0 --keep 2 --steps {steps} {how}",
            folder / "scored.jsonl",
            policy,
        )
    )
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--max-tokens", type=int, default=24)
    o = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        puzzles, drawn, judged = (folder / f"{n}.jsonl" for n in ("puzzles", "drawn", "judged"))
        chain(
            swr1(
                f"gen-puzzles --people 3 --wording terse --names few --trace cases -n {2 * o.steps} -o {{}}",
                puzzles,
            )
        )
        chain(
            swr1(
                f"init-policy {{}} {{}} --hidden {o.hidden} --layers {o.layers} --heads 12"
                f" --intermediate {4 * o.hidden}",
                folder / "start",
                puzzles,
            )
        )
        chain(
            swr1(
                f"rollout {{}} --policy {{}} --samples {o.samples} --max-tokens {o.max_tokens} -o {{}}",
                puzzles,
                folder / "start",
                drawn,
            )
        )
        chain(swr1("verify format knights {} -o {}", drawn, judged))
        chain(swr1("reward logic-rl {} -o {}", judged, folder / "scored.jsonl"))
        size = (folder / "start" / "latest" / "model.safetensors").stat().st_size
        print(
            f"{size / 4e6:.0f}M weights, float32: a version {size / 1e6:.0f} MB, a state {3 * size / 1e6:.0f} MB"
        )
        print("| written | clock s a step |\n| --- | --- |")
        for how in ("--no-background", "--background"):
            best = min(clock(folder, o.steps, how) for _ in range(2))
            first = min(clock(folder, 2, how) for _ in range(2))
            print(f"| {how} | {(best - first) / (o.steps - 2):.2f} |", flush=True)


if __name__ == "__main__":
    main()
