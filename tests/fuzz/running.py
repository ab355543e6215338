"""The command line on hostile input, thousands of times: each run is a fork of one warm process.

    python -m tests.fuzz.running -n 5000        # prints runs, ends by code, longest, largest memory

A run may end with 0, 1, 2 or 65, in bounded time and memory, and says why in one line; it never
ends in a traceback.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SECONDS, WITH_MODELS, MEGABYTES = 20, 90, 1500
ENDS = (0, 1, 2, 65)


class Enough(BaseException):
    """The time for all runs is over. No Exception: no example is at fault."""


@dataclass
class End:
    """How a run ended. `code` is minus the signal's number where one ended it."""

    line: list[str]
    code: int
    seconds: float
    megabytes: float
    stderr: str

    @property
    def trouble(self) -> str | None:
        """What is wrong with this end, None for a right one."""
        said = [t for t in self.stderr.splitlines() if t.strip()]
        if self.code not in ENDS:
            return f"ended with {self.code}"
        if "Traceback" in self.stderr or "Warning" in self.stderr:
            return "a traceback or a warning"
        errors = [t for t in said if "error:" in t or t.startswith("Error")]
        if self.code and not said:
            return "failed without a word"
        if self.code in (1, 65) and len(errors) != 1:
            return f"{len(errors)} lines say what was wrong"
        if self.megabytes > MEGABYTES:
            return f"took {self.megabytes:.0f} MB"
        return None


def warm_up() -> None:
    """Import what the subcommands import, so that a fork need not."""
    import pyarrow.parquet

    from swr1.commands import _group

    assert pyarrow.parquet
    for file in _group._files().values():
        importlib.import_module(f"swr1.commands.{file.stem}")
    for name in ("evals.metrics", "analysis.reasoning", "evals.suites", "viewing.plain"):
        importlib.import_module(f"swr1.{name}")


def warm_up_models() -> None:
    """The same for stages that open a model."""
    import torch

    torch.set_num_threads(1)
    for name in ("engines.hf", "rollout.stage", "training.running", "training.rl"):
        importlib.import_module(f"swr1.{name}")


def run(line: Sequence[str], stdin: bytes, folder: Path, seconds: int = SECONDS) -> End:
    """One run of `swr1 LINE` in `folder`, with bounds on its time and memory."""
    began = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    streams = [folder / name for name in (".stdin", ".stdout", ".stderr")]
    streams[0].write_bytes(stdin)
    child = os.fork()
    if not child:
        _be(list(line), streams, folder, seconds)
    _, status, used = os.wait4(child, 0)
    return End(
        list(line),
        os.waitstatus_to_exitcode(status),
        time.monotonic() - began,
        used.ru_maxrss / 1024,
        streams[2].read_text(errors="replace"),
    )


def _be(line: list[str], streams: list[Path], folder: Path, seconds: int) -> None:
    """What the child does: it never returns."""
    code = 70
    try:
        os.setsid()
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
        for fd, path in enumerate(streams):
            flags = os.O_RDONLY if fd == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(path, flags, 0o600), fd)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        os.chdir(folder)
        sys.argv = ["swr1", *line]
        from swr1.commands import main

        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        sys.stdout.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(code)


@dataclass
class Tally:
    """What came of many runs."""

    ends: Counter[int]
    longest: End | None = None
    largest: End | None = None

    def add(self, end: End) -> None:
        self.ends[end.code] += 1
        if self.longest is None or end.seconds > self.longest.seconds:
            self.longest = end
        if self.largest is None or end.megabytes > self.largest.megabytes:
            self.largest = end

    def __str__(self) -> str:
        assert self.longest and self.largest
        return (
            f"{self.ends.total():,} runs; by code {dict(sorted(self.ends.items()))};"
            f" longest {self.longest.seconds:.2f} s ({' '.join(self.longest.line)[:80]});"
            f" largest {self.largest.megabytes:.0f} MB ({' '.join(self.largest.line)[:80]})"
        )


def main() -> None:
    from hypothesis import HealthCheck, Phase, given, settings

    from tests.fuzz.cases import cases, on_policies

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", type=int, default=2000, help="runs")
    parser.add_argument("--models", type=int, default=0, help="runs of rollout and train-step")
    parser.add_argument("--seconds", type=float, default=3600, help="then no more are begun")
    options = parser.parse_args()
    warm_up()
    end_of_all = time.monotonic() + options.seconds
    tally, bad = Tally(Counter()), Counter()
    first: dict[str, tuple[End, Path]] = {}
    keep = Path(tempfile.mkdtemp(prefix="swr1-fuzz-"))

    def one(case) -> None:
        if time.monotonic() > end_of_all:
            raise Enough
        folder = Path(tempfile.mkdtemp(prefix="case-", dir=keep))
        case.write(folder)
        with_model = case.line[0] in ("rollout", "train-step")
        end = run(case.line, case.stdin, folder, WITH_MODELS if with_model else SECONDS)
        tally.add(end)
        if why := end.trouble:
            why += ": " + (end.stderr.strip().splitlines() or [""])[-1][:150]
            bad[f"{case.line[0]}: {why}"] += 1
            if f"{case.line[0]}: {why}" not in first:
                first[f"{case.line[0]}: {why}"] = (end, folder)
                print(why, folder, *end.line, flush=True)
                return
        shutil.rmtree(folder)

    def many(strategy, runs: int) -> None:
        bounds = {"max_examples": runs, "database": None, "deadline": None}
        how = settings(**bounds, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        with suppress(Enough):
            how(given(strategy)(one))()

    many(cases(), options.n)
    if options.models:
        warm_up_models()
        many(on_policies(), options.models)
    print(tally)
    for why, count in bad.most_common():
        end, folder = first[why]
        print(f"\n{count} x {why}\n  cd {folder}; swr1 {' '.join(end.line)}")
        print("  " + "\n  ".join(end.stderr.strip().splitlines()[-7:]))
    print(f"{bad.total()} of {tally.ends.total():,} ended as they must not")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
