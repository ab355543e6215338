"""The stream of groups as batches, without groups that are too old, trained already or all alike.

A group that is left out makes room for another one at once: a rollout that is held by `--max-lag`
counts it as used (policy.count_dropped). What was read is remembered by input, so that a run that
goes on, on the same input or on one that it has met before, reads each group once.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from swr1.errors import DataError
from swr1.pass_rates import PassRates
from swr1.training.batch_statistics import zero_variance
from swr1.training.groups import Sample, digest, gather
from swr1.training.state import Run

# Inputs whose position a run remembers.
KEPT_INPUTS = 64


@dataclass(frozen=True)
class Batch:
    """Complete groups, how many were dropped before them, by kind, and the seconds that took."""

    groups: list[list[Sample]]
    dropped: Counter[str]
    seconds: float


class Batches:
    """Batches of `size` complete groups.

    Args:
        read: a record to a sample; raises DataError.
        rates: gets the number of passed samples of each group.
        max_staleness: groups with a sample older than this many optimizer steps are dropped.
        filter_on: groups that agree in it (batch_statistics.zero_variance) are dropped, as long as a batch has not
            dropped more than `dynamic_sampling` batches of them; what is beyond is handed on.
        remainder: "drop" or "train" on a last batch that is not full.

    `dropped` counts samples by reason, over all batches.
    """

    def __init__(
        self,
        records: Iterable[dict],
        read: Callable[[dict], Sample],
        run: Run,
        rates: PassRates,
        *,
        size: int,
        max_staleness: int | None = None,
        filter_on: str | None = None,
        dynamic_sampling: int = 0,
        remainder: str = "drop",
    ) -> None:
        self.run, self.policy, self.rates, self.size = run, run.policy, rates, size
        self.max_staleness, self.remainder = max_staleness, remainder
        self.filter_on, self.dynamic_sampling = filter_on, dynamic_sampling
        self.dropped: Counter[str] = Counter()
        self._gone: Counter[str] = Counter()  # groups since the last batch, by kind
        groups = gather(
            records,
            read,
            self.dropped,
            on_lost=lambda: self._gone.update(["incomplete"]),
            on_wait=self._report_drops,
        )
        self._groups = self._from_position(groups)

    def _report_drops(self) -> None:
        self.policy.count_dropped(self.run.groups_dropped + self._gone.total())

    def take(self) -> Batch:
        """The next batch; one without groups when the input has ended."""
        clock = time.perf_counter()
        taken: list[list[Sample]] = []
        came = 0
        while len(taken) < self.size and (group := next(self._groups, None)) is not None:
            came += 1
            for s in group:
                set_lags(s, self.run)
            passed = [bool(s.scores) and set(s.scores.values()) == {1} for s in group]
            self.rates.add(group[0].id, sum(passed), len(group), self.run.version)
            if kind := self._useless(group):
                self._gone[kind] += 1
            else:
                taken.append(group)
        if len(taken) < self.size and not (taken and self.remainder == "train"):
            self.dropped["in a last batch that was not full"] += sum(map(len, taken))
            taken = []
        gone = self._gone.copy()
        self.run.groups_dropped += gone.total()
        self._gone.clear()
        if taken:
            self.run.position[self._input] += came
        return Batch(taken, gone, time.perf_counter() - clock)

    def _useless(self, group: list[Sample]) -> str | None:
        """Why this group is not trained on."""
        if self.max_staleness is not None and max(s.lag for s in group) > self.max_staleness:
            self.dropped[f"more than {self.max_staleness} steps old"] += len(group)
            self._gone["stale"] += 1
            self._report_drops()
            self._gone["stale"] -= 1
            return "stale"
        room = self._gone["zero-variance"] < self.dynamic_sampling * self.size
        if self.filter_on and room and zero_variance([group], self.filter_on)[0]:
            self.dropped["in a group without any difference"] += len(group)
            return "zero-variance"
        return None

    def _from_position(self, groups: Iterator[list[Sample]]) -> Iterator[list[Sample]]:
        """Skip what this run has read of this input before.

        Samples dropped there were counted at that time.
        """
        start = next(groups, None)
        if start is None:
            return
        self._input = digest(start)
        known = self.run.position
        done = known.pop(self._input, 0)
        if known and not done:
            self.run.log(
                f"at step {self.run.step}, on an input that starts with a group this run has not seen"
            )
        known[self._input] = done  # the newest is last
        while len(known) > KEPT_INPUTS:
            known.pop(next(iter(known)))
        if done:
            self.run.log(
                f"resumed at step {self.run.step}: the first {done} groups of the input are behind it"
            )
            for n in range(1, done):
                if next(groups, None) is None:
                    raise DataError(
                        f"the input has {n} groups, but {done} were read from it before"
                    )
            self._gone.clear()
        else:
            yield start
        yield from groups


def set_lags(sample: Sample, run: Run) -> None:
    """Set `lags`: the optimizer steps between the weights that wrote tokens and the present ones.

    Versions of another folder cannot be compared with this one's (a run on rollouts of the policy
    that it was made from): those samples count as sampled when this run began.
    Raises DataError for a version that this policy does not have yet.
    """
    ours = Path(sample.policy).resolve().name == run.policy.path.resolve().name
    lags = []
    for version, tokens in sample.runs():
        if version is None or not ours:
            lags.append((run.step, tokens))
            continue
        if version > run.version:
            raise DataError(
                f"record {sample.id!r}, sample {sample.sample}: written by version {version} of"
                f" {sample.policy}, but {run.policy.path} is at version {run.version}; train the policy"
                " that sampled, or make the rollouts again",
                sample.location,
            )
        lags.append((run.steps_since(version), tokens))
    sample.lags = lags
    sample.lag = max(lag for lag, _ in lags)
