"""Progress on stderr: a bar on a terminal, a line every so often elsewhere."""

import sys
import time
from typing import Any

from swr1.terminal import console, say

LINE_EVERY = 10.0  # seconds
PIPED_EVERY = 60.0  # seconds, of a stage whose output another one reads: the last one tells more
FEW_STEPS = 100  # of a run with at most so many each has a line
AT_MOST_UNSEEN = 64  # records between two looks at the clock, however fast they come


class Progress:
    """Counts records. No bar at either end of a pipe: several stages share one terminal.

    Args:
        last: no other stage reads our output.
    """

    def __init__(
        self, name: str, total: int | None, quiet: bool, bar: bool, last: bool = True
    ) -> None:
        self.name, self.total, self.quiet = name, total, quiet
        self._every = LINE_EVERY if last else PIPED_EVERY
        self.started = self._last = time.monotonic()
        self.look_at = 0  # the count at which `advance` is due again; sooner it does no harm
        self._bar: Any = None
        if bar and not quiet and sys.stderr.isatty():
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeElapsedColumn,
            )
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                console=console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(f"swr1 {name}", total=total, note="")

    def advance(self, count: int, note: str = "") -> None:
        """`count` records (or steps) are done; `note` is a short word on how it goes."""
        now = time.monotonic()
        rate = count / (now - self.started + 1e-9)
        self.look_at = count + min(AT_MOST_UNSEEN, int(rate * 0.05))
        if self._bar is not None:
            if now - self._last > 0.1:
                self._bar.update(self._task, completed=count, note=note)
                self._last = now
        elif not self.quiet and now - self._last > self._every:
            of = f" of {self.total:,}" if self.total else ""
            say(f"swr1 {self.name}", f"{count:,}{of} ({rate:,.1f}/s) {note}".rstrip())
            self._last = now

    def step(self, count: int, note: str) -> None:
        """An optimizer step is done. Where there is no bar, each has a line in a run of FEW_STEPS; of
        a run of unknown length the first ones have, if they take a second."""
        now = time.monotonic()
        few = (self.total or count) <= FEW_STEPS and (self.total or now - self._last > 1)
        if self._bar is None and not self.quiet and few:
            self._last = now
            of = f" of {self.total}" if self.total else ""
            say(f"swr1 {self.name}", f"step {count}{of}: {note}")
        else:
            self.advance(count, note)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
