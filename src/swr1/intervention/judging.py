"""Edits by a judge: the first wrong step becomes what a served model says the right step is.

    judge = Judge(["http://gpu1:8000/v1"], name="big")
    judge(records)             # for each a Fix, or why there is none

The judge sees the task, the steps before and the wrong step. What it says is text to be checked: one
step by the rule that split the reasoning, without tags. Anything else is no edit, and is counted.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib import resources

from swr1.errors import DataError, SwrError
from swr1.intervention.difference import Difference
from swr1.intervention.journal import prompt_of
from swr1.intervention.rules import NOTHING, Fix, Found
from swr1.intervention.steps import JudgedSteps, judged_steps, step_texts
from swr1.records import Record
from swr1.steps import StepRule
from swr1.verifiers.models.adapters import without_thoughts
from swr1.verifiers.models.cache import Cache
from swr1.verifiers.models.escaping import CONTROL, neutralise
from swr1.verifiers.models.prompts import PromptFile
from swr1.verifiers.models.reply import CouldNotJudge, Question, Reply
from swr1.verifiers.models.served import ServedModel

UNUSABLE = "the judge gave no usable step"
LONGEST, SAID = 2000, 300  # characters of a step, and of what the judge says about the wrong one
TOLD = 3  # reasons that are shown
_STEP = re.compile(r"<step>(.*?)</step>", re.DOTALL)
_TAG = re.compile(r"</?\s*[A-Za-z][\w-]*\s*/?>")
_JOINERS = "\u200c\u200d"  # of Persian, of emoji


class Judge:
    """Args:
    urls: OpenAI-compatible servers. name: the model's there; "": their only one.
    key_env: the variable with their key. cache: a file that keeps replies.
    timeout: seconds for one try; retry_for: seconds without any answer until it fails.
    say: is told why there was no usable step, the first times.

    Raises UsageError for a bad URL; a call raises SwrError where no server answers.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        name: str = "",
        key_env: str = "",
        cache: str | None = None,
        timeout: float = 60.0,
        retry_for: float = 60.0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.model = ServedModel(
            name, urls, key_env=key_env, in_flight=32, timeout=timeout, retry_for=retry_for
        )
        self.who = f"judge {name}".strip()
        self.cache = Cache(cache) if cache else None
        self.say, self._told = say, 0
        text = resources.files("swr1.data").joinpath("intervene", "judge.toml").read_text("utf-8")
        file = tomllib.loads(text)
        self._prompt = PromptFile("step", file["template"], _STEP, {}, file["max_tokens"])

    def __call__(self, records: Sequence[Record]) -> list[Found]:
        asked = [self._ask(record) for record in records]
        return [
            one if isinstance(one, str | DataError) else self._fix(record, *one)
            for record, one in zip(records, asked, strict=True)
        ]

    def _ask(self, record: Record) -> str | DataError | tuple[JudgedSteps, Question, _Answer]:
        try:
            judged = judged_steps(record)
        except DataError as error:
            return error
        if judged.wrong is None:
            return NOTHING
        question = self._question(record, judged)
        key = Cache.key(self.model.identity, question) if self.cache else b""
        known = self.cache.get(key) if self.cache else None
        return judged, question, known or self.model.ask(question, question)

    def _question(self, record: Record, judged: JudgedSteps) -> Question:
        text, at = record["completion"], judged.spans[judged.wrong or 0]
        before = text[judged.spans[0][0] : at[0]].strip()
        asked, before, wrong = (
            neutralise(part, ("<step>", "</step>"))
            for part in (prompt_of(record), before, text[slice(*at)])
        )
        so_far = f"{asked}\n\nThe reasoning so far:\n{before or '(nothing)'}"
        return self._prompt.question(so_far, wrong, "")

    def _fix(
        self, record: Record, judged: JudgedSteps, question: Question, answer: _Answer
    ) -> Found:
        assert judged.wrong is not None
        at, wrong = judged.spans[judged.wrong][0], step_texts(record["completion"], judged.spans)
        try:
            reply = answer.result() if isinstance(answer, Future) else answer
            if self.cache and isinstance(answer, Future):
                self.cache.put(Cache.key(self.model.identity, question), reply)
            step, said = read_step(reply, judged.rule, wrong[judged.wrong])
        except CouldNotJudge as error:
            if self.model.lost:
                raise SwrError(self.model.lost.replace("guard", "judge", 1)) from None
            self._told += 1
            if self._told <= TOLD:
                self.say(f"record {record['id']!r}: {UNUSABLE}: {error}")
            return UNUSABLE
        edit = Difference(at, wrong[judged.wrong], step)
        return Fix(edit, said or "the judge says so", self.who, optional=True)

    def summary(self) -> str:
        """For people: how the servers and the cache did."""
        kept = f"{self.cache.hits:,} replies from the cache" if self.cache else ""
        return "; ".join(filter(None, [self.model.summary(), kept]))

    def close(self) -> None:
        if self.cache:
            self.cache.close()
        self.model.close()


_Answer = Reply | Future[Reply]


def read_step(reply: Reply, rule: StepRule, wrong: str) -> tuple[str, str]:
    """(the step, what the judge says before it) of a reply.

    Raises CouldNotJudge for what is not exactly one step by the rule, another than the wrong one,
    and for one with tags or with characters that cannot be seen.
    """
    text, _ = without_thoughts(reply)
    found = list(_STEP.finditer(text))
    if len(found) != 1:
        what = f"holds {len(found)} steps" if found else "holds no <step>"
        raise CouldNotJudge(f"the reply {what}: ...{text[-100:]!r}")
    step = found[0][1].strip()
    if not step:
        raise CouldNotJudge("its step is empty")
    if len(step) > LONGEST:
        raise CouldNotJudge(f"its step has {len(step):,} characters, more than {LONGEST:,}")
    if tag := _TAG.search(step) or CONTROL.search(step):
        raise CouldNotJudge(f"its step holds a tag: {tag[0]!r}")
    if any(_unseen(c) for c in step):
        raise CouldNotJudge(f"its step holds a character that cannot be seen: {step[:100]!r}")
    steps = rule.split(step)
    if len(steps) != 1 or steps[0].content != step:
        raise CouldNotJudge(f"it is {len(steps)} steps by the rule {rule}: {step[:100]!r}")
    if rule.separator.strip() and wrong.endswith(end := rule.separator.strip()):
        step = step if step.endswith(end) else f"{step} {end}"
    if step == wrong:
        raise CouldNotJudge("it repeats the wrong step")
    return step, " ".join(text[: found[0].start()].split())[:SAID]


def _unseen(c: str) -> bool:
    return c not in f"\n\t{_JOINERS}" and unicodedata.category(c) in ("Cc", "Cf", "Cs")
