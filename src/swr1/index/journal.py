"""What a build has done, so that it can go on after a kill at any moment.

Two things must agree: what the store has committed, and the list of sources. The list only grows, and
`progress.json` is written before each commit. It says how long the list is, and which source is half
done, before and after the commit. The number of passages in the store decides which of the two is
true.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError
from swr1.index.backends import Store, open_store
from swr1.index.state import Indexed, read_sources
from swr1.records import pack, parse
from swr1.streams.files import write_atomically

COMMIT_PASSAGES, COMMIT_SECONDS = 200_000, 30.0  # a kill costs at most that much work


@dataclass(frozen=True, slots=True)
class Begun:
    """A source of which so many passages are in the store."""

    source: str
    content: str
    passages: int


class Journal:
    """The folder of a generation that is being built.

    Args:
        plan: what must be the same for a build to go on.
    """

    def __init__(self, folder: Path, backend: str, plan: dict[str, Any]) -> None:
        self.folder, self.backend, self.plan = folder, backend, plan
        self.store = folder / "store"
        self._list, self._progress = folder / "sources.jsonl", folder / "progress.json"

    def start(self, like: Path | None) -> None:
        """Begin with a list of sources, or none."""
        self.folder.mkdir(exist_ok=True)
        if like:
            shutil.copyfile(like, self._list)
        else:
            self._list.touch()
        docs = sum(one.passages for one in read_sources(self.folder).values())
        self._write(self._moment(docs, None), None)

    def resume(
        self, target: dict[str, Indexed]
    ) -> tuple[dict[str, Indexed], Begun | None, int] | None:
        """(sources that are done, the one half done, passages in all) of a build that was stopped.

        None where there is none, or one that cannot go on: it had another plan, or a source that it
        has read is not what it was.
        """
        try:
            progress = parse(self._progress.read_bytes())
            store = open_store(self.backend, self.store, write=True)
            docs = store.count()
            store.close()
            moments = [m for m in (progress["after"], progress["before"]) if m]
            moment = next(m for m in moments if m["docs"] == docs)
            done = read_sources(self.folder, moment["size"])
            begun = Begun(**moment["begun"]) if moment["begun"] else None
            read = [(one.source, one.content) for one in (*done.values(), begun) if one]
            same = all(target[name].content == content for name, content in read)
            if progress["plan"] != self.plan or not same:
                return None
        except (DataError, OSError, ValueError, LookupError, TypeError, StopIteration):
            return None
        os.truncate(self._list, moment["size"])
        self._write(moment, None)
        return done, begun, docs

    @contextmanager
    def writing(self, store: Store, begun: Begun | None) -> Iterator[None]:
        """Within, `added` and `end` say what was put into the store; at the end all is committed."""
        self._into, self._docs, self._waiting = store, store.count(), 0
        self._committed = time.monotonic()
        with open(self._list, "ab") as self._lines:
            self._before = self._moment(self._docs, begun)
            yield
            self._commit(None)

    def added(self, begun: Begun) -> None:
        """One more passage of a source is in the store."""
        self._waiting += 1
        self._commit_if_due(begun)

    def end(self, whole: Indexed) -> None:
        """All passages of a source are in the store."""
        self._lines.write(pack(asdict(whole), orjson.OPT_APPEND_NEWLINE))
        self._commit_if_due(None)

    def finish(self) -> dict[str, Indexed]:
        """The sources of the generation, which is whole."""
        self._progress.unlink()
        return read_sources(self.folder)

    def _commit_if_due(self, begun: Begun | None) -> None:
        if self._waiting >= COMMIT_PASSAGES or (
            self._waiting and time.monotonic() - self._committed > COMMIT_SECONDS
        ):
            self._commit(begun)

    def _commit(self, begun: Begun | None) -> None:
        self._lines.flush()
        os.fsync(self._lines.fileno())
        self._docs, self._waiting = self._docs + self._waiting, 0
        after = self._moment(self._docs, begun)
        self._write(self._before, after)
        self._into.commit()
        self._before, self._committed = after, time.monotonic()

    def _moment(self, docs: int, begun: Begun | None) -> dict[str, Any]:
        size = self._list.stat().st_size
        return {"docs": docs, "size": size, "begun": asdict(begun) if begun else None}

    def _write(self, before: Any, after: Any) -> None:
        text = pack({"plan": self.plan, "before": before, "after": after})
        write_atomically(self._progress, lambda file: file.write(text))
