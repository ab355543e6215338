"""Pictures into files, and into parts of messages."""

import base64
import os
import threading
from pathlib import Path
from typing import Any

from swr1.errors import SwrError
from swr1.pictures.decoding import Picture, encode
from swr1.streams.files import naming, open_to_write

FOLDER = "pictures"  # beside the file whose records name them


def name_in_folder(digest: str) -> str:
    """The path of a picture from the folder of the records."""
    return f"{FOLDER}/{digest}.png"


def write_png(picture: Picture, folder: str | Path, data: bytes | None = None) -> Path:
    """Write `folder`/pictures/DIGEST.png, whole or not at all, if it is not there; returns its path.

    Args:
        data: the bytes of such a PNG, where they are at hand.

    Raises SwrError when the folder `pictures` is a link. The disk is not waited for.
    """
    path = Path(folder) / name_in_folder(picture.digest)
    if path.is_file():
        return path
    if path.parent.is_symlink():
        raise SwrError(f"{path.parent} is a symbolic link: nothing is written through it")
    path.parent.mkdir(exist_ok=True)
    # of this thread's own: several shards may write the same picture
    aside = path.with_name(f".{picture.digest}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with naming(path), open_to_write(aside, new=True) as file:
            file.write(encode(picture) if data is None else data)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def part_of(picture: Picture, path: str | Path | None = None) -> dict[str, Any]:
    """The part of a message that shows a picture: by the path of its file, else inside, as base64."""
    if path is not None:
        return {"type": "image", "path": str(path), "digest": picture.digest}
    text = base64.b64encode(encode(picture)).decode()
    return {"type": "image", "base64": text, "digest": picture.digest}
