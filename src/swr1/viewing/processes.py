"""The stages that run on this machine, as /proc shows them: who writes what, in which pipe.

Nothing records a stage's process, and nothing needs to: the kernel knows which process has a file
open. Other machines' processes are not seen, and without /proc (macOS) none are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


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


def seen() -> bool:
    """Whether this system shows its processes."""
    return (PROC / "self" / "stat").exists()


def running() -> list[Process]:
    """All stages that run here and that we may look into, by pid; this process is left out."""
    return [] if not seen() else sorted(_running(), key=lambda p: p.pid)


def _running() -> Iterator[Process]:
    up = float((PROC / "uptime").read_text().split()[0])
    tick = os.sysconf("SC_CLK_TCK")
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            at = next((i for i, w in enumerate(words[:3]) if os.path.basename(w) == "swr1"), None)
            if at is None or len(words) <= at + 1:
                continue
            # After the name in brackets, which may hold anything: state, parent, group, ...
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            if stat[0] == "Z":
                continue
            yield Process(
                pid=int(entry.name),
                stage=words[at + 1],
                words=tuple(w for w in words[at + 1 :] if w),
                folder=Path(os.readlink(entry / "cwd")),
                group=int(stat[2]),
                seconds=up - int(stat[19]) / tick,
                files=frozenset(_open_files(entry)),
            )
        except OSError:
            continue  # it ended meanwhile, or is another user's


def _open_files(entry: Path) -> Iterator[Path]:
    for link in (entry / "fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith("/"):
            yield Path(target)


def age(path: Path) -> float | None:
    """Seconds since `path` was written to, None when it is not there."""
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return None
