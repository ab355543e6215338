"""Reward parts by name: the value of a part that a sample lacks, and which parts have been seen.

A recipe over several tasks gives each record the parts of its own task, so a part may be missing
for three reasons. It was not scored (null): it is unknown. No sample of the group has it: it is not
part of that prompt's reward. Other samples of the group have it: it does not apply to this
completion (no helpfulness of a refusal), and adds nothing, 0, as in the recipe's own total.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from swr1.errors import DataError
from swr1.objectives.presets import Objective
from swr1.registry import suggest
from swr1.training.groups import Sample


def part_of(samples: list[Sample], name: str) -> Tensor:
    """That part of each sample's reward [S]; NaN where it is null, or missing in the whole group.

    A sample without any parts has not been scored at all: NaN as well.
    """
    having = {(s.id, s.epoch) for s in samples if name in s.parts}
    return torch.tensor(
        [
            s.parts.get(name, 0.0 if s.parts and (s.id, s.epoch) in having else math.nan)
            for s in samples
        ],
        dtype=torch.float64,
    )


def part_or_score(samples: list[Sample], name: str) -> Tensor:
    """For filters [S]: the part of that name, or else the verdict's score; NaN if neither."""
    scores = [s.scores.get(name, math.nan) for s in samples]
    part = part_of(samples, name)
    return torch.where(part.isnan(), torch.tensor(scores, dtype=torch.float64), part)


class Expected:
    """The names that an objective reads, less those of which a number has come.

    A batch may well be without a name: none of its prompts is of that task. A run may not.

    Args:
        filter_on: as in RLConfig. log: gets a warning of missing names, at batches 1, 2, 4, 8, ...
    """

    def __init__(
        self, objective: Objective, filter_on: str | None, log: Callable[[str], None]
    ) -> None:
        self._log, self._batches = log, 0
        among = dict.fromkeys(objective.parts or {}, "reward_parts")
        for name in (objective.cost, objective.success if objective.shorten else None):
            among |= {name: "reward_parts"} if name else {}
        if filter_on and filter_on != "reward":
            among.setdefault(filter_on, "reward_parts and verdicts")
        self._among = among
        self._names_with_value: set[str] = set()

    def see(self, samples: list[Sample]) -> None:
        """Look at the next batch."""
        self._batches += 1
        for s in samples:
            self._names_with_value |= {
                name for name, value in s.parts.items() if not math.isnan(value)
            }
        scored = {name for s in samples for name in s.scores}
        for name, among in list(self._among.items()):
            if name in self._names_with_value or ("verdicts" in among and name in scored):
                del self._among[name]
        if self._among and not self._batches & (self._batches - 1):
            self._log(
                f"warning: {self._missing()} It counts for nothing until one comes; a run that"
                " ends without is an error"
            )

    def check(self) -> None:
        """Raises DataError for names of which no record had a number."""
        if self._among and self._batches:
            raise DataError(f"{self._missing()} What was trained was trained without")

    def _missing(self) -> str:
        (name, among), *others = self._among.items()
        nor = "".join(f", nor {other!r}" for other, _ in others)
        names = sorted(self._names_with_value)
        return (
            f"no record so far ({self._batches} batches) has a number {name!r} among its"
            f" {among}{nor}.{suggest(name, names)} There are: {', '.join(names) or 'none'}."
        )
