"""Writing records: to a pipe at once, to files whole or not at all, and again where they stopped.

A file grows as FILE.part (always plain JSONL, one finished record a line) beside FILE.part.meta.json
(options and inputs of the run). At the end it is converted to the format of its suffix, synced,
renamed to FILE, and FILE.meta.json is written last: the completion marker, with the counts. The
part is locked (flock) by the process that writes it, so a second one cannot; the kernel frees a
lock with its process.
"""

import fcntl
import gzip
import hashlib
import math
import os
import select
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import orjson

from swr1.errors import ReaderClosed, SwrError, UsageError
from swr1.picture_parts import has_pictures
from swr1.records import MAX_LINE, Record, key, pack, parse, validate
from swr1.streams import ending, standard
from swr1.streams.files import fsync_folder, naming, open_to_write, write_atomically
from swr1.streams.markers import marker_of, pretty, read_run
from swr1.streams.reading import SUFFIXES
from swr1.terminal import shown

LOCK_TIMEOUT = 2.0  # seconds for a killed writer to be gone
FULL = 1 << 16  # bytes that go out without waiting for company
FLUSH_EVERY = 0.05  # seconds a finished record may wait for company on its way into a pipe
LAST = 1.0  # seconds in which a stopped stage's reader may take the last records


class _Buffer:
    """Lines on their way to a file descriptor, written by a thread of their own.

    A signal interrupts the main thread anywhere; here it cannot tear a line. The first line goes out
    at once, so that a pipeline starts; a full buffer as it fills, and others after `every` seconds.
    """

    def __init__(self, fd: int, every: float, path: Path | None = None) -> None:
        self.fd, self.every, self.path = fd, every, path
        self.most: float = 2 * FULL  # bytes that may wait; who writes more waits for the reader
        self._lines: list[bytes] = []
        self._size = 0
        self._lock = threading.Lock()
        self._wake, self._room = threading.Condition(self._lock), threading.Condition(self._lock)
        self._error: OSError | None = None
        self._first, self._closing, self._done = True, False, False
        self._seen = os.isatty(fd)  # by a person, on a terminal
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, line: bytes) -> None:
        with self._lock:
            self._lines.append(line)
            self._size += len(line)
            if self._first or self._size >= FULL:
                self._wake.notify()
                while self._size >= self.most and not self._done:
                    self._room.wait()
        if self._error is not None:
            self._raise()

    def close(self, timeout: float | None = None) -> None:
        """Hand over all lines, or as many as possible in `timeout` seconds.

        Raises ReaderClosed or OSError when that cannot be.
        """
        with self._lock:
            self._closing = True
            self._wake.notify()
            self._room.wait_for(lambda: self._done, timeout)
        self._raise()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self.fd, select.POLLERR)
        while True:
            with self._lock:
                if not (self._closing or self._size >= FULL or (self._first and self._lines)):
                    self._wake.wait(self.every)
                lines, self._lines, self._size = self._lines, [], 0
                self._first = self._first and not lines
                closing = self._closing
                self._room.notify_all()
            self._put(lines)
            left = any(event & select.POLLERR for _, event in poll.poll(0))
            if closing or self._error is not None or left:
                break
        with self._lock:
            self._done = True
            self._room.notify_all()
        if not closing and (left or isinstance(self._error, BrokenPipeError)):
            self._error = self._error or BrokenPipeError()
            ending.reader_left()

    def _put(self, lines: list[bytes]) -> None:
        whole = b"".join(lines)
        data = memoryview(shown(whole.decode()).encode() if self._seen else whole)
        try:
            while data:
                data = data[os.write(self.fd, data) :]
        except OSError as error:
            self._error = error

    def _raise(self) -> None:
        if isinstance(self._error, BrokenPipeError):
            raise ReaderClosed
        if self._error is not None:
            self._error.filename = str(self.path or "standard output")
            raise self._error


class NoWriter:
    """The writer of a stage that writes no records."""

    done: Mapping[tuple, set[int]] = MappingProxyType({})
    lines_done = 0

    def write(self, record: Record, mark: bytes | None = None) -> None:
        raise AssertionError("this stage writes no records")

    def mark(self, mark: bytes) -> None: ...

    def wait_never(self) -> None: ...

    def keeps_pictures(self) -> tuple[Path | None, bool]:
        """Where the pictures of its records are kept: beside a file in this folder, inside the records."""
        from swr1.pictures.config import current

        return None, current().inline_pictures

    def finish(self, meta: dict[str, Any]) -> None: ...

    def stop(self) -> None: ...


class PipeWriter(NoWriter):
    """Writes records to standard output."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._buffer = _Buffer(standard.output_fd(), FLUSH_EVERY)

    def write(self, record: Record, mark: bytes | None = None) -> None:
        if mark is None:
            self._buffer.write(pack(record, orjson.OPT_APPEND_NEWLINE))
        else:
            self._buffer.write(pack(record) + mark)

    def mark(self, mark: bytes) -> None:
        self._buffer.write(mark)

    def wait_never(self) -> None:
        """Keep what the reader does not take yet; for a stage that bounds its output by other means."""
        self._buffer.most = math.inf

    def finish(self, meta: dict[str, Any]) -> None:
        self._buffer.close()

    def stop(self) -> None:
        """Hand over the finished records; the reader may be gone already.

        After a signal a reader that does not read is not waited for: it may itself be ending.
        """
        try:
            self._buffer.close(LAST if ending.swallowed() else None)
        except (ReaderClosed, OSError):
            standard.abandon()


class FileWriter:
    """Writes records to a file that appears whole or not at all and continues where it stopped.

    `done` holds what an earlier, stopped run left: (id, epoch) -> samples; `lines_done` counts it.
    """

    def __init__(self, path: Path, run: dict[str, Any], force: bool) -> None:
        if not path.name.endswith(SUFFIXES):
            raise UsageError(
                f"the suffix of {str(path)!r} names no format: use {', '.join(SUFFIXES)}"
            )
        self.path, self.run = path, run
        self.part = path.with_name(f"{path.name}.part")
        self._part_meta = marker_of(self.part)
        self.done: dict[tuple, set[int]] = {}
        self.lines_done = 0
        self._pictures = False  # whether any record has some
        if not path.parent.is_dir():
            raise SwrError(f"{path.parent}: no such folder; make it first (mkdir -p {path.parent})")
        self._file = self._open_alone()
        if not force and self._part_meta.exists() and os.path.getsize(self.part):
            self._resume()
        else:
            os.ftruncate(self._file.fileno(), 0)
        writer = {"writer": f"pid {os.getpid()} on {socket.gethostname()}"}
        write_atomically(self._part_meta, lambda file: file.write(pretty(run | writer)))
        self._buffer = _Buffer(self._file.fileno(), every=0.5, path=self.part)

    def _open_alone(self) -> BinaryIO:
        """The part, open to append, and locked. Raises SwrError when another process writes it."""
        deadline = time.monotonic() + LOCK_TIMEOUT
        if (
            self.part.exists() and not self.part.is_file()
        ):  # a named pipe: it would wait for a reader
            raise SwrError(f"{self.part} is there and no file: remove it, or choose another output")
        while True:
            file = open_to_write(self.part, append=True)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                if time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                raise SwrError(
                    f"{self.part} is being written by another process ({self._writer()}): wait for"
                    " it or stop it"
                ) from None
            except OSError:
                return file  # this file system has no locks
            try:
                if os.stat(self.part).st_ino == os.fstat(file.fileno()).st_ino:
                    return file
            except FileNotFoundError:
                pass
            file.close()  # its writer had finished and renamed it

    def _writer(self) -> str:
        try:
            return orjson.loads(self._part_meta.read_bytes())["writer"]
        except (OSError, ValueError, KeyError):
            return "just started"

    def _resume(self) -> None:
        if changed := _changed(read_run(self._part_meta), self.run):
            raise UsageError(
                f"{self.part} was left by a run with other options or inputs: {changed}. Run it as"
                " before to continue it, or add --force to start over"
            )
        whole = 0
        with open(self.part, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n") or len(line) > MAX_LINE:
                    break
                try:
                    record = parse(line)
                    validate(record)
                except ValueError:
                    break  # torn by a crash of the machine; all from here is owed again
                if has_pictures(record) and not self._has_its_pictures(record):
                    break  # so is a picture
                name, epoch, sample = key(record)
                self.done.setdefault((name, epoch), set()).add(sample)
                self.lines_done += 1
                whole += len(line)
        os.ftruncate(self._file.fileno(), whole)

    def _has_its_pictures(self, record: Record) -> bool:
        from swr1.pictures.keeping import missing

        self._pictures = True
        return not missing(record, self.path.parent)

    def write(self, record: Record, mark: bytes | None = None) -> None:
        self._buffer.write(pack(record, orjson.OPT_APPEND_NEWLINE))

    def mark(self, mark: bytes) -> None: ...

    def wait_never(self) -> None: ...

    def keeps_pictures(self) -> tuple[Path | None, bool]:
        from swr1.pictures.config import current

        self._pictures = True
        inside = self.path.name.endswith(".parquet") or current().inline_pictures
        return self.path.parent, inside

    def finish(self, meta: dict[str, Any]) -> None:
        self._buffer.close()
        if self._pictures:
            os.sync()  # once: to wait for each takes longer than to draw it
        with naming(self.part):
            os.fsync(self._file.fileno())
        self._file.close()
        if self.path.name.endswith(".jsonl"):
            os.replace(self.part, self.path)
            fsync_folder(self.path.parent)
        else:
            write_atomically(self.path, self._convert)
            self.part.unlink()
        whole = pretty(self.run | {"file": fingerprint(self.path)} | meta)
        write_atomically(marker_of(self.path), lambda file: file.write(whole))
        self._part_meta.unlink(missing_ok=True)

    def stop(self) -> None:
        """Keep the finished records for the next run."""
        self._buffer.close()
        self._file.close()

    def _convert(self, target: BinaryIO) -> None:
        if self.path.name.endswith(".parquet"):
            from swr1.streams.parquet import write_parquet

            write_parquet(target, self.records(), self._pictures)
            return
        with open(self.part, "rb") as source, _compressor(self.path.name, target) as packed:
            shutil.copyfileobj(source, packed, 1 << 20)

    def records(self) -> Iterator[Record]:
        with open(self.part, "rb") as lines:
            yield from map(parse, lines)


@contextmanager
def _compressor(name: str, file: BinaryIO) -> Iterator[Any]:
    if name.endswith(".gz"):
        # no name and no time inside, so that equal records give equal files
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as target:
            yield target
    else:
        import pyarrow as pa

        duplicate = os.fdopen(os.dup(file.fileno()), "wb")  # pyarrow closes the file that it gets
        with pa.CompressedOutputStream(pa.PythonFile(duplicate, "w"), "zstd") as target:
            yield target


def _changed(before: dict[str, Any], run: dict[str, Any]) -> str:
    """The options and inputs in which two runs differ, as text for people."""
    return ", ".join(
        sorted(
            f"{name} ({before[part].get(name)} -> {run[part].get(name)})"
            for part in ("options", "inputs")
            for name in before[part].keys() | run[part].keys()
            if before[part].get(name) != run[part].get(name)
        )
    )


def fingerprint(path: str | Path) -> list[Any]:
    """[size, hash of both ends] of a file, to detect a later change."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        ends = file.read(1 << 20)
        file.seek(max(0, size - (1 << 20)))
        ends += file.read()
    return [size, hashlib.blake2b(ends, digest_size=8).hexdigest()]


def is_complete(path: Path, run: dict[str, Any]) -> dict[str, Any] | None:
    """The marker of an output that this run has finished before; None if the output must be made.

    Raises UsageError for an existing file of another run: it was made with other options or from
    other inputs, it was changed since, or it has no marker. No file is replaced silently.
    """
    marker, force = marker_of(path), "add --force to replace it, or choose another name"
    if not path.exists() or (not path.stat().st_size and not marker.exists()):
        return None
    if not marker.exists():
        if marker_of(f"{path}.part").exists():
            return None  # stopped between its last two steps
        raise UsageError(f"{path} is there already, and no marker says which run made it; {force}")
    meta = read_run(marker)
    if changed := _changed(meta, run):
        raise UsageError(f"{path} was made with other options or inputs: {changed}; {force}")
    if meta.get("file", fingerprint(path)) != fingerprint(path):
        raise UsageError(f"{path} was changed after its stage had finished it; {force}")
    return None if run["inputs"].get("stdin") else meta
