"""Building an index: only what changed is read, and a kill at any moment hurts nothing.

A build works on the next generation, in a folder of its own, and the index changes in one rename
when that is whole. Where passages only come, the generation begins as a clone of the one before
(hard links). Where some go, those that stay are copied from it, since what is deleted in place would
still count in the ranking. A build that was killed goes on at its last commit (journal.py).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swr1.errors import DataError, Ending, UsageError
from swr1.index.backends import Store, clone_store, open_store
from swr1.index.config import IndexConfig
from swr1.index.journal import Begun, Journal
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


def refuse(location: str, reason: str, raw: Any) -> None:
    """The `on_bad` that leaves nothing out."""
    raise DataError(reason, location)


def build_index(
    inputs: Sequence[str],
    config: IndexConfig,
    on_bad: OnBad = refuse,
    advance: Callable[[int], None] = lambda count: None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[State, Counts]:
    """Bring an index up to date with files; it is made where there is none.

    Args:
        on_bad: (location, reason, what was read) of a row or a file that is left out; it may raise,
            and by default it raises DataError.
        advance: called now and then with the number of passages that are written.
        say: called with what a person may want to know.

    Raises UsageError for options that do not fit the index that is there.
    """
    index = Path(config.output)
    files = find_sources(inputs, index)
    with lock(index):
        return _Build(index, config, on_bad, advance, say).run(files)


class _Build:
    def __init__(
        self, index: Path, config: IndexConfig, on_bad: OnBad, advance: Any, say: Any
    ) -> None:
        self.index, self.config, self.on_bad = index, config, on_bad
        self.advance, self.say = advance, say
        self.base = None if config.force else read_state(index)
        self.backend = _backend(index, config, self.base)
        self.known: dict[str, Indexed] = {}  # what the index holds now
        if self.base:
            self.known = read_sources(generation_folder(index, self.base.generation))
        self.number = _newest(index) + 1
        plan = {
            "backend": self.backend,
            "options": config.shaping(),
            "base": self.base.digest if self.base else None,
        }
        self.journal = Journal(generation_folder(index, self.number), self.backend, plan)
        self.counts = Counts()
        self.written = 0

    def run(self, files: list[Source]) -> tuple[State, Counts]:
        target = self._target(files)
        if self.base and target == self.known:
            remove_others(self.index, self.base.generation)
            return self.base, self.counts
        done, begun = self._begin(target)
        store = open_store(self.backend, self.journal.store, write=True)
        try:
            self._fill(store, target, {file.name: file for file in files}, done, begun)
        except Ending:
            self.say("stopped; the same command goes on")
            raise
        finally:
            with suppress(DataError):
                store.close()
        sources = self.journal.finish()
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

    def _begin(self, target: dict[str, Indexed]) -> tuple[dict[str, Indexed], Begun | None]:
        """(sources that are done, the one that is half done) in the next generation."""
        remove_others(self.index, self.number - 1, self.number)
        if stopped := self.journal.resume(target):
            done, begun, docs = stopped
            self.say(f"going on with a build that was stopped: {docs:,} passages are done")
            return done, begun
        shutil.rmtree(self.journal.folder, ignore_errors=True)
        only_more = all(target.get(name) == one for name, one in self.known.items())
        if self.base and only_more:
            old = generation_folder(self.index, self.base.generation)
            clone_store(self.backend, old / "store", self.journal.store)
            self.journal.start(old / "sources.jsonl")
            return dict(self.known), None
        self.journal.start(None)
        return {}, None

    def _fill(
        self,
        store: Store,
        target: dict[str, Indexed],
        files: dict[str, Source],
        done: dict[str, Indexed],
        begun: Begun | None,
    ) -> None:
        """Add what is missing, source by source, and commit now and then."""
        half = begun.source if begun else None
        missing = sorted(target.keys() - done.keys(), key=lambda name: (name != half, name))
        old: Store | None = None
        if self.base and any(self.known.get(name) == target[name] for name in missing):
            old = open_store(self.backend, store_folder(self.index, self.base.generation))
        with self.journal.writing(store, begun):
            for name in missing:
                skip = begun.passages if begun and name == half else 0
                if old and self.known.get(name) == target[name]:
                    stored = old.of_source(name, target[name].passages)
                    self._add(store, target[name], map(unpacked, stored), skip)
                    self.journal.end(self.known[name])
                else:
                    self._split(store, files[name], target[name], skip)
        if old:
            old.close()

    def _split(self, store: Store, file: Source, wanted: Indexed, skip: int) -> None:
        """Add the passages of a file."""
        dropped = 0

        def on_bad(location: str, reason: str, raw: Any) -> None:
            nonlocal dropped
            dropped += 1
            self.on_bad(location, reason, raw)

        passages = split(file, self.config, on_bad)
        number, digest = self._add(store, wanted, passages, skip)
        if content_of(file) != wanted.content:
            why = "the file changed while it was read: run the same command again"
            raise DataError(why, file.name)
        self.journal.end(replace(wanted, passages=number, digest=digest, dropped=dropped))

    def _add(
        self, store: Store, of: Indexed, passages: Iterator[Passage], skip: int
    ) -> tuple[int, str]:
        """Add all passages but the first `skip`; how many there are, and their digest."""
        digest, number = hashlib.blake2b(digest_size=16), 0
        for passage in passages:
            number += 1
            stored = packed(passage)
            digest.update(len(stored).to_bytes(8) + stored)
            if number <= skip:
                continue
            store.add(of.source, number, order_of(stored), indexed_words(passage), stored)
            self.journal.added(Begun(of.source, of.content, number))
            self.written += 1
            if self.written % 64 == 0:
                self.advance(self.written)
        return number, digest.hexdigest()


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
