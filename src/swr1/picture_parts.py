"""Parts of messages that are pictures; nothing is opened here.

    {"type": "image", "path": "pictures/6ffd....png", "digest": "6ffd..."}

One of `path`, `base64` and `url` says where a picture is. `digest` says which it is, wherever it is
and however it is encoded (see decoding.py).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

PLACES = ("path", "base64", "url")  # where a picture is: one of them in each part
INDEX = "index"  # in Parquet: the place in the column `pictures`

_DIGEST = re.compile(r"[0-9a-f]{32}")


def is_digest(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_picture(part: Any) -> bool:
    return type(part) is dict and part.get("type") == "image"


def _parts(prompt: Any) -> Iterator[dict[str, Any]]:
    for message in prompt:
        content = message["content"]
        if type(content) is list:
            yield from filter(is_picture, content)


def parts(prompt: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a prompt's messages that are pictures, in order."""
    return list(_parts(prompt))


def has_pictures(record: dict[str, Any]) -> bool:
    """Whether there is a picture in the prompt of a valid record."""
    return any(True for _ in _parts(record.get("prompt", ())))


def with_parts(
    prompt: list[dict[str, Any]], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The prompt with `change` of every picture part, in order; what has none stays as it is."""
    return [
        {**message, "content": [change(part) if is_picture(part) else part for part in content]}
        if type(content := message["content"]) is list
        else message
        for message in prompt
    ]


def what_it_is(part: dict[str, Any]) -> dict[str, Any]:
    """A part without where its picture is, if it says which picture that is."""
    if not (is_picture(part) and part.get("digest")):
        return part
    return {name: value for name, value in part.items() if name not in (*PLACES, INDEX)}


def name_of(part: dict[str, Any]) -> str:
    """What messages call a picture: its path or address, or that it stands in the record."""
    for place in ("path", "url"):
        value = part.get(place)
        if isinstance(value, str) and not value.startswith("data:"):
            return repr(value if len(value) < 120 else f"{value[:60]}...{value[-50:]}")
    return "in the record itself"


def placed_at(part: dict[str, Any], place: str, value: Any, digest: str | None) -> dict[str, Any]:
    """The same picture somewhere else: `place` is one of PLACES, or INDEX."""
    moved: dict[str, Any] = {}
    for name, held in part.items():
        if name in (*PLACES, INDEX):
            moved[place] = value
        else:
            moved[name] = held
    return moved if digest is None else moved | {"digest": digest}
