"""The policy goes on from an edit: token ids in, token ids out; what it did not write is masked.

    writer = Writer(Rollout(RolloutConfig(policy="runs/kk"), Sampling(max_tokens=256), {}))
    [made] = writer.go_on([Work(state, difference, {"who": "ana"})])
    made.text, made.generation

The prompt's ids are those that the completion was sampled from, and the ids of its kept part stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from swr1.engines import Completion, Request, check_room
from swr1.engines.continuing import ContinuingEngine, begun_of
from swr1.errors import DataError
from swr1.intervention.difference import Difference
from swr1.intervention.history import State
from swr1.intervention.journal import digest_of
from swr1.prompts import as_facts
from swr1.records import WROTE, float32_list, key
from swr1.rollout import Rollout

# Facts of how the prompt was rendered, which stay where its token ids do.
_RENDERED = ("prefill", "system_prompt", "template")


class Continuation(NamedTuple):
    """The whole completion, with what the policy wrote behind the edit, and its `generation`."""

    text: str
    generation: dict[str, Any]


class Work(NamedTuple):
    """A completion to go on with: `state` before the edit (none is pending there), the edit, and
    who made it and why."""

    state: State
    edit: Difference
    by: dict[str, Any]


class Writer:
    """A policy that goes on from edits, with the engine and options of a rollout."""

    def __init__(self, job: Rollout) -> None:
        self.job = job
        self._engine: Any = None

    @property
    def engine(self) -> Any:
        """The engine, opened when it is first needed.

        Raises UsageError for one that does not take token ids.
        """
        if self._engine is None:
            self._engine = ContinuingEngine(self.job.open_engine(), "intervene")
        return self._engine

    def go_on(self, work: Sequence[Work]) -> list[Continuation | DataError]:
        """A continuation for each, in order, or why there is none: its text cannot be encoded."""
        asked = [self._request(one) for one in work]
        requests = [one for one in asked if isinstance(one, Request)]
        replies = iter(self.engine.generate(requests, self.job.sampling) if requests else ())
        return [
            one if isinstance(one, DataError) else self._continued(each, one, next(replies))
            for each, one in zip(work, asked, strict=True)
        ]

    def check(self, work: Work) -> None:
        """Raises DataError for an edit that the policy cannot go on from, before it does."""
        asked = self._request(work)
        if isinstance(asked, DataError):
            raise asked

    def _request(self, work: Work) -> Request | DataError:
        state, record, text = work.state, work.state.record, work.edit.edited(work.state.text)
        now = {**record, "completion": state.text, "generation": state.generation}
        try:
            prompt = self.job.prompts.of(record, made=True)
            request = self.engine.request(key(record), record["prompt"], prompt)
            facts = {"prefill": prompt.prefill, "system_prompt": as_facts(prompt)}
            facts |= dict(request.facts)
            begun = begun_of(self.engine.tokenizer, now, text)
            ids = [i for piece in begun for i in piece.ids]
            request = replace(request, begun=begun)
            if _kept(state.generation, ids) and (before := state.generation.get("prompt_ids")):
                facts |= {n: state.generation[n] for n in _RENDERED if n in state.generation}
                request = replace(request, prompt_ids=before)
            whole = replace(request, prompt_ids=request.prompt_ids + ids)
            check_room(whole, getattr(self.engine, "context", None), "the model's context has")
        except DataError as error:
            return DataError(f"record {record['id']!r}: {error.reason}")
        return replace(request, facts={n: v for n, v in facts.items() if v is not None})

    def _continued(self, work: Work, request: Request, made: Completion) -> Continuation:
        job, record, ids = self.job, work.state.record, made.token_ids or []
        generation = record.get("generation") or {}
        logprobs = [] if made.logprobs is None else float32_list(made.logprobs)
        facts = {
            "epoch": key(record)[1],
            **{n: v for n, v in generation.items() if n == "group"},
            "policy": {"name": job.config.policy or job.engine, "version": job.follower.version},
            "engine": {
                "name": self.engine.name,
                "version": self.engine.version,
                "dtype": self.engine.dtype,
            },
            "sampling": job.sampling.facts(),
            **request.facts,
            "prompt_ids": request.prompt_ids,
            "token_ids": ids,
            "logprobs": logprobs,
            "loss_mask": [1] * len(ids),
            "turns": [{"kind": WROTE, "tokens": [0, len(ids)], "characters": [0, len(made.text)]}],
            "finish_reason": made.finish_reason,
            **made.facts,
            "edited": _edited(work, ids),
        }
        return Continuation(made.text, facts)


def _kept(generation: dict[str, Any], ids: Sequence[int]) -> int:
    """How many ids are those of the completion before."""
    before = generation.get("token_ids") or []
    pairs = zip(before, ids, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(ids)))


def _edited(work: Work, ids: Sequence[int]) -> dict[str, Any]:
    """What was changed: enough to say what the completion said before, in its own token ids from
    the kept ones on, where it has them."""
    edit, before, was = work.edit, work.state.text, work.state.generation
    facts: dict[str, Any] = {"of": digest_of(before), "at": edit.at, "old": edit.old}
    facts |= {"new": edit.new, "dropped": before[edit.at + len(edit.old) :]}
    facts |= {n: v for n, v in work.by.items() if v}
    facts |= {"finish_reason": was["finish_reason"]} if was.get("finish_reason") else {}
    if kept := _kept(was, ids):
        facts |= {"kept": kept, "ids": was["token_ids"][kept:]}
    if earlier := was.get("edited"):
        facts["before"] = earlier
    return facts
