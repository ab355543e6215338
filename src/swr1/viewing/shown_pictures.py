"""What a page says of a picture in a prompt: its size, its digest, and where it is; and the picture.

On a terminal it is drawn in half blocks, two pixels a character, which every terminal with colours can.
A viewer outside is given a file that is written here from the decoded pixels, never a path or address that
a record names.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swr1.errors import DataError
from swr1.picture_parts import is_picture, name_of, parts
from swr1.pictures import Opener

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDEST = 64  # characters of a drawn picture
HIGHEST = 32


@cache
def _opener() -> Opener:
    return Opener()


def told(part: dict[str, Any]) -> str:
    """One line; why a picture cannot be opened, if it cannot."""
    name = name_of(part).strip("'\"")
    try:
        picture = _opener().resolve(part)
    except DataError as error:
        return f"[{error.reason}]"
    except ImportError:  # without Pillow there is still a name
        return f"[picture, {name}]"
    height, width = picture.size
    return f"[picture, {height} x {width} pixels, digest {picture.digest}, {name}]"


def content_in_full(value: Any) -> Any:
    """A message's content with a line of text for each picture."""
    if not isinstance(value, list):
        return value
    return [{"type": "text", "text": told(part)} if is_picture(part) else part for part in value]


def drawn(content: Any, width: int) -> list[RenderableType]:
    """The pictures of a message's content, for a terminal of so many characters a line; what cannot
    be opened, or drawn since a package is missing, is left out."""
    try:
        from rich_pixels import Pixels
    except ImportError:
        return []
    made: list[RenderableType] = []
    for part in content if isinstance(content, list) else ():
        if not is_picture(part):
            continue
        try:
            image = _opener().resolve(part).image
        except (DataError, ImportError):
            continue
        columns, rows = image.size
        scale = min(1.0, min(WIDEST, width) / columns, 2 * HIGHEST / rows)
        size = max(1, round(columns * scale)), max(2, round(rows * scale))
        made.append(Pixels.from_image(image.resize(size)))
    return made


def open_outside(prompt: list[dict[str, Any]], folder: Path) -> str:
    """Show the pictures of a prompt in the system's own viewer; what to tell people of it."""
    program = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
    found = parts(prompt)
    if not found:
        return "the prompt has no pictures"
    for number, part in enumerate(found, 1):
        try:
            digest, data = _opener().as_png(part, number)
        except DataError as error:
            return error.reason
        file = folder / f"{digest}.png"
        file.write_bytes(data)
        quiet = subprocess.DEVNULL
        try:
            subprocess.Popen(
                [program, file], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
            )
        except OSError:
            return f"{program} is not there to open {file}"
    return f"{len(found)} opened by {program}"
