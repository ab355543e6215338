"""What stores passages and ranks them: tantivy, or SQLite's FTS5, which comes with Python.

Both only ever take passages, so that what they know of words (how many passages have one, how long
passages are) is exact; a passage goes when the index is copied without it (building.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

SAME = 1e-5  # relative: scores are sums in single precision, in an order that segments decide

Hit = tuple[float, Any]  # (score, where the backend has it), the best first


class Store(Protocol):
    """Passages in a folder. `add` and `commit` are for the one process that builds."""

    def add(self, source: str, number: int, order: int, words: str, stored: bytes) -> None:
        """Take the `number`-th passage of a source; it can be found after `commit`."""

    def commit(self) -> None:
        """Make durable what was added: all of it, or nothing where a kill comes between."""

    def count(self) -> int:
        """How many passages are committed."""

    def of_source(self, source: str, passages: int) -> Iterator[bytes]:
        """The stored passages of a source, in order."""

    def search(self, words: Sequence[str], top: int) -> list[tuple[float, bytes]]:
        """(score, stored) of the best passages that have any of the words."""

    def close(self) -> None:
        """Let go of the files; work in the background is waited for."""


def open_store(backend: str, folder: Path, *, write: bool = False) -> Store:
    """The store in a folder; with `write` it is made where there is none.

    Raises DataError for one that is damaged, ModuleNotFoundError where its package is missing.
    """
    module = importlib.import_module(f"swr1.index.backends.{backend}")
    return module.open_store(folder, write)


def clone_store(backend: str, old: Path, new: Path) -> None:
    """A second store with the same passages, which one may add to without touching the first."""
    importlib.import_module(f"swr1.index.backends.{backend}").clone(old, new)


def best(
    fetch: Callable[[int], Sequence[Hit]],
    order_of: Callable[[Sequence[Any]], Sequence[int]],
    top: int,
) -> list[Hit]:
    """The `top` best hits. Those of one score are ordered by a number of the passage's own.

    So neither the order of building nor the layout of files decides. `fetch` gives the best so many
    hits, `order_of` the numbers of passages; as many are fetched as it takes to see a score's end.
    """
    limit = top + 8
    while True:
        hits = fetch(limit)
        scores = [score for score, _ in hits]
        ends = [i for i, (a, b) in enumerate(pairwise(scores), 1) if a - b > SAME * abs(a)]
        last = next((end for end in ends if end >= top), None)
        if last is None and len(hits) < limit:
            last = len(hits)
        if last is not None:
            break
        limit *= 8
    hits = hits[:last]
    numbers = order_of([where for _, where in hits])
    ranked: list[Hit] = []
    for begin, end in pairwise([0, *(e for e in ends if e < last), last]):
        same = sorted(range(begin, end), key=numbers.__getitem__)
        # One score for all: the best of them, whichever the layout gave it to.
        ranked += [(scores[begin], hits[i][1]) for i in same]
    return ranked[:top]
