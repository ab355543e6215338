"""Pictures on their way out: beside the file whose records name them, or inside the records."""

import base64
import os
from pathlib import Path
from typing import Any

from swr1.errors import DataError
from swr1.picture_parts import is_digest, parts, placed_at, with_parts
from swr1.pictures.decoding import Refusal
from swr1.pictures.opening import Opener
from swr1.pictures.placing import Folders, Inside, cannot_be_used
from swr1.pictures.writing import is_there, name_in_folder, write_bytes
from swr1.records import MAX_LINE, Record

_MOST_INSIDE = MAX_LINE // 4 * 3  # characters of pictures in a record: its texts need room, too


class Keeper:
    """Makes records that are about to be written say where their pictures will be.

    Args:
        folder: of the file that the records go to; None for a pipe.
        inline: whether the records hold their pictures themselves.
    """

    def __init__(self, opener: Opener, folder: Path | None, inline: bool) -> None:
        self.opener, self.folder, self.inline = opener, folder, inline
        self._real = os.path.realpath(folder) if folder is not None else ""
        self._folders = Folders(others=opener.options.picture_folders)

    def keep(self, record: Record) -> Record:
        """The record, its pictures kept. Raises DataError, naming record and part.

        A path of a file in this very folder stays as it is. All other pictures become
        pictures/DIGEST.png in the folder, base64 inside the record, or absolute paths of a pipe.
        """
        number = 0
        which = f"record {record.get('id')!r}: "

        def keep(part: dict[str, Any]) -> dict[str, Any]:
            nonlocal number
            number += 1
            try:
                return self._kept(part, number, which)
            except Refusal as error:
                raise DataError(which + cannot_be_used(part, number, error)) from None

        prompt = with_parts(record["prompt"], keep)
        if sum(len(part.get("base64") or "") for part in parts(prompt)) > _MOST_INSIDE:
            raise DataError(
                f"{which}its pictures are larger than a record may be; write JSONL without"
                " --inline-pictures, which keeps them in files"
            )
        return {**record, "prompt": prompt}

    def _kept(self, part: dict[str, Any], number: int, which: str) -> dict[str, Any]:
        if "url" in part and not self.opener.options.allow_picture_urls:
            return part  # an address is passed on, until somebody may open it
        if self.inline:
            return part if "base64" in part else self._inside(part, number, which)
        if self.folder is None:
            if "path" not in part:
                return part
            return part | {"path": str(self._folders.passing(part["path"]))}
        path, digest = part.get("path"), part.get("digest")
        if type(path) is Inside and path.base == self._real:
            return part | {"path": os.path.relpath(path, self._real)}
        if not (is_digest(digest) and is_there(self.folder / name_in_folder(digest))):
            digest, data = self.opener.as_png(part, number, which)
            write_bytes(digest, self.folder, data)
        return placed_at(part, "path", name_in_folder(digest), digest)

    def _inside(self, part: dict[str, Any], number: int, which: str) -> dict[str, Any]:
        digest, data = self.opener.as_png(part, number, which)
        return placed_at(part, "base64", base64.b64encode(data).decode(), digest)


def missing(record: Record, folder: Path) -> str | None:
    """The first path of a record in `folder` where no picture is."""
    for part in parts(record.get("prompt") or []):
        path = part.get("path")
        if isinstance(path, str) and not is_there(folder / path):
            return path
    return None
