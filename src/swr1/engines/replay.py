"""The engine replay: completions that were recorded before, in place of a policy.

    swr1 rollout puzzles.jsonl --engine replay --recorded rollouts.jsonl --samples 4 | swr1 verify format

It serves tests, demos and bug reports for verifiers. A request is answered by its (id, epoch, sample);
one that was not recorded is an error that names it. The records name the policy, engine and sampling of
the recording, with its token ids and log-probabilities; sampling options of the replay change nothing.
It needs no torch.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import swr1
from swr1.engines import Completion, Request, Sampling, all_good
from swr1.errors import DataError, UsageError
from swr1.options import option
from swr1.prompts import Prompt
from swr1.records import key, pack, parse
from swr1.streams.reading import read

# Fields that the rollout stage writes: they are about the group that the replay makes.
ROLLOUT_FIELDS = ("epoch", "group")


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """Files of completions. They are held in memory, compressed, at about 4 bytes a token."""

    LABEL = "replay"

    recorded: Sequence[str] | str = option(
        (),
        "For the engine replay: completed records to answer from (files, globs, shard folders).",
        kind=list[str],
        panel="Engine",
    )


DEFAULTS = ReplayOptions()


class ReplayEngine:
    """Answers from files of completed records.

    Args:
        folder: not used; a replay has no weights.

    Raises UsageError without `recorded`, DataError for a record without a completion.
    """

    name = "replay"
    version = swr1.__version__
    dtype = "as recorded"
    needs_policy = False
    Options = ReplayOptions

    def __init__(self, folder: str = "", options: ReplayOptions = DEFAULTS) -> None:
        recorded = options.recorded
        files = [recorded] if isinstance(recorded, str) else list(recorded)
        if not files:
            raise UsageError("the engine replay needs --recorded FILE: completions made before")
        self.files = ", ".join(files)
        self._recorded: dict[tuple[str, int, int], bytes] = {}
        for record, _ in read(files, needs=("id", "completion")):
            assert isinstance(record, dict)
            what = [record["completion"], record.get("generation", {})]
            self._recorded[key(record)] = zlib.compress(pack(what), 1)

    def load(self, folder: str) -> None:
        """Nothing: what was recorded stays as it is."""

    def request(self, key: tuple[str, int, int], messages: list[dict], prompt: Prompt) -> Request:
        # What the recording does not say of its prompt, nobody knows.
        return Request(key, [], facts={"prefill": None, "system_prompt": None})

    def stream(
        self, requests: Iterable[Request | None], sampling: Sampling
    ) -> Iterator[Completion | DataError]:
        """The recorded completion of each request, or the error that known is none."""
        for request in requests:
            if request is None:
                continue
            packed = self._recorded.get(request.key)
            yield self._missing(request.key) if packed is None else _completion(packed)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """All of them; DataError for one that was not recorded."""
        return all_good(self.stream(requests, sampling))

    def _missing(self, key: tuple[str, int, int]) -> DataError:
        name, epoch, sample = key
        known = sorted({(e, s) for n, e, s in self._recorded if n == name})
        what = (
            f"its (epoch, sample) are {', '.join(map(str, known[:8]))}"
            if known
            else "none of this id is"
        )
        return DataError(
            f"record {name!r}, epoch {epoch}, sample {sample} is not in {self.files}: {what}"
        )


def _completion(packed: bytes) -> Completion:
    text, generation = parse(zlib.decompress(packed))
    facts: dict[str, Any] = {n: v for n, v in generation.items() if n not in ROLLOUT_FIELDS}
    before = facts.get("engine") or {}
    facts["engine"] = {
        "name": ReplayEngine.name,
        "version": ReplayEngine.version,
        "dtype": before.get("dtype", ReplayEngine.dtype),
        "recorded": before.get("recorded", before),
    }
    logprobs = facts.get("logprobs")
    return Completion(
        facts.get("token_ids"),
        None if logprobs is None else np.array(logprobs, dtype=np.float32),
        facts.get("finish_reason", "stop"),
        text,
        facts,
    )


Engine = ReplayEngine
