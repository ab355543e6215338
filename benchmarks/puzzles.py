"""Puzzles per CPU second, text included: swr1 against reasoning-gym and brute force, in one process.

    python benchmarks/puzzles.py             # needs the "bench" extra: reasoning-gym
    python benchmarks/puzzles.py --curve     # swr1 alone, 3 to 1000 people, and other rules
    python benchmarks/puzzles.py --memory    # peak memory of `swr1 gen-puzzles`

All make puzzles of depth 2 and width 2 with one solution and a text with varied reports (the
"plain" wording is timed too). Each cell is the best of several rounds, all in turn, so that a busy
machine slows all. Tables are built before the clock starts; `start-up` gives their cost. Only swr1
tells duplicates. Brute force is benchmarks/reference.py: random statements, every world tried.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from random import Random
from time import process_time

import reference

from swr1.puzzles.generator import generate
from swr1.puzzles.large import LARGE
from swr1.puzzles.names import read_names
from swr1.puzzles.rules import PUBLISHED, Rules, fitting, parse_weights, statement_drawer
from swr1.puzzles.solver import unique
from swr1.puzzles.space import BLOCK, draw_puzzles, random_words

# people -> puzzles per round of reasoning-gym, of brute force, of swr1: under a second each
SIZES = {
    3: (200, 1500, 10_000),
    4: (120, 800, 10_000),
    5: (80, 400, 10_000),
    6: (50, 200, 10_000),
    7: (30, 80, 10_000),
    8: (20, 40, 10_000),
}
CURVE = {
    **dict.fromkeys(range(3, 11), 10_000),
    **dict.fromkeys((11, 12), 5000),
    **dict.fromkeys(range(13, 21), 1000),
    30: 500,
    50: 300,
    100: 150,
    200: 60,
}
RULES = {
    "published": PUBLISHED,
    "no self-reference": Rules(self_reference=False),
    "nothing trivial": Rules(trivial=False),
    "neither": Rules(self_reference=False, trivial=False),
    **{w: Rules(parse_weights(w)) for w in ("leaf=10", "not=10", "and=10", "implies=10", "iff=10")},
}


def rate(make: Callable[..., int], *options: object) -> float:
    """Items per CPU second."""
    begin = process_time()
    return make(*options) / (process_time() - begin)


def gym(people: int, n: int, seed: int) -> int:
    from reasoning_gym.logic.knights_knaves import KnightsKnavesConfig, KnightsKnavesDataset

    config = KnightsKnavesConfig(
        n_people=people, depth_constraint=2, width_constraint=2, size=n, seed=seed
    )
    dataset = KnightsKnavesDataset(config)
    return sum(len(dataset[i]["question"]) > 0 for i in range(n))


def brute(people: int, n: int, seed: int) -> int:
    rng, names = Random(seed), read_names("common")
    made = (reference.puzzle(people, 2, rng) for _ in range(n))
    return sum(len(reference.text(told, rng.sample(names, people))) > 0 for told, _, _ in made)


def ours(people: int, n: int, seed: int, wording: str) -> int:
    records = generate(n, people, seed=seed, wording=wording)
    return sum(len(record["prompt"][0]["content"]) > 0 for record in records)


def against(rounds: int) -> None:
    print("puzzles per CPU second, text included; best of", rounds, "rounds")
    print(
        "people  reasoning-gym  brute force  swr1 plain  swr1 varied"
        "  varied/gym  varied/brute  start-up ms"
    )
    for people, (few, some, many) in SIZES.items():
        begin = process_time()
        ours(people, 1, 0, "varied")
        start_up = 1000 * (process_time() - begin)
        best = [0.0] * 4
        for r in range(rounds):
            rates = (
                rate(gym, people, few, r),
                rate(brute, people, some, r),
                rate(ours, people, many, r, "plain"),
                rate(ours, people, many, r, "varied"),
            )
            best = list(map(max, best, rates))
        print(
            f"{people:6} {best[0]:14.0f} {best[1]:12.0f} {best[2]:11.0f} {best[3]:12.0f}"
            f" {best[3] / best[0]:10.0f}x {best[3] / best[1]:12.0f}x {start_up:12.0f}",
            flush=True,
        )


def acceptance(people: int, seconds: float, rules: Rules, knights: float | None) -> float:
    """Share of candidates with exactly one solution."""
    accepted = candidates = 0
    begin = process_time()
    if people < LARGE and knights is None:
        for drawn in draw_puzzles(people, 2, 2, "acceptance", rules):
            accepted += drawn is not None
            if drawn is None and process_time() - begin > seconds:
                break
            candidates += BLOCK * (drawn is None)
        return accepted / (candidates + BLOCK)
    draw = chain.from_iterable(random_words("acceptance", 1 << 14)).__next__
    statement = statement_drawer(people, 2, 2, rules, draw)
    while process_time() - begin < seconds:
        if knights is None:
            told = tuple([statement(p) for p in range(people)])
        else:
            told = fitting(statement, [draw() < knights * (1 << 32) for _ in range(people)])
        candidates += 1
        accepted += unique(told) is not None
    return accepted / candidates


def curve(rounds: int) -> None:
    print("people  puzzles per CPU second (varied)  candidates with one solution")
    for people, n in CURVE.items():
        ours(people, 1, 0, "varied")
        best = max(rate(ours, people, n // 3, r, "varied") for r in range(rounds))
        print(f"{people:6} {best:33.0f} {acceptance(people, 1, PUBLISHED, None):29.3f}", flush=True)
    print(f"{1000:6} {'':33} {acceptance(1000, 8, PUBLISHED, None):29.3f}")
    print("\n100 people, candidates with one solution, by rules")
    for name, rules in RULES.items():
        print(f"{name:>24} {acceptance(100, 2, rules, None):.3f}", flush=True)
    for knights in (0.0, 0.2, 0.5, 0.8, 1.0):
        name = f"knights {knights}"
        print(f"{name:>24} {acceptance(100, 2, PUBLISHED, knights):.3f}", flush=True)


def memory() -> None:
    """Peak resident memory of `swr1 gen-puzzles --n N > /dev/null`, from the kernel."""
    swr1 = Path(sys.executable).parent / "swr1"
    print("puzzles  seconds  peak MiB   (swr1 gen-puzzles --people 3-7 > /dev/null)")
    for n in (100, 10_000, 100_000, 1_000_000):
        run = subprocess.Popen(
            [swr1, "gen-puzzles", "-q", "--n", str(n)], stdout=subprocess.DEVNULL
        )
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = status
        seconds = used.ru_utime + used.ru_stime
        print(f"{n:7} {seconds:8.1f} {used.ru_maxrss / 1024:9.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.memory:
        memory()
    elif options.curve:
        curve(options.rounds)
    else:
        against(options.rounds)


if __name__ == "__main__":
    main()
