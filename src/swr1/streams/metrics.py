"""metrics.jsonl, the file of a run's steps: whole, or as it grows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, no_folder

Row = dict[str, Any]

RENAMED = {"dead_groups": "zero_variance_groups", "dropped_dead": "dropped_zero_variance"}
"""Keys that earlier versions wrote, and what they are called now: they are read as these."""


class MetricsReader:
    """The rows of a metrics file. `poll` reads what was added since; the file need not exist yet.

    A step that was written twice (a run was killed and resumed) counts as last written. A torn last
    line is left for the next poll. A file that shrank is read anew. Lines that are not JSON objects
    are counted in `bad`, and `on_bad` is called with the line's number and what is wrong with it.
    """

    def __init__(
        self, path: str | Path, on_bad: Callable[[int, str], None] = lambda line, why: None
    ) -> None:
        self.path, self.on_bad = Path(path), on_bad
        self._begin()

    def _begin(self) -> None:
        self.bad = 0
        self._steps: dict[float, Row] = {}
        self._offset = self._lines = 0
        self._torn = b""

    def poll(self) -> bool:
        """Read on; whether anything came."""
        try:
            with open(self.path, "rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._begin()
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return False
        whole, _, self._torn = data.rpartition(b"\n")
        self._offset += len(data) - len(self._torn)
        for line in whole.split(b"\n") if len(data) > len(self._torn) else ():
            self._take(line)
        return len(data) > len(self._torn)

    def end(self) -> None:
        """Nobody writes any more: a last line without its end counts, if it is whole."""
        try:
            orjson.loads(self._torn)
        except orjson.JSONDecodeError:
            return
        self._take(self._torn)

    def _take(self, line: bytes) -> None:
        self._lines += 1
        if not line.strip():
            return
        why = "not a JSON object"
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            row, why = None, f"not JSON ({error})"
        if isinstance(row, dict):
            row = {RENAMED.get(name, name): value for name, value in row.items()}
            step = row.get("step", self._lines)
            self._steps[step] = row | {"step": step}
        else:
            self.bad += 1
            self.on_bad(self._lines, why)

    def rows(self) -> list[Row]:
        """One row a step, in order. A row without `step` has the number of its line there."""
        return [self._steps[step] for step in sorted(self._steps)]


def read_metrics(path: str | Path) -> list[Row]:
    """The rows of a run's metrics.jsonl, or of the one in its policy folder; see `MetricsReader`.

    Raises DataError when there is no such file, or a line of it is not a JSON object.
    """
    file = Path(path)
    if file.is_dir():
        file /= "metrics.jsonl"
    if not file.is_file():
        is_folder = Path(path).exists() or file.suffix == ".jsonl"
        why = "no metrics here; a training run writes them" if is_folder else no_folder(path)
        raise DataError(why, str(file))

    def refuse(line: int, why: str) -> None:
        raise DataError(why, f"{file}:{line}")

    reader = MetricsReader(file, refuse)
    reader.poll()
    reader.end()
    return reader.rows()
