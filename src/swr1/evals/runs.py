"""Which files belong to which run: the arguments [LABEL=]FILE of `swr1 eval`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def split_label(text: str) -> tuple[str, str]:
    """ "LABEL=FILE" as (label, file); a bare file, or one whose name holds "=", has no label."""
    label, equals, file = text.partition("=")
    return (label, file) if equals and not Path(text).exists() else ("", text)


def by_label(arguments: Iterable[str]) -> dict[str, list[str]]:
    """["a=1.jsonl", "a=2.jsonl", "b=3.jsonl"] as {"a": ["1.jsonl", "2.jsonl"], "b": ["3.jsonl"]}."""
    labelled: dict[str, list[str]] = {}
    for label, file in map(split_label, arguments):
        labelled.setdefault(label, []).append(file)
    return labelled


def files_by_name(arguments: Iterable[str]) -> dict[str, str]:
    """The file of each run, by its label, or by the file's name where it has none."""
    return {label or Path(file).stem: file for label, file in map(split_label, arguments)}
