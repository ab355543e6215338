"""Where pictures lie: paths in records as they are read, and beside the output as they are written.

A path in a file is relative to the file's folder; in a pipe it is absolute. In memory it is always
absolute and checked: `Folders.inside` makes it so when a record is read. `Keeper` is the way back.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swr1.picture_parts import name_of, with_parts
from swr1.pictures.config import current
from swr1.pictures.decoding import Refusal
from swr1.records import Record

FOLDER = "pictures"  # beside the file whose records name them


class Outside(Refusal):
    """A path outside of the folders in which pictures are opened. path: absolute, without links."""

    def __init__(self, path: str, roots: Sequence[str]) -> None:
        super().__init__(
            f"outside of {' and '.join(roots)}, where pictures are opened;"
            " --picture-folders names others"
        )
        self.path = str(path)


class Inside(str):
    """An absolute path, without links, that was found inside the folders that its record may name.

    `base`: the folder of the file that held the record, "" for a pipe.
    """

    base: str = ""


class Folders:
    """The folders in which pictures may be opened.

    Args:
        base: what relative paths are relative to.
        others: folders beside it.
        of_file: whether `base` is the folder of a file that holds the records.
    """

    def __init__(
        self, base: str | Path = ".", others: Sequence[str] = (), of_file: bool = False
    ) -> None:
        self.base = os.path.realpath(base)
        self._of_file = of_file
        self._roots = list(dict.fromkeys([self.base, *map(os.path.realpath, others)]))

    @classmethod
    def of_input(cls, name: str) -> "Folders":
        """Those of the records in a file or a shard folder; "-" is standard input."""
        others = current().picture_folders
        if os.path.isdir(name):
            return cls(name, others, of_file=True)
        if os.path.isfile(name):
            return cls(os.path.dirname(name) or ".", others, of_file=True)
        return cls(".", others)

    def inside(self, path: Any) -> Inside:
        """A path from a record, absolute and without links. Raises Refusal for one outside."""
        if type(path) is Inside:
            return path
        if not isinstance(path, str) or not path or "\0" in path:
            raise Refusal("its path is no text that names a file")
        if "://" in path:
            raise Refusal("an address, not a path")
        real = Inside(os.path.realpath(os.path.join(self.base, path)))
        if not self._holds(real):
            raise Outside(real, self._roots)
        real.base = self.base if self._of_file else ""
        return real

    def _holds(self, real: str) -> bool:
        return any(real.startswith(os.path.join(root, "")) for root in self._roots)

    def passing(self, path: Any) -> str:
        """A path in a pipe, absolute and without links; one outside is no error until it is opened."""
        try:
            return self.inside(path)
        except Outside as error:
            return error.path

    def located(self, record: Record) -> Record:
        """A record with all its paths absolute. Raises Refusal, naming the part."""
        absolute = self.inside if self._of_file else self.passing
        number = 0

        def locate(part: dict[str, Any]) -> dict[str, Any]:
            nonlocal number
            number += 1
            if "path" not in part:
                return part
            try:
                return part | {"path": absolute(part["path"])}
            except Refusal as error:
                raise Refusal(cannot_be_used(part, number, error)) from None

        return {**record, "prompt": with_parts(record["prompt"], locate)}


def cannot_be_used(part: dict[str, Any], number: int, why: Refusal) -> str:
    return f"a picture cannot be used: number {number}, {name_of(part)}: {why}"
