"""How completed groups leave a rollout, with marks that tell the trainer how far they came."""

from swr1.streams import Stage
from swr1.streams.reading import GROUP_END, GROUP_END_WAITING, WAITING, Mark


class GroupWriter:
    """Writes completed records for a trainer, with marks that show it where a group ends.

    The newest record is held back until it is known whether the rollout waits after it, so that its
    line ends in the right mark. `flush` is called before any other work is begun.
    """

    def __init__(self, stage: Stage, samples: int) -> None:
        self.stage, self.last = stage, samples - 1
        self._held: dict | None = None

    def write(self, record: dict) -> None:
        self.flush()
        self._held = record

    def flush(self) -> None:
        if self._held is not None:
            self._write(self._held, GROUP_END)

    def wait(self) -> None:
        """Mark that the rollout waits for the trainer now."""
        if self._held is not None:
            self._write(self._held, GROUP_END_WAITING)
        else:
            self.stage.mark(WAITING)

    def _write(self, record: dict, mark: Mark) -> None:
        self.stage.write(record, mark if record["sample"] == self.last else None)
        self._held = None
