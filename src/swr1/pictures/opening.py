"""The one place that opens a picture: checks where it is, reads it, decodes it, compares digests."""

import base64
import binascii
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swr1.errors import DataError
from swr1.picture_parts import PLACES, name_of, parts
from swr1.pictures.config import Limits, PictureOptions, current
from swr1.pictures.decoding import Picture, Refusal, decode, encode, is_bare_png
from swr1.pictures.placing import Folders, cannot_be_used

MEMORY = 2**28  # bytes of pixels that are kept for the next record with the same picture
_SOURCES = 2**14  # places whose digest is remembered


class Opener:
    """Opens the pictures of records, each once: they are kept by digest, as far as memory allows.

    Args:
        options: which folders, which hosts, which limits; by default those of the command line.
        base: the folder of paths that no stage has read (`streams.read` makes them absolute).
        limits: instead of those of the options.
        memory: bytes of pixels that are kept.
        say: called with what people should know (that only the first frame of a file is shown).
    """

    def __init__(
        self,
        options: PictureOptions | None = None,
        *,
        base: str | Path = ".",
        limits: Limits | None = None,
        memory: int = MEMORY,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.options = options or current()
        self.memory = memory
        self._folders = Folders(base, self.options.picture_folders)
        self.limits = limits or self.options.limits
        self._say = say
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._sources: OrderedDict[Any, str] = OrderedDict()  # where it was -> digest
        self._held = 0

    def of(self, record: dict[str, Any]) -> list[Picture]:
        """The pictures of a record's prompt, in order. Raises DataError, naming record and part."""
        found = parts(record.get("prompt") or [])
        if len(found) > self.limits.each:
            raise DataError(
                f"record {record.get('id')!r}: {len(found)} pictures in a prompt, and"
                f" {self.limits.each} are the most"
            )
        which = f"record {record.get('id')!r}: "
        return [self.resolve(part, number, which) for number, part in enumerate(found, 1)]

    def resolve(self, part: dict[str, Any], number: int = 1, which: str = "") -> Picture:
        """The picture of a part. Raises DataError: what is wrong with picture `number` of `which`."""
        try:
            return self._open(part)
        except Refusal as error:
            raise DataError(which + cannot_be_used(part, number, error)) from None

    def seen(self, part: dict[str, Any], number: int = 1, which: str = "") -> dict[str, Any]:
        """A part with its digest, and its path absolute. An address that is not fetched stays as it is."""
        if "url" in part and not self.options.allow_picture_urls:
            return part
        digest = self.resolve(part, number, which).digest
        path = {"path": self._folders.inside(part["path"])} if "path" in part else {}
        return part | path | {"digest": digest}

    def as_png(self, part: dict[str, Any], number: int = 1, which: str = "") -> tuple[str, bytes]:
        """The digest of a part's picture, and the bytes of a PNG of it without metadata."""
        try:
            source, read = self._find(part)
            data = read()
            bare = is_bare_png(data)
            known = None if bare else self._recall(part.get("digest") or self._sources.get(source))
            picture = known or self._decoded(part, source, data)
        except Refusal as error:
            raise DataError(which + cannot_be_used(part, number, error)) from None
        return picture.digest, data if bare else encode(picture)

    def _open(self, part: dict[str, Any]) -> Picture:
        source, read = self._find(part)
        if (digest := part.get("digest")) is None:
            digest = self._sources.get(source)
        return self._recall(digest) or self._decoded(part, source, read())

    def _decoded(self, part: dict[str, Any], source: Any, data: bytes) -> Picture:
        picture = decode(data, self.limits)
        expected = part.get("digest")
        if expected not in (None, picture.digest):
            raise Refusal(
                f"its pixels are others than when the record was made (digest {picture.digest},"
                f" not {str(expected)[:40]!r})"
            )
        if picture.animated and self._say:
            self._say(f"{name_of(part)} has several frames: only the first is shown")
        self._keep(source, picture)
        return picture

    def _find(self, part: dict[str, Any]) -> tuple[Any, Callable[[], bytes]]:
        """What tells the place of a picture from others, and what reads the bytes there."""
        places = [place for place in PLACES if part.get(place) is not None]
        if len(places) != 1:
            raise Refusal(f"one of {', '.join(PLACES)} must say where it is, not {len(places)}")
        place, value = places[0], part[places[0]]
        if not isinstance(value, str):
            raise Refusal(f"its {place} is no text")
        if place == "url" and value.startswith("data:"):
            place, value = "base64", value.partition(";base64,")[2]
        if place == "path":
            path = self._folders.inside(value)
            state = _regular(path)
            if state.st_size > self.limits.size:
                raise Refusal(f"more than {self.limits.size // 2**20} MB")
            source = (path, state.st_ino, state.st_size, state.st_mtime_ns)
            return source, lambda: _bytes_of_file(path, self.limits.size)
        if place == "base64":
            if len(value) > (self.limits.size + 2) // 3 * 4:
                raise Refusal(f"more than {self.limits.size // 2**20} MB")
            return hash(value), lambda: _bytes_of_text(value)
        from swr1.pictures.fetching import fetch

        return value, lambda: fetch(value, self.options.allow_picture_urls, self.limits.size)

    def _recall(self, digest: Any) -> Picture | None:
        with self._lock:
            picture = self._kept.get(digest) if isinstance(digest, str) else None
            if picture:
                self._kept.move_to_end(digest)
            return picture

    def _keep(self, source: Any, picture: Picture) -> None:
        with self._lock:
            self._sources[source] = picture.digest
            if len(self._sources) > _SOURCES:
                self._sources.popitem(last=False)
            if picture.digest not in self._kept:
                self._kept[picture.digest] = picture
                self._held += _bytes(picture)
            while self._held > self.memory:
                _, gone = self._kept.popitem(last=False)
                self._held -= _bytes(gone)


def _bytes(picture: Picture) -> int:
    height, width = picture.size
    return 4 * height * width  # Pillow has four bytes for a pixel of RGB


def _regular(path: str) -> os.stat_result:
    try:
        state = os.lstat(path)
    except OSError as error:
        raise Refusal((error.strerror or str(error)).lower()) from None
    if not stat.S_ISREG(state.st_mode):
        raise Refusal("no regular file")
    return state


def _bytes_of_file(path: str, most: int) -> bytes:
    """At most one byte more than `most`."""
    try:
        # no link, if one was put there since; and no waiting for a pipe
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise Refusal((error.strerror or str(error)).lower()) from None


def _bytes_of_text(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("its base64 is broken") from None
