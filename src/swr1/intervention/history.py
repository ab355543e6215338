"""The journal replayed: what each completion says now, and what it said before.

    history = History(journal.read())
    now = history.state(record)
    now.text, now.digest, now.pending       # pending: edited, and the policy has not gone on

An edit replaces `old` at its place by `new` and drops all that follows. It applies only to the very
completion that it was made for; `refused` says which did not, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from swr1.intervention.difference import Difference, common
from swr1.intervention.journal import Entry, Key, digest_of
from swr1.records import Record, key


@dataclass(slots=True)
class Level:
    """A completion after an edit: what was kept and put in, then what the policy wrote."""

    edit: Entry
    edited: str  # up to where the policy goes on
    continued: Entry | None = None

    @property
    def text(self) -> str:
        return self.continued["text"] if self.continued else self.edited


@dataclass(slots=True)
class State:
    """One completion: as its record has it, and a level for each edit that stands."""

    record: Record
    levels: list[Level] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.levels[-1].text if self.levels else self.record.get("completion") or ""

    @property
    def digest(self) -> str:
        return digest_of(self.text)

    @property
    def before(self) -> str:
        """What it said before the last edit; the same where there is none."""
        at = len(self.levels) - 2
        return self.levels[at].text if at >= 0 else self.record.get("completion") or ""

    @property
    def pending(self) -> bool:
        """Whether an edit stands from which the policy has not gone on."""
        return bool(self.levels) and self.levels[-1].continued is None

    @property
    def generation(self) -> dict[str, Any]:
        """How the text as it is now came about; of a pending edit, the text before it."""
        for level in reversed(self.levels):
            if level.continued:
                return level.continued["generation"]
        return self.record.get("generation") or {}

    def result(self) -> Record | None:
        """The record as the edits made it; None where none stands, or one is pending."""
        if not self.levels or self.pending:
            return None
        item = {n: v for n, v in self.record.items() if n not in STALE}
        sample = {"sample": self.record.get("sample", 0)}
        return item | sample | {"completion": self.text, "generation": self.generation}

    def pending_edit(self) -> tuple[State, Difference]:
        """What stood when the policy wrote last, and all that was edited since, as one difference."""
        standing = len(self.levels)
        while standing and self.levels[standing - 1].continued is None:
            standing -= 1
        base, since = State(self.record, self.levels[:standing]), self.levels[standing:]
        if len(since) == 1:
            edit = since[0].edit
            return base, Difference(edit["at"], edit["old"], edit["new"])
        at = common(base.text, self.text)
        return base, Difference(at, "", self.text[at:])

    def take(self, made: Entry) -> None:
        """Apply an entry, or note why it does not apply."""
        kind = made["kind"]
        if kind == "open":
            return
        if why := self.fault(made):
            self.refused.append(why)
        elif kind == "edit":
            self.levels.append(Level(made, self.text[: made["at"]] + made["new"]))
        elif kind == "continued":
            self.levels[-1].continued = made
        else:
            self.levels.pop()

    def fault(self, made: Entry) -> str:
        """Why an entry does not apply to what stands now; "" if it does."""
        what = f"{made['kind']} {made['edit']} of {named(self.record)}"
        top = self.levels[-1].edit["edit"] if self.levels else None
        if made["digest"] != self.digest:
            return f"{what} is of another completion ({made['digest']}; this is {self.digest})"
        if made["kind"] == "edit":
            fits = self.text.startswith(made["old"], made["at"]) and made["at"] <= len(self.text)
            return "" if fits else f"{what} replaces what does not stand there"
        if made["edit"] != top:
            return f"{what} is not of the last edit that stands ({top})"
        if made["kind"] == "continued" and not self.pending:
            return f"{what}: the policy has gone on already"
        return ""


STALE = ("sample", "completion", "generation", "verdicts", "reward", "reward_parts")


def named(record: Record) -> str:
    """ "3e9ccf, sample 2": a record in a message."""
    name, epoch, sample = key(record)
    return f"record {name!r}, {f'epoch {epoch}, ' if epoch else ''}sample {sample}"


class History:
    """All entries, by record."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.by_key: dict[Key, list[Entry]] = {}
        for made in entries:
            self.by_key.setdefault((made["id"], made["epoch"], made["sample"]), []).append(made)

    def state(self, record: Record) -> State:
        """What the record's completion says now."""
        now = State(record)
        for made in self.by_key.get(key(record), ()):
            now.take(made)
        return now

    def opened(self, record: Record) -> list[Entry]:
        """The files that were given to an editor for this record, the last one last."""
        return [made for made in self.by_key.get(key(record), ()) if made["kind"] == "open"]
