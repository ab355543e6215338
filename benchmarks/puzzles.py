"""Puzzles per CPU second, text included: this generator against reasoning-gym's, in one process.

    python benchmarks/puzzles.py            # needs the "bench" extra: reasoning-gym

Both make puzzles of depth 2 and width 2 with one solution and a text with varied reports (the
"plain" wording is timed too). Each cell is the best of several rounds, ours and theirs in turn, so
that a busy machine slows both. Tables are built before the clock starts; `start-up` gives their
cost. reasoning-gym's generator does not tell duplicates, ours does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import process_time

from reasoning_gym.logic.knights_knaves import KnightsKnavesConfig, KnightsKnavesDataset

from swr1.puzzles.generator import generate

# people -> (reasoning-gym's puzzles, our puzzles) per round: roughly half a second each
SIZES = {3: (300, 10_000), 5: (100, 10_000), 7: (40, 10_000), 8: (30, 10_000)}


def rate(make: Callable[..., int], *options: object) -> float:
    """Items per CPU second."""
    begin = process_time()
    return make(*options) / (process_time() - begin)


def theirs(people: int, n: int, seed: int) -> int:
    config = KnightsKnavesConfig(
        n_people=people, depth_constraint=2, width_constraint=2, size=n, seed=seed
    )
    dataset = KnightsKnavesDataset(config)
    return sum(len(dataset[i]["question"]) > 0 for i in range(n))


def ours(people: int, n: int, seed: int, wording: str) -> int:
    records = generate(n, people, seed=seed, wording=wording)
    return sum(len(record["prompt"][0]["content"]) > 0 for record in records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print("puzzles per CPU second, text included; best of", rounds, "rounds")
    print("people  reasoning-gym     plain    ratio    varied    ratio  start-up ms")
    for people, (few, many) in SIZES.items():
        begin = process_time()
        ours(people, 1, 0, "varied")
        start_up = 1000 * (process_time() - begin)
        best = [0.0, 0.0, 0.0]
        for r in range(rounds):
            best[0] = max(best[0], rate(theirs, people, few, r))
            best[1] = max(best[1], rate(ours, people, many, r, "plain"))
            best[2] = max(best[2], rate(ours, people, many, r, "varied"))
        gym, plain, varied = best
        print(
            f"{people:6} {gym:14.0f} {plain:9.0f} {plain / gym:7.0f}x {varied:9.0f}"
            f" {varied / gym:7.0f}x {start_up:12.0f}"
        )


if __name__ == "__main__":
    main()
