"""Edits in an append-only file: an object per line, synced; what a crash tore is ignored, and said.

    journal = Journal(Path("edits.jsonl"))
    with journal.locked() as entries:      # no other process adds anything meanwhile
        journal.append(Entry(kind="edit", ...))

Kinds: "edit" (old at a character becomes new, all after it is dropped), "continued" (the policy
wrote on), "undo" (of an edit), "open" (a file was given to an editor). Every entry names its record
(id, epoch, sample) and the digest of the completion that it was made for. An edit also says what is
needed to offer it again (known.py): the prompt, the line in front of it, and the edit that it was
taken `from`, if any.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from swr1.errors import DataError
from swr1.prompts.rendering import text_of
from swr1.records import Record, key, pack, parse
from swr1.streams.files import fsync_folder, naming, open_to_write

Entry = dict[str, Any]
Key = tuple[str, int, int]
BEGIN = b'{"v":1,"kind":"'  # of every line, so that a torn one is told from another file's
PROMPT, LINE = 20_000, 400  # characters of a prompt, and of the line in front of an edit
KINDS = ("edit", "continued", "undo", "open")
_TYPES = {
    "id": str, "epoch": int, "sample": int, "digest": str, "edit": str, "at": int, "old": str,
    "new": str, "text": str, "generation": dict, "path": str, "why": str, "who": str, "when": str,
    "prompt": str, "line": str, "from": str,
}  # fmt: skip
_NEEDS = {
    "edit": ("edit", "at", "old", "new"),
    "continued": ("edit", "text", "generation"),
    "undo": ("edit",),
    "open": ("path",),
}


def digest_of(text: str) -> str:
    """16 hex digits of a completion's text, by which an edit knows what it was made for."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def entry(kind: str, record: Record, of: str, who: str = "", /, **more: Any) -> Entry:
    """An entry about the completion `of` of a record; what is None or "" is left out.

    An edit (`at`, `old`, `new`) gets a name of 8 hex digits under `edit`.
    """
    name, epoch, sample = key(record)
    made = {"v": 1, "kind": kind, "id": name, "epoch": epoch, "sample": sample}
    made["digest"] = digest_of(of)
    made |= {n: value for n, value in more.items() if value is not None and n != "why"}
    made |= {"why": more["why"]} if more.get("why") else {}
    made |= {"who": who or user(), "when": datetime.now(UTC).isoformat(timespec="seconds")}
    if kind == "edit":
        made["prompt"] = prompt_of(record)
        made["line"] = of[: more["at"]].rpartition("\n")[2][-LINE:]
        unique = pack(made) + os.urandom(8)
        made["edit"] = hashlib.blake2b(unique, digest_size=4).hexdigest()
    return made


def prompt_of(record: Record) -> str:
    """What was asked, as text: the prompt without the operator's system message; "" for pictures."""
    try:
        asked = [text_of(m.get("content")) for m in record["prompt"] if m["role"] != "system"]
    except DataError:
        return ""
    return "\n".join(asked)[:PROMPT]


def user() -> str:
    """Who edits, as the system calls them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user here, as in some containers
        return "unknown"


class Journal:
    """The file. `say` is told of torn lines, each once."""

    def __init__(self, path: str | Path, say: Callable[[str], None] = lambda text: None) -> None:
        self.path, self._say = Path(path), say
        self._told: set[int] = set()

    def read(self) -> list[Entry]:
        """All whole entries in order; none where there is no file.

        Raises DataError for a line that is none of ours, with its place.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return list(self._entries(data))

    @contextmanager
    def locked(self) -> Iterator[list[Entry]]:
        """The entries; until the end no other process appends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with naming(self.path), open_to_write(self.path, append=True) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield self.read()

    def append(self, entry: Entry) -> Entry:
        """Add an entry, durably; call it within `locked`. Returns it."""
        line = pack(entry, orjson.OPT_APPEND_NEWLINE)
        assert line.startswith(BEGIN)
        new = not self.path.exists() or not self.path.stat().st_size
        with naming(self.path), open_to_write(self.path, append=True) as file:
            file.write(line if new or self._is_whole() else b"\n" + line)
            file.flush()
            os.fsync(file.fileno())
        if new:
            fsync_folder(self.path.parent)
        return entry

    def _is_whole(self) -> bool:
        """Whether the file ends in a line break: the last line was not torn."""
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _entries(self, data: bytes) -> Iterator[Entry]:
        for number, line in enumerate(data.split(b"\n"), 1):
            if not line:
                continue
            place = f"{self.path}:{number}"
            try:
                made = parse(line)
            except ValueError:
                if line.startswith(BEGIN) or BEGIN.startswith(line):
                    if number not in self._told:
                        self._told.add(number)
                        self._say(f"{place} was torn by a crash: this line is ignored")
                    continue
                raise DataError(
                    "this is no journal of edits: a line that is no JSON", place
                ) from None
            if why := _fault(made):
                raise DataError(f"this is no journal of edits: {why}", place)
            yield made


def _fault(made: Any) -> str:
    """Why a value is no entry; "" for one."""
    if not isinstance(made, dict) or made.get("kind") not in KINDS:
        return f"`kind` must be one of {', '.join(KINDS)}"
    if made.get("v") != 1:
        return "it is of another version of swr1"
    for name in ("id", "epoch", "sample", "digest", *_NEEDS[made["kind"]]):
        if name not in made:
            return f"{made['kind']!r} needs `{name}`"
    for name, kind in _TYPES.items():
        if name in made and type(made[name]) is not kind:
            return f"`{name}` must be a value of another type"
    return "" if made.get("at", 0) >= 0 else "`at` is at least 0"
