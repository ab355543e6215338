"""The rollout stage: prompt records in, completed records out, block by block.

A block is a fixed number of consecutive records (fewer where `admit` says so); what is in it depends
on the input alone, so a stage that is run again computes the same batches. Weights may be swapped
between blocks, never within one. An engine that streams is asked prompt by prompt instead: what it
gives for one does not depend on the others.

The records may come slowly, and say so with SILENCE: nothing that is done waits for the next one.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Any

from swr1.engines import Completion, Engine, Request, Sampling, open_engine
from swr1.errors import DataError
from swr1.models import trusted
from swr1.prompts import Prompt, load_prompt
from swr1.records import float32_list
from swr1.rollout.follower import Weights
from swr1.streams.reading import Mark

# What a record completed before may carry: it belongs to the old completion.
STALE = ("sample", "completion", "generation", "verdicts", "reward", "reward_parts")


# The requests of a block, each with its record, and what their completions have in common.
_Work = tuple[list[tuple[dict, Request]], dict[str, Any]]


def stored_epoch(record: dict) -> int:
    """The time round the source that the record says it belongs to, or 0."""
    return record.get("generation", {}).get("epoch", 0)


def _refuse(record: dict, error: DataError) -> None:
    raise error


def rollout(
    records: Iterable[dict | Mark],
    engine: Engine,
    *,
    prompt: Prompt,
    samples: int,
    sampling: Sampling,
    policy_name: str,
    refresh: Callable[[], int | None],
    admit: Callable[[int], int] = lambda wanted: wanted,
    epoch_of: Callable[[dict], int] = stored_epoch,
    done: Container[tuple[str, int, int]] = (),
    on_error: Callable[[dict, DataError], None] = _refuse,
    prompts_per_block: int = 16,
    patience: float = math.inf,
) -> Iterator[dict]:
    """Complete every record `samples` times: samples 0..n-1 of each, in input order.

    Args:
        records: what to complete, with SILENCE where nothing came for a while.
        admit: called with the size of a block before its records are taken; it may wait, swap in
            newer weights, and return a smaller size, at least 1.
        refresh: called when a block is generated; returns the policy version that it is written
            with (None for a model without versions), and may swap weights before it does.
        epoch_of: the pass over the prompts that a record belongs to, from 0.
        done: (id, epoch, sample) that need not be yielded again. A block with all of them is not
            generated; a block with some is generated whole, so that the rest come out as they
            would have (not with an engine that streams).
        on_error: told of a record whose prompt cannot be completed; it raises, or returns to
            leave the record out.
        patience: seconds of silence after which a block is begun that is not full. What is computed
            together then depends on time, too: near ties may fall differently when it is run again.
    """
    records = iter(records)
    stream = getattr(engine, "stream", None)
    if stream:
        prompts_per_block = 1  # nothing depends on company, so no prompt waits for any

    def blocks() -> Iterator[_Work | None]:
        while (block := _take(records, admit(prompts_per_block), patience)) != []:
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
                    first = engine.request(row[0], record["prompt"], prompt)
                except DataError as error:
                    on_error(record, error)
                    continue
                work += [(record, replace(first, key=key)) for key in row]
            facts = {
                "group": samples,
                "prefill": prompt.prefill,
                "policy": {"name": policy_name, "version": version},
                "engine": {
                    "name": engine.name,
                    "version": engine.version,
                    "dtype": engine.dtype,
                    **({"trust_remote_code": True} if trusted() else {}),
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


def _take(records: Iterator[dict | Mark], size: int, patience: float) -> list[dict] | None:
    """The next block: `size` records, fewer at the end or after `patience` seconds of silence.

    None for a silence before the first.
    """
    block: list[dict] = []
    came = 0.0
    for record in records:
        if not isinstance(record, Mark):
            block.append(record)
            if len(block) == size:
                break
            came = time.monotonic()
        elif not block:
            return None
        elif time.monotonic() - came >= patience:
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

    It reads ahead as it likes, and what is done is not asked for again. A group is given out when
    it is whole: one that holds an error is left out. In silence it is asked for what is done.
    """
    asked: deque[tuple[dict, Request, dict[str, Any], bool]] = deque()

    def requests() -> Iterator[Request | None]:
        for block in blocks:
            if block is None:
                yield None
                continue
            work, facts = block
            owed = [pair for pair in work if pair[1].key not in done]
            for at, (record, request) in enumerate(owed):
                last = at + 1 == len(owed) or owed[at + 1][0] is not record
                asked.append((record, request, facts, last))
                yield request

    group: list[dict] = []
    failed: DataError | None = None
    for completion in stream(requests(), sampling):
        record, request, facts, last = asked.popleft()
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
    kept = {name: value for name, value in record.items() if name not in STALE}
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
    return kept | {
        "sample": sample,
        "completion": completion.text,
        "generation": {"epoch": epoch, **facts, **request.facts, **known},
    }


def complete(
    records: Iterable[dict], policy: str, system_prompt: str, samples: int, sampling: Sampling
) -> Iterator[dict]:
    """Complete records with the newest version of a policy and the engine hf, for an evaluation."""
    weights = Weights(policy, None, 0)
    return rollout(
        records,
        open_engine("hf", weights.folder, dtype="auto"),
        prompt=load_prompt(system_prompt),
        samples=samples,
        sampling=sampling,
        policy_name=policy,
        refresh=lambda: weights.version,
    )
