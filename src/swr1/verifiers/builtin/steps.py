"""Is each step of the reasoning right? By rule, by a process model, or by a judge.

    swr1 verify steps rollouts.jsonl                                     # puzzles, village, facts, pictures
    swr1 verify steps rollouts.jsonl --set steps.model=runs/prm          # a process model
    swr1 verify steps rollouts.jsonl --guard big --url http://gpu1:8000/v1     # asked step by step

`detail.steps` has for each step its place in `completion` (characters), a label, perhaps a score, and why:
right, wrong, unread (the judge cannot read it), unjudged (it states nothing, or the judge failed).
`detail.first_wrong` is the number of the first wrong one, or null; `right` the share among those
`judged`; `rule` how the reasoning was split.
"""

from __future__ import annotations

from typing import Any

from swr1.errors import UsageError
from swr1.records import Record
from swr1.registry import check_choice
from swr1.steps import StepRule
from swr1.types import Verdict
from swr1.verifiers.models.options import ModelOptions, opener, refuse_without_guard
from swr1.verifiers.models.reply import CouldNotJudge
from swr1.verifiers.steps.models import Pending, ProcessModel, StepJudge
from swr1.verifiers.steps.turn import RIGHT, SCORES, WRONG, Judged, Turn, turn_of, verdict_of
from swr1.verifiers.steps.worlds import world_of
from swr1.verifiers.verdicts import null

BY = "steps@1"
LABELS = {"right": (0, 1), "wrong": (0, 1)}
NEEDS = "a puzzle, a drawn picture, or a record of the village or of the facts; or steps.model, or --guard"
WITHOUT_MODEL = True  # beside `safety` and its like, --guard is theirs: see running.py


@opener
def open(
    *,
    rule: str = "",
    model: str = "",
    dimension: str = "",
    threshold: float = 0.0,
    score: str = "share",
    prefill: str = "",
    **options: Any,
) -> Steps:
    """The verifier.

    Args:
        rule: how the reasoning is split: line, paragraph, sentence, separator:X; "" takes the model's or the world's.
        model: a process model's folder, which judges in place of the rules of a world.
        dimension: what of the process model makes a step right; "" takes its first.
        threshold: the probability from which a step is right for the process model; 0 for the one that its folder says.
        score: share (of right steps), before (share of the steps before the first wrong one) or all (1 or 0).
        prefill: the opening of the turn, for records that do not say it.
        options: of `ModelOptions`; with `guard` a model is asked about each step. `judge` may be a server's URL.

    Raises UsageError for an option that is none, or a rule that the process model did not learn.
    """
    check_choice("steps.score", score, SCORES)
    if not 0 <= threshold < 1:
        raise UsageError(f"steps.threshold is at least 0 and below 1, not {threshold:g}")
    given = StepRule.of(rule) if rule else None
    if str(options.get("judge") or "").startswith(("http://", "https://")):
        url = options.pop("judge")
        options = {"guard": url} | options | {"url": url}
    asked: ProcessModel | StepJudge | None = None
    if model:
        if options.get("guard"):
            raise UsageError("steps: a process model (steps.model) or a judge (--guard), not both")
        made = ModelOptions(**options)
        asked = ProcessModel(
            model, device=made.device, batch=made.batch, dimension=dimension, threshold=threshold
        )
        if given and given != asked.rule:
            raise UsageError(
                f"steps.rule={given}: {model} learned from steps of the rule {asked.rule},"
                " and reads no others"
            )
        given = asked.rule
    elif options.get("guard") or options.get("url"):
        from swr1.verifiers.models.opening import open_model

        judge = open_model("steps", (RIGHT, WRONG), WRONG, "steps", ModelOptions(**options))
        asked = StepJudge(judge)
    else:
        refuse_without_guard("steps", options)
    return Steps(asked, given, score, prefill)


def verify(record: Record, **options: Any) -> Verdict:
    """The verdict on one record. Raises DataError for a record without a completion."""
    return open.one(record, **options)


class Steps:
    """As `open` describes it."""

    whole = True  # places are in the completion as it stands, with what tools gave

    def __init__(
        self,
        asked: ProcessModel | StepJudge | None,
        rule: StepRule | None,
        score: str,
        prefill: str,
    ) -> None:
        self.asked, self.rule, self.score, self.prefill = asked, rule, score, prefill
        self.backend: Any = asked.judge if isinstance(asked, StepJudge) else asked
        self.ahead: int = getattr(self.backend, "ahead", 0)

    def submit(self, record: Record) -> Verdict | _Later:
        """A verdict, or one that waits for the model."""
        world = world_of(record)
        rule = self.rule or (world.rule if world else StepRule("line"))
        turn = turn_of(record, rule, self.prefill)
        if self.asked is None and world is None:
            return null(
                BY,
                "no rule judges steps of this task: give --set steps.model=FOLDER, or --guard",
                rule=str(rule),
            )
        if self.asked is None or not turn.steps:
            judged = world.judge(record, turn) if world and turn.steps else []
            return self.verdict(turn, judged)
        later = _Later(self, turn, self.asked.submit(record, turn))
        return later.result() if later.done() else later

    def verdict(self, turn: Turn, judged: list[Judged]) -> Verdict:
        more = {"model": self.backend.name} if isinstance(self.asked, ProcessModel) else {}
        if isinstance(self.asked, StepJudge):
            more = {"guard": self.backend.backend.name}
        return verdict_of(BY, turn, judged, self.score, **more)

    @property
    def lost(self) -> str:
        return getattr(self.backend, "lost", "")

    def flush(self, why: str) -> None:
        if isinstance(self.asked, ProcessModel) and why != "group":
            self.asked.flush()
        elif isinstance(self.asked, StepJudge):
            self.backend.flush(why)

    def close(self) -> None:
        if self.asked:
            self.backend.close()

    def summary(self) -> str:
        return self.backend.summary() if self.asked else ""


class _Later:
    def __init__(self, steps: Steps, turn: Turn, pending: Pending) -> None:
        self._steps, self._turn, self._pending = steps, turn, pending

    def done(self) -> bool:
        return self._pending.done()

    def result(self) -> Verdict:
        try:
            judged = self._pending.result()
        except CouldNotJudge as error:
            return null(BY, str(error), rule=str(self._turn.rule))
        return self._steps.verdict(self._turn, judged)
