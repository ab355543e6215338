"""What a prompt record becomes: the requests of its samples, and from their completions records."""

import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from typing import Any

from swr1.engines import Completion, Request, Sampling, check_room
from swr1.engines.continuing import begun_of
from swr1.errors import DataError
from swr1.models import trusted
from swr1.prompts import Prompt, Prompts, as_facts
from swr1.prompts.choosing import as_prompts
from swr1.prompts.unknown import Unknown
from swr1.records import float32_list

# Fields of a record that was completed before: they belong to the old completion.
STALE = ("sample", "completion", "generation", "verdicts", "reward", "reward_parts")


def stored_epoch(record: dict) -> int:
    """The epoch that the record has from an earlier rollout, or 0."""
    return record.get("generation", {}).get("epoch", 0)


def _refuse(record: dict, error: DataError) -> None:
    raise error


@dataclass
class Requests:
    """The requests of records for `engine`, `samples` of each.

    prompt: what is put around each record's messages. epoch_of: the pass over the prompts that a
    record belongs to, from 0. done: (id, epoch, sample) that need not be written again. on_error: called with a record whose
    prompt cannot be completed; it raises, or returns to leave the record out. continued: the records
    are prefixes (see swr1.rollout.prefixes), for an engine that goes on.
    """

    engine: Any
    prompt: Prompt | Prompts
    samples: int
    sampling: Sampling
    policy_name: str
    epoch_of: Callable[[dict], int] = stored_epoch
    done: Container[tuple[str, int, int]] = ()
    on_error: Callable[[dict, DataError], None] = _refuse
    unknown: Unknown = field(default_factory=lambda: Unknown(None))
    continued: bool = False

    def __post_init__(self) -> None:
        self._prompts = as_prompts(self.prompt)
        self.working = 0.0

    def keys(self, record: dict) -> list[tuple[str, int, int]]:
        """(id, epoch, sample) of all samples."""
        return [(record["id"], self.epoch_of(record), s) for s in range(self.samples)]

    def of(self, record: dict) -> list[Request]:
        """The requests of all samples of a record; none of one that cannot be completed."""
        keys = self.keys(record)
        try:
            first = self._first(keys[0], record, self._prompts.of(record))
            if self.continued:
                first = self._begun(record, first)
        except DataError as error:
            self.on_error(record, error)
            return []
        return [replace(first, key=key, about=record) for key in keys]

    def _first(self, key: tuple[str, int, int], record: dict, prompt: Any) -> Request:
        """The first sample's request, with what the record will say of its prompt."""
        request = self.engine.request(key, record["prompt"], prompt)
        content = request.content if isinstance(request.content, str) else ""
        self.unknown.add(request.prompt_ids, content)
        said = {"prefill": prompt.prefill, "system_prompt": as_facts(prompt)} | dict(request.facts)
        return replace(request, facts={name: v for name, v in said.items() if v is not None})

    def _begun(self, record: dict, request: Request) -> Request:
        """The request to go on from a prefix. Raises DataError where the context has no room for it."""
        text = record["completion"][: record["info"]["prefix"]["characters"]]
        begun = begun_of(self.engine.tokenizer, record, text)
        ids = [i for piece in begun for i in piece.ids]
        whole = replace(request, prompt_ids=request.prompt_ids + ids)
        check_room(whole, getattr(self.engine, "context", None), "the model's context has")
        return replace(request, begun=begun)

    def complete(self, requests: list[Request]) -> list[Completion]:
        """Completions, one per request; `working` counts the seconds that take."""
        began = time.monotonic()
        completions = self.engine.generate(requests, self.sampling)
        self.working += time.monotonic() - began
        return completions

    def facts(self, version: int | None) -> dict[str, Any]:
        """What the records of completions that `version` begins have in common in `generation`."""
        engine = self.engine
        shown = getattr(engine, "pictures", None)  # how its image processor is called
        return {
            "group": self.samples,
            "policy": {"name": self.policy_name, "version": version},
            "engine": {
                "name": engine.name,
                "version": engine.version,
                "dtype": engine.dtype,
                **({"trust_remote_code": True} if trusted() else {}),
                **({"pictures": shown} if shown else {}),
            },
            "sampling": self.sampling.facts(),
        }


def completed(
    record: dict, request: Request, completion: Completion, facts: dict[str, Any]
) -> dict:
    """The record of one completion. Where several versions of the weights wrote it, it says which tokens
    are whose, and `policy` has the oldest."""
    item = {name: value for name, value in record.items() if name not in STALE}
    _, epoch, sample = request.key
    ids, logprobs = completion.token_ids, completion.logprobs
    arrays = {
        "prompt_ids": request.prompt_ids or None,
        "token_ids": ids,
        "logprobs": None if logprobs is None else float32_list(logprobs),
        "loss_mask": None if ids is None else [1] * len(ids),
        "finish_reason": completion.finish_reason,
    }
    own = dict(completion.facts)
    if versions := own.pop("versions", None):
        facts = facts | {"policy": facts["policy"] | {"version": versions[0][0]}}
        own["versions"] = versions if len(versions) > 1 else None
    known = {name: value for name, value in (arrays | own).items() if value is not None}
    return item | {
        "sample": sample,
        "completion": completion.text,
        "generation": {"epoch": epoch, **facts, **request.facts, **known},
    }
