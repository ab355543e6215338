"""The stages that run on this machine, as psutil shows them: who writes what, in which pipe.

Nothing records a stage's process, and nothing needs to: the kernel knows which process has a file
open. Other machines' processes are not seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A `swr1 STAGE ...` that runs. `group` is its process group: the stages of one pipe."""

    pid: int
    stage: str
    words: tuple[str, ...]
    folder: Path
    group: int
    seconds: float
    files: frozenset[Path]

    def names(self, path: Path) -> bool:
        """Whether an argument of the command line is this path (relative to its folder)."""
        words = (word.rpartition("=")[2] for word in self.words)
        return any(
            (self.folder / word).resolve() == path.resolve()
            for word in words
            if word and not word.startswith("-")
        )


def running() -> list[Process]:
    """All stages that run here and that we may look into, by pid; this process is left out."""
    return sorted(_running(), key=lambda p: p.pid)


def _running() -> Iterator[Process]:
    import psutil

    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid():
                continue
            words = process.cmdline()
            at = next((i for i, w in enumerate(words[:3]) if os.path.basename(w) == "swr1"), None)
            if at is None or len(words) <= at + 1 or process.status() == psutil.STATUS_ZOMBIE:
                continue
            yield Process(
                pid=process.pid,
                stage=words[at + 1],
                words=tuple(w for w in words[at + 1 :] if w),
                folder=Path(process.cwd()),
                group=os.getpgid(process.pid),
                seconds=max(time.time() - process.create_time(), 0.0),
                files=frozenset(Path(file.path) for file in process.open_files()),
            )
        except (psutil.Error, OSError):
            continue  # it ended meanwhile, or is another user's


def age(path: Path) -> float | None:
    """Seconds since `path` was written to, None when it is not there."""
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return None
