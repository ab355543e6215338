"""How long completions are: constant, lognormal, or as they stand in records."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from swr1.errors import DataError, UsageError
from swr1.streams import read

Z95 = 1.6448536269514722  # 95th percentile of the standard normal distribution
_PROMPTS = 5000


class Lengths(Protocol):
    """Completion lengths in tokens, each at least 1 and at most `max_tokens`."""

    max_tokens: int

    def draw(self, rng: np.random.Generator, prompts: int, samples: int) -> np.ndarray:
        """[prompts, samples] whole numbers of tokens."""

    def describe(self) -> str: ...


class Lognormal:
    """ln(length) is normal, and lengths are cut at `max_tokens`; spread 0 is a constant length.

    Args:
        mean: of the lengths before they are cut.
        spread: standard deviation of the logarithm.
    """

    def __init__(self, mean: float, spread: float, max_tokens: int) -> None:
        if not (mean >= 1 and spread >= 0 and max_tokens >= 1):
            raise UsageError(
                "lengths need a mean and a limit of at least 1 and a spread of at least 0"
            )
        self.mean, self.spread, self.max_tokens = mean, spread, max_tokens

    @classmethod
    def of(cls, mean: float, p95: float | None, max_tokens: int) -> Lognormal:
        """With this mean and 95th percentile (before they are cut at `max_tokens`).

        p95 / mean = exp(1.645 s - s^2 / 2) has two solutions; the smaller one is taken. Raises
        UsageError where there is none: p95 below the mean or above 3.87 times it.
        """
        if p95 is None:
            return cls(mean, 0.8, max_tokens)
        if p95 == mean:
            return cls(mean, 0.0, max_tokens)
        ratio = math.log(p95 / mean) if p95 > mean >= 1 else -1.0
        room = Z95**2 - 2 * ratio
        if ratio < 0 or room < 0:
            raise UsageError(
                f"no lognormal has mean {mean:g} and 95th percentile {p95:g}: the percentile is 1 to"
                " 3.87 times the mean (or read the lengths from records: --lengths FILE)"
            )
        return cls(mean, Z95 - math.sqrt(room), max_tokens)

    def draw(self, rng: np.random.Generator, prompts: int, samples: int) -> np.ndarray:
        size = (prompts, samples)
        centre = math.log(self.mean) - self.spread**2 / 2
        drawn = np.exp(rng.normal(centre, self.spread, size)) if self.spread else self.mean
        return np.clip(np.rint(np.full(size, drawn)), 1, self.max_tokens).astype(np.int64)

    def describe(self) -> str:
        if not self.spread:
            return f"all {self.mean:g} tokens"
        return f"lognormal, mean {self.mean:g}, spread {self.spread:.2f}, cut at {self.max_tokens}"


class Empirical:
    """Drawn from groups that were seen, cut at `max_tokens`: samples of one prompt are alike.

    A prompt gets lengths of one group: without repetition where that has enough.
    """

    def __init__(self, groups: Sequence[Sequence[int]], max_tokens: int) -> None:
        self.groups = [np.clip(np.asarray(g, dtype=np.int64), 1, max_tokens) for g in groups]
        self.all = np.concatenate(self.groups)
        self.max_tokens = max_tokens

    def draw(self, rng: np.random.Generator, prompts: int, samples: int) -> np.ndarray:
        rows = []
        for at in rng.integers(len(self.groups), size=prompts):
            group = rng.permutation(self.groups[at])
            if len(group) < samples:
                group = rng.choice(group, samples)
            rows.append(group[:samples])
        return np.array(rows)

    def describe(self) -> str:
        return f"as in {len(self.all):,} completions, mean {self.all.mean():.0f}"


def completion_length(record: dict) -> int | None:
    """Tokens of a record's completion, or None where it has no token ids."""
    ids = record.get("generation", {}).get("token_ids")
    return len(ids) if ids else None


@dataclass(frozen=True)
class Seen:
    """Lengths of completions by prompt, and the mean length of prompts (None: not known)."""

    groups: list[list[int]]
    prompt: float | None


def from_records(records: Iterable[dict]) -> Seen:
    """Raises DataError when no record has token ids."""
    groups: dict[Any, list[int]] = defaultdict(list)
    prompts = []
    for record in records:
        length = completion_length(record)
        if length is not None:
            generation = record["generation"]
            groups[record["id"], generation.get("epoch", 0)].append(length)
            prompts.append(len(generation.get("prompt_ids") or ()))
    if not groups:
        raise DataError(
            "no record has generation.token_ids: lengths come from what `swr1 rollout` wrote"
        )
    known = [n for n in prompts if n]
    return Seen(list(groups.values()), sum(known) / len(known) if known else None)


def summary(lengths: Lengths, seed: int = 0) -> dict[str, float]:
    """Mean, median, 95th percentile and largest of many draws, in tokens."""
    drawn = lengths.draw(np.random.default_rng(seed), _PROMPTS, 4)
    return {
        "mean": float(drawn.mean()),
        "p50": float(np.quantile(drawn, 0.5)),
        "p95": float(np.quantile(drawn, 0.95)),
        "max": float(drawn.max()),
    }


def read_completions(names: Sequence[str]) -> list[dict]:
    """The records of these files without their texts. Raises DataError for a bad one."""

    def bad(location: str, reason: str, record: object) -> None:
        raise DataError(reason, location)

    return [
        {"id": record["id"], "generation": record.get("generation") or {}}
        for record, _ in read(names, on_bad=bad)
        if isinstance(record, dict)
    ]
