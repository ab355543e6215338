"""Records by number, from files of any size that may still grow, in constant memory.

A plain file is read where it stands; a compressed one, Parquet or standard input is unpacked into a
temporary file as far as somebody looked. Of every block of 64 records only the place is kept
(16 bytes), so ten million records take 2.5 MB.

Records are numbered as they are found: file by file, and what is added to a file later comes after
what was seen before, so a number never changes its record.
"""

from __future__ import annotations

import atexit
import glob
import os
import shutil
import tempfile
import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, UsageError, no_folder
from swr1.picture_parts import has_pictures
from swr1.records import MAX_LINE, Record, pack, parse, validate
from swr1.rows import is_row, no_record, no_records_in
from swr1.streams.files import naming
from swr1.streams.reading import SUFFIXES, open_lines

BLOCK = 64
BROKEN = "not a record"
"""Field of what stands in for a line that is not a record: the reason."""


def record_files(name: str) -> list[str]:
    """The record files behind an argument: finished ones and journals (FILE.part) alike.

    Raises UsageError when there are none.
    """
    path = Path(name)
    if name == "-" or path.is_file() or path.is_fifo():
        return [name]
    if path.is_dir():
        files = [p for p in sorted(path.iterdir()) if p.is_file() and is_record_file(p)]
        if not files:
            raise UsageError(f"no record files ({', '.join(SUFFIXES)}) in {name}")
        return [str(p) for p in files]
    if (part := Path(f"{path}.part")).is_file():
        return [str(part)]
    matches = [m for m in sorted(glob.glob(name, recursive=True)) if is_record_file(Path(m))]
    if not matches:
        if not name.endswith(SUFFIXES) and not glob.has_magic(name):
            raise UsageError(f"{name}: {no_folder(name)}")
        raise UsageError(f"no file, folder or glob match {name!r}")
    return matches


def is_record_file(path: Path) -> bool:
    """Whether a name is that of a record file or its journal."""
    name = path.name.removesuffix(".part")
    return name.endswith(SUFFIXES) and not name.startswith((".", "metrics.jsonl"))


class _Lines:
    """One file as a seekable stream of lines: itself, or its unpacked copy.

    It is open only while it is read: there may be more files than a process may have open.
    """

    def __init__(self, name: str) -> None:
        self.name = self.path = name
        self.more: Iterator[bytes] | None = None  # what is not unpacked yet
        self.end = 0  # how far this file is indexed
        if name == "-" or Path(name).is_fifo() or not name.endswith((".jsonl", ".part")):
            self.more = _unpacked(name)
            self.path = ""
        elif not os.access(name, os.R_OK):
            open(name, "rb")  # what is wrong is raised at once

    def read(self, offset: int, count: int) -> tuple[list[bytes], int]:
        """Up to `count` whole lines from `offset`, and where they end."""
        if self.more is not None and offset == self.end:
            self._unpack(offset, count)
        with open(self.path, "rb") as file:
            file.seek(offset)
            lines: list[bytes] = []
            while len(lines) < count:
                line = _a_line(file)
                if not line.endswith(b"\n") and not _is_whole(line):
                    break  # the end, or a record on its way
                offset = file.tell()
                if not line.isspace():
                    lines.append(line)
        return lines, offset

    def _unpack(self, offset: int, count: int) -> None:
        assert self.more is not None
        if not self.path:
            handle, self.path = tempfile.mkstemp(dir=_unpacked_files())
            os.close(handle)
        with naming(Path(self.path)), open(self.path, "r+b") as file:
            file.seek(offset)
            for _ in range(count):
                line = next(self.more, None)
                if line is None:
                    self.more = None
                    break
                file.write(line if line.endswith(b"\n") else line + b"\n")


@cache
def _unpacked_files() -> str:
    folder = tempfile.mkdtemp(prefix="swr1-view-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _a_line(stream: Any) -> bytes:
    """The next line; of one that is too long for a record its first character stands for it."""
    line = stream.readline(MAX_LINE)
    if len(line) == MAX_LINE and not line.endswith(b"\n"):
        while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
            pass
        return line[:1] + b"\n"
    return line


def _is_whole(line: bytes) -> bool:
    """Whether a last line without a newline is an object: its beginning alone never is."""
    try:
        return isinstance(parse(line), dict)
    except ValueError:
        return False


def _unpacked(name: str) -> Iterator[bytes]:
    if name.endswith(".parquet"):
        from swr1.streams.parquet import read_parquet

        for record in read_parquet(Path(name)):
            yield b"[]" if isinstance(record, ValueError) else pack(record)
        return
    try:
        with open_lines(name) as stream:
            for line in iter(partial(_a_line, stream), b""):
                if not line.isspace():
                    yield line
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"the file is truncated or damaged ({error})", name) from None


class Source:
    """Records of several files by number. Nothing is read before it is asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self._files = [_Lines(name) for name in names]
        self._first = array("Q")  # number of each block's first record
        self._at = array("Q")  # where it begins in its file
        self._of = array("I")  # which file that is
        self._turn = 0
        self._cache: OrderedDict[int, list[bytes]] = OrderedDict()
        self.count = 0

    def extend(self) -> bool:
        """Index up to 64 more records; False when there are none for now."""
        for _ in self._files:
            file = self._files[self._turn]
            begin = file.end
            lines, end = file.read(begin, BLOCK)
            if lines and not begin:
                _refuse_rows(file.name, lines)
            file.end = end
            if lines:
                self._first.append(self.count)
                self._at.append(begin)
                self._of.append(self._turn)
                self._remember(len(self._first) - 1, lines)
                self.count += len(lines)
                return True
            self._turn = (self._turn + 1) % len(self._files)
        return False

    def __getitem__(self, number: int) -> Record:
        """Record `number`. Raises IndexError past the present end."""
        while number >= self.count and self.extend():
            pass
        if not 0 <= number < self.count:
            raise IndexError(number)
        block = bisect_right(self._first, number) - 1
        return self._located(block, _parse(self._block(block)[number - self._first[block]]))

    def walk(self, start: int = 0) -> Iterator[tuple[int, Record]]:
        """(number, record) from `start` to the present end."""
        number = start
        while number < self.count or self.extend():
            block = bisect_right(self._first, number) - 1
            for line in self._block(block)[number - self._first[block] :]:
                yield number, self._located(block, _parse(line))
                number += 1

    def _located(self, block: int, record: Record) -> Record:
        """A record with the paths of its pictures absolute, where they may be opened."""
        if BROKEN in record or not has_pictures(record):
            return record
        from swr1.pictures.placing import Folders

        with suppress(ValueError):
            return Folders.of_input(self._files[self._of[block]].name).located(record)
        return record

    def _block(self, block: int) -> list[bytes]:
        if block not in self._cache:
            last = block + 1 == len(self._first)
            size = (self.count if last else self._first[block + 1]) - self._first[block]
            file = self._files[self._of[block]]
            self._remember(block, file.read(self._at[block], size)[0])
        self._cache.move_to_end(block)
        return self._cache[block]

    def _remember(self, block: int, lines: list[bytes]) -> None:
        self._cache[block] = lines
        if len(self._cache) > 8:
            self._cache.popitem(last=False)


def _refuse_rows(name: str, lines: list[bytes]) -> None:
    """Raises DataError for a file that begins with rows only: its reader would see no record."""
    rows = []
    try:
        for line in lines:
            rows.append(parse(line))
            if not is_row(rows[-1]):
                return
        why = no_record(rows[0], name)
    except ValueError:
        if rows or not (why := no_records_in(name, lines[0]) or ""):
            return
    raise DataError(why, f"{'stdin' if name == '-' else name}:1")


def _parse(line: bytes) -> Record:
    record = None
    try:
        record = parse(line)
        validate(record)
    except orjson.JSONDecodeError as error:
        return {BROKEN: f"broken JSON: {error.msg}"}
    except ValueError as error:
        return {BROKEN: str(error)} | (record if isinstance(record, dict) else {})
    return record
