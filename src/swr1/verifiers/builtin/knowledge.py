"""Does the response know, and know that it knows? Right and confident scores best.

    swr1 verify math knowledge rollouts.jsonl                          # from its log-probabilities
    swr1 verify choice knowledge rollouts.jsonl --set knowledge.confidence=agreement
    swr1 verify knowledge rollouts.jsonl --guard big --url ...         # a judge says what is right

Whether it is right is the verdict of a rule that came before (math, choice, exact, f1, knights), or
a judge's who sees the record's answer. How confident it is comes from

* logprobs: the policy's own, over the tokens of the answer (all tokens where those cannot be located):
  exp of their mean, least or sum;
* agreement: the share of the group's other samples that give the same answer;
* stated: <confidence>7</confidence>, on the one scale that is said, anything else is null.

With y = 1 for right and 0 for wrong, and confidence c, the score is

    (1 - w) y + w (1 - (c - y)^2),    0 < w <= .5

a proper score of c (nothing is gained by claiming more or less than one knows), in which right always
beats wrong: with w = .4, right and certain 1, a right guess .6, wrong and humble .4, wrong and
certain 0. The form is ours; the aim, that a lucky guess is not rewarded in full, is the paper's.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from swr1.errors import UsageError
from swr1.records import RIGHT_OR_WRONG, Record
from swr1.registry import check_choice
from swr1.types import Verdict
from swr1.verifiers.completions.text import assistant_text
from swr1.verifiers.models.asking import Later, ModelVerifier
from swr1.verifiers.models.opening import open_model
from swr1.verifiers.models.options import ModelOptions, opener
from swr1.verifiers.models.reply import CouldNotJudge
from swr1.verifiers.verdicts import null

BY = "knowledge@1"
LABELS = {
    "correct-certain": (0, 1),
    "correct-uncertain": (0, 1),
    "wrong-uncertain": (0, 1),
    "wrong-certain": (0, 1),
}
NEEDS = "a verdict that says what is right, or --guard; generation.logprobs or samples"
WITHOUT_MODEL = True  # beside `safety` and its like, --guard is theirs: see running.py
STATED = re.compile(r"<confidence>\s*(\d{1,3}(?:\.\d{1,6})?)\s*(%?)\s*</confidence>")
MOST_BOXES = 4  # looked at, from the end: a text of nothing but open boxes must not take long
STATED_SCALES = {"10": 10.0, "1": 1.0, "percent": 100.0}


@opener
def open(
    *,
    right: str = "",
    confidence: str = "logprobs",
    over: str = "mean",
    stated_scale: str = "10",
    certain: float = 0.7,
    weight: float = 0.4,
    tokenizer: str = "",
    look_ahead: int = 1024,
    **options: Any,
) -> Knowledge:
    """The verifier.

    Args:
        right: the verdict that says what is right; "" takes the first of RIGHT_OR_WRONG that has a score.
        confidence: "logprobs", "agreement" or "stated".
        over: mean, min or sum, of log-probabilities.
        stated_scale: 10 (0 to 10), 1 (0 to 1) or percent.
        certain: confidence from which it is called certain.
        weight: w in the score, what confidence counts, above 0 to 0.5.
        tokenizer: a folder with tokenizer.json, to find the answer's tokens; "" takes the policy's.
        look_ahead: records that may wait for the rest of their group.
        options: of `ModelOptions`; with `guard` or `url` a judge says what is right.

    Raises UsageError for an option that is none.
    """
    for name, value, known in (
        ("confidence", confidence, ("logprobs", "agreement", "stated")),
        ("over", over, ("mean", "min", "sum")),
        ("stated_scale", stated_scale, tuple(STATED_SCALES)),
    ):
        check_choice(f"knowledge.{name}", value, known)
    if not 0 < weight <= 0.5 or not 0 <= certain <= 1 or look_ahead < 1:
        raise UsageError("knowledge: 0 < weight <= 0.5, 0 <= certain <= 1, look_ahead >= 1")
    judge = None
    if options.get("guard") or options.get("url"):
        model = ModelOptions(**options)
        judge = open_model("knowledge", ("correct", "wrong"), "wrong", "knowledge", model)
    elif given := [k for k in ("judge", "adapter", "cache", "key_env") if options.get(k)]:
        raise UsageError(
            f"knowledge asks a model only with --guard: --{given[0].replace('_', '-')} is of no use"
        )
    how = (confidence, over, STATED_SCALES[stated_scale], tokenizer)
    return Knowledge(judge, right, how, certain, weight, look_ahead)


def verify(record: dict, **options: Any) -> Verdict:
    """The verdict on one record (without its group: agreement is null)."""
    return open.one(record, **options)


class Knowledge:
    """As `open` describes it."""

    def __init__(
        self,
        judge: ModelVerifier | None,
        right: str,
        how: tuple[str, str, float, str],
        certain: float,
        weight: float,
        look_ahead: int,
    ) -> None:
        self.judge, self.right, self.certain, self.weight = judge, right, certain, weight
        self.source, self.over, self.scale, self.tokenizer = how
        self.ahead = judge.ahead if judge else 0
        if self.source == "agreement":
            self.ahead = max(self.ahead, look_ahead)
        self._groups: dict[tuple[str, int], _Group] = {}

    def submit(self, record: Record) -> Verdict | _Waiting:
        """A verdict, or one that waits for its group or its judge."""
        is_right = self.judge.submit(record) if self.judge else self._rule(record)
        group = None
        if self.source == "agreement":
            generation = record.get("generation") or {}
            name = (record["id"], generation.get("epoch", 0))
            group = self._groups.setdefault(name, _Group(generation.get("group")))
            group.add(record)
            if group.whole:
                del self._groups[name]
        waiting = _Waiting(self, record, is_right, group)
        return waiting.result() if waiting.done() else waiting

    def _rule(self, record: Record) -> Verdict:
        verdicts = record.get("verdicts") or {}
        present = [n for n in RIGHT_OR_WRONG if n in verdicts]
        judged = [n for n in present if (verdicts[n] or {}).get("score") is not None]
        name = self.right or next(iter(judged or present), "")  # the others are of other tasks
        if name not in verdicts:
            names = ", ".join(verdicts) or "none"
            expected = name or f"one of {', '.join(RIGHT_OR_WRONG)}"
            return null(
                BY,
                f"no verdict says whether it is right: {expected} is needed, the record has: {names}",
            )
        return verdicts[name]

    def judged(self, record: Record, is_right: Verdict, group: _Group | None) -> Verdict:
        """The verdict from what is known about a record."""
        judged = is_right.get("score")
        if judged is None:
            return null(BY, str(is_right.get("error") or "what is right has no score"))
        y = float(judged >= 1)
        try:
            c, detail = self._confidence(record, group)
        except CouldNotJudge as error:
            return null(BY, str(error), right=bool(y))
        label = f"{'correct' if y else 'wrong'}-{'certain' if c >= self.certain else 'uncertain'}"
        score = (1 - self.weight) * y + self.weight * (1 - (c - y) ** 2)
        detail = {"right": bool(y), "confidence_from": self.source} | detail
        return {"score": score, "label": label, "confidence": c, "detail": detail, "by": BY}

    def _confidence(self, record: Record, group: _Group | None) -> tuple[float, dict[str, Any]]:
        if group is not None:
            return group.agreement(record)
        if self.source == "stated":
            return stated(assistant_text(record), self.scale), {}
        try:
            return policy_confidence(record, self.over, self.tokenizer)
        except CouldNotJudge as error:
            if STATED.search(assistant_text(record)):
                how = "--set knowledge.confidence=stated reads the one that it states"
                raise CouldNotJudge(f"{error}; {how}") from None
            raise

    @property
    def lost(self) -> str:
        """Why its judge is gone; empty while it is there, and without one."""
        return self.judge.lost if self.judge else ""

    def flush(self, why: str) -> None:
        """A group that has ended is judged, or found incomplete."""
        if self.judge:
            self.judge.flush(why)
        if why != "silence":
            for group in self._groups.values():
                group.ended = True
            self._groups.clear()

    def close(self) -> None:
        if self.judge:
            self.judge.close()

    def summary(self) -> str:
        return self.judge.summary() if self.judge else ""


class _Waiting:
    def __init__(
        self, owner: Knowledge, record: Record, is_right: Verdict | Later, group: _Group | None
    ) -> None:
        self._owner, self._record = owner, dict(record)
        self._right, self._group = is_right, group

    def done(self) -> bool:
        ready = not isinstance(self._right, Later) or self._right.done()
        return ready and (self._group is None or self._group.whole or self._group.ended)

    def result(self) -> Verdict:
        right = self._right.result() if isinstance(self._right, Later) else self._right
        return self._owner.judged(self._record, right, self._group)


class _Group:
    """The answers of one prompt's samples."""

    def __init__(self, size: int | None) -> None:
        self.size, self.ended = size, False
        self._answers: dict[int, str | None] = {}
        self._count: dict[str, int] = defaultdict(int)

    @property
    def whole(self) -> bool:
        return self.size is not None and len(self._answers) >= self.size

    def add(self, record: Record) -> None:
        answer = final_answer(record)
        self._answers[record.get("sample", 0)] = answer
        if answer is not None:
            self._count[answer] += 1

    def agreement(self, record: Record) -> tuple[float, dict[str, Any]]:
        """The share of the others that say the same; raises CouldNotJudge for a group with gaps."""
        n = len(self._answers)
        if self.size is not None and n < self.size:
            raise CouldNotJudge(f"the group is incomplete: {n} of {self.size} samples")
        if n < 2:
            raise CouldNotJudge("agreement needs a group of at least two samples")
        answer = self._answers[record.get("sample", 0)]
        if answer is None:
            raise CouldNotJudge("no final answer to compare with the group's")
        return (self._count[answer] - 1) / (n - 1), {"samples": n}


def stated(text: str, scale: float) -> float:
    """The confidence that the text states, 0 to 1. Raises CouldNotJudge where it states none, two
    different ones, or one that is not on the scale (10, 1, or 100 with or without %)."""
    statements = set(STATED.findall(text))
    if text.count("<confidence>") == 0:
        raise CouldNotJudge("it states no confidence")
    if len(statements) != 1 or text.count("<confidence>") != len(STATED.findall(text)):
        raise CouldNotJudge("it states no single confidence that can be read")
    [(number, percent)] = statements
    value = float(number)
    if value > scale or (percent and scale != 100):
        raise CouldNotJudge(f"the confidence {number}{percent} is not on the scale 0 to {scale:g}")
    return value / scale


def policy_confidence(
    record: Record, over: str, tokenizer: str = ""
) -> tuple[float, dict[str, Any]]:
    """The policy's confidence in its answer, from its log-probabilities."""
    generation = record.get("generation") or {}
    ids, values = generation.get("token_ids"), generation.get("logprobs")
    if not values or not ids:
        raise CouldNotJudge("the record has no log-probabilities: see generation.engine.lacks")
    folder = tokenizer or str((generation.get("policy") or {}).get("name") or "")
    span = _answer_tokens(ids, record["completion"], folder)
    mask = generation.get("loss_mask") or [1] * len(values)
    at = [k for k in range(*(span or (0, len(values)))) if mask[k]]
    some = [min(0.0, values[k]) for k in at]
    if not some:
        raise CouldNotJudge("the policy wrote no token of the answer")
    total = {"mean": math.fsum(some) / len(some), "min": min(some), "sum": math.fsum(some)}[over]
    return math.exp(total), {"tokens": len(some), "of": "answer" if span else "all"}


def _answer_tokens(ids: Sequence[int], text: str, folder: str) -> tuple[int, int] | None:
    """[first, end) of the tokens of the final answer, None where that cannot be found."""
    span = _answer_span(text)
    decode = _decoder(folder) if span else None
    if span is None or decode is None:
        return None

    def upto(place: int) -> int:
        """How many tokens it takes to write `place` characters."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            if len(decode(ids[:middle])) < place:
                low = middle + 1
            else:
                high = middle
        return low

    first, end = upto(span[0] + 1) - 1, upto(span[1])
    return (first, end) if 0 <= first < end and decode(ids).startswith(text[: span[1]]) else None


@cache
def _decoder(folder: str) -> Any:
    file = Path(folder) / "tokenizer.json"
    if not folder:
        return None
    if not file.exists():
        from swr1.policy import model_folder

        file = Path(model_folder(folder)) / "tokenizer.json"
        if not file.exists():
            return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda ids: tokenizer.decode(list(ids), skip_special_tokens=True)


def _answer_span(text: str) -> tuple[int, int] | None:
    """Where the final answer stands: in the last <answer>, or the last \\boxed{}."""
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, max(end, 0)) + 8
    inside = (start, end) if 8 <= start <= end and text[start:end].strip() else None
    boxes = list(re.finditer(r"\\boxed\{", text))[-MOST_BOXES:]
    for boxed in reversed(boxes):
        depth, at = 1, boxed.end()
        while at < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if not depth and (inside is None or inside[0] <= boxed.start() < inside[1]):
            return boxed.end(), at - 1
    if inside is None:
        return None
    bare = text[start:end].lstrip()
    return end - len(bare), end - len(bare) + len(bare.rstrip())


def final_answer(record: Record) -> str | None:
    """The answer, in a form that two samples can be compared in; None where there is none.

    What a rule read is taken before the text, since it knows which writings are equal.
    """
    verdicts = record.get("verdicts") or {}
    for name in RIGHT_OR_WRONG:
        read = ((verdicts.get(name) or {}).get("detail") or {}).get("read")
        if isinstance(read, str | int | float) and str(read).strip():
            return str(read).casefold()
    text = record["completion"]
    span = _answer_span(text)
    answer = text[slice(*span)] if span else text.rpartition("</think>")[2].strip()
    answer = re.sub(r"\s+", " ", answer).strip(" .。$").casefold()
    return answer or None
