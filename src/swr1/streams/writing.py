"""Writing records: to a pipe at once, to files whole or not at all, and again where they stopped.

A file grows as FILE.part (always plain JSONL, one finished record a line) beside FILE.part.meta.json
(options and inputs of the run). At the end it is converted to the format of its suffix, synced,
renamed to FILE, and FILE.meta.json is written last: the completion marker, with the counts. The
part is locked (flock) by the process that writes it, so a second one cannot; the kernel frees a
lock with its process.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from swr1.errors import SwrError, UsageError
from swr1.records import Record, key
from swr1.streams.reading import MAX_LINE, SUFFIXES, read_plan, shard_name
from swr1.terminal import shown

LOCK_PATIENCE = 2.0  # seconds for a killed writer to be gone
FLUSH_EVERY = 0.05  # seconds a finished record may wait for company on its way into a pipe


class ReaderClosed(Exception):
    """The process reading our standard output has had enough: not a failure."""


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a file beside `path`, sync it, and rename it to `path`."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        write(aside)
        with open(aside, "rb") as file:
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


class _Buffer:
    """Lines on their way to a file descriptor; a thread sees to it that none waits long.

    The first line goes out at once, so that a pipeline starts; full buffers go out as they fill.
    """

    def __init__(self, fd: int, every: float) -> None:
        self.fd, self.every = fd, every
        self._lines: list[bytes] = []
        self._size = 0
        self._lock = threading.Lock()
        self._error: OSError | None = None
        self._first, self._closed = True, threading.Event()
        self._seen = os.isatty(fd)  # by a person, on a terminal
        threading.Thread(target=self._tick, daemon=True).start()

    def write(self, line: bytes) -> None:
        with self._lock:
            self._raise()
            self._lines.append(line)
            self._size += len(line)
            if self._first or self._size >= 1 << 16:
                self._flush()
                self._raise()
                self._first = False

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._flush()
            self._raise()

    def _tick(self) -> None:
        poll = select.poll()
        poll.register(self.fd, select.POLLERR)
        while not self._closed.wait(self.every):
            with self._lock:
                self._flush()
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                # A stage that waits for input would not notice: interrupt it, so that the end of
                # the last stage ends all stages before it.
                os.kill(os.getpid(), signal.SIGPIPE)
                return

    def _flush(self) -> None:
        whole = b"".join(self._lines)
        data = memoryview(shown(whole.decode()).encode() if self._seen else whole)
        self._lines, self._size = [], 0
        try:
            while data and self._error is None:
                data = data[os.write(self.fd, data) :]
        except OSError as error:
            self._error = error

    def _raise(self) -> None:
        if isinstance(self._error, BrokenPipeError):
            raise ReaderClosed
        if self._error is not None:
            raise self._error


class NoWriter:
    """For a stage that writes no records."""

    done: Mapping[tuple, set[int]] = MappingProxyType({})
    lines_done = 0

    def write(self, record: Record, mark: bytes | None = None) -> None:
        raise AssertionError("this stage writes no records")

    def mark(self, mark: bytes) -> None: ...

    def finish(self, meta: dict[str, Any]) -> None: ...

    def stop(self) -> None: ...


class PipeWriter:
    """Records to standard output."""

    done: Mapping[tuple, set[int]] = MappingProxyType({})
    lines_done = 0

    def __init__(self) -> None:
        sys.stdout.flush()
        self._buffer = _Buffer(sys.stdout.fileno(), FLUSH_EVERY)

    def write(self, record: Record, mark: bytes | None = None) -> None:
        if mark is None:
            self._buffer.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        else:
            self._buffer.write(orjson.dumps(record) + mark)

    def mark(self, mark: bytes) -> None:
        self._buffer.write(mark)

    def finish(self, meta: dict[str, Any]) -> None:
        self._buffer.close()

    def stop(self) -> None:
        """Hand over what is finished; the reader may be gone already."""
        try:
            self._buffer.close()
        except (ReaderClosed, OSError):
            # Python flushes stdout once more at exit; let that go nowhere, silently.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class FileWriter:
    """Records to a file that appears whole or not at all and continues where it stopped.

    `done` holds what an earlier, stopped run left: (id, epoch) -> samples; `lines_done` counts it.
    """

    def __init__(self, path: Path, run: dict[str, Any], force: bool) -> None:
        if not path.name.endswith(SUFFIXES):
            raise UsageError(f"cannot tell the format of {str(path)!r}: use {', '.join(SUFFIXES)}")
        self.path, self.run = path, run
        self.part = path.with_name(f"{path.name}.part")
        self._part_meta = Path(f"{self.part}.meta.json")
        self.done: dict[tuple, set[int]] = {}
        self.lines_done = 0
        if not path.parent.is_dir():
            raise SwrError(f"{path.parent}: no such folder; make it first (mkdir -p {path.parent})")
        self._file = self._open_alone()
        if not force and self._part_meta.exists() and os.path.getsize(self.part):
            self._resume()
        else:
            os.truncate(self.part, 0)
        writer = {"writer": f"pid {os.getpid()} on {socket.gethostname()}"}
        write_atomically(self._part_meta, lambda p: p.write_bytes(_pretty(run | writer)))
        self._buffer = _Buffer(self._file.fileno(), every=0.5)

    def _open_alone(self) -> Any:
        """The part, open to append, and locked. Raises SwrError when another process writes it."""
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            file = open(self.part, "ab")
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
        before = orjson.loads(self._part_meta.read_bytes())
        changed = sorted(
            f"{name} ({before[part].get(name)} -> {self.run[part].get(name)})"
            for part in ("options", "inputs")
            for name in before[part].keys() | self.run[part].keys()
            if before[part].get(name) != self.run[part].get(name)
        )
        if changed:
            raise UsageError(
                f"{self.part} was left by a run with other options or inputs:"
                f" {', '.join(changed)}. Run it as before to continue it, or add --force to"
                " start over"
            )
        whole = 0
        with open(self.part, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n") or len(line) > MAX_LINE:
                    break
                try:
                    name, epoch, sample = key(orjson.loads(line))
                except (orjson.JSONDecodeError, KeyError, AttributeError):
                    break  # torn by a crash of the machine; all from here is owed again
                self.done.setdefault((name, epoch), set()).add(sample)
                self.lines_done += 1
                whole += len(line)
        os.truncate(self.part, whole)

    def write(self, record: Record, mark: bytes | None = None) -> None:
        self._buffer.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def mark(self, mark: bytes) -> None: ...

    def finish(self, meta: dict[str, Any]) -> None:
        self._buffer.close()
        os.fsync(self._file.fileno())
        self._file.close()
        if self.path.name.endswith(".jsonl"):
            os.replace(self.part, self.path)
            fsync_folder(self.path.parent)
        else:
            write_atomically(self.path, self._convert)
            self.part.unlink()
        whole = _pretty(self.run | meta)
        write_atomically(Path(f"{self.path}.meta.json"), lambda p: p.write_bytes(whole))
        self._part_meta.unlink(missing_ok=True)

    def stop(self) -> None:
        """Keep what is finished for the next run."""
        self._buffer.close()
        self._file.close()

    def _convert(self, aside: Path) -> None:
        if self.path.name.endswith(".parquet"):
            from swr1.streams.parquet import write_parquet

            write_parquet(aside, self._records())
            return
        with open(self.part, "rb") as source, _compressor(self.path.name, aside) as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def _records(self) -> Iterator[Record]:
        with open(self.part, "rb") as lines:
            yield from map(orjson.loads, lines)


@contextmanager
def _compressor(name: str, path: Path) -> Iterator[Any]:
    if name.endswith(".gz"):
        # no name and no time inside, so that equal records give equal files
        with open(path, "wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as target:
            yield target
    else:
        import pyarrow as pa

        with pa.CompressedOutputStream(str(path), "zstd") as target:
            yield target


def _pretty(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def is_complete(path: Path, run: dict[str, Any]) -> dict[str, Any] | None:
    """The marker of a finished output that the same options and input files made, else None."""
    marker = Path(f"{path}.meta.json")
    if not (path.exists() and marker.exists()) or run["inputs"].get("stdin"):
        return None
    meta = orjson.loads(marker.read_bytes())
    return meta if all(meta.get(k) == run[k] for k in ("options", "inputs")) else None


def shard_of(
    folder: Path, wanted: tuple[int, int] | None, environ: dict[str, str]
) -> tuple[int, int]:
    """(i, n) for a run that writes into `folder`; n is what its plan froze at the first start.

    Without --shard, a Slurm array gives it, when the array is 0..n-1 or the folder has a plan.
    Raises UsageError, with the command to use, when n is not the planned one.
    """
    plan = read_plan(folder)
    planned = plan["shards"] if plan else None
    if wanted is None and "SLURM_ARRAY_TASK_ID" in environ:
        task = int(environ["SLURM_ARRAY_TASK_ID"])
        low = int(environ.get("SLURM_ARRAY_TASK_MIN", 0))
        high = int(environ.get("SLURM_ARRAY_TASK_MAX", 0))
        tasks = int(environ.get("SLURM_ARRAY_TASK_COUNT", 1))
        whole = low == 0 and high == tasks - 1
        if planned is None and not whole:
            raise UsageError(
                f"this Slurm array is {low}-{high} with {tasks} tasks, not 0-{tasks - 1}: give"
                " --shard $SLURM_ARRAY_TASK_ID/N with the N of the whole run"
            )
        if planned is not None and task < planned:
            # a rerun of some tasks (--array=3,6) keeps the rows of the first start
            if whole and tasks > planned:
                raise UsageError(_other_plan(folder, planned, tasks))
            return task, planned
        wanted = (task, tasks)
    wanted = wanted or (0, planned or 1)
    if planned is not None and wanted[1] != planned:
        raise UsageError(_other_plan(folder, planned, wanted[1]))
    return wanted


def _other_plan(folder: Path, planned: int, asked: int) -> str:
    return (
        f"{folder} was started with {planned} shards, not {asked}: use --shard I/{planned}"
        f" (under Slurm: --array=0-{planned - 1}), or another folder"
    )


def freeze_plan(folder: Path, shards: int, run: dict[str, Any]) -> None:
    """Write the folder's plan once; a later start with other options is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = {"shards": shards, "stage": run["stage"], "options": run["options"]}
    aside = folder / f".plan.{os.getpid()}.{time.monotonic_ns()}"
    aside.write_bytes(_pretty(plan))
    try:
        os.link(aside, folder / "plan.json")  # fails when another task was first: theirs holds
    except FileExistsError:
        held = read_plan(folder) or {}
        if held["shards"] != shards:
            raise UsageError(_other_plan(folder, held["shards"], shards)) from None
        if held["options"] != plan["options"]:
            raise UsageError(
                f"{folder}/plan.json holds other options than this run ({held['options']}):"
                " use the same ones, or another folder"
            ) from None
    finally:
        aside.unlink(missing_ok=True)


def shard_path(folder: Path, shard: tuple[int, int]) -> Path:
    return folder / shard_name(*shard)
