"""The files that are indexed: which of a folder, of what kind, and whether they have changed."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from swr1.errors import DataError, UsageError
from swr1.loading.kinds import SUFFIXES as ROWS
from swr1.records import as_text

MARKER = "swr1-index.json"  # what a folder that is an index holds
MARKDOWN, TEXT = (".md", ".markdown"), (".txt", ".text")
_PACKED = ("", ".gz", ".zst")
IN_FOLDERS = (*(f".jsonl{packed}" for packed in _PACKED), ".parquet", *MARKDOWN, *TEXT)
LONGEST_LINE = 2**20  # bytes of a line of text
LARGEST_MARKDOWN = 16 * 2**20  # bytes; its parser holds the whole file


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be indexed. `name` is its path as it was typed, from this folder where it is below."""

    name: str
    path: str
    kind: str  # "rows", "markdown" or "text"


def find_sources(inputs: Sequence[str], output: Path) -> list[Source]:
    """The files behind the arguments, in the order of their names; each once.

    Of a folder: rows, Markdown and text by their suffixes (IN_FOLDERS), without hidden files and
    folders, without indexes, and without `output`. Raises UsageError for what does not exist.
    """
    if not inputs:
        raise UsageError("index what? Name files or folders: swr1 index docs/ -o docs.index/")
    found: dict[str, Source] = {}
    for name in inputs:
        for path in _paths(name, os.path.realpath(output)):
            source = Source(_name_of(path), path, _kind_of(path))
            found[source.name] = source
    return [found[name] for name in sorted(found)]


def _paths(name: str, output: str) -> Iterator[str]:
    if name == "-":
        raise UsageError("an index is made of files, which it compares later: name one, not -")
    if os.path.isdir(name):
        files = list(_below(name, output))
        if not files:
            raise UsageError(f"no file to index ({', '.join(IN_FOLDERS)}) in {name}")
        yield from files
    elif os.path.exists(name):
        if not os.path.isfile(name):
            raise UsageError(f"{name} is no regular file: an index compares its files later")
        yield name
    else:
        matches = [] if "\0" in name else sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UsageError(f"no file, folder or glob match {name!r}")
        yield from (m for m in matches if os.path.isfile(m))


def _below(folder: str, output: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        if MARKER in files or os.path.realpath(here) == output:
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for file in sorted(files):
            path = os.path.join(here, file)
            if file[0] != "." and file.lower().endswith(IN_FOLDERS) and os.path.isfile(path):
                yield path


def _name_of(path: str) -> str:
    absolute = os.path.abspath(path)
    below = os.path.relpath(absolute)
    return as_text(os.path.normpath(path) if below.startswith("..") else below)


def _kind_of(path: str) -> str:
    name = Path(path).name.lower()
    if name.endswith(MARKDOWN):
        return "markdown"
    return "rows" if name.endswith((*ROWS, ".tsv")) else "text"


def content_of(source: Source) -> str:
    """32 hex digits of the file's bytes.

    Raises DataError, with the line, for a text that is none: another encoding, a binary file, a
    line longer than 1 MB. (Rows are checked as they are read.)
    """
    digest = hashlib.blake2b(digest_size=16)
    with open(source.path, "rb", buffering=1 << 18) as file:
        if source.kind == "rows":
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
        if source.kind == "markdown" and os.fstat(file.fileno()).st_size > LARGEST_MARKDOWN:
            raise DataError(
                f"larger than {LARGEST_MARKDOWN // 2**20} MB: no Markdown. Split it, or name it .txt",
                source.name,
            )
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if why := _no_text(line, number):
                raise DataError(why, f"{source.name}:{number}")
            digest.update(line)
    return digest.hexdigest()


def _no_text(line: bytes, number: int) -> str | None:
    """Why a line is no line of text in UTF-8; None where it is one."""
    if number == 1 and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16, not UTF-8: write it anew, as with `iconv -f UTF-16 -t UTF-8 FILE`"
    if b"\0" in line:
        return "a binary file, no text: it holds a NUL byte"
    if len(line) > LONGEST_LINE:
        return f"the line is longer than {LONGEST_LINE // 2**20} MB: no text to split"
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        return (
            f"not valid UTF-8 (byte {bad.start + 1} of the line): write the file anew, as with"
            " `iconv -f GB18030 -t UTF-8 FILE`"
        )
    return None
