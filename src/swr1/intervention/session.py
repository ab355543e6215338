"""A file of completions, the edits of it, the policy that goes on, and what came of it.

    session = Session("rollouts.jsonl", edits="edits.jsonl", output="edited.jsonl", writer=writer)
    session.store(key, digest, difference)       # durable at once
    session.go_on(key)                           # the policy writes; the output is brought up to date

The journal is the only truth. The output is made of it: a record for each completion that was
edited and gone on from, under the id, epoch and sample that it had. A change is refused where the
completion is no longer the one that was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

import swr1
from swr1.errors import DataError, SwrError, UsageError
from swr1.intervention.continuing import Work, Writer
from swr1.intervention.difference import Difference
from swr1.intervention.history import History, State, named
from swr1.intervention.journal import Entry, Journal, Key, digest_of, entry
from swr1.intervention.known import MOST, SIMILAR, KnownEdits, Offer, read_known, standing
from swr1.records import Record, key, pack
from swr1.streams.files import write_atomically
from swr1.streams.reading import read


class Changed(SwrError):
    """The completion is no longer the one that was looked at."""


class Session:
    """Args:
    path: the records. edits: the journal. output: "" for none.
    writer: or what makes it; None where nothing is to be continued. who: default: as the system calls you.

    Raises DataError for records that are none, and for a journal that is none; UsageError for an
    output that holds other records, or for a journal of `known` edits that is not there.

    known: more journals, whose edits are offered beside those of this one. similar: see `offers`.
    """

    def __init__(
        self,
        path: str,
        *,
        edits: str | Path,
        output: str = "",
        writer: Writer | Callable[[], Writer] | None = None,
        who: str = "",
        say: Callable[[str], None] = lambda text: None,
        known: Sequence[str | Path] = (),
        similar: float = SIMILAR,
    ) -> None:
        self.path, self.output, self._writer, self.who, self.say = path, output, writer, who, say
        self.journal = Journal(edits, say)
        self._others, self._similar = read_known(known), similar
        self._known = KnownEdits([])
        self._names: frozenset[str] = frozenset()
        found = (r for r, _ in read([path], needs=("id", "prompt")) if isinstance(r, dict))
        self.records: dict[Key, Record] = {key(r): r for r in found if "completion" in r}
        if not self.records:
            raise DataError("no record has a completion: run `swr1 rollout` first", path)
        if output:
            _check_output(Path(output))
        for state in self.states():
            for why in state.refused:
                say(f"not applied: {why}")

    @property
    def writer(self) -> Writer:
        if self._writer is None:
            raise UsageError("no policy goes on from edits here")
        if not isinstance(self._writer, Writer):
            self._writer = self._writer()
        return self._writer

    def find(self, name: str | None, sample: int | None = None) -> Key:
        """The completion that is meant: an id or its beginning, and a sample.

        Raises UsageError where none, or more than one, is.
        """
        fits = [k for k in self.records if name is None or k[0].startswith(name)]
        exact = [k for k in fits if k[0] == name]
        fits = [k for k in exact or fits if sample is None or k[2] == sample]
        if len(fits) == 1:
            return fits[0]
        some = ", ".join(f"{k[0]} (sample {k[2]})" for k in (fits or [*self.records])[:4])
        what = "--record and --sample: " if name is None else f"{name!r}: "
        many = f"{len(fits)} completions fit" if fits else "no completion fits"
        raise UsageError(f"{what}{many}; there are {some}{', ...' if len(fits) != 2 else ''}")

    def state(self, of: Key) -> State:
        """What a completion says now."""
        return History(self.journal.read()).state(self.records[of])

    def states(self) -> Iterator[State]:
        """All of them."""
        history = History(self.journal.read())
        return (history.state(record) for record in self.records.values())

    def offers(self, of: Key) -> list[Offer]:
        """Edits that stand on other completions, whose prompt is like this one's: see KnownEdits.

        Left out are those from which a standing edit of this completion was taken.
        """
        entries = self.journal.read()
        state = History(entries).state(self.records[of])
        edits = [*standing(entries), *self._others]
        mine = {level.edit.get(n) for level in state.levels for n in ("edit", "from")}
        names = frozenset(made["edit"] for made in edits)
        if names != self._names:  # the index is made again where something has changed
            self._known, self._names = KnownEdits(edits), names
        found = self._known.offers(state.record, state.text, self._similar)
        return [offer for offer in found if offer.name not in mine]

    def offered(self, of: Key, name: str) -> Offer:
        """The offer of this name, or whose name begins so. Raises UsageError where none, or more, is."""
        offers = self.offers(of)
        fits = [offer for offer in offers if offer.name.startswith(name)] if name else []
        if len(fits) == 1:
            return fits[0]
        there = ", ".join(offer.name for offer in offers[:MOST]) or "none"
        raise UsageError(f"{len(fits) or 'no'} edits {name!r} are offered here; there are: {there}")

    def check(self, of: Key, edit: Difference) -> None:
        """Raises DataError for an edit that the policy's tokenizer cannot write."""
        state = self.state(of)
        if not state.pending:
            self.writer.check(Work(state, edit, {}))

    def store(
        self, of: Key, digest: str, edit: Difference, why: str = "", taken: str = ""
    ) -> State:
        """Store an edit of the completion with this digest. Raises Changed for any other.

        Args:
            taken: the name of the edit that it was taken from.
        """
        with self.journal.locked() as entries:
            state = History(entries).state(self.records[of])
            _still(state, digest)
            facts = {"at": edit.at, "old": edit.old, "new": edit.new, "why": why}
            facts |= {"from": taken} if taken else {}
            made = entry("edit", state.record, state.text, self.who, **facts)
            if fault := state.fault(made):
                raise UsageError(fault)
            state.take(self.journal.append(made))
            return state

    def opened(self, of: Key, file: Path, taken: str = "") -> None:
        """Note that a file was given to an editor, and which edit was made in it already."""
        with self.journal.locked() as entries:
            state = History(entries).state(self.records[of])
            facts = {"path": str(file.absolute())} | ({"from": taken} if taken else {})
            self.journal.append(entry("open", state.record, state.text, self.who, **facts))

    def left_open(self, of: Key) -> Entry | None:
        """The last file that was given to an editor and is still there: its edit was not finished."""
        found = History(self.journal.read()).opened(self.records[of])
        return next((made for made in reversed(found) if Path(made["path"]).is_file()), None)

    def go_on(self, of: Key) -> State:
        """Let the policy go on from the edit that is pending.

        Raises DataError where its tokenizer cannot write the edit, Changed where the completion was
        edited meanwhile: what the policy wrote is left out then.
        """
        state = self.state(of)
        if not state.pending:
            raise UsageError(f"{named(state.record)}: the policy has gone on from its last edit")
        base, edit = state.pending_edit()
        top = state.levels[-1].edit
        by = {n: top.get(n) for n in ("who", "why", "from")}
        [made] = self.writer.go_on([Work(base, edit, by)])
        if isinstance(made, DataError):
            raise made
        facts = {"edit": top["edit"]} | made._asdict()
        with self.journal.locked() as entries:
            now = History(entries).state(state.record)
            _still(now, state.digest)
            now.take(
                self.journal.append(entry("continued", state.record, now.text, self.who, **facts))
            )
            self._write()
            return now

    def undo(self, of: Key, digest: str | None = None) -> State:
        """Undo the last edit, with what the policy wrote behind it.

        Raises UsageError where no edit stands, Changed as `store`.
        """
        with self.journal.locked() as entries:
            state = History(entries).state(self.records[of])
            _still(state, digest or state.digest)
            if not state.levels:
                raise UsageError(f"{named(state.record)}: no edit stands that could be undone")
            name = state.levels[-1].edit["edit"]
            state.take(
                self.journal.append(entry("undo", state.record, state.text, self.who, edit=name))
            )
            self._write()
            return state

    def results(self) -> Iterator[Record]:
        """The records that edits made, as they stand."""
        for state in self.states():
            if made := state.result():
                options = {"edit": state.levels[-1].edit["edit"]}
                code = pack({"stage": "intervene", "code": swr1.__version__, "options": options})
                name = hashlib.blake2b(code, digest_size=4).hexdigest()
                yield made | {"trail": {**(made.get("trail") or {}), "intervene": name}}

    def write(self) -> None:
        """Bring the output up to date: after a crash, it may be behind the journal."""
        if self.output and self.journal.path.exists():
            with self.journal.locked():
                self._write()

    def _write(self) -> None:
        path = Path(self.output)
        if not self.output:
            return
        lines = [pack(made, orjson.OPT_APPEND_NEWLINE) for made in self.results()]
        if lines or path.exists():
            write_atomically(path, lambda file: file.writelines(lines))


def _still(state: State, digest: str) -> None:
    if state.digest != digest:
        raise Changed(
            f"{named(state.record)} has changed since it was looked at (it was {digest}, it is"
            f" {digest_of(state.text)}): nothing is stored. Look at it again"
        )


def _check_output(path: Path) -> None:
    """Raises UsageError for a file that holds anything but what `swr1 intervene` writes."""
    if path.suffix != ".jsonl" or path.is_dir():
        raise UsageError(f"-o is a file FILE.jsonl here, written anew after each edit, not {path}")
    if not path.exists() or not path.stat().st_size:
        return
    for made, place in read([str(path)]):
        generation: Any = made.get("generation") if isinstance(made, dict) else None
        if not (generation or {}).get("edited"):
            raise UsageError(
                f"{place} is no record that `swr1 intervene` made, and the output is written anew"
                " after each edit: name another file with -o"
            )
