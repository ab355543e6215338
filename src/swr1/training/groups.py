"""Scored records to complete groups: what an RL step reads, checked before it touches a weight.

A group is all samples of one prompt in one epoch. They may arrive interleaved with other groups; a
group is handed on when its last sample is there. One that never completes (a sample was dropped
upstream) is dropped with its reason: a mean over the survivors would be a biased baseline.
"""

import hashlib
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from swr1.errors import DataError
from swr1.records import versions_of
from swr1.streams.reading import GROUP_END, GROUP_END_WAITING, Mark
from swr1.training.engine import Example
from swr1.training.seen import sampled_pictures
from swr1.vision import Vision

# Groups that may be open at once. Beyond it the oldest is given up: its samples are not coming.
OPEN_GROUPS = 1024
NEVER_COMPLETED = "in a group that never completed"


@dataclass(slots=True)
class Sample:
    """One scored completion, as tensors.

    `recorded` [N] are the log-probabilities at the N trainable positions `example.targets` under
    the policy that sampled, `old` those that the update compares with: the same, or recomputed for
    a sample that is `lag` optimizer steps old, whose loss is multiplied by `weight` [N]. `ref` [N]
    are those under a reference model, if the record has them. `parts` are the parts of the reward
    that the record has, NaN where one was not judged. `steps`: of each judged step the number of its
    last trainable token, and its reward (credit.py). `version` wrote the first token; where others came
    while it was written, `versions` has all of them, each with how many tokens it wrote. `lags`: of each
    version, in optimizer steps, with how many of the N it wrote; `lag` is that of the oldest.
    """

    id: str
    epoch: int
    sample: int
    size: int
    example: Example
    recorded: Tensor
    old: Tensor
    reward: float
    parts: dict[str, float]
    scores: dict[str, float]
    temperature: float
    tokens: int
    limit: int | None
    truncated: bool
    version: int | None
    policy: str
    location: str | None
    versions: list[tuple[int, int]] = field(default_factory=list)
    lag: int = 0
    lags: list[tuple[int, int]] = field(default_factory=list)
    weight: Tensor | None = None
    ref: Tensor | None = None
    steps: list[tuple[int, float]] = field(default_factory=list)

    def runs(self) -> list[tuple[int | None, int]]:
        """(version, how many of the N trainable tokens it wrote), in order."""
        if not self.versions:
            return [(self.version, len(self.recorded))]
        first = len(self.example.ids) - self.tokens
        ends = torch.tensor([n for _, n in self.versions]).cumsum(0) + first
        before = torch.searchsorted(self.example.targets, ends).tolist()
        counts = [b - a for a, b in pairwise([0, *before])]
        return [(v, n) for (v, _), n in zip(self.versions, counts, strict=True)]


def read_sample(
    record: dict,
    vocab: int,
    allow_truncated_sampling: bool = False,
    vision: Vision | None = None,
) -> Sample:
    """Check a scored record and extract the tensors that an update needs.

    `vision`: of a policy that takes pictures (swr1.vision).

    Raises DataError naming the record's id for whatever would make the update wrong: missing or
    unequal token arrays, ids outside the vocabulary, no reward, log-probabilities of a distribution
    that is not the one trained on, pictures that are not those that the policy saw.
    """
    location = getattr(record, "location", None)
    name = f"record {record.get('id')!r}, sample {record.get('sample')}"
    try:
        return _sample_of(record, vocab, allow_truncated_sampling, location, vision)
    except _Bad as error:
        raise DataError(f"{name}: {error}", location) from None
    except DataError as error:
        raise DataError(f"{name}: {error.reason}", location) from None


class _Bad(Exception):
    """The fault of a record, without its name."""


def _sample_of(
    record: dict,
    vocab: int,
    allow_truncated_sampling: bool,
    location: str | None,
    vision: Vision | None,
) -> Sample:
    generation = record.get("generation")
    if not isinstance(generation, dict):
        raise _Bad("no `generation`: it was not made by swr1 rollout")
    prompt, tokens, logprobs, mask = _arrays(generation, vocab)
    size, sample = generation.get("group"), record.get("sample")
    if not isinstance(size, int) or size < 1 or not isinstance(sample, int):
        raise _Bad("no `sample` or no `generation.group` (samples per prompt)")
    reward = record.get("reward")
    if not isinstance(reward, int | float) or not math.isfinite(reward):
        raise _Bad(f"`reward` is {reward!r}, not a finite number; run swr1 reward on it first")
    positions = [i for i, m in enumerate(mask) if m]
    old = torch.tensor([logprobs[i] for i in positions], dtype=torch.float32)
    if not bool(torch.isfinite(old).all()):
        raise _Bad("`generation.logprobs` has a value that is not finite at a trained token")
    sampling = generation.get("sampling") or {}
    ref = _reference(generation.get("ref_logprobs"), len(tokens), positions)
    kept = _kept(generation, tokens, positions, vocab)
    temperature = _temperature(sampling, allow_truncated_sampling or kept is not None)
    pictures = sampled_pictures(record, vision)
    if vision:
        prompt = vision.expand(prompt, pictures)
    ids = torch.tensor(prompt + tokens, dtype=torch.long)
    source = generation.get("policy") or {}
    try:
        versions = versions_of(generation)
    except ValueError as error:
        raise _Bad(str(error)) from None
    return Sample(
        id=str(record["id"]),
        epoch=generation.get("epoch") or 0,
        sample=sample,
        size=size,
        example=Example(
            ids, torch.tensor(positions, dtype=torch.long) + len(prompt), pictures, kept
        ),
        recorded=old,
        old=old,
        reward=float(reward),
        parts={
            name: float(part["value"]) if isinstance(part["value"], int | float) else math.nan
            for name, part in (record.get("reward_parts") or {}).items()
            if isinstance(part, dict) and "value" in part and part.get("null") != "skip"
        },
        scores={
            name: float(verdict["score"])
            for name, verdict in (record.get("verdicts") or {}).items()
            if isinstance(verdict, dict) and isinstance(verdict.get("score"), int | float)
        },
        temperature=temperature,
        tokens=len(tokens),
        limit=sampling.get("max_tokens"),
        truncated=generation.get("finish_reason") == "length",
        version=source.get("version"),
        versions=versions,
        policy=str(source.get("name") or ""),
        ref=ref,
        location=location,
    )


def _arrays(generation: dict, vocab: int) -> tuple[list[int], list[int], list[float], list[int]]:
    """Prompt ids, token ids, log-probabilities and loss mask."""
    if generation.get("guided"):
        raise _Bad(
            "`generation.guided`: it was chosen among candidates, so it is no sample of the policy, and RL"
            " cannot use it (sft and dpo can)"
        )
    arrays: dict[str, list] = {}
    for name in ("prompt_ids", "token_ids", "logprobs"):
        value = generation.get(name)
        if not isinstance(value, list):
            engine = generation.get("engine") or {}
            if lack := (engine.get("lacks") or {}).get(name):
                raise _Bad(
                    f"no `generation.{name}`: the engine {engine.get('name')!r} gave none: {lack}"
                )
            raise _Bad(
                f"no `generation.{name}`; make rollouts with their token arrays (not the slim"
                " profile) and with log-probabilities"
            )
        arrays[name] = value
    prompt, tokens, logprobs = arrays.values()
    mask = generation.get("loss_mask")
    if mask is None:
        mask = [1] * len(tokens)
    if not len(tokens) == len(logprobs) == len(mask):
        raise _Bad(
            f"{len(tokens)} token_ids, {len(logprobs)} logprobs and {len(mask)} loss_mask entries:"
            " their lengths must be equal"
        )
    if set(mask) - {0, 1}:
        raise _Bad("`generation.loss_mask` may hold 0 and 1 only")
    if not prompt:
        raise _Bad(
            "`generation.prompt_ids` is empty: there is nothing to predict the first token from"
        )
    for name, ids in (("prompt_ids", prompt), ("token_ids", tokens)):
        if ids and not (min(ids) >= 0 and max(ids) < vocab):
            wrong = next(i for i in ids if not 0 <= i < vocab)
            raise _Bad(
                f"`generation.{name}` has {wrong}, outside the policy's vocabulary of {vocab}:"
                " the rollout was made by another model"
            )
    return prompt, tokens, logprobs, mask


def _reference(logprobs: list[float] | None, tokens: int, positions: list[int]) -> Tensor | None:
    """The log-probabilities of a reference at the trained positions, if the record has them."""
    if logprobs is None:
        return None
    if len(logprobs) != tokens:
        raise _Bad(f"{tokens} token_ids and {len(logprobs)} ref_logprobs: they must be equal")
    ref = torch.tensor([logprobs[i] for i in positions], dtype=torch.float32)
    if not bool(torch.isfinite(ref).all()):
        raise _Bad("`generation.ref_logprobs` has a value that is not finite")
    return ref


def _kept(
    generation: dict, tokens: list[int], positions: list[int], vocab: int
) -> tuple[Tensor, Tensor] | None:
    """The tokens that a cut distribution had at the trained positions: counts [N] and ids [M]."""
    counts, ids = generation.get("kept_counts"), generation.get("kept_ids")
    if counts is None and ids is None:
        return None
    counts, ids = counts or [], ids or []
    if len(counts) != len(tokens) or min(counts, default=0) < 0 or sum(counts) != len(ids):
        raise _Bad(
            f"{len(tokens)} token_ids, {len(counts)} kept_counts with a sum of {sum(counts)} and"
            f" {len(ids)} kept_ids: they do not belong together"
        )
    if ids and not (min(ids) >= 0 and max(ids) < vocab):
        raise _Bad(f"`generation.kept_ids` has an id that the policy's {vocab} tokens have not")
    starts = [0, *accumulate(counts)]
    sets = [ids[starts[i] : starts[i + 1]] for i in positions]
    for i, some in zip(positions, sets, strict=True):
        if tokens[i] not in some:
            raise _Bad(f"token {i} ({tokens[i]}) is not among those that `kept_ids` says were left")
    return (
        torch.tensor([len(some) for some in sets], dtype=torch.long),
        torch.tensor([n for some in sets for n in some], dtype=torch.long),
    )


def _temperature(sampling: dict, allow_truncated_sampling: bool) -> float:
    """The temperature of a distribution that can be trained on."""
    temperature = sampling.get("temperature", 1.0)
    if not temperature > 0:
        raise _Bad("sampled at temperature 0: a greedy completion has no distribution to train on")
    off = {"top_p": (None, 1), "top_k": (None, 0, -1), "min_p": (None, 0)}
    cut = [name for name in off if sampling.get(name) not in off[name]]
    if cut and not allow_truncated_sampling:
        options = ", ".join(f"{name}={sampling[name]}" for name in cut)
        raise _Bad(
            f"sampled with {options}: its log-probabilities are of a cut distribution and every"
            " ratio would be biased. Sample with rollout --keep-sets, or without these, or accept the"
            " bias with --allow-truncated-sampling"
        )
    return float(temperature)


def gather(
    records: Iterable[dict | Mark],
    read: Callable[[dict], Sample],
    dropped: Counter[str],
    on_lost: Callable[[], None] = lambda: None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[list[Sample]]:
    """Complete groups in the order of their completion, each sorted by `sample`.

    The marks of a pipe show which groups will never be complete: a group still open when the samples
    of its prompt have ended, a group of which nothing came, and all open groups when the sender
    waits for us or was silent for too long. Without marks, groups are given up at the end of the
    input, or when OPEN_GROUPS are open.

    Args:
        dropped: counts the samples that were given up, by reason.
        on_lost: called for each group that was given up.
        on_wait: called when the sender waits, after the groups that it lost. Only then may the
            sender learn of them: its behaviour must not depend on the moment.

    Raises DataError for a sample that is there twice, for a group that is complete and comes again,
    and for one that comes after its end was marked.
    """
    open_groups: OrderedDict[tuple[str, int], dict[int, Sample]] = OrderedDict()
    done: set[int] = set()
    ended: set[int] = set()  # given up since their end was marked
    given_up: set[int] = set()  # given up for another reason: more of them may come
    begun = 0  # groups of which something came since the last GROUP_END

    def give_up(into: set[int]) -> None:
        key, group = open_groups.popitem(last=False)
        dropped[NEVER_COMPLETED] += len(group)
        into.add(hash(key))
        on_lost()

    for record in records:
        if isinstance(record, Mark):
            end = record in (GROUP_END, GROUP_END_WAITING)
            while open_groups:
                give_up(ended if end else given_up)
            if end and not begun:
                on_lost()  # all of its samples were dropped on the way
            if end:
                begun = 0
            if record != GROUP_END:
                on_wait()
            continue
        sample = read(record)
        key = (sample.id, sample.epoch)
        if hash(key) in done:
            raise DataError(
                f"record {sample.id!r}, sample {sample.sample}: the group of epoch {sample.epoch} is"
                f" complete already with {sample.size} samples; is a file given twice?",
                getattr(record, "location", None),
            )
        if hash(key) in ended:
            raise DataError(
                f"record {sample.id!r}, sample {sample.sample}: it comes after the end of its group:"
                " a stage of this pipe changes the order of records, on which rollout --max-lag"
                " relies; leave that stage out, or make it keep the order",
                getattr(record, "location", None),
            )
        if hash(key) in given_up:
            dropped[NEVER_COMPLETED] += 1
            continue
        begun += key not in open_groups
        group = open_groups.setdefault(key, {})
        if sample.sample in group:
            raise DataError(
                f"record {sample.id!r}: sample {sample.sample} of epoch {sample.epoch} is there twice",
                getattr(record, "location", None),
            )
        group[sample.sample] = sample
        if len(group) >= sample.size:
            del open_groups[key]
            done.add(hash(key))
            yield [group[i] for i in sorted(group)]
        elif len(open_groups) > OPEN_GROUPS:
            give_up(given_up)
    while open_groups:
        give_up(given_up)


def digest(group: list[Sample]) -> str:
    """A digest that identifies an input: the first group's ids, tokens and policy versions."""
    h = hashlib.sha256()
    for s in group:
        of = s.versions or s.version
        h.update(f"{s.id} {s.epoch} {s.sample} {of} {s.example.ids.tolist()}\n".encode())
        h.update("".join(picture.digest for picture in s.example.pictures).encode())
    return h.hexdigest()[:16]


def mean_of(values: Iterable[Any]) -> float | None:
    """The mean; None for no values."""
    numbers = [float(v) for v in values]
    return sum(numbers) / len(numbers) if numbers else None
