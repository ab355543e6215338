"""Models that judge steps: a process model in this process, and a judge that is asked about each.

Both answer `submit(record, turn)` with one Judged per step, or with a Pending that has them later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from swr1.errors import DataError, SwrError, UsageError
from swr1.records import Record
from swr1.steps import StepRule
from swr1.verifiers.completions.text import content_text
from swr1.verifiers.models.asking import ModelVerifier
from swr1.verifiers.models.reply import CouldNotJudge, InBatches
from swr1.verifiers.steps.turn import RIGHT, UNJUDGED, WRONG, Judged, Turn


class Pending:
    """Judged steps that wait for replies. `waits` have done() and result(); `make` reads results."""

    def __init__(self, waits: Sequence[Any], make: Callable[[list[Any]], list[Judged]]) -> None:
        self._waits, self._make = waits, make

    def done(self) -> bool:
        return all(isinstance(w, dict) or w.done() for w in self._waits)

    def result(self) -> list[Judged]:
        """Raises CouldNotJudge where nothing can be said of any step."""
        return self._make([w if isinstance(w, dict) else w.result() for w in self._waits])


class ProcessModel(InBatches):
    """A model made by `swr1 train-step process-model`.

    Args:
        folder: its policy or model folder. batch: turns at a time.
        dimension: what makes a step right, one of the model's; "": its first.
        threshold: the probability from which a step is right; 0: the model's own, or 1/2.

    Raises UsageError for a folder that holds another model, or not this dimension.
    """

    def __init__(
        self, folder: str, *, device: str, batch: int, dimension: str, threshold: float
    ) -> None:
        from swr1.training import engine, heads

        self.name = folder
        self.judge = heads.open_judge(folder, device=device)
        if self.judge.stage != "process-model":
            raise UsageError(
                f"steps.model={folder}: it is a {self.judge.stage}, not a process model;"
                " `swr1 train-step process-model` makes one"
            )
        self.dimensions = self.judge.dimensions
        if dimension and dimension not in self.dimensions:
            known = ", ".join(self.dimensions)
            raise UsageError(f"steps.dimension={dimension}: {folder} has {known}")
        self.dimension = dimension or self.dimensions[0]
        self.threshold = threshold or self.judge.thresholds.get(self.dimension, 0.5)
        if not self.judge.rule:
            raise UsageError(
                f"steps.model={folder}: it does not say by which rule its steps were split; train it"
                " on records with verdicts of `swr1 verify steps`"
            )
        self.rule = StepRule.of(self.judge.rule)
        self.context = engine.context_length(self.judge.folder)
        super().__init__(batch)

    def submit(self, record: Record, turn: Turn) -> Pending:
        asked: Any = (record["prompt"], turn)
        future: Future[Any] = self.ask(asked, asked)
        return Pending([future], lambda replies: self._judged(replies[0]))

    def _judged(self, table: Any) -> list[Judged]:
        column = self.dimensions.index(self.dimension)
        more = len(self.dimensions) > 1
        return [
            Judged(
                RIGHT if row[column] >= self.threshold else WRONG,
                score=float(row[column]),
                values=dict(zip(self.dimensions, map(float, row), strict=True)) if more else None,
            )
            for row in table
        ]

    def prepared(self, question: Any, harmless: Any) -> Any:
        from swr1.training import heads

        prompt, turn = question
        ends = [step.start + len(step.text.rstrip()) for step in turn.steps]
        try:
            ids, at = heads.encode_ends(self.judge.tokenizer, prompt, turn.text, ends)
        except DataError as error:
            raise CouldNotJudge(error.reason) from None
        if self.context and len(ids) > self.context:
            raise CouldNotJudge(f"{len(ids)} tokens are more than it can read ({self.context})")
        return ids, at

    def replies(self, inputs: list[Any]) -> list[Any]:
        try:
            return self.judge.step_probabilities(inputs)
        except RuntimeError as error:
            raise SwrError(f"the process model {self.name} failed: {error}") from error


class StepJudge:
    """A model that writes, asked about one step at a time: the question, what stands before, it."""

    def __init__(self, judge: ModelVerifier) -> None:
        self.judge = judge

    def submit(self, record: Record, turn: Turn) -> Pending:
        turns = [t for t in record.get("prompt") or () if t.get("role") == "user"]
        problem = "\n\n".join(map(content_text, turns))
        waits = []
        for step in turn.steps:
            before = "".join(s.text for s in turn.steps[: step.index]).strip()
            asked = f"{problem}\n\nThe reasoning so far:\n{before or '(nothing)'}"
            waits.append(
                self.judge.submit(
                    {
                        "id": record["id"],
                        "prompt": [{"role": "user", "content": asked}],
                        "completion": step.content,
                        "answer": record.get("answer"),
                    }
                )
            )
        return Pending(waits, lambda verdicts: [_judged(v) for v in verdicts])


def _judged(verdict: dict[str, Any]) -> Judged:
    if verdict.get("score") is None:
        return Judged(UNJUDGED, str(verdict.get("error") or "the judge said nothing"))
    return Judged(RIGHT if verdict["label"] == RIGHT else WRONG, score=float(verdict["score"]))
