"""A model's replies by content: a rerun asks only what is new.

The key is what the reply depends on: who was asked (model and version) and every character of the
question. So another way of reading replies costs nothing.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from swr1.records import pack, parse
from swr1.shelf import Shelf
from swr1.verifiers.models.reply import Question, Reply


class Cache:
    """Args: path: the file; it is made where it is not there. Raises SwrError for another file."""

    def __init__(self, path: str | Path) -> None:
        self._shelf = Shelf(path, "--cache")
        self.close = self._shelf.close

    @property
    def hits(self) -> int:
        return self._shelf.hits

    @property
    def misses(self) -> int:
        return self._shelf.misses

    @staticmethod
    def key(who: str, question: Question) -> bytes:
        return Shelf.key([who, *question.content()])

    def get(self, key: bytes) -> Reply | None:
        packed = self._shelf.get(key)
        return None if packed is None else Reply(**_whole(parse(packed)))

    def put(self, key: bytes, reply: Reply) -> None:
        self._shelf.put(key, pack(asdict(reply)))


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    tokens = fields["tokens"]
    return fields | {"tokens": tokens and [(text, near) for text, near in tokens]}
