"""Pictures of records in the rows of other people's formats, and back.

TRL: parts {"type": "image"} without data and a column `images`. verl: the mark <image> in the text and
the same column. OpenAI: data URLs in the parts.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from swr1.errors import DataError
from swr1.loading.chat import Messages
from swr1.loading.declare import picture
from swr1.picture_parts import is_picture, parts
from swr1.pictures import Opener

MARK = "<image>"
Columns = dict[str, list[dict[str, Any]]]


def shown_in(shape: str, turns: Messages, opener: Opener, which: str) -> tuple[Messages, Columns]:
    """Messages with pictures as `shape` has them, and the columns that belong to them."""
    found = parts(turns)
    pngs = [opener.as_png(part, number, which) for number, part in enumerate(found, 1)]
    if shape == "openai":
        data = iter(pngs)
        return [_each(turn, lambda part: _as_url(part, data)) for turn in turns], {}
    columns = {"images": [{"bytes": data, "path": f"{digest}.png"} for digest, data in pngs]}
    if shape == "verl":
        return [{**turn, "content": _marked(turn["content"])} for turn in turns], columns
    return [_each(turn, _as_part) for turn in turns], columns


def _each(turn: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    content = turn["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return {**turn, "content": [change(part) for part in content]}


def _as_part(part: dict[str, Any]) -> dict[str, Any]:
    if is_picture(part):
        return {"type": "image", "text": None}
    return {"type": "text", "text": _text(part)}


def _as_url(part: dict[str, Any], pngs: Iterator[tuple[str, bytes]]) -> dict[str, Any]:
    if not is_picture(part):
        return {"type": "text", "text": _text(part)}
    _, data = next(pngs)
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _marked(content: Any) -> str:
    found = [{"type": "text", "text": content}] if isinstance(content, str) else content
    texts = [MARK if is_picture(part) else _text(part) for part in found]
    if sum(text.count(MARK) for text in texts) != sum(map(is_picture, found)):
        raise DataError(f"no verl row: a text holds {MARK}, which stands for a picture there")
    return "".join(texts)


def _text(part: dict[str, Any]) -> str:
    if not isinstance(part.get("text"), str):
        raise DataError(
            f"a part of the type {str(part.get('type'))[:40]!r}: only texts and pictures"
        )
    return part["text"]


def with_images(turns: Messages, images: Any) -> Messages:
    """Messages with the pictures of a column `images` at their places.

    These are parts {"type": "image"}, or marks <image> in texts; where there are none, before the
    first text of the user. Raises DataError where there are more or fewer.
    """
    if not images:
        return turns
    pictures = [picture(one) for one in (images if isinstance(images, list) else [images])]
    empty = [part for part in parts(turns) if part.keys() <= {"type", "text"}]
    texts = [turn["content"] for turn in turns if isinstance(turn["content"], str)]
    marks = sum(text.count(MARK) for text in texts)
    if not empty and not marks:
        first = next((n for n, turn in enumerate(turns) if turn["role"] == "user"), 0)
        held = turns[first]["content"]
        held = [{"type": "text", "text": held}] if isinstance(held, str) else held
        return [*turns[:first], turns[first] | {"content": pictures + held}, *turns[first + 1 :]]
    if (places := len(empty) or marks) != len(pictures):
        raise DataError(f"{len(pictures)} pictures for {places} places in the messages")
    left = iter(pictures)
    return [turn | {"content": _filled(turn["content"], left, not empty)} for turn in turns]


def _filled(content: Any, pictures: Iterator[dict[str, Any]], marks: bool) -> Any:
    if isinstance(content, str):
        first, *rest = content.split(MARK) if marks else [content]
        if not rest:
            return content
        made: list[dict[str, Any]] = [{"type": "text", "text": first}] if first else []
        for text in rest:
            made.append(next(pictures))
            made += [{"type": "text", "text": text}] if text else []
        return made
    return [
        next(pictures) if is_picture(part) and part.keys() <= {"type", "text"} else part
        for part in content
    ]
