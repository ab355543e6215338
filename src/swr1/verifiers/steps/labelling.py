"""What steps are worth, by what became of completions that were continued behind them.

    values = Continued.read(records, {"correctness": "knights"})
    values.label(record, rule)      # a verdict `values`, or None for a completion without continuations

A prefix that is continued K times is worth the mean score of the K verdicts: of a verifier that says
right or wrong, the share of right ones (Monte Carlo; Math-Shepherd, arXiv 2312.08935). A step is
worth what the prefix behind it is. This says how likely the policy gets there, not that the step is
sound; so a label may be kept only where a judge of the step agrees (arXiv 2501.07301).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from swr1.errors import DataError
from swr1.records import Record
from swr1.steps import StepRule, steps_in
from swr1.types import Verdict
from swr1.verifiers.steps.turn import RIGHT, WRONG, turn_of
from swr1.verifiers.verdicts import null

BY = "label-steps@1"
LABELLED = "labelled"
Completion = tuple[str, int, int]  # id, epoch, sample


@dataclass
class Prefix:
    """What became of one prefix: the scores of its continuations by dimension."""

    characters: int
    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Continued:
    """The continuations of completions.

    Args:
        by: dimension -> the verdict that says what a continuation is worth in it.
        agree: dimension -> the verdict of `verify steps` that must agree.
        right_above: a prefix counts as right, to agree, where more than this share came out right.
        at_least: judged continuations that a value needs.
    """

    by: Mapping[str, str]
    agree: Mapping[str, str] = field(default_factory=dict)
    right_above: float = 0.0
    at_least: int = 1
    prefixes: dict[Completion, dict[int, Prefix]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def read(self, records: Iterable[Record]) -> Continued:
        """Take in continuations. Raises DataError for a record that is none, or not judged."""
        for record in records:
            self._add(record)
        return self

    def _add(self, record: Record) -> None:
        prefix = (record.get("info") or {}).get("prefix")
        if not isinstance(prefix, dict) or not isinstance(prefix.get("step"), int):
            raise DataError(
                f"record {record.get('id')!r} is no continuation behind a step: `swr1 rollout"
                " --continue steps` makes those, with info.prefix",
                getattr(record, "location", None),
            )
        self.counts["continuations"] += 1
        of = (str(prefix["of"]), prefix.get("epoch") or 0, prefix.get("sample") or 0)
        steps = self.prefixes.setdefault(of, {})
        mine = steps.setdefault(prefix["step"], Prefix(prefix["characters"]))
        for dimension, name in self.by.items():
            verdict = (record.get("verdicts") or {}).get(name)
            if not isinstance(verdict, dict):
                raise DataError(
                    f"record {record.get('id')!r} has no verdict {name!r}: `swr1 verify {name}`",
                    getattr(record, "location", None),
                )
            score = verdict.get("score")
            if score is None:
                self.counts[f"{dimension}: continuations that could not be judged"] += 1
            elif not 0 <= score <= 1:
                raise DataError(
                    f"record {record.get('id')!r}: the score of {name!r} is {score:g}; a step's value"
                    " is from 0 to 1",
                    getattr(record, "location", None),
                )
            else:
                mine.scores[dimension].append(float(score))

    def label(self, record: Record, rule: StepRule) -> Verdict | None:
        """The verdict `values` on a completion; None where none of its prefixes was continued.

        Raises DataError where its steps are not those that were continued.
        """
        of = (str(record["id"]), (record.get("generation") or {}).get("epoch") or 0)
        prefixes = self.prefixes.get((*of, record.get("sample") or 0))
        if prefixes is None:
            return None
        turn = turn_of(record, rule)
        starts = [max(0, step.start - turn.opened) for step in turn.steps]
        ends = [max(0, step.end - turn.opened) for step in turn.steps]
        for number, prefix in prefixes.items():
            place = [*starts, *ends[-1:]][number] if number <= len(starts) else -1
            if place != prefix.characters:
                raise DataError(
                    f"record {record['id']!r}: what was continued behind {number} steps has"
                    f" {prefix.characters} characters, by the rule {rule} it would have {place}: the"
                    " prefixes are of another completion or step rule (--rule)",
                    getattr(record, "location", None),
                )
        steps = []
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            values, counts = self._values(record, number, prefixes.get(number + 1))
            steps.append({"start": start, "end": end, "values": values, "n": counts})
        return self._verdict(str(rule), steps)

    def _values(
        self, record: Record, number: int, prefix: Prefix | None
    ) -> tuple[dict[str, float | None], dict[str, int]]:
        values: dict[str, float | None] = {}
        counts: dict[str, int] = {}
        for dimension in self.by:
            scores = prefix.scores[dimension] if prefix else []
            counts[dimension] = len(scores)
            value = sum(scores) / len(scores) if scores else None
            if len(scores) < self.at_least:
                self.counts[f"{dimension}: steps with too few continuations"] += 1
                value = None
            elif not self._agrees(record, number, dimension, value):
                self.counts[f"{dimension}: steps whose judge does not agree"] += 1
                value = None
            else:
                self.counts[f"{dimension}: steps labelled"] += 1
            values[dimension] = value
        return values, counts

    def _agrees(self, record: Record, number: int, dimension: str, value: float | None) -> bool:
        """Whether the judge says the same, or nothing."""
        name = self.agree.get(dimension)
        if not name or value is None:
            return True
        verdict = (record.get("verdicts") or {}).get(name)
        if not isinstance(verdict, dict):
            raise DataError(
                f"record {record['id']!r} has no verdict {name!r} to agree with: `swr1 verify steps`",
                getattr(record, "location", None),
            )
        judged = steps_in(record, name) or []
        label = judged[number].get("label") if number < len(judged) else None
        return label not in (RIGHT, WRONG) or (label == RIGHT) == (value > self.right_above)

    def _verdict(self, rule: str, steps: list[dict[str, Any]]) -> Verdict:
        first = next(iter(self.by))
        known = [s["values"][first] for s in steps if s["values"][first] is not None]
        detail = {"rule": rule, "steps": steps, "from": dict(self.by)}
        some = any(v is not None for s in steps for v in s["values"].values())
        if not some:
            return null(BY, "no step has a label that is kept", **detail)
        score = known[-1] if known else 0.0
        return {"score": score, "label": LABELLED, "detail": detail, "by": BY}
