"""The functions of `from swr1 import ...` that no room has in this form: each a few lines over a room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from swr1.types import Record, Verdict

if TYPE_CHECKING:
    from torch import Tensor

    from swr1.objectives.presets import Objective
    from swr1.policy import Policy


def read_records(
    *files: str | os.PathLike[str], needs: Iterable[str] = ("id",)
) -> Iterator[Record]:
    """The records of files, globs and shard folders (JSONL, .gz, .zst, Parquet), in order.

    Raises DataError, with file and line, at the first record that is bad or lacks one of `needs`.
    """
    from swr1.streams import read

    for record, _ in read([os.fspath(file) for file in files], needs=needs):
        yield cast("Record", record)


def write_records(file: str | os.PathLike[str], records: Iterable[Record]) -> int:
    """Write a plain .jsonl file, whole or not at all; returns how many records it has."""
    from swr1.records import pack, validate
    from swr1.streams.files import write_atomically

    count = 0

    def write(out: Any) -> None:
        nonlocal count
        for record in records:
            validate(record)
            out.write(pack(record) + b"\n")
            count += 1

    write_atomically(Path(file), write)
    return count


def make_puzzles(n: int, **options: Any) -> Iterator[Record]:
    """`n` Knights and Knaves puzzles as records; the options are those of puzzles.generator.generate."""
    from swr1.puzzles.generator import generate
    from swr1.records import VERSION, make_id

    for puzzle in generate(n, **options):
        name = make_id(puzzle["task"], puzzle["prompt"], puzzle["answer"])
        yield cast("Record", {"v": VERSION, "id": name, **puzzle})


@contextmanager
def open_verifiers(
    *names: str, settings: Sequence[str] = (), timeout: float = 10.0, **model: str
) -> Iterator[Callable[[Record], dict[str, Verdict]]]:
    """A function from a record with a completion to its verdicts, by verifier.

    Args:
        names: verifiers, e.g. "format", "knights" or "./mine.py:check".
        settings: "VERIFIER.NAME=VALUE" pairs.
        timeout: seconds per record for a verifier of yours, which runs in a process of its own.
        model: options of verifiers that are models, e.g. guard="Qwen3Guard-Gen-8B".

    Raises UsageError for an unknown name or option.
    """
    from swr1.verifiers import running

    with running.open_verifiers(
        names, timeout=timeout, settings=settings, model=model
    ) as verifiers:
        yield cast("Callable[[Record], dict[str, Verdict]]", verifiers)


def load_policy(policy: Policy | str) -> tuple[Any, Any]:
    """Model and tokenizer of a policy's latest version (or of a model folder), float32, on the CPU."""
    import torch

    from swr1.models import load_causal_lm, load_tokenizer
    from swr1.policy import model_folder

    folder = model_folder(str(getattr(policy, "path", policy)))
    return load_causal_lm(folder, torch.float32), load_tokenizer(folder)


def save_version(policy: Policy, model: Any, tokenizer: Any, **meta: Any) -> int:
    """Publish a model as the policy's next version; returns its number. `meta` goes into its marker."""

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return policy.publish(save, meta)


def advantages(objective: Objective, reward: Tensor, group: Tensor, seq: Tensor) -> Tensor:
    """The objective's advantage of every token [N], from one reward per completion.

    Args: reward [S]; group [S]: which prompt a completion answers, from 0; seq [N]: which completion a
    token belongs to, from 0, non-decreasing.
    """
    from swr1.objectives.advantages import ADVANTAGES, token_rewards
    from swr1.objectives.presets import options_for

    function = ADVANTAGES[objective.advantage]
    return function(token_rewards(reward, seq), seq, group, **options_for(function, objective))


def policy_loss(
    objective: Objective, logp: Tensor, old: Tensor, advantage: Tensor, seq: Tensor
) -> Tensor:
    """The objective's policy loss, a scalar over all tokens of the step. KL and entropy are not in it.

    Args: logp [N]: log-probabilities under the policy, with gradient; old [N]: when sampled;
    advantage [N]; seq [N] as in `advantages`.
    """
    from swr1.objectives.aggregate import aggregate, count
    from swr1.objectives.losses import LOSSES
    from swr1.objectives.presets import options_for

    function = LOSSES[objective.loss]
    loss = function(logp, old, advantage, seq, **options_for(function, objective))
    return aggregate(loss, seq, objective.aggregation, count(seq), objective.length)
