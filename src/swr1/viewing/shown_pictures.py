"""What a page says of a picture in a prompt: its size, its digest, and where it is."""

from functools import cache
from typing import Any

from swr1.errors import DataError
from swr1.picture_parts import is_picture, name_of
from swr1.pictures import Opener


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
