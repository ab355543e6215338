"""The scores of candidates: verifiers run on what is written so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from swr1.guidance.guide import Dimension, Guide
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.running import Verifiers, open_verifiers

Values = dict[str, float | None]


class Scorer:
    """The verifiers of a guide, open. `nulls` counts the scores that could not be given."""

    def __init__(self, guide: Guide, opened: Mapping[str, Verifiers]) -> None:
        self.guide, self._opened = guide, opened
        self.nulls: Counter[str] = Counter()

    def __call__(self, records: Sequence[Record]) -> list[Values]:
        """By dimension, a score from 0 to 1 or None, for each record."""
        found: list[Values] = [{} for _ in records]
        for dimension in self.guide.dimensions:
            verdicts = self._opened[dimension.name].all(records)
            for values, verdict in zip(found, verdicts, strict=True):
                [one] = verdict.values()
                value = read(one, dimension)
                values[dimension.name] = value
                self.nulls[dimension.name] += value is None
        return found


def read(verdict: Verdict, dimension: Dimension) -> float | None:
    """What a dimension reads of a verdict."""
    if dimension.read == "score":
        return _unit(verdict.get("score"))
    detail = verdict.get("detail")
    found = detail.get("steps") if isinstance(detail, dict) else None
    steps = [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []
    judged = [v for step in steps if (v := _of_step(step)) is not None]
    if dimension.read == "last":
        return _of_step(steps[-1]) if steps else None
    if not judged:
        return None
    return min(judged) if dimension.read == "min" else sum(judged) / len(judged)


def _of_step(step: Mapping[str, Any]) -> float | None:
    if (score := step.get("score")) is not None:
        return _unit(score)
    return {"right": 1.0, "wrong": 0.0}.get(str(step.get("label")))


def _unit(score: Any) -> float | None:
    if not isinstance(score, int | float) or math.isnan(score):
        return None
    return min(1.0, max(0.0, float(score)))


@contextmanager
def open_scorer(guide: Guide) -> Iterator[Scorer]:
    """The verifiers of a guide, opened. Raises UsageError for one that is none."""
    with ExitStack() as stack:
        opened = {
            d.name: stack.enter_context(
                open_verifiers([d.verifier], settings=d.settings, model=dict(d.model), whole=True)
            )
            for d in guide.dimensions
        }
        yield Scorer(guide, opened)
