"""Replies by what they depend on, in one SQLite file that several processes may share."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import SwrError
from swr1.records import pack


class Shelf:
    """Bytes by key; `hits` and `misses` are counted.

    Args:
        path: the file; it is made where it is not there.
        option: how messages name it.

    Raises SwrError for a file of another kind.
    """

    def __init__(self, path: str | Path, option: str) -> None:
        self._lock = threading.Lock()
        try:
            self._base = sqlite3.connect(
                path, timeout=60, isolation_level=None, check_same_thread=False
            )
            self._base.execute("pragma journal_mode = wal")
            self._base.execute("pragma synchronous = normal")
            self._base.execute(
                "create table if not exists replies (key blob primary key, reply blob) without rowid"
            )
        except sqlite3.Error as error:
            raise SwrError(f"{option} {path}: {error}") from None
        self.hits = self.misses = 0

    @staticmethod
    def key(content: Any) -> bytes:
        """16 bytes that stand for plain data."""
        packed = pack(content, orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(packed, digest_size=16).digest()

    def get(self, key: bytes) -> bytes | None:
        with self._lock:
            row = self._base.execute("select reply from replies where key = ?", [key]).fetchone()
            self.hits += row is not None
            self.misses += row is None
        return row[0] if row else None

    def put(self, key: bytes, reply: bytes) -> None:
        with self._lock:
            self._base.execute("insert or replace into replies values (?, ?)", [key, reply])

    def close(self) -> None:
        self._base.close()
