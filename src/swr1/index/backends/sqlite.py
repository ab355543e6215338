"""Passages in SQLite, ranked by the BM25 of its FTS5: slower, but it comes with Python."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swr1.errors import DataError
from swr1.index.backends import best

_FILE = "passages.sqlite"
# Words come with spaces between them; every character but a space belongs to one.
_MAKE = """
CREATE TABLE IF NOT EXISTS passages(
  id INTEGER PRIMARY KEY, source TEXT, number INTEGER, rank_order INTEGER, stored BLOB);
CREATE INDEX IF NOT EXISTS of_source ON passages(source, number);
CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(
  words, content='', tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'");
"""


def open_store(folder: Path, write: bool) -> Store:
    if write:
        folder.mkdir(parents=True, exist_ok=True)
    return Store(folder, write)


def clone(old: Path, new: Path) -> None:
    """A copy; what is not committed in it is undone by its journal, if it has one."""
    new.mkdir(parents=True)
    for file in old.iterdir():
        shutil.copyfile(file, new / file.name)


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DataError(f"the index is damaged ({error}): make it anew", str(folder)) from None


class Store:
    """See backends.Store. Searches may come from several threads; they take turns."""

    def __init__(self, folder: Path, write: bool) -> None:
        self.folder, self._lock = folder, threading.Lock()
        file = folder / _FILE
        mode = "" if write else "?mode=ro&immutable=1"
        with _named(folder):
            self._db = sqlite3.connect(
                f"{file.absolute().as_uri()}{mode}",
                uri=True,
                check_same_thread=False,
                isolation_level=None,
            )
            if write:
                self._db.execute("PRAGMA cache_size = -65536")  # 64 MB
                self._db.execute("BEGIN")
                for statement in _MAKE.split(";\n"):
                    self._db.execute(statement)
                self._db.execute("COMMIT")
                self._db.execute("BEGIN")
            self._known = self._count()
        self._next = self._known

    def _count(self) -> int:
        return self._db.execute("SELECT coalesce(max(id), 0) FROM passages").fetchone()[0]

    def add(self, source: str, number: int, order: int, words: str, stored: bytes) -> None:
        self._next += 1
        row = (self._next, source, number, order, stored)
        self._db.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("INSERT INTO search(rowid, words) VALUES (?, ?)", (self._next, words))

    def commit(self) -> None:
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")
        self._known = self._next

    def count(self) -> int:
        return self._known

    def of_source(self, source: str, passages: int) -> Iterator[bytes]:
        rows = self._db.execute(
            "SELECT stored FROM passages WHERE source = ? ORDER BY number", (source,)
        )
        with _named(self.folder):
            yield from (stored for (stored,) in rows)

    def search(self, words: Sequence[str], top: int) -> list[tuple[float, bytes]]:
        query = " OR ".join(f'"{word}"' for word in words)

        def fetch(limit: int) -> list[tuple[float, Any]]:
            rows = self._db.execute(
                "SELECT -rank, rowid FROM search WHERE search MATCH ? ORDER BY rank LIMIT ?",
                (query, limit),
            )
            return rows.fetchall()

        with self._lock, _named(self.folder):
            hits = best(fetch, lambda ids: self._column("rank_order", ids), top)
            stored = self._column("stored", [number for _, number in hits])
        return [(score, one) for (score, _), one in zip(hits, stored, strict=True)]

    def _column(self, name: str, ids: Sequence[int]) -> list[Any]:
        query = f"SELECT {name} FROM passages WHERE id = ?"
        return [self._db.execute(query, (number,)).fetchone()[0] for number in ids]

    def close(self) -> None:
        with self._lock:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.close()
