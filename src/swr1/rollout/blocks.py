"""The rollout stage: prompt records in, completed records out, block by block.

A block is a fixed number of consecutive records, or fewer where `admit` says so. Its content depends
on the input alone, so a stage that is run again computes the same batches. Weights may be swapped
between blocks, never within one. An engine that streams gets one prompt after the other instead,
because its completions of one prompt do not depend on the others.

The input may be slow; it then contains SILENCE. Finished completions never wait for the next record.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Any

from swr1.engines import Completion, Engine, Request, Sampling, check_room, open_engine
from swr1.engines.continuing import begun_of
from swr1.errors import DataError
from swr1.models import trusted
from swr1.policy import marker_of
from swr1.prompts import Prompt, Prompts, as_facts, load_prompt
from swr1.prompts.choosing import as_prompts
from swr1.prompts.unknown import Unknown
from swr1.records import float32_list
from swr1.rollout.follower import PolicyFollower
from swr1.streams.reading import Mark

# Fields of a record that was completed before: they belong to the old completion.
STALE = ("sample", "completion", "generation", "verdicts", "reward", "reward_parts")


# The requests of a block, each with its record, and what their completions have in common.
_Work = tuple[list[tuple[dict, Request]], dict[str, Any]]


def stored_epoch(record: dict) -> int:
    """The epoch that the record has from an earlier rollout, or 0."""
    return record.get("generation", {}).get("epoch", 0)


def _refuse(record: dict, error: DataError) -> None:
    raise error


def rollout(
    records: Iterable[dict | Mark],
    engine: Engine,
    *,
    prompt: Prompt | Prompts,
    samples: int,
    sampling: Sampling,
    policy_name: str,
    refresh: Callable[[], int | None],
    admit: Callable[[int], int] = lambda size: size,
    epoch_of: Callable[[dict], int] = stored_epoch,
    done: Container[tuple[str, int, int]] = (),
    on_error: Callable[[dict, DataError], None] = _refuse,
    prompts_per_block: int = 16,
    silence_limit: float = math.inf,
    unknown: Unknown | None = None,
    continued: bool = False,
) -> Iterator[dict]:
    """Complete every record `samples` times: samples 0..n-1 of each, in input order.

    Args:
        records: what to complete, with SILENCE where nothing came for a while.
        prompt: what is put around each record's messages.
        admit: called with the size of a block before its records are taken. It may wait, load
            newer weights, and return a smaller size, at least 1.
        refresh: called when a block is generated. It may load other weights, and returns the
            version that the block is written with (None for a model without versions).
        epoch_of: the pass over the prompts that a record belongs to, from 0.
        done: (id, epoch, sample) that need not be yielded again. A block with all of them is not
            generated; a block with some is generated whole, so that the rest come out as they
            would have (not with an engine that streams).
        continued: the records are prefixes (see swr1.rollout.prefixes), for an engine that goes on.
        on_error: called with a record whose prompt cannot be completed. It raises, or returns to
            leave the record out.
        silence_limit: seconds of silence after which a block is begun that is not full. Which
            records are computed together then depends on time, too, so near ties may fall
            differently when the stage is run again.
    """
    records, prompts = iter(records), as_prompts(prompt)
    unknown = unknown or Unknown(None)
    shown = getattr(engine, "pictures", None)  # how its image processor is called
    stream = getattr(engine, "stream", None)
    if stream:
        prompts_per_block = 1  # nothing depends on company, so no prompt waits for any

    def blocks() -> Iterator[_Work | None]:
        while (block := _take(records, admit(prompts_per_block), silence_limit)) != []:
            if block is None:
                yield None
                continue
            keys = [[(r["id"], epoch_of(r), s) for s in range(samples)] for r in block]
            if all(key in done for row in keys for key in row):
                continue
            version = refresh()
            work: list[tuple[dict, Request]] = []
            for record, row in zip(block, keys, strict=True):
                try:
                    first = _request(engine, row[0], record, prompts.of(record), unknown)
                    if continued:
                        first = _begun(engine, record, first)
                except DataError as error:
                    on_error(record, error)
                    continue
                work += [(record, replace(first, key=key, about=record)) for key in row]
            unknown.check()
            facts = {
                "group": samples,
                "policy": {"name": policy_name, "version": version},
                "engine": {
                    "name": engine.name,
                    "version": engine.version,
                    "dtype": engine.dtype,
                    **({"trust_remote_code": True} if trusted() else {}),
                    **({"pictures": shown} if shown else {}),
                },
                "sampling": sampling.facts(),
            }
            yield work, facts

    if stream:
        yield from _streamed(blocks(), stream, sampling, done, on_error)
        return
    for work, facts in filter(None, blocks()):
        completions = engine.generate([request for _, request in work], sampling)
        for (record, request), completion in zip(work, completions, strict=True):
            if request.key not in done:
                yield _completed(record, request, completion, facts)


def _request(
    engine: Engine, key: tuple[str, int, int], record: dict, prompt: Prompt, unknown: Unknown
) -> Request:
    """The request for a record's first sample, with what the record will say of its prompt."""
    request = engine.request(key, record["prompt"], prompt)
    unknown.add(request.prompt_ids, request.content if isinstance(request.content, str) else "")
    said = {"prefill": prompt.prefill, "system_prompt": as_facts(prompt)} | dict(request.facts)
    return replace(request, facts={name: v for name, v in said.items() if v is not None})


def _begun(engine: Any, record: dict, request: Request) -> Request:
    """The request to go on from a prefix. Raises DataError where the context has no room for it."""
    text = record["completion"][: record["info"]["prefix"]["characters"]]
    begun = begun_of(engine.tokenizer, record, text)
    ids = [i for piece in begun for i in piece.ids]
    whole = replace(request, prompt_ids=request.prompt_ids + ids)
    check_room(whole, getattr(engine, "context", None), "the model's context has")
    return replace(request, begun=begun)


def _take(records: Iterator[dict | Mark], size: int, silence_limit: float) -> list[dict] | None:
    """The next block: `size` records, fewer at the end or after `silence_limit` seconds of silence.

    None for a silence before the first.
    """
    block: list[dict] = []
    last_came = 0.0
    for record in records:
        if not isinstance(record, Mark):
            block.append(record)
            if len(block) == size:
                break
            last_came = time.monotonic()
        elif not block:
            return None
        elif time.monotonic() - last_came >= silence_limit:
            break
    return block


def _streamed(
    blocks: Iterable[_Work | None],
    stream: Callable[[Iterator[Request | None], Sampling], Iterator[Completion | DataError]],
    sampling: Sampling,
    done: Container[tuple[str, int, int]],
    on_error: Callable[[dict, DataError], None],
) -> Iterator[dict]:
    """As `rollout`, for an engine whose completions do not depend on their company.

    The engine reads ahead as far as it likes. Completions that are `done` are not requested again. A
    group is yielded when it is whole; one with an error is left out. In silence the engine
    gives the completions that are finished.
    """
    requested: deque[tuple[dict, Request, dict[str, Any], bool]] = deque()

    def requests() -> Iterator[Request | None]:
        for block in blocks:
            if block is None:
                yield None
                continue
            work, facts = block
            owed = [pair for pair in work if pair[1].key not in done]
            for at, (record, request) in enumerate(owed):
                last = at + 1 == len(owed) or owed[at + 1][0] is not record
                requested.append((record, request, facts, last))
                yield request

    group: list[dict] = []
    failed: DataError | None = None
    for completion in stream(requests(), sampling):
        record, request, facts, last = requested.popleft()
        if isinstance(completion, DataError):
            failed = failed or completion
        else:
            group.append(_completed(record, request, completion, facts))
        if last:
            if failed:
                on_error(record, failed)
            else:
                yield from group
            group, failed = [], None


def _completed(
    record: dict, request: Request, completion: Completion, facts: dict[str, Any]
) -> dict:
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
    known = {
        name: value for name, value in (arrays | completion.facts).items() if value is not None
    }
    return item | {
        "sample": sample,
        "completion": completion.text,
        "generation": {"epoch": epoch, **facts, **request.facts, **known},
    }


def complete(
    records: Iterable[dict],
    policy: str,
    system_prompt: str | None,
    samples: int,
    sampling: Sampling,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[dict]:
    """Complete records with the newest version of a policy and the engine hf, for an evaluation."""
    follower = PolicyFollower(policy, None, 0)
    given = load_prompt(system_prompt) if system_prompt else None
    engine: Any = open_engine("hf", follower.folder, dtype="auto")
    return rollout(
        records,
        engine,
        prompt=Prompts(given, policy=marker_of(follower.folder), name=policy, say=say),
        samples=samples,
        sampling=sampling,
        policy_name=policy,
        refresh=lambda: follower.version,
        unknown=Unknown(engine.tokenizer, say=say),
    )
