"""Pictures into files, and into parts of messages."""

import base64
import os
import threading
from pathlib import Path
from typing import Any

from swr1.errors import SwrError
from swr1.pictures.decoding import Picture, encode
from swr1.pictures.placing import FOLDER
from swr1.streams.files import naming, open_to_write


def name_in_folder(digest: str) -> str:
    """The path of a picture from the folder of the records."""
    return f"{FOLDER}/{digest}.png"


def write_png(picture: Picture, folder: str | Path) -> Path:
    """Write a picture to `folder`/pictures/DIGEST.png if it is not there; returns its path."""
    path = Path(folder) / name_in_folder(picture.digest)
    return path if is_there(path) else write_bytes(picture.digest, folder, encode(picture))


def is_there(path: Path) -> bool:
    """Whether a picture was written; a file of no bytes was lost with the machine."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def write_bytes(digest: str, folder: str | Path, data: bytes) -> Path:
    """Write `folder`/pictures/DIGEST.png, whole or not at all; returns its path.

    Raises SwrError when the folder `pictures` is a link. The disk is not waited for.
    """
    path = Path(folder) / name_in_folder(digest)
    if path.parent.is_symlink():
        raise SwrError(f"{path.parent} is a symbolic link: nothing is written through it")
    path.parent.mkdir(exist_ok=True)
    # of this thread's own: several shards may write the same picture
    aside = path.with_name(f".{digest}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with naming(path), open_to_write(aside, new=True) as file:
            file.write(data)
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
