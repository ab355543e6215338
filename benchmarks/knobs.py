"""What each knob of the puzzles does to a policy that was trained on them: accuracy and length.

    python benchmarks/knobs.py --policy runs/logic-rl-laptop-0/rl        # from `make logic-rl`

One row per setting: puzzles that no training saw (the test split), completed greedily through the
real stages (gen-puzzles | rollout | verify | eval), and how hard the puzzles are for a plain
depth-first search (backtracks). Everything but the knob named in the row stays as in the base.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from statistics import fmean

import orjson

BASE = "--wording terse --names few --people 3 --depth 2 --width 2"
KNOBS = {
    "base: 3 people, depth 2, width 2": "",
    "2 people": "--people 2",
    "4 people": "--people 4",
    "depth 3": "--depth 3",
    "width 3": "--width 3",
    "depth 3, width 3": "--depth 3 --width 3",
    "mostly leaf and not": "--weights leaf=6,not=6",
    "mostly and": "--weights and=12",
    "mostly or": "--weights or=12",
    "mostly implies": "--weights implies=12",
    "mostly iff": "--weights iff=12",
    "no self-reference": "--no-self-reference",
    "no trivial statements": "--no-trivial",
    "20% knights": "--knights 0.2",
    "80% knights": "--knights 0.8",
}


def swr1(*args: str | Path) -> bytes:
    return subprocess.run(
        ["swr1", *map(str, args)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


def measure(folder: Path, policy: str, options: str, n: int, test_share: str) -> dict:
    """The summary of `eval` for one setting, with the mean of info.difficulty.backtracks."""
    puzzles, rollouts, judged = (folder / f"{x}.jsonl" for x in ("puzzles", "rollouts", "judged"))
    last: dict[str, str] = {}  # a knob given twice counts once, the later value
    words = f"{BASE} {options}".split()
    flags = [w for w in words if w.startswith("--no-")]
    valued = [w for w in words if w not in flags]
    for name, value in zip(valued[::2], valued[1::2], strict=True):
        last[name] = value
    knobs = [x for pair in last.items() for x in pair] + flags
    swr1("gen-puzzles", *knobs, "--split", "test", "--test-share", test_share, "--seed", "2026",
         "--difficulty", "-n", str(n), "-o", puzzles, "--force")  # fmt: skip
    swr1("rollout", puzzles, "--policy", policy, "--system-prompt", "logic-rl-terse", "--temperature",
         "0", "--max-tokens", "900", "--batch", "64", "--threads", "1", "-o", rollouts, "--force")  # fmt: skip
    swr1("verify", "format", "knights", rollouts, "-o", judged, "--force")
    summary = orjson.loads(swr1("eval", judged, "--json"))
    cell = next(iter(summary.values()))["all"]
    items = [orjson.loads(line)["info"] for line in puzzles.read_bytes().splitlines()]
    cell["backtracks"] = fmean(i["difficulty"]["backtracks"] for i in items)
    return cell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policy", required=True)
    parser.add_argument("-n", type=int, default=200, help="puzzles per row")
    parser.add_argument("--test-share", default="0.5", help="as in the policy's training")
    options = parser.parse_args()
    print("| setting | right, % | 95% interval | tokens | cut, % | backtracks |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, knobs in KNOBS.items():
            c = measure(Path(folder), options.policy, knobs, options.n, options.test_share)
            low, high = c["interval"]
            print(
                f"| {name} | {100 * c['accuracy']:.1f} | {100 * low:.0f}-{100 * high:.0f} |"
                f" {c['length_mean']:.0f} | {100 * c['truncated_share']:.0f} |"
                f" {c['backtracks']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
