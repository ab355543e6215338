"""Whether swr1's puzzles are those of the published process, and each the only one of its kind.

    python benchmarks/distribution.py              # against benchmarks/reference.py, 3 to 8 people
    python benchmarks/distribution.py --proof      # 100,000 puzzles, checked one by one

The comparison gives, per size: acceptance, share of truth tellers, mentions of oneself, and the
share of each connective, for both; and chi-square probabilities that both come from one process:
for acceptance, for the number of truth tellers in a puzzle, and for the first speaker's connective
(counts of independent puzzles, so that the test is exact). "SAT" rows go the way of more than 12
people. Among 30-odd probabilities one below 0.03 is to be expected, one below 0.001 is not.

The proof solves each puzzle by trying every world (reference.py, nothing of swr1's own solver) and
keeps every statement list and every text in a set.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import count
from random import Random
from time import process_time

import reference
from scipy.stats import chi2_contingency

from swr1.puzzles import solver
from swr1.puzzles.generator import generate
from swr1.puzzles.large import draw_large
from swr1.puzzles.rules import KINDS, PUBLISHED
from swr1.puzzles.space import BLOCK, draw_puzzles
from swr1.puzzles.statements import mentioned, world_roles

PUBLISHED_ACCEPTANCE = {3: 0.41, 4: 0.37, 5: 0.34, 6: 0.34, 7: 0.36, 8: 0.29}

Told = tuple[tuple, ...]


class Tally:
    """What is counted of the puzzles of one source."""

    def __init__(self) -> None:
        self.puzzles = self.candidates = self.people = self.selfish = 0
        self.knights: Counter[int] = Counter()  # number of truth tellers -> puzzles
        self.first: Counter[str] = Counter()  # connective of the first speaker
        self.kinds: Counter[str] = Counter()  # of all speakers

    def add(self, told: Told, solution: tuple[bool, ...]) -> None:
        kinds = [s[0] if s[0] in KINDS else "leaf" for s in told]
        self.puzzles += 1
        self.people += len(told)
        self.knights[sum(solution)] += 1
        self.first[kinds[0]] += 1
        self.kinds.update(kinds)
        self.selfish += sum(speaker in mentioned(s) for speaker, s in enumerate(told))

    def row(self, name: str) -> str:
        accepted = f"{self.puzzles / self.candidates:8.3f}" if self.candidates else " " * 8
        knights = sum(n * times for n, times in self.knights.items()) / self.people
        kinds = " ".join(f"{self.kinds[k] / self.people:7.3f}" for k in KINDS)
        return (
            f"{name:>16} {self.puzzles:7} {accepted} {knights:7.3f}"
            f" {self.selfish / self.people:7.3f} {kinds}"
        )


def published(people: int, n: int) -> Tally:
    tally, rng = Tally(), Random(people)
    for _ in range(n):
        told, solution, candidates = reference.puzzle(people, 2, rng)
        tally.add(tuple(told), solution)
        tally.candidates += candidates
    return tally


def tables(people: int, n: int) -> Tally:
    """The way of up to 12 people, before duplicates are dropped."""
    tally = Tally()
    for drawn in draw_puzzles(people, 2, 2, f"distribution/{people}"):
        if drawn is not None:
            tally.add(drawn[0], world_roles(drawn[1], people))
            continue
        tally.candidates += BLOCK
        if tally.puzzles >= n:
            break
    return tally


def sat(people: int, n: int) -> Tally:
    """The way of more than 12 people."""
    tally = Tally()
    solver.TABLE_PEOPLE = 0
    tried = count()
    for number in range(n):
        wanted = lambda _: next(tried) >= 0  # noqa: E731
        key = f"distribution/{people}/{number}"
        tally.add(*draw_large(people, 2, 2, key, PUBLISHED, None, wanted))
    tally.candidates = next(tried)
    return tally


def alike(a: Tally, b: Tally) -> str:
    """Chi-square probabilities: acceptance, number of truth tellers, first connective."""
    accepted = [[t.puzzles, t.candidates - t.puzzles] for t in (a, b)]
    tables = [accepted]
    for one, other in ((a.knights, b.knights), (a.first, b.first)):
        cells = [k for k in one | other if one[k] + other[k] >= 10]
        rare = [sum(c.values()) - sum(c[k] for k in cells) for c in (one, other)]
        rows = [[c[k] for k in cells] for c in (one, other)]
        tables.append([[*row, r] for row, r in zip(rows, rare, strict=True)] if any(rare) else rows)
    return " ".join(f"{chi2_contingency(t).pvalue:.3f}" for t in tables)


def compare(n: int) -> None:
    print(f"{'':>16} puzzles accepted knights oneself " + " ".join(f"{k:>7}" for k in KINDS))
    for people, known in PUBLISHED_ACCEPTANCE.items():
        theirs = published(people, n // people)
        print(theirs.row(f"{people} reference"))
        for name, make in (("tables", tables), ("SAT", sat)):
            mine = make(people, n if name == "tables" else n // people)
            print(mine.row(name), f" p = {alike(mine, theirs)}", flush=True)
        print(f"{'':>16} published acceptance {known}, knights 0.54 to 0.55")


def proof(n: int) -> None:
    """Exits with an error at the first puzzle that is not alone, not solved right, or seen."""
    begin = process_time()
    told: set[str] = set()
    texts: set[str] = set()
    sizes: Counter[int] = Counter()
    for record in generate(n, (3, 7), wording="varied"):
        statements = record["info"]["statements"]
        (only,) = reference.solutions(statements)
        roles = [role == "knight" for _, role in record["answer"]]
        assert roles == list(only), record
        told.add(repr(statements))
        texts.add(record["prompt"][0]["content"])
        sizes[len(only)] += 1
    assert len(told) == len(texts) == n
    by_size = ", ".join(f"{size} people: {times}" for size, times in sorted(sizes.items()))
    print(
        f"{n} puzzles ({by_size}): each has its answer as the only solution;"
        f" {len(told)} different statement lists, {len(texts)} different texts"
        f" [{process_time() - begin:.0f} s]"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proof", action="store_true")
    parser.add_argument("--n", type=int, help="puzzles (default 60000 / size, or 100000)")
    options = parser.parse_args()
    if options.proof:
        proof(options.n or 100_000)
    else:
        compare(options.n or 60_000)


if __name__ == "__main__":
    main()
