"""The contract that every stage keeps, so that a subcommand only says what happens to a record.

    with Stage("reward", {"recipe": "logic-rl"}, inputs=files, output="out.jsonl") as stage:
        stage.map(score)

It reads, shards, validates and resumes; counts every drop with its reason; writes whole files;
shows progress on stderr; sums up at the end; and turns a closed pipe or a signal into a clean stop.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

import swr1
from swr1.errors import DataError, Ending, ReaderClosed, Stopped, UsageError
from swr1.picture_parts import has_pictures
from swr1.records import Record, as_text, key, pack, parse
from swr1.streams import ending, standard, writing
from swr1.streams.files import naming, open_to_write
from swr1.streams.plan import freeze_plan, shard_of
from swr1.streams.progress import Progress
from swr1.streams.reading import Mark, MarkedPlace, Placed, expand, read, shard_name
from swr1.terminal import say

if TYPE_CHECKING:
    from swr1.pictures import Opener
    from swr1.pictures.keeping import Keeper

MOST_REASONS = 100  # that are counted apart: memory and markers stay small
_WHICH = re.compile(r"""record (['"]).*?\1(, sample \S+)?: |(?<=^duplicate id) .*""", re.DOTALL)


class NothingToDo(Exception):
    """The output is there already, whole, made by the same options from the same input."""


class Stage:
    """One run of one stage. Use it as a context manager.

    Args:
        name: the subcommand.
        options: the resolved options that shape the records; their digest goes into `trail`.
        inputs: files, globs, folders or "-"; None for a source that reads nothing.
        output: "-", a file (format by suffix), a folder (one file per shard), or None: no records.
        on_error: "fail", "skip", or "quarantine" together with `quarantine`, a path.
        shard: (i, n); None takes it from a Slurm array when the output is a folder.
        block: consecutive input records that are never split between shards.
        total: number of records to come, when known, for the progress bar.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        *,
        inputs: Sequence[str] | None = None,
        output: str | None = "-",
        on_error: str = "fail",
        quarantine: Path | None = None,
        shard: tuple[int, int] | None = None,
        block: int = 1,
        quiet: bool = False,
        metrics: Path | None = None,
        force: bool = False,
        total: int | None = None,
    ) -> None:
        self.name, self.options = name, options
        self.inputs, self.output = inputs, output
        self.on_error, self.quarantine_path = on_error, quarantine
        self.shard, self.block = shard, block
        self.quiet, self.metrics, self.force, self.total = quiet, metrics, force, total
        code = {"stage": name, "code": swr1.__version__, "options": options}
        try:
            packed = pack(code, orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        except ValueError as error:  # bytes of the command line that are no text
            raise UsageError(f"an option holds what no record can: {error}") from None
        self.digest = hashlib.blake2b(packed, digest_size=4).hexdigest()
        self.came = self.went = 0
        self.drops: Counter[str] = Counter()
        self.tallies: dict[str, Counter[str]] = defaultdict(Counter)
        self.summary = ""  # what the last line on stderr begins with, of a stage without records
        self._per_input: list[list[int]] = []  # [outputs of an input, how many such in a row]
        self._quarantine: Any = None

    # --- begin and end -----------------------------------------------------------------------

    def __enter__(self) -> Stage:
        self.started = time.monotonic()
        ending.install()
        run = {
            "stage": self.name,
            "version": swr1.__version__,
            "digest": self.digest,
            "options": parse(pack(self.options)),
            "inputs": self._fingerprint(),
        }
        self.writer: writing.PipeWriter | writing.FileWriter | writing.NoWriter
        if self.output in ("-", None):
            self.shard = self.shard or (0, 1)
            self.writer = writing.PipeWriter() if self.output else writing.NoWriter()
        else:
            assert self.output
            path = Path(self.output)
            if self.output.endswith("/") or path.is_dir():
                self.shard = shard_of(path, self.shard, dict(os.environ))
                run["shard"] = list(self.shard)
                freeze_plan(path, self.shard[1], run)
                path = path / shard_name(*self.shard)
            elif self.shard and self.shard != (0, 1):
                run["shard"] = list(self.shard)
            self.shard = self.shard or (0, 1)
            if not self.force and (meta := writing.is_complete(path, run)):
                self.say(f"{path} is complete ({meta['records']} records): nothing to do")
                raise NothingToDo
            again = not self.force and path.exists()
            self.writer = writing.FileWriter(path, run, self.force)
            if self.writer.lines_done:
                self.say(f"continuing {path}: {self.writer.lines_done} records are done")
            elif again:
                self.say(f"{path} is made again: nothing shows whether standard input is the same")
        if self.on_error == "quarantine":
            assert self.quarantine_path
            self._quarantine = open_to_write(self.quarantine_path)
        piped = self.output == "-" and not standard.is_terminal(1)
        alone = not piped and not standard.is_pipe(0)
        self.progress = Progress(self.name, self.total, self.quiet, bar=alone, last=not piped)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self.progress.close()
        if self._quarantine:
            with naming(cast("Path", self.quarantine_path)):
                self._quarantine.close()
        if not isinstance(error, Ending):
            error = ending.swallowed() or error
        try:
            if error is None:
                self.writer.finish({"records": self.writer.lines_done + self.went} | self.counts())
        except Ending as late:
            error = late
        if error is not None:
            self.writer.stop()
        if error is None or isinstance(error, ReaderClosed):
            self._summarise()
            ending.heeded()
            return True
        if isinstance(error, Stopped):
            if self.output not in ("-", None):
                self.say("stopped; the same command continues where it was")
            raise error from None
        return False

    def counts(self) -> dict[str, Any]:
        """What came, went and was dropped, as it goes into FILE.meta.json and --metrics."""
        return {
            "in": self.came,
            "out": self.writer.lines_done + self.went,
            "drops": dict(self.drops),
            "tallies": {name: dict(counter) for name, counter in self.tallies.items()},
            "block": self.block,
            "per_input": self._per_input,
        }

    # --- reading -----------------------------------------------------------------------------

    def read(self, needs: Sequence[str] = ("id",)) -> Iterator[Placed | None]:
        """The valid input records of this shard, each with its `location`.

        A bad record is dropped by the policy and comes as None: close it with `end_input`.
        """
        return cast("Iterator[Placed | None]", self._read(needs, marks=False))

    def read_marked(
        self, needs: Sequence[str], silence_limit: float | None
    ) -> Iterator[Placed | Mark | None]:
        """As `read`, with the marks of a pipe; SILENCE when none came for `silence_limit` seconds."""
        return self._read(needs, marks=True, silence_limit=silence_limit)

    def _read(self, needs: Sequence[str], **more: Any) -> Iterator[Placed | Mark | None]:
        for record, location in self._pairs(needs, **more):
            if isinstance(record, Mark):
                yield record
                continue
            self.came += 1
            if record is None:
                yield None
                if isinstance(location, MarkedPlace):
                    yield location.mark
                continue
            placed = Placed(record)
            placed.location = location
            yield placed
            if isinstance(location, MarkedPlace):
                yield location.mark

    def map(
        self, function: Callable[[Record], Record | None], needs: Sequence[str] = ("id",)
    ) -> None:
        """Apply `function` to each record and write what it returns; None was dropped by it."""
        done = self.writer.done
        for record, location in self._pairs(needs, marks=True):
            if record.__class__ is Mark:
                self.mark(record)
                continue
            self.came += 1
            written, mark = 0, location.mark if location.__class__ is MarkedPlace else None
            if record is not None:
                if done and key(record) in self:
                    written = 1
                else:
                    try:
                        result = function(record)
                        if result is not None:
                            self.write(result, mark)
                            written, mark = 1, None
                    except DataError as error:
                        self.drop(error.reason, error.location or location, record)
            if mark:
                self.mark(mark)
            self.end_input(written)

    def flat_map(
        self, function: Callable[[Placed], Iterable[Record]], needs: Sequence[str] = ("id",)
    ) -> None:
        """As `map`, for a function that makes several records of one, or none."""
        for record in self.read(needs):
            written = 0
            try:
                for made in function(record) if record is not None else ():
                    if key(made) not in self:
                        self.write(made)
                    written += 1
            except DataError as error:
                assert record is not None
                self.drop(error.reason, error.location or record.location, record)
            self.end_input(written)

    def _pairs(self, needs: Sequence[str], **more: Any) -> Iterator[tuple[Any, str]]:
        assert self.inputs is not None and self.shard is not None
        return read(
            self.inputs, on_bad=self.on_bad, needs=needs, shard=self.shard, block=self.block, **more
        )

    def on_bad(self, location: str, reason: str, raw: Any) -> None:
        """`drop`, as readers of records call it."""
        self.drop(reason, location, raw)

    def drop(self, reason: str, location: str, raw: Any = None) -> None:
        """Drop a record for a reason, by the policy: fail here, or count it, or set it aside."""
        ending.check()  # what came of a record that a signal interrupted is no fault of its own
        if self.on_error == "fail":
            raise DataError(reason, location)
        if self._quarantine:
            text = raw.decode(errors="backslashreplace") if isinstance(raw, bytes) else raw
            line = {"where": location, "reason": reason, "record": text}
            with naming(cast("Path", self.quarantine_path)):
                self._quarantine.write(pack(line, orjson.OPT_APPEND_NEWLINE))
        self.count_drop(reason)
        if self.drops.total() <= 3:
            self.say(f"dropped {location}: {reason}")

    def count_drop(self, reason: str) -> None:
        """Count a drop that is not an error (an option requests it)."""
        name = _WHICH.sub("", reason, count=1).partition(":")[0]
        if name not in self.drops and len(self.drops) >= MOST_REASONS:
            name = "for other reasons"
        self.drops[name] += 1

    def end_input(self, written: int) -> None:
        """Note how many records one input gave, so that `merge` can restore the order."""
        if self._per_input and self._per_input[-1][0] == written:
            self._per_input[-1][1] += 1
        else:
            self._per_input.append([written, 1])

    def done_records(self) -> Iterator[Record]:
        """What a stopped run of this output has written already."""
        if isinstance(self.writer, writing.FileWriter):
            from swr1.pictures.placing import Folders

            folders = Folders.of_input(str(self.writer.path.parent))
            for record in self.writer.records():
                yield folders.located(record) if has_pictures(record) else record

    def owed(self) -> tuple[int, int]:
        """For a source: the next position to produce, and the stride.

        Shard i of n produces every n-th; what a stopped run wrote counts as done.
        """
        assert self.shard is not None
        for _ in range(self.writer.lines_done):
            self.end_input(1)
        index, shards = self.shard
        return index + self.writer.lines_done * shards, shards

    # --- writing -----------------------------------------------------------------------------

    @cached_property
    def pictures(self) -> Opener:
        """Opens the pictures of this stage's records."""
        from swr1.pictures import Opener

        return Opener(say=self.say)

    @cached_property
    def _keeper(self) -> Keeper:
        from swr1.pictures.keeping import Keeper

        return Keeper(self.pictures, *self.writer.keeps_pictures())

    def __contains__(self, target: Any) -> bool:
        """Whether a stopped run of this output has this (id, epoch, sample) already."""
        return target[2] in self.writer.done.get(target[:2], ())

    def write(self, record: Record, mark: Mark | None = None) -> None:
        """Write a record, and at the end of its line a mark."""
        ending.check()
        trail = record.get("trail")
        record["trail"] = {**trail, self.name: self.digest} if trail else {self.name: self.digest}
        if has_pictures(record):
            record = self._keeper.keep(record)
        try:
            self.writer.write(record, mark)
        except ValueError as error:
            raise DataError(f"it cannot be written: {error}") from None
        self.went += 1
        if self.went >= self.progress.look_at:
            self.progress.advance(self.went)

    def mark(self, mark: Mark) -> None:
        """Write a mark in a line of its own, into a pipe; in a file it is left out."""
        self.writer.mark(mark)

    def tally(self, name: str, label: str) -> None:
        """Count a label for the summary, e.g. a verifier's verdicts."""
        self.tallies[name][label] += 1

    def on_step(self, row: dict[str, Any]) -> None:
        """Show an optimizer step: its number, the reward (or loss) and accuracy it had, how many
        steps old its samples were, and the version that it made or left."""
        shown = {"reward": "reward_mean", "accuracy": "accuracy", "loss": "loss"}
        parts = [f"{k} {row[n]:.3g}" for k, n in shown.items() if row.get(n) is not None][:2]
        parts += [f"{k} {row[k]:.3g}" for k in ("lag", "version") if row.get(k) is not None]
        self.progress.step(row["step"], ", ".join(parts))

    # --- words -------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        if not self.quiet:
            say(f"swr1 {self.name}", text)

    def _summarise(self) -> None:
        seconds = time.monotonic() - self.started
        numbers = [f"{self.came:,} in"] if self.inputs is not None else []
        numbers += [f"{self.went:,} out"] if self.output else []
        parts = [self.summary, ", ".join(numbers)]
        if self.writer.lines_done:
            parts.append(f"{self.writer.lines_done:,} done before")
        for name, counter in self.tallies.items():
            if not (whole := counter.total()):
                continue  # seconds of a run that was over at once
            most = counter.most_common(4)
            shares = [f"{label} {n / whole:.1%}" for label, n in most]
            if rest := whole - sum(n for _, n in most):
                shares.append(f"others {rest / whole:.1%}")
            parts.append(f"{name}: {', '.join(shares)}")
        if self.drops:
            reasons = "; ".join(f"{n} {reason}" for reason, n in self.drops.most_common(5))
            parts.append(f"{self.drops.total():,} dropped ({reasons})")
        self.say(f"{'; '.join(filter(None, parts))} [{seconds:.1f} s]".strip())
        if self.metrics:
            inner = ("block", "per_input")
            counts = {k: v for k, v in self.counts().items() if k not in inner}
            line = {"stage": self.name, "digest": self.digest, "seconds": seconds, **counts}
            with naming(self.metrics), open_to_write(self.metrics, append=True) as file:
                file.write(pack(line, orjson.OPT_APPEND_NEWLINE))

    def _fingerprint(self) -> dict[str, Any]:
        """Size and a hash of both ends of every input file: has the input changed since?"""
        if self.inputs is None:
            return {}
        prints: dict[str, Any] = {}
        for name in expand(self.inputs):
            if name == "-" or not Path(name).is_file():
                prints["stdin"] = True  # a pipe: cannot be looked at twice
                continue
            prints[as_text(name)] = writing.fingerprint(name)
        return prints


def default_threads() -> int | None:
    """CPU threads for a stage that runs a model: one in a pipe, where stages share the cores.

    Two torch processes with a thread for every core each are many times slower than with one
    thread each, since waiting threads spin.
    """
    return 1 if any(map(standard.is_pipe, (0, 1))) else None


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """ "3/16" as (3, 16). Raises UsageError unless 0 <= i < n."""
    if text is None:
        return None
    parts = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    index, shards = map(int, parts.groups()) if parts else (0, 0)
    if index >= shards:
        raise UsageError(f"--shard is I/N with 0 <= I < N, such as 0/16, not {text!r}")
    return index, shards
