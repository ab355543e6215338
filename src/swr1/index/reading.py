"""Asking an index."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from swr1.errors import DataError, UsageError
from swr1.index.backends import open_store
from swr1.index.passages import Passage, unpacked
from swr1.index.state import State, generation_folder, read_sources, read_state, store_folder
from swr1.index.words import words_of

MOST_WORDS = 256  # different words of a query that count, the first ones
MOST_PASSAGES = 1000  # of an answer


class Index:
    """An open index: the generation that was whole when it was opened, whatever is built since.

    Attributes:
        digest: 32 hex digits of all passages and of what ranks them. Equal digests give equal
            answers, so (query, top, digest) is a key for a cache.
        passages, sources: how many it holds.
        backend: "tantivy" or "sqlite".

    Searches may come from several threads (of SQLite they take turns).
    """

    def __init__(self, path: Path, state: State) -> None:
        self.path, self.state = path, state
        self.digest, self.backend = state.digest, state.backend
        self.passages, self.sources = state.passages, state.sources
        self._store = open_store(state.backend, store_folder(path, state.generation))
        if self._store.count() != state.passages:
            raise DataError("the index is damaged (passages are missing): make it anew", str(path))

    def search(
        self, queries: Sequence[str], top: int = 3, *, deadline: float | None = None
    ) -> list[list[Passage]]:
        """The best passages for each query, the best first; none where no word of it is known.

        A query is words and nothing else: no operators, no phrases. Of one with more than 256
        different words the first 256 count. Passages of one score come in an order of their own.

        Args:
            top: passages per query, 1 to 1000.
            deadline: by `time.monotonic()`; it is looked at before each query.

        Raises TimeoutError after the deadline, UsageError for another `top`.
        """
        if not 1 <= top <= MOST_PASSAGES:
            raise UsageError(f"a search gives 1 to {MOST_PASSAGES:,} passages, not {top}")
        answers = []
        for number, query in enumerate(queries):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{number} of {len(queries)} queries were answered in time")
            answers.append(self._answer(query, top))
        return answers

    def _answer(self, query: str, top: int) -> list[Passage]:
        words = [*dict.fromkeys(words_of(query))][:MOST_WORDS]
        if not words:
            return []
        hits = self._store.search(words, top)
        return [unpacked(stored, float(f"{score:.5g}")) for score, stored in hits]

    def close(self) -> None:
        """Let go of the files. An index that is not closed lets go when it is collected."""
        self._store.close()


def open_index(path: str | os.PathLike[str]) -> Index:
    """The index in a folder that `swr1 index` wrote.

    Raises DataError where there is none, or a damaged one.
    """
    folder = Path(path)
    last: DataError | None = None
    for _ in range(3):  # a build may remove this generation between two lines of ours
        state = read_state(folder)
        if state is None:
            raise DataError(
                f"no index is here; make one with: swr1 index FILE -o {folder}", str(folder)
            )
        try:
            return Index(folder, state)
        except DataError as error:
            last = error
    assert last
    raise last


def describe(path: str | os.PathLike[str]) -> dict[str, object]:
    """The facts of `swr1 index show`. Raises DataError where there is no index."""
    from swr1.index.state import generations, size_of

    folder = Path(path)
    with_index = open_index(folder)
    state = with_index.state
    with_index.close()
    sources = read_sources(generation_folder(folder, state.generation))
    return {
        "path": str(folder),
        "passages": state.passages,
        "sources": state.sources,
        "dropped": sum(one.dropped for one in sources.values()),
        "digest": state.digest,
        "backend": state.backend,
        "bytes": size_of(generation_folder(folder, state.generation)),
        **state.options,
        "unfinished": any(n > state.generation for n in generations(folder)),
        "largest": [
            {"source": one.source, "passages": one.passages}
            for one in sorted(sources.values(), key=lambda one: (-one.passages, one.source))[:5]
        ],
    }
