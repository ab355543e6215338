"""Files that are written: never through somebody's link, never over a file that is being read.

Names in a folder that others may write to are not trusted: a link that was put where we are about
to write is not followed.
"""

import errno
import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from swr1.errors import SwrError, UsageError
from swr1.streams import standard
from swr1.streams.markers import marker_of

_SHARD = re.compile(r"plan\.json|\d{5}-of-\d{5}\.jsonl.*")
_OF_A_POLICY = ("versions", "trainer")  # folders that no option writes a file into


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError from within (a full disk, say) names this file, if it names none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def open_to_write(path: Path, *, append: bool = False, new: bool = False) -> BinaryIO:
    """A file, opened to be written from its start or at its end; links are not followed.

    Args:
        append: keep what it holds.
        new: a file that nobody has opened; what is there is replaced.

    Raises SwrError for a link, symbolic or hard.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    if not str(path).startswith("/dev/"):  # /dev/stderr is a link
        flags |= os.O_NOFOLLOW
    if append:
        flags |= os.O_APPEND
    if new:
        with suppress(FileNotFoundError):
            os.unlink(path)
        flags |= os.O_EXCL
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SwrError(
                f"{path} is a symbolic link: nothing is written through it. Remove it, or name the"
                " file itself"
            ) from None
        raise
    state = os.fstat(handle)
    if stat.S_ISREG(state.st_mode):
        if state.st_nlink > 1:
            os.close(handle)
            raise SwrError(
                f"{path} has another name, too (a hard link): nothing is written into it. Remove"
                " it, or choose another name"
            )
        if not append:
            os.ftruncate(handle, 0)
    return open(handle, "ab" if append else "wb")


def write_atomically(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` fill a file beside `path`, sync it, and rename it to `path`."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with naming(path), open_to_write(aside, new=True) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        fsync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- what is written must not be what is read -----------------------------------------------


def refuse_clashes(written: Mapping[str, str | Path], read: Iterable[str]) -> None:
    """Raises UsageError when a file to be written is an input, or is to be written twice.

    Files are the same by device and inode, or by their resolved path. An output comes with its
    part and marker, a folder of shards with its plan and shards; standard input and output count
    where they are files.

    Args:
        written: option -> the file, or folder of shards, that it names; "-" is standard output.
        read: arguments and values of options; those that name files, globs or folders count.
    """
    taken: dict[Any, str] = {}
    folders: list[str] = []
    for name, of in _inputs(read, folders):
        for it in _identities(name):
            taken[it] = f"is read ({of})"
    with suppress(OSError, UsageError):
        taken[_inode(os.fstat(standard.input_fd()))] = "is read (standard input)"
    taken.pop(None, None)
    outputs = [(o, path, _family(path)) for o, path in written.items() if str(path) != "-"]
    outputs.append(("standard output", "-", []))
    made = {os.path.realpath(p): f"{o} {p}" for o, p, _ in outputs if _is_folder(str(p))}
    for option, path, family in outputs:
        mine: set[Any] = set()
        for name in family:
            mine |= _identities(name)
            folder, base = os.path.split(os.path.realpath(name))
            whose = made.get(folder, named := f"{option} {path}")
            if whose != named and _SHARD.fullmatch(base):
                raise UsageError(f"{named}: this file is one of the shards of {whose}")
            inside = next((f for f in folders if _is_within(name, f)), None)
            if inside:
                raise UsageError(f"{option} {path}: it lies in {inside}, whose files are read")
        if str(path) == "-":
            with suppress(OSError, UsageError):
                mine.add(_inode(os.fstat(standard.output_fd())))
        for it in mine - {None}:
            if why := taken.get(it):
                what = option if str(path) == "-" else f"{option} {path}"
                raise UsageError(f"{what}: this file {why}; choose another one")
        taken |= dict.fromkeys(mine - {None}, f"is written by {option}")


def _inputs(values: Iterable[str], folders: list[str]) -> Iterator[tuple[str, str]]:
    """(file, the value that names it) of all files that are read; `folders` gets whole ones."""
    for value in values:
        # as it stands, LABEL=FILE, and FILE.py:FUNCTION
        forms = {value, value.partition("=")[2], value.rpartition(":")[0]} - {"", "-"}
        for form in forms:
            if "\0" in form:
                continue
            paths = [form] if os.path.lexists(form) else glob.glob(form, recursive=True)
            for name in paths:
                if not os.path.isdir(name):
                    yield name, value
                    yield str(marker_of(name)), value
                    continue
                subfolders = [os.path.join(name, sub) for sub in _OF_A_POLICY]
                if os.path.isdir(subfolders[0]):
                    folders += subfolders
                elif os.path.exists(os.path.join(name, "config.json")):
                    folders.append(name)
                else:
                    with suppress(OSError):
                        yield from ((e.path, value) for e in os.scandir(name) if e.is_file())


def _family(path: str | Path) -> list[str]:
    """The files that are created with an output."""
    name = str(path)
    if name == "-" or (os.path.exists(name) and not os.path.isfile(name) | os.path.isdir(name)):
        return []  # a device or a pipe is no file
    if _is_folder(name):
        names = os.listdir(name) if os.path.isdir(name) else []
        return [os.path.join(name, n) for n in ("plan.json", *filter(_SHARD.fullmatch, names))]
    part = f"{name}.part"
    return [name, part, str(marker_of(name)), str(marker_of(part))]


def _is_folder(name: str) -> bool:
    return name.endswith("/") or os.path.isdir(name)


def _identities(name: str) -> set[Any]:
    """The keys by which two names of one file are equal; none for a device or a pipe."""
    identities: set[Any] = set()
    with suppress(OSError, ValueError):
        state = os.stat(name)
        if not stat.S_ISREG(state.st_mode):
            return set()
        identities.add(_inode(state))
    with suppress(OSError, ValueError):
        identities.add(os.path.realpath(name))
    return identities


def _inode(state: os.stat_result) -> tuple[int, int] | None:
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


def _is_within(name: str, folder: str) -> bool:
    real = os.path.realpath(folder)
    return os.path.commonpath([os.path.realpath(name), real]) == real
