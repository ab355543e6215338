"""Which files belong to which run: the arguments [LABEL=]FILE of `swr1 eval` and `swr1 plot`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from swr1.errors import UsageError


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


def files_by_name(
    arguments: Iterable[str], name_of: Callable[[Path], str] = lambda file: file.stem
) -> dict[str, str]:
    """The file of each run, by its label, or by `name_of` the file where it has none.

    Files that would have one name are called as they were given. Raises UsageError for a label given
    twice: one of its runs would be lost.
    """
    runs = list(map(split_label, arguments))
    names = Counter(label or name_of(Path(file)) for label, file in runs)
    named: dict[str, str] = {}
    for label, file in runs:
        name = label or name_of(Path(file))
        name = file if not label and names[name] > 1 else name
        if name in named:
            raise UsageError(
                f"{name!r} is given twice: give each run a label of its own, LABEL=FILE"
            )
        named[name] = file
    return named


def folder_name(run: Path) -> str:
    """The name of a policy's folder, or of the one that a metrics file is in."""
    return (run.absolute().parent if run.is_file() else run.absolute()).name
