"""The same questions without their pictures: grey ones, or those of other records.

    without_sight(record, opener)             # every picture grey, of its own size
    swaps = Swaps()
    for record in records: yield from swaps.add(record)
    yield from swaps.rest()

Id, answer and info stay, so that `swr1 eval` compares prompt by prompt; `info.pictures` says "grey" or
"swapped". A policy that does as well without its pictures does not look at them; one that does worse with
another's than with grey ones looks, and believes what it sees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from swr1.picture_parts import parts, with_parts
from swr1.pictures import Opener, part_of, picture_of
from swr1.records import VERSION, Record

GREY = (128, 128, 128)


def without_sight(record: Record, opener: Opener) -> Record:
    """The item with grey pictures. Raises DataError for a picture that cannot be opened."""
    from PIL import Image

    sizes = [(picture.size[1], picture.size[0]) for picture in opener.of(record)]
    grey = [part_of(picture_of(Image.new("RGB", size, GREY))) for size in sizes]
    return _item(record, grey, pictures="grey")


class Swaps:
    """Gives each record the pictures of another of its kind, which gets its own, as they come by.

    Of a kind are records of the same task, `info.kind`, and number of pictures. What waits for a partner is
    held: mostly one of a kind.
    """

    def __init__(self) -> None:
        self._waiting: dict[Any, list[Record]] = defaultdict(list)
        self._last: dict[Any, Record] = {}  # one with a partner, for those that find none

    def add(self, record: Record) -> Iterator[Record]:
        """The records that are ready: none, or this one and its partner."""
        kind = _kind(record)
        waiting = self._waiting[kind]
        for place, other in enumerate(waiting):
            if _seen(other) != _seen(record):
                del waiting[place]
                self._last[kind] = other
                yield _with_those_of(other, record)
                yield _with_those_of(record, other)
                return
        waiting.append(record)

    def rest(self) -> Iterator[Record | None]:
        """What found no partner, with the pictures of any other; None where none has others."""
        left = [record for waiting in self._waiting.values() for record in waiting]
        for record in left:
            alike = [self._last[kind]] if (kind := _kind(record)) in self._last else []
            others = (
                other
                for other in (*alike, *left, *self._last.values())
                if len(_seen(other)) == len(_seen(record)) and _seen(other) != _seen(record)
            )
            other = next(others, None)
            yield None if other is None else _with_those_of(record, other)


def _kind(record: Record) -> tuple[Any, ...]:
    info = record.get("info") or {}
    return str(record.get("task")), str(info.get("kind")), len(parts(record["prompt"]))


def _seen(record: Record) -> list[dict[str, Any]]:
    """Which pictures they are: by digest, where the parts have one."""
    return [
        {"digest": part["digest"]} if part.get("digest") else part
        for part in parts(record["prompt"])
    ]


def _with_those_of(record: Record, other: Record) -> Record:
    return _item(record, parts(other["prompt"]), pictures="swapped", pictures_of=other["id"])


def _item(record: Record, shown: list[dict[str, Any]], **info: Any) -> Record:
    following = iter(shown)
    return {
        "v": VERSION,
        "id": record["id"],
        "task": record.get("task"),
        "prompt": with_parts(record["prompt"], lambda _: next(following)),
        "answer": record.get("answer"),
        "info": {**(record.get("info") or {}), **info},
        "trail": record.get("trail") or {},
    }
