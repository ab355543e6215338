"""Replies by content, in one SQLite file that several processes may share.

The key is what the reply depends on: who was asked (model and version) and every character of the
question. So a rerun asks only what is new, and another way of reading replies costs nothing.
"""

import hashlib
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import SwrError
from swr1.records import pack, parse
from swr1.verifiers.models.reply import Question, Reply


class Cache:
    """Args: path: the file; it is made where it is not there. Raises SwrError for another file."""

    def __init__(self, path: str | Path) -> None:
        try:
            self._base = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._base.execute("pragma journal_mode = wal")
            self._base.execute("pragma synchronous = normal")
            self._base.execute(
                "create table if not exists replies (key blob primary key, reply blob) without rowid"
            )
        except sqlite3.Error as error:
            raise SwrError(f"--cache {path}: {error}") from None
        self.hits = self.misses = 0

    @staticmethod
    def key(who: str, question: Question) -> bytes:
        content: list[Any] = [who, *question.content()]
        packed = pack(content, orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(packed, digest_size=16).digest()

    def get(self, key: bytes) -> Reply | None:
        row = self._base.execute("select reply from replies where key = ?", [key]).fetchone()
        self.hits += row is not None
        self.misses += row is None
        return Reply(**_whole(parse(row[0]))) if row else None

    def put(self, key: bytes, reply: Reply) -> None:
        packed = pack(asdict(reply))
        self._base.execute("insert or replace into replies values (?, ?)", [key, packed])

    def close(self) -> None:
        self._base.close()


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    tokens = fields["tokens"]
    return fields | {"tokens": tokens and [(text, near) for text, near in tokens]}
