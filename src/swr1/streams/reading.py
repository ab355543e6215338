"""Reading records from files, globs, shard folders and stdin, with a place for every complaint.

Records of a pipe may be followed by marks: white space, which JSON does not mind and which stages
that keep the order of records pass on (`Mark`).
"""

import glob
import gzip
import io
import os
import select
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import orjson

from swr1.errors import DataError, UsageError
from swr1.picture_parts import has_pictures
from swr1.records import MAX_LINE, Record, key, mark, parse, validate
from swr1.rows import is_row, no_record, no_records_in
from swr1.streams import standard
from swr1.streams.leaving import leaving_whole_lines
from swr1.streams.markers import marker_of, read_plan
from swr1.streams.shards import in_order

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
_ZSTD = b"\x28\xb5\x2f\xfd"
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, OSError)  # of a compressed file
RECENT = 2**17  # records over which duplicates in a stream are detected, at least: bounded memory

OnBad = Callable[[str, str, Any], None]
"""Called with (location, reason, what was read) for a bad record; may raise to stop."""


def refuse(location: str, reason: str, raw: Any) -> NoReturn:
    """An OnBad that stops at the first bad record. Raises DataError."""
    raise DataError(reason, location)


class Mark(bytes):
    """How far a stream has come, for a reader that waits for records that may be lost on the way.

    It ends the line of a record, after its closing brace; where that record was dropped, and where
    there is none, it is a line of its own. A rollout that follows a trainer writes
    GROUP_END after the samples of each prompt and WAITING when it starts no other before the
    trainer goes on.
    """


GROUP_END = Mark(b"\t\n")
GROUP_END_WAITING = Mark(b"\t\t\n")
WAITING = Mark(b"\t\t\t\n")
SILENCE = Mark(b"\t\t\t\t\n")  # nobody writes it: it is read when nothing came for a while


class MarkedPlace(str):
    """The place of a record that a mark follows."""

    mark: Mark


def _marked(location: str, line: bytes) -> str:
    tabs = len(line) - len(line.rstrip(b"\t\n"))
    mark = {len(m): m for m in (GROUP_END, GROUP_END_WAITING, WAITING)}.get(tabs)
    if mark is None:
        return location
    place = MarkedPlace(location)
    place.mark = mark
    return place


class Placed(dict):
    """A record that knows where it was read, for stages that hold many at a time."""

    location: str


def expand(inputs: Sequence[str]) -> list[str]:
    """File names behind arguments: globs and shard folders opened, "-" kept.

    Raises UsageError for what does not exist, DataError for a folder that is not complete.
    """
    return [file for name in inputs or ("-",) for file in _files(name)]


def count_lines(inputs: Sequence[str], most: int) -> int | None:
    """Records of these files, counted up to `most`; None where plain JSONL files are not all there is."""
    count = 0
    for name in expand(inputs):
        if not name.endswith(".jsonl") or not Path(name).is_file():
            return None
        with open(name, "rb") as file:
            for line in file:
                count += bool(line.strip())
                if count >= most:
                    return count
    return count


def _files(name: str) -> list[str]:
    """The file names behind one argument."""
    if "\0" in name:
        raise UsageError(f"no file has a name like {name!r}")
    if name == "-" or (Path(name).exists() and not Path(name).is_dir()):
        return [name]  # a pipe such as <(zcat x) too
    if Path(name).is_dir():
        return shard_files(Path(name))
    if matches := sorted(glob.glob(name, recursive=True)):
        return [m for m in matches if Path(m).is_file() and m.endswith(SUFFIXES)]
    hint = (
        f": {name}.part is there, so the stage that writes it has not finished"
        if Path(f"{name}.part").exists()
        else ""
    )
    raise UsageError(f"no file, folder or glob match {name!r}{hint}")


def shard_name(index: int, shards: int) -> str:
    return f"{index:05d}-of-{shards:05d}.jsonl"


def shard_files(folder: Path) -> list[str]:
    """The record files of a folder, in order; all its shards must be there and finished."""
    plan = read_plan(folder)
    if plan is not None:
        n = plan["shards"]
        missing = [i for i in range(n) if not (folder / shard_name(i, n)).exists()]
        if missing:
            numbers = ",".join(map(str, missing))
            raise DataError(
                f"shards {numbers} of {n} are missing or not finished; finish them with"
                f" --shard I/{n} (under Slurm: --array={numbers})",
                str(folder),
            )
        return [str(folder / shard_name(i, n)) for i in range(n)]
    unfinished = sorted(p.name for p in folder.glob("*.part"))
    if unfinished:
        raise DataError(
            f"{', '.join(unfinished)} not finished: run its stage again with the same -o",
            str(folder),
        )
    files = sorted(str(p) for p in folder.iterdir() if p.name.endswith(SUFFIXES))
    if not files:
        raise DataError(f"no record files ({', '.join(SUFFIXES)}) in this folder", str(folder))
    return files


def open_lines(name: str, silence_limit: float | None = None) -> Any:
    """A buffered byte stream of the file's text, decompressed where it is; "-" is stdin.

    With `silence_limit` the lines of stdin are interspersed with SILENCE.
    """
    if name == "-":
        fd = standard.input_fd()
        if standard.is_terminal(0):
            print("Waiting for records on standard input (Ctrl-D ends it)", file=sys.stderr)
        if silence_limit is not None:
            return _TimedLines(_TimedInput(fd, silence_limit), 1 << 16)
        return standard.input_stream()
    packed = compression(name)
    if packed == "gzip":
        return gzip.open(name, "rb")
    if packed == "zstd":
        return io.BufferedReader(_Zstd(name), 1 << 18)
    return open(name, "rb", buffering=1 << 18)


def compression(name: str) -> str | None:
    """ "gzip", "zstd" or None, by a file's first bytes; by the suffix of a pipe, which is read only once."""
    if os.path.isfile(name):
        with open(name, "rb") as file:
            begin = file.read(4)
        return "gzip" if begin[:2] == b"\x1f\x8b" else "zstd" if begin == _ZSTD else None
    return "gzip" if name.endswith(".gz") else "zstd" if name.endswith(".zst") else None


def damaged(error: Exception, location: str) -> DataError:
    """The error for a compressed file that ended, or broke, after `location` (see `DAMAGE`)."""
    return DataError(
        f"the compressed file is truncated or damaged after this line ({str(error).rstrip('.')});"
        " make it again, or cut it with `zcat FILE | head -n N`",
        location,
    )


class _Zstd(io.RawIOBase):
    """pyarrow's zstd stream (it distinguishes a truncated file from a whole one) as a raw stream."""

    def __init__(self, name: str) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.OSFile(name), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _TimedInput(io.RawIOBase):
    """Standard input as a raw stream that returns nothing after so many seconds of silence."""

    def __init__(self, fd: int, silence_limit: float) -> None:
        self._fd, self._silence_limit = fd, silence_limit
        self.silent = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not select.select([self._fd], [], [], self._silence_limit)[0]:
            self.silent = True
            return None
        return os.readv(self._fd, [buffer])


class _TimedLines(io.BufferedReader):
    """The lines of the input, with SILENCE between them."""

    raw: _TimedInput
    _begun = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._begun + super().readline(size)
        self._begun = b""
        if self.raw.silent:  # perhaps in the middle of a line
            self.raw.silent, self._begun = False, line
            return SILENCE
        return line


def lines(
    name: str, on_bad: OnBad, marks: bool = False, silence_limit: float | None = None
) -> Iterator[tuple[Any, str]]:
    """(parsed line or None when bad, location) for every line that is not blank.

    Args:
        marks: yield the marks of the stream: one that is a line of its own comes as a `Mark`
            instead of a record, one that ends a record's line is in its place, a `MarkedPlace`.
        silence_limit: yield SILENCE, too, when standard input was silent for so many seconds.
    """
    label = "stdin" if name == "-" else name
    location = f"{label}:1"
    try:
        with open_lines(name, silence_limit) as stream, leaving_whole_lines(stream, name):
            number = 0
            for line in iter(partial(stream.readline, MAX_LINE + 1), b""):
                if line is SILENCE:
                    yield SILENCE, location
                    continue
                number += 1
                location = f"{label}:{number}"
                if len(line) > MAX_LINE:
                    while line is SILENCE or (line and not line.endswith(b"\n")):
                        line = stream.readline(MAX_LINE)
                    reason = f"the line is longer than {MAX_LINE // 2**20} MB: not a record"
                    on_bad(location, reason, None)
                    yield None, location
                    continue
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.isspace():
                    if marks and (place := _marked(location, line)).__class__ is MarkedPlace:
                        yield place.mark, location
                    continue
                if marks and line[-2:] == GROUP_END:
                    location = _marked(location, line)
                try:
                    record = parse(line)
                except ValueError as error:
                    of_csv = no_records_in(name, line) if number == 1 else None
                    on_bad(location, of_csv or _why_broken(line, error), line)
                    record = None
                yield record, location
    except DAMAGE as error:
        if name == "-" or not compression(name):
            raise
        raise damaged(error, location) from None


def _why_broken(line: bytes, error: ValueError) -> str:
    if not isinstance(error, orjson.JSONDecodeError):
        return str(error)
    if b"\0" in line[:8]:
        return "UTF-16, not UTF-8: write it anew, as with `iconv -f UTF-16 -t UTF-8 FILE`"
    if b"\r" in line.rstrip(b"\r\n"):
        return (
            "the line ends are bare carriage returns (CR): write them anew, as with"
            " `tr '\\r' '\\n' < FILE`"
        )
    if not line.endswith(b"\n"):
        return "the last line is torn (the file ends inside a record): its writer was stopped"
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        return f"not valid UTF-8 (byte {bad.start + 1} of the line)"
    if b"NaN" in line or b"Infinity" in line:
        return "NaN or Infinity, which JSON does not have: write null, or leave the field out"
    if line.rstrip().endswith(b"},"):
        return "broken JSON: a comma ends the line; each line is an object, with nothing between"
    return f"broken JSON: {error.msg} (character {error.pos + 1} of the line)"


def _rows(name: str, on_bad: OnBad) -> Iterator[tuple[Any, str]]:
    from swr1.streams.parquet import read_parquet

    for number, record in enumerate(read_parquet(Path(name)), 1):
        location = f"{name}:row {number}"
        if isinstance(record, ValueError):
            on_bad(location, str(record), None)
            yield None, location
        else:
            yield record, location


def read(
    inputs: Sequence[str],
    *,
    on_bad: OnBad = refuse,
    needs: Iterable[str] = ("id",),
    shard: tuple[int, int] = (0, 1),
    block: int = 1,
    marks: bool = False,
    silence_limit: float | None = None,
    unique: bool = True,
) -> Iterator[tuple[Record | Mark | None, str]]:
    """Validated records of all inputs in order, each with "FILE:LINE"; paths of pictures are absolute.

    Args:
        inputs: files, globs, "-" (the default) for stdin, and shard folders, whose shards are put
            back in the order of an unsharded run.
        on_bad: called for each bad record (broken, wrong type, missing field, duplicate id). When
            it returns, the record is yielded as None, so that positions stay countable.
        shard: (i, n) keeps the blocks whose number is i modulo n.
        block: records that stay together, since an engine's batch must not depend on sharding.
        marks, silence_limit: as in `lines`.
        unique: whether a record that comes twice is bad.

    Raises DataError for an input that is empty, truncated, unfinished or of another schema.
    """
    needs = tuple(needs)
    index, shards = shard
    seen: set[Any] = set()
    before: set[Any] = set()
    position = -1

    def open_file(name: str) -> Iterator[tuple[Any, str]]:
        return (
            _rows(name, on_bad)
            if name.endswith(".parquet")
            else lines(name, on_bad, marks, silence_limit)
        )

    for name, pairs in _streams(inputs, open_file):
        empty, folders = True, None
        for record, location in pairs:
            empty = empty and record is SILENCE
            if record.__class__ is Mark:
                yield record, location
                continue
            position += 1
            if shards > 1 and (position // block) % shards != index:
                continue
            if record is not None:
                try:
                    validate(record, needs)
                    if has_pictures(record):
                        folders = folders or _folders_of(name)
                        record = folders.located(record)
                    if unique:
                        it = mark(record)
                        if it in seen or it in before:
                            of, epoch, sample = key(record)
                            raise ValueError(f"duplicate id {of} (epoch {epoch}, sample {sample})")
                        seen.add(it)
                        if len(seen) == RECENT:
                            seen, before = set(), seen
                except ValueError as error:
                    why = no_record(record, name) if is_row(record) else str(error)
                    on_bad(location, why, record)
                    record = None
            yield record, location
        if empty and not (marker_of(name).exists() or Path(name).is_dir()):
            if name == "-":
                raise DataError("no record came: did the stage before fail?", "stdin")
            raise DataError("the file is empty: it holds no record", name)


def _folders_of(name: str) -> Any:
    from swr1.pictures.placing import Folders

    return Folders.of_input(name)


def _streams(
    inputs: Sequence[str], open_file: Callable[[str], Iterator[tuple[Any, str]]]
) -> Iterator[tuple[str, Iterator[tuple[Any, str]]]]:
    """All files and shard folders, each with its records and their places."""
    # All names are looked up before a file is read, so that errors come first.
    files_by_input = [(name, _files(name)) for name in inputs or ("-",)]
    for name, files in files_by_input:
        if Path(name).is_dir() and read_plan(Path(name)):
            yield name, in_order(files, open_file)
        else:
            yield from ((file, open_file(file)) for file in files)
