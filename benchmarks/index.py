"""What `swr1 index` costs: building, size, memory, queries, increments; by backend and size.

    python benchmarks/index.py                                  # 200,000 passages, both backends
    python benchmarks/index.py -n 1_000_000 --backends tantivy  # ten minutes on a busy machine

Passages are 40 to 90 words of a made vocabulary of 500,000, drawn by Zipf's law (no word is
left out as a stop word). A query is 3 to 6 words of one passage, so common
words are among them. Times are processor seconds (user and system, all threads), so that a busy
machine changes little. Each command is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from random import Random

SWR1 = str(Path(sys.executable).parent / "swr1")
ASK = """
import sys, time, resource
from swr1.index import open_index
index = open_index(sys.argv[1])
queries = open(sys.argv[2]).read().splitlines()
for query in queries[:50]:
    index.search([query], 3)
took = []
for query in queries[50:]:
    begun = time.process_time()
    index.search([query], 3)
    took.append(time.process_time() - begun)
took.sort()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000, peak)
"""


# In a process of its own: what this one holds would count as its children's peak.
FILL = """
import sys
import numpy as np
path, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)
weights = 1 / np.arange(1, 500_001) ** 1.05
edges = np.cumsum(weights / weights.sum())
with open(path, "w", buffering=1 << 20) as file:
    for begin in range(0, count, 10_000):
        lengths = rng.integers(40, 91, min(10_000, count - begin))
        drawn = np.searchsorted(edges, rng.random(int(lengths.sum())))
        words = [f"w{n}" for n in drawn.tolist()]
        at = 0
        for i, length in enumerate(lengths.tolist()):
            own, at = words[at : at + length], at + length
            file.write(f'{{"id":"{seed}-{begin + i}","text":"{" ".join(own)}"}}\\n')
"""


def fill(path: Path, count: int, seed: int = 0) -> None:
    """Write `count` passages as rows."""
    subprocess.run([sys.executable, "-c", FILL, str(path), str(count), str(seed)], check=True)


def ask_for(rows: Path, queries: Path, count: int) -> None:
    """Write queries: 3 to 6 words of every 20th passage."""
    rng = Random(1)
    with open(rows) as lines, open(queries, "w") as file:
        for line in islice(lines, 0, 20 * count, 20):
            words = json.loads(line)["text"].split()
            file.write(" ".join(rng.sample(words, rng.randint(3, 6))) + "\n")


def run(command: Sequence[str]) -> tuple[float, float]:
    """(processor seconds, peak MB) of one command."""
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed with code {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def size_of(folder: Path) -> float:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def row(backend: str, count: int, folder: Path) -> None:
    """One line of the table."""
    index = folder / f"{backend}.index"
    base = [SWR1, "index", "-q", "-o", str(index), str(folder / "rows.jsonl")]
    build, peak = run([*base, "--backend", backend])
    size = size_of(index)
    ask = [sys.executable, "-c", ASK, str(index), str(folder / "queries")]
    done = subprocess.run(ask, check=True, capture_output=True, text=True)
    p50, p99, memory = map(float, done.stdout.split())
    more = str(folder / "more.jsonl")
    fill(Path(more), 1000, seed=2)
    add, _ = run([*base, more])
    fill(Path(more), 1000, seed=3)
    replace, _ = run([*base, more])
    print(
        f"{backend:8}{count:>11,}{build:>9.1f}{peak:>8.0f}{size:>8.0f}{p50:>9.2f}{p99:>8.2f}"
        f"{memory:>8.0f}{add:>8.1f}{replace:>9.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, nargs="+", default=[200_000], help="passages")
    parser.add_argument("--backends", nargs="+", default=["tantivy", "sqlite"])
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="where the files go (default: temporary)")
    options = parser.parse_args()
    print(
        f"{'backend':8}{'passages':>11}{'build s':>9}{'MB':>8}{'size MB':>8}{'p50 ms':>9}"
        f"{'p99 ms':>8}{'MB':>8}{'+1000 s':>8}{'1000 new':>9}",
        flush=True,
    )
    for count in options.n:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows, queries = Path(folder, "rows.jsonl"), Path(folder, "queries")
            fill(rows, count)
            ask_for(rows, queries, options.queries + 50)
            for backend in options.backends:
                row(backend, count, Path(folder))


if __name__ == "__main__":
    main()
