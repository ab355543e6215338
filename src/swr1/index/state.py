"""The folder of an index: which generation counts, what it holds, who may write.

INDEX/swr1-index.json     names the generation that counts; it is replaced in one rename
INDEX/000003/store/       the backend's files
INDEX/000003/sources.jsonl    a line per source: its content, how many passages, their digest
INDEX/000004/             what a build is at, or was at when it was killed; progress.json says
                          how far it is
INDEX/.lock               held (flock) by the one process that writes
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, SwrError
from swr1.index.config import BACKENDS
from swr1.index.sources import MARKER
from swr1.records import pack, parse
from swr1.streams.files import write_atomically

FORMAT = 1  # of the folder, and of the words that an index knows
_LARGEST = 2**20  # bytes of a marker


@dataclass(frozen=True, slots=True)
class Indexed:
    """A source in an index: the digest of its bytes, how many passages it gave, and their digest."""

    source: str
    content: str
    passages: int = 0
    digest: str = ""
    dropped: int = 0  # rows that were bad


@dataclass(frozen=True, slots=True)
class State:
    """What the marker of an index says."""

    generation: int
    backend: str
    digest: str
    passages: int
    sources: int
    options: dict[str, Any]


def generation_folder(index: Path, number: int) -> Path:
    return index / f"{number:06d}"


def store_folder(index: Path, number: int) -> Path:
    return generation_folder(index, number) / "store"


def read_state(index: Path) -> State | None:
    """The marker of an index; None where there is none.

    Raises DataError for one that swr1 did not write, or a later swr1 did.
    """
    marker = index / MARKER
    if not marker.is_file():
        return None
    if marker.stat().st_size > _LARGEST:
        raise DataError("too large for the marker of an index", str(marker))
    try:
        value = parse(marker.read_bytes())
        if value["format"] != FORMAT:
            raise DataError(
                f"an index of format {value['format']!r:.20}, and this swr1 reads format {FORMAT}:"
                " make it anew with --force",
                str(marker),
            )
        state = State(**{name: value[name] for name in State.__dataclass_fields__})
        kinds = [int, str, str, int, int, dict]
        if [type(v) for v in asdict(state).values()] != kinds or state.backend not in BACKENDS:
            raise ValueError("a value is of another kind")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"not the marker of an index ({error!s:.60})", str(marker)) from None
    return state


def write_state(index: Path, state: State) -> None:
    text = orjson.dumps({"format": FORMAT, **asdict(state)}, option=orjson.OPT_INDENT_2)
    write_atomically(index / MARKER, lambda file: file.write(text + b"\n"))


def read_sources(folder: Path, size: int | None = None) -> dict[str, Indexed]:
    """The sources of a generation by their names: of the whole file, or its first `size` bytes."""
    file = folder / "sources.jsonl"
    with open(file, "rb") as lines:
        text = lines.read() if size is None else lines.read(size)
    try:
        sources = [Indexed(**parse(line)) for line in text.splitlines()]
    except (ValueError, TypeError) as error:
        raise DataError(f"the index is damaged ({error!s:.60}): make it anew", str(file)) from None
    return {one.source: one for one in sources}


def digest_of(backend: str, sources: Iterable[Indexed]) -> str:
    """32 hex digits of all passages, their places, and what ranks them.

    Neither the order of building nor the layout of files changes it. Equal digests: equal answers.
    """
    digest = hashlib.blake2b(pack([FORMAT, backend]), digest_size=16)
    for one in sorted(sources, key=lambda one: one.source):
        if one.passages:
            digest.update(pack([one.source, one.digest]))
    return digest.hexdigest()


def generations(index: Path) -> Iterator[int]:
    """The numbers of the generations that are on disk, whole or not."""
    for path in sorted(index.glob("[0-9]" * 6)):
        yield int(path.name)


def remove_others(index: Path, *keep: int) -> None:
    for number in generations(index):
        if number not in keep:
            shutil.rmtree(generation_folder(index, number), ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size


@contextmanager
def lock(index: Path) -> Iterator[None]:
    """Hold the right to write. Raises SwrError naming the holder when another process has it.

    Raises SwrError, too, for a folder that holds other things and is no index.
    """
    if index.exists():
        if not index.is_dir():
            raise SwrError(f"{index} is a file: name a folder for the index")
        ours = re.compile(rf"\.lock|\d{{6}}|\.?{re.escape(MARKER)}(\.tmp)?")
        others = [p.name for p in index.iterdir() if not ours.fullmatch(p.name)]
        if others and not (index / MARKER).exists():
            raise SwrError(
                f"{index} holds other things ({others[0]!r}) and is no index: name a new folder"
            )
    index.mkdir(parents=True, exist_ok=True)
    with open(index / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise SwrError(
                f"{index} is being written by {holder}: wait for it or stop it"
            ) from None
        file.truncate(0)
        file.write(f"swr1 index (pid {os.getpid()} on {socket.gethostname()})\n")
        file.flush()
        yield
