"""Building an index: only what changed is read, and a kill at any moment hurts nothing.

A build works on the next generation, in a folder of its own, and the index changes in one rename
when that is whole. Where passages only come, the generation begins as a clone of the one before
(hard links). Where some go, those that stay are copied from it, since what is deleted in place would
still count in the ranking.

A build that was killed goes on at its last commit. `progress.json` is written before each commit
and says what is done before and after it; the number of passages in the store decides which of the
two is true.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError, UsageError
from swr1.index.backends import Store, clone_store, open_store
from swr1.index.config import IndexConfig
from swr1.index.passages import Passage, indexed_words, order_of, packed, unpacked
from swr1.index.sources import Source, content_of, find_sources
from swr1.index.splitting import OnBad, split
from swr1.index.state import (
    Indexed,
    State,
    digest_of,
    generation_folder,
    generations,
    lock,
    read_sources,
    read_state,
    remove_others,
    store_folder,
    write_state,
)
from swr1.records import pack, parse
from swr1.streams.files import write_atomically

COMMIT_PASSAGES, COMMIT_SECONDS = 200_000, 30.0  # a kill costs at most that much work


@dataclass
class Counts:
    """Of files: how many a build found new, changed, as before and bad, and how many of those that
    were not named it kept or dropped."""

    new: int = 0
    changed: int = 0
    as_before: int = 0
    kept: int = 0
    pruned: int = 0
    bad: int = 0


def build_index(
    inputs: Sequence[str],
    config: IndexConfig,
    on_bad: OnBad,
    advance: Callable[[int], None] = lambda count: None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[State, Counts]:
    """Bring an index up to date with files; it is made where there is none.

    Args:
        on_bad: (location, reason, what was read) of a row or a file that is left out; it may raise.
        advance: called now and then with the number of passages that are written.

    Raises UsageError for options that do not fit the index that is there.
    """
    index = Path(config.output)
    files = find_sources(inputs, index)
    with lock(index):
        return _Build(index, config, on_bad, advance, say).run(files)


class _Build:
    def __init__(self, index: Path, config: IndexConfig, on_bad: OnBad, advance: Any, say: Any):
        self.index, self.config, self.on_bad = index, config, on_bad
        self.advance, self.say = advance, say
        self.base = None if config.force else read_state(index)
        self.backend = _backend(index, config, self.base)
        self.number = _newest(index) + 1
        self.folder = generation_folder(index, self.number)
        self.known: dict[str, Indexed] = {}
        if self.base:
            self.known = read_sources(generation_folder(index, self.base.generation))
        self.counts = Counts()
        self.written = 0

    def run(self, files: list[Source]) -> tuple[State, Counts]:
        of_files = {file.name: file for file in files}
        target = self._target(files)
        if self.base and target == self.known:
            remove_others(self.index, self.base.generation)
            return self.base, self.counts
        done, begun = self._begin(target)
        store = open_store(self.backend, store_folder(self.index, self.number), write=True)
        try:
            self._fill(store, target, of_files, done, begun)
        finally:
            with suppress(DataError):
                store.close()
        sources = read_sources(self.folder)
        (self.folder / "progress.json").unlink()
        state = State(
            generation=self.number,
            backend=self.backend,
            digest=digest_of(self.backend, sources.values()),
            passages=sum(one.passages for one in sources.values()),
            sources=len(sources),
            options=self.config.shaping(),
        )
        write_state(self.index, state)
        remove_others(self.index, self.number)
        return state, self.counts

    # --- what there is to do --------------------------------------------------------------------

    def _target(self, files: list[Source]) -> dict[str, Indexed]:
        """What the index will hold; of what is still to be done, the name and content alone."""
        target: dict[str, Indexed] = {}
        for file in files:
            try:
                content = content_of(file)
            except (DataError, OSError) as error:
                if isinstance(error, OSError):
                    error = DataError(error.strerror or str(error), file.name)
                self.on_bad(error.location or file.name, error.reason, None)
                self.counts.bad += 1
                continue
            known = self.known.get(file.name)
            if known and known.content == content:
                target[file.name] = known
                self.counts.as_before += 1
            else:
                target[file.name] = Indexed(file.name, content)
                self.counts.changed += known is not None
                self.counts.new += known is None
        named = {file.name for file in files}
        others = {name: one for name, one in self.known.items() if name not in named}
        if self.config.prune:
            self.counts.pruned = len(others)
            return target
        self.counts.kept = len(others)
        return others | target

    def _begin(self, target: dict[str, Indexed]) -> tuple[dict[str, Indexed], Any]:
        """(sources that are done, [source, passages] that is half done) in this generation."""
        remove_others(self.index, self.number - 1, self.number)
        if self.folder.exists():
            with suppress(DataError, OSError, ValueError, KeyError, TypeError):
                found = self._resumed(target)
                if found is not None:
                    return found
            shutil.rmtree(self.folder)
        only_more = all(target.get(name) == one for name, one in self.known.items())
        if self.base and only_more:
            old = generation_folder(self.index, self.base.generation)
            clone_store(self.backend, old / "store", self.folder / "store")
            shutil.copyfile(old / "sources.jsonl", self.folder / "sources.jsonl")
            done = dict(self.known)
        else:
            self.folder.mkdir()
            (self.folder / "sources.jsonl").touch()
            done = {}
        docs = sum(one.passages for one in done.values())
        self._write_progress(self._moment(docs, None))
        return done, None

    def _resumed(self, target: dict[str, Indexed]) -> tuple[dict[str, Indexed], Any] | None:
        """Where a killed build stopped; None where it cannot go on."""
        progress = parse((self.folder / "progress.json").read_bytes())
        if progress["plan"] != self._plan():
            return None
        store = open_store(self.backend, self.folder / "store", write=True)
        try:
            docs = store.count()
        finally:
            store.close()
        moments = [m for m in (progress["after"], progress["before"]) if m and m["docs"] == docs]
        moment = moments[0]
        done = read_sources(self.folder, moment["size"])
        begun = moment["begun"]
        for one in done.values():
            if target[one.source].content != one.content:
                return None
        if begun and target[begun["source"]].content != begun["content"]:
            return None
        os.truncate(self.folder / "sources.jsonl", moment["size"])
        self._write_progress(moment)
        self.say(f"going on with a build that was stopped: {docs:,} passages are done")
        return done, begun

    def _plan(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "options": self.config.shaping(),
            "base": self.base.digest if self.base else None,
        }

    # --- doing it -------------------------------------------------------------------------------

    def _fill(
        self,
        store: Store,
        target: dict[str, Indexed],
        files: dict[str, Source],
        done: dict[str, Indexed],
        begun: Any,
    ) -> None:
        docs = store.count()
        self._last_commit = time.monotonic()
        names = sorted(target.keys() - done.keys(), key=lambda n: (not _is(begun, n), n))
        old = None
        if self.base and any(name in self.known for name in names):
            old = open_store(self.backend, store_folder(self.index, self.base.generation))
        with open(self.folder / "sources.jsonl", "ab") as lines:
            before = self._moment(docs, begun)
            waiting = 0

            def commit(half: Any) -> None:
                nonlocal before, docs, waiting
                lines.flush()
                os.fsync(lines.fileno())
                after = self._moment(docs + waiting, half)
                self._write_progress(before, after)
                store.commit()
                before, docs, waiting = after, docs + waiting, 0
                self._last_commit = time.monotonic()

            for name in names:
                wanted = target[name]
                dropped = 0

                def on_bad(location: str, reason: str, raw: Any) -> None:
                    nonlocal dropped
                    dropped += 1
                    self.on_bad(location, reason, raw)

                if old and self.known.get(name) == wanted:
                    stored = old.of_source(name, wanted.passages)
                    passages: Iterator[Passage] = map(unpacked, stored)
                    dropped = wanted.dropped
                else:
                    passages = split(files[name], self.config, on_bad)
                skip = begun["passages"] if _is(begun, name) else 0
                digest, number = hashlib.blake2b(digest_size=16), 0
                for passage in passages:
                    number += 1
                    blob = packed(passage)
                    digest.update(len(blob).to_bytes(8) + blob)
                    if number <= skip:
                        continue
                    store.add(name, number, order_of(blob), indexed_words(passage), blob)
                    waiting += 1
                    self.written += 1
                    if self.written % 64 == 0:
                        self.advance(self.written)
                    if self._is_due(waiting):
                        commit({**_head(wanted), "passages": number})
                if name in files and self.known.get(name) != wanted:
                    _check_unchanged(files[name], wanted.content)
                whole = Indexed(name, wanted.content, number, digest.hexdigest(), dropped)
                lines.write(pack(asdict(whole), orjson.OPT_APPEND_NEWLINE))
                if self._is_due(waiting):
                    commit(None)
            commit(None)
        if old:
            old.close()

    def _is_due(self, waiting: int) -> bool:
        late = time.monotonic() - self._last_commit > COMMIT_SECONDS
        return waiting >= COMMIT_PASSAGES or (late and waiting > 0)

    def _moment(self, docs: int, begun: Any) -> dict[str, Any]:
        size = (self.folder / "sources.jsonl").stat().st_size
        return {"docs": docs, "size": size, "begun": begun}

    def _write_progress(self, before: Any, after: Any = None) -> None:
        text = pack({"plan": self._plan(), "before": before, "after": after})
        write_atomically(self.folder / "progress.json", lambda file: file.write(text))


def _is(begun: Any, name: str) -> bool:
    return bool(begun) and begun["source"] == name


def _head(one: Indexed) -> dict[str, str]:
    return {"source": one.source, "content": one.content}


def _check_unchanged(file: Source, content: str) -> None:
    if content_of(file) != content:
        raise DataError("the file changed while it was read: run the same command again", file.name)


def _newest(index: Path) -> int:
    """The generation that counts, also where the marker cannot be read (--force); 0 for none."""
    try:
        state = read_state(index)
    except DataError:
        return max(generations(index), default=0)
    return state.generation if state else 0


def _backend(index: Path, config: IndexConfig, base: State | None) -> str:
    """The backend of this build. Raises UsageError where the index that is there is another's."""
    if base is None:
        return config.backend or "tantivy"
    anew = "add --force to make it anew, or name another folder"
    if config.backend not in (None, base.backend):
        raise UsageError(f"{index} is an index of {base.backend}; {anew}")
    made, asked = base.options, config.shaping()
    if made != asked:
        names = ", ".join(n for n in asked if made.get(n) != asked[n])
        raise UsageError(f"{index} was made with other options ({names}); {anew}")
    return base.backend
