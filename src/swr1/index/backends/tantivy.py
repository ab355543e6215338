"""Passages in tantivy: memory-mapped, ranked by its BM25, written by one thread.

Words are put in with spaces between them, because tantivy splits no Chinese; a query is made of
terms, so that nothing in it is an operator.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tantivy

from swr1.errors import DataError
from swr1.index.backends import best

HEAP = 64 * 2**20  # bytes of words that wait in memory to become a segment
_PAGE = 50_000  # passages of a source that are listed at a time
_REWRITTEN = ("meta.json", ".managed.json")  # all other files never change


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("source", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("number", fast=True)
    builder.add_integer_field("order", fast=True)
    builder.add_bytes_field("passage", stored=True)
    return builder.build()


def open_store(folder: Path, write: bool) -> Store:
    if write:
        folder.mkdir(parents=True, exist_ok=True)
    return Store(folder, write)


def clone(old: Path, new: Path) -> None:
    """Names for the files that never change, copies of the others."""
    new.mkdir(parents=True)
    for file in old.iterdir():
        if file.name.endswith(".lock"):
            continue
        if file.name not in _REWRITTEN:
            with suppress(OSError):  # a file system without hard links
                os.link(file, new / file.name)
                continue
        shutil.copyfile(file, new / file.name)


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Damage is an error for people; of a Rust panic, too, which is no Exception."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, OSError | ValueError) or type(error).__name__ == "PanicException":
            why = " ".join(str(error).split())[:200]
            raise DataError(f"the index is damaged ({why}): make it anew", str(folder)) from None
        raise


class Store:
    """See backends.Store. Searches may come from several threads."""

    def __init__(self, folder: Path, write: bool) -> None:
        self.folder = folder
        with _named(folder):
            if write:
                self._index = tantivy.Index(_schema(), str(folder))
                self._writer: Any = self._index.writer(HEAP, num_threads=1)
            else:
                self._index = tantivy.Index.open(str(folder))
                self._writer = None
            self._schema = self._index.schema
            self._index.config_reader("manual")
            self._reload()

    def _reload(self) -> None:
        self._index.reload()
        self._searcher = self._index.searcher()

    def add(self, source: str, number: int, order: int, words: str, stored: bytes) -> None:
        document = tantivy.Document()
        document.add_text("words", words)
        document.add_text("source", source)
        document.add_integer("number", number)
        document.add_integer("order", order)
        document.add_bytes("passage", stored)
        self._writer.add_document(document)

    def commit(self) -> None:
        self._writer.commit()
        self._reload()

    def count(self) -> int:
        return self._searcher.num_docs

    def of_source(self, source: str, passages: int) -> Iterator[bytes]:
        query = tantivy.Query.term_query(self._schema, "source", source, "basic")
        for begin in range(0, passages, _PAGE):
            with _named(self.folder):
                hits = self._searcher.search(
                    query,
                    min(_PAGE, passages - begin),
                    False,
                    order_by_field="number",
                    offset=begin,
                    order=tantivy.Order.Asc,
                ).hits
            yield from (self._stored(address) for _, address in hits)

    def search(self, words: Sequence[str], top: int) -> list[tuple[float, bytes]]:
        term = tantivy.Query.term_query
        parts = [(tantivy.Occur.Should, term(self._schema, "words", w, "freq")) for w in words]
        query = tantivy.Query.boolean_query(parts)
        searcher: Any = self._searcher

        def fetch(limit: int) -> Any:
            return searcher.search(query, limit, False).hits

        with _named(self.folder):
            hits = best(fetch, lambda found: searcher.fast_field_values("order", found), top)
            return [(score, self._stored(address)) for score, address in hits]

    def _stored(self, address: Any) -> bytes:
        stored: Any = self._searcher.doc(address).get_first("passage")
        return bytes(stored)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.wait_merging_threads()
            self._writer = None
