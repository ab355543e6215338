"""Records per second and peak memory of the light stages, beside jq and two bare loops.

    python benchmarks/streams.py                          # 300,000 records, 3 rounds
    python benchmarks/streams.py -n 100_000 1_000_000     # peak memory must not grow
    python benchmarks/streams.py -n 10_000_000 --rounds 1 --only swr1   # 5.8 GB, ten minutes

Every command reads the same file of slim records (task, prompt, answer, info, completion,
verdicts; about 583 bytes each, a thousand different prompts) and writes to /dev/null. The commands
take turns within a round, so that a busy machine slows all. The time is the whole process, start
included. `jq` and the loops parse and write each line and check
nothing; swr1's stages validate, look for duplicates, and add to the record.
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
from pathlib import Path
from random import Random
from statistics import median

SWR1 = str(Path(sys.executable).parent / "swr1")
NAMES = "Zoey Noah Emma Liam Mia Owen Ava Jack Luna Evan Ella Ruby Leo Ivy Max Amy".split()

LOOP = """
import sys
from {module} import loads, dumps
out = sys.stdout.buffer
for line in open(sys.argv[1], "rb"):
    out.write({dumped})
    out.write(b"\\n")
"""
COMMANDS = {
    "jq -c .": ["jq", "-c", "."],
    "json loop": [
        *(sys.executable, "-c"),
        LOOP.format(
            module="json",
            dumped='dumps(loads(line), separators=(",", ":"), ensure_ascii=False).encode()',
        ),
    ],
    "orjson loop": [
        sys.executable,
        "-c",
        LOOP.format(module="orjson", dumped="dumps(loads(line))"),
    ],
    "swr1 merge": [SWR1, "merge", "-q"],
    "swr1 verify format": [SWR1, "verify", "-q", "format"],
    "swr1 reward logic-rl": [SWR1, "reward", "-q", "logic-rl"],
}

# %-templates: fast enough to fill ten million lines in a minute
RECORD = (
    '{"v":1,"id":"%016x","task":"knights","prompt":[{"role":"user","content":"%s says: \\"%s is a'
    ' %s.\\" %s says: \\"%s is a %s.\\" Who is what?"}],"answer":[["%s","%s"],["%s","%s"]],'
    '"info":{"people":2,"seed":%d},"completion":"<think>If %s is a %s, then %s is a %s.</think>'
    '<answer>(1) %s is a %s (2) %s is a %s</answer>","verdicts":{"format":{"score":1.0,"label":'
    '"ok","detail":{"reasons":[],"truncated":false},"by":"format@1"},"knights":{"score":%d.0,'
    '"label":"%s","detail":{},"by":"knights@1"}},"trail":{"gen-puzzles":"%08x"}}\n'
)


def fill(path: Path, count: int) -> None:
    """Write `count` slim records, always the same ones."""
    rng = Random(0)
    roles = ("knight", "knave")
    with open(path, "w", buffering=1 << 20) as file:
        for i in range(count):
            draw = rng.getrandbits(40)
            a, b = NAMES[draw & 15], NAMES[draw >> 4 & 15]
            p, q, r, s = (roles[draw >> k & 1] for k in (8, 9, 10, 11))
            right = draw >> 12 & 1
            file.write(
                RECORD
                % (
                    *(i * 0x9E3779B97F4A7C15 % 2**64, a, b, p, b, a, q, a, r, b, s, i),
                    *(a, r, b, s, a, r, b, s),
                    *(right, "correct" if right else "wrong", draw >> 8),
                )
            )


def run(command: Sequence[str], path: Path) -> tuple[float, float, float]:
    """(wall seconds, CPU seconds, peak MB) of one command over the file."""
    start = time.perf_counter()
    with open(os.devnull, "wb") as sink:
        process = subprocess.Popen([*command, str(path)], stdout=sink)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed with code {process.returncode}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def table(count: int, rounds: int, path: Path, only: str) -> None:
    fill(path, count)
    size = path.stat().st_size / count
    print(f"\n{count:,} records of {size:.0f} bytes, {rounds} rounds in turn", flush=True)
    names = [n for n in COMMANDS if only in n]
    if "jq -c ." in names and not shutil.which("jq"):
        names.remove("jq -c .")
        print("jq is not installed (apt-get install jq): no ratios to it")
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            taken[name].append(run(COMMANDS[name], path))
    print(f"{'':22}{'records/s':>10}{'median':>10}{'per CPU s':>10}{'to jq':>7}{'peak MB':>9}")
    base = min(w for w, _, _ in taken["jq -c ."]) if "jq -c ." in taken else None
    for name, results in taken.items():
        walls, cpus, peaks = zip(*results, strict=True)
        ratio = f"{base / min(walls):.2f}" if base else "-"
        print(
            f"{name:22}{count / min(walls):>10,.0f}{count / median(walls):>10,.0f}"
            f"{count / min(cpus):>10,.0f}{ratio:>7}{max(peaks):>9,.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, nargs="+", default=[300_000], help="records per file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="commands whose name holds this")
    parser.add_argument("--folder", type=Path, help="where the file goes (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for count in options.n:
            table(count, options.rounds, Path(folder) / "records.jsonl", options.only)


if __name__ == "__main__":
    main()
