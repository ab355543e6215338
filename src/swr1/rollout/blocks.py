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
from typing import Any

from swr1.engines import Completion, Request, Sampling, open_engine
from swr1.errors import DataError
from swr1.policy import marker_of
from swr1.prompts import Prompts, load_prompt
from swr1.prompts.unknown import Unknown
from swr1.rollout.follower import PolicyFollower
from swr1.rollout.requests import Requests, completed
from swr1.streams.reading import Mark

# The requests of a block, each with its record, and what their completions have in common.
_Work = tuple[list[tuple[dict, Request]], dict[str, Any]]


def rollout(
    records: Iterable[dict | Mark],
    make: Requests,
    *,
    refresh: Callable[[], int | None],
    admit: Callable[[int], int] = lambda size: size,
    prompts_per_block: int = 16,
    silence_limit: float = math.inf,
) -> Iterator[dict]:
    """Complete every record: samples 0..n-1 of each, in input order.

    A block of which all samples are `make.done` is not generated; one with some is generated whole, so
    that the rest come out as they would have (not with an engine that streams).

    Args:
        records: what to complete, with SILENCE where nothing came for a while.
        make: the engine, and what it is asked for.
        admit: called with the size of a block before its records are taken. It may wait, load
            newer weights, and return a smaller size, at least 1.
        refresh: called when a block is generated. It may load other weights, and returns the
            version that the block is written with (None for a model without versions).
        silence_limit: seconds of silence after which a block is begun that is not full. Which
            records are computed together then depends on time, too, so near ties may fall
            differently when the stage is run again.
    """
    records, done, sampling = iter(records), make.done, make.sampling
    stream = getattr(make.engine, "stream", None)
    if stream:
        prompts_per_block = 1  # nothing depends on company, so no prompt waits for any

    def blocks() -> Iterator[_Work | None]:
        while (block := _take(records, admit(prompts_per_block), silence_limit)) != []:
            if block is None:
                yield None
                continue
            if all(key in done for record in block for key in make.keys(record)):
                continue
            version = refresh()
            work = [(record, request) for record in block for request in make.of(record)]
            make.unknown.check()
            yield work, make.facts(version)

    if stream:
        yield from _streamed(blocks(), stream, sampling, done, make.on_error)
        return
    for work, facts in filter(None, blocks()):
        completions = make.complete([request for _, request in work])
        for (record, request), completion in zip(work, completions, strict=True):
            if request.key not in done:
                yield completed(record, request, completion, facts)


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
            group.append(completed(record, request, completion, facts))
        if last:
            if failed:
                on_error(record, failed)
            else:
                yield from group
            group, failed = [], None


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
    make = Requests(
        engine,
        Prompts(given, policy=marker_of(follower.folder), name=policy, say=say),
        samples,
        sampling,
        policy,
        unknown=Unknown(engine.tokenizer, say=say),
    )
    return rollout(records, make, refresh=lambda: follower.version)
