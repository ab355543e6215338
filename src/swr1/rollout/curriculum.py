"""Which prompts come next: those that the policy passes about half the time.

A prompt that always passes, or never does, gives zero-variance groups; the chance of a difference
between two samples is 2p(1 - p), greatest at p = 1/2. So prompts are drawn with weights

    FLOOR + (1 - FLOOR) * 4p(1 - p)

where p is the recent pass rate: first of the prompt's cell (all prompts of as many people, say),
starting at 1/2; then of the prompt itself, its own samples against PRIOR samples at the cell's
rate. Results fade (`PassRates`), and nothing has weight 0, so what was too hard comes again.

Draw number n uses the random numbers of (seed, n) and the pass rates that were saved with the version
in use. So at --max-lag 0 a run that was killed goes on with the same draws. A prompt is not drawn again
while it is in flight, and its epoch counts its draws.
"""

from bisect import bisect
from collections import deque
from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import Any

from swr1.pass_rates import PassRates
from swr1.rollout.follower import PolicyFollower
from swr1.rollout.prompt_stream import PromptStream
from swr1.streams import Placed, Stage

FLOOR = 0.05  # weight of what always or never passes, of the greatest
PRIOR = 4.0  # samples that the rate of a prompt's cell counts for
TRIES = 100  # draws until one is not in flight; then the pool is searched in order


class Curriculum(PromptStream):
    """The prompt records of a stage, drawn by pass rate, `epochs` times as many as there are.

    The whole input is read before the first draw, since any prompt may come first.
    """

    def __init__(
        self,
        stage: Stage,
        epochs: int,
        seed: int,
        follower: PolicyFollower,
        by: str,
        fits: Callable[[dict], bool],
    ) -> None:
        super().__init__(stage, epochs, seed, 0, fits)
        self.follower, self.by, self.seed = follower, by, seed
        self.given = follower.plan["consumed"]
        self._pool: list[Placed] | None = None
        self._cells: list[Any] = []
        self._chances: list[float] = []
        self._rates = PassRates()
        self._drawn_at: int | None = None
        self._epoch_of: dict[str, int] = {}
        self._in_flight: deque[tuple[int, str]] = deque()

    def more(self) -> bool:
        """Whether a prompt follows; which one is decided when it is drawn."""
        if self._pool is None:
            records = [r for r in self.stage.read(needs=("id", "prompt")) if r is not None]
            self._pool = [r for r in records if self.fits(r)]
            self._cells = [(r.get("info") or {}).get(self.by) for r in self._pool]
        return self.given < self.epochs * len(self._pool)

    def __next__(self) -> Placed:
        if not self.more():
            raise StopIteration
        assert self._pool is not None
        version = self.follower.version or 0
        if version != self._drawn_at:
            self._drawn_at, self._rates = version, self.follower.pass_rates()
            names = [r["id"] for r in self._pool]
            self._chances = list(accumulate(weigh(names, self._cells, self._rates, version)))
            used = self.follower.used()
            while self._in_flight and self._in_flight[0][0] < used:
                self._in_flight.popleft()
        record = self._pool[self._draw(self._pool, self._chances)]
        id_ = record["id"]
        self._in_flight.append((self.given, id_))
        epoch = self._epoch_of.get(id_, self._rates.visits(id_))
        self._epoch_of[id_] = epoch + 1
        self.given += 1
        return self._place(record, epoch)

    def _draw(self, pool: list[Placed], chances: list[float]) -> int:
        draw, busy = Random(f"{self.seed}/{self.given}"), {id_ for _, id_ in self._in_flight}
        for _ in range(TRIES):
            # The sum may be rounded up to the end of the last chance.
            at = min(bisect(chances, draw.random() * chances[-1]), len(pool) - 1)
            if pool[at]["id"] not in busy:
                return at
        free = (i for i, record in enumerate(pool) if record["id"] not in busy)
        return next(free, at)


def weigh(ids: list[str], cells: list[Any], rates: PassRates, version: int) -> list[float]:
    """The weight of each prompt, by its recent results and those of its cell at `version`."""
    recent = [rates.recent(id_, version) for id_ in ids]
    sums: dict[Any, list[float]] = {}
    for cell, (passed, judged) in zip(cells, recent, strict=True):
        total = sums.setdefault(str(cell), [1.0, 2.0])  # one pass, one failure: 1/2 at first
        total[0] += passed
        total[1] += judged
    weights = []
    for cell, (passed, judged) in zip(cells, recent, strict=True):
        cell_passed, cell_judged = sums[str(cell)]
        p = (passed + PRIOR * cell_passed / cell_judged) / (judged + PRIOR)
        weights.append(FLOOR + (1 - FLOOR) * 4 * p * (1 - p))
    return weights
