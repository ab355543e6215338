"""What went wrong, to read: the records that a measure counts as bad, without their token arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson

from swr1.records import Record, pack
from swr1.streams.files import write_atomically

_ARRAYS = ("token_ids", "prompt_ids", "logprobs", "ref_logprobs", "loss_mask")


class Failures:
    """Failed records of all runs, each with `info.run` and `info.failed`, the measures."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def of(self, run: str) -> Callable[[Record, list[str]], None]:
        """What notes a record of this run."""

        def note(record: Record, failed: list[str]) -> None:
            generation = record.get("generation") or {}
            slim = {k: v for k, v in generation.items() if k not in _ARRAYS}
            info = {**(record.get("info") or {}), "run": run, "failed": failed}
            line = {**record, "generation": slim, "info": info}
            self.lines.append(pack(line, orjson.OPT_APPEND_NEWLINE))

        return note

    def write(self, out: Path) -> None:
        """A JSONL file, whole or not at all."""
        write_atomically(out, lambda file: file.writelines(self.lines))
