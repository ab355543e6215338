"""Keys of records that --by and --runs-by name: what they say, and what was meant by one that none has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swr1.errors import UsageError
from swr1.records import Record, pack
from swr1.registry import suggest

OF_RECORD = ("task", "model", "policy")


def value_of(record: Record, key: str) -> str | None:
    """What `key`, a path with dots of `info`, `generation` or the record, says, as text; None: nothing.

    "policy" is name@version of the policy that wrote the completion.
    """
    for holder in (record.get("info"), record.get("generation"), record):
        value: Any = holder
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            continue
        if key == "policy" and isinstance(value, dict):
            version = value.get("version")
            return str(value.get("name")) + ("" if version is None else f"@{version}")
        return pack(value).decode() if isinstance(value, dict | list) else str(value)
    return None


def prompt_id(record: Record) -> str:
    """What answers to one prompt have in common: the id, without the "@model" that `swr1 load` puts behind it."""
    model = (record.get("info") or {}).get("model")
    return str(record["id"]).removesuffix(f"@{model}") if model else record["id"]


class Authors:
    """Whether answers to one prompt are of one author: a model, a policy and its version.

    Those of several are no samples of each other, so there is no pass@k over them.
    """

    def __init__(self) -> None:
        self._of: dict[str, tuple[str | None, ...]] = {}
        self._differing: set[str] = set()

    def add(self, record: Record, by: str = "", group: str = "") -> None:
        """Note whose answer it is, and in which group, by the key `by`."""
        keys = ("model", "policy", by)
        whose = (value_of(record, "model"), value_of(record, "policy"), group)
        first = self._of.setdefault(prompt_id(record), whose)
        if first != whose:
            self._differing |= {k for k, a, b in zip(keys, first, whose, strict=True) if a != b}

    def group(self, name: str) -> str:
        """The group of a prompt, by its prompt_id."""
        return self._of[name][-1] or "-"

    @property
    def differ_in(self) -> str:
        """The key that tells answers to one prompt apart; "" where none does."""
        named = ["model", "policy", *sorted(self._differing)]
        return next((key for key in named if key in self._differing), "")


def mixed_line(key: str, unit: str) -> str:
    """What the page says where `Authors.differ_in` is a key."""
    one = unit.removesuffix("s")
    apart = f"{key} tells answers to one {one} apart, so there is no pass@k of all"
    return f"{apart}: --runs-by {key} compares them"


def note_keys(record: Record, known: set[str]) -> None:
    """Add to `known` what could be named of this record."""
    known.update(record.get("info") or ())
    known.update(key for key in OF_RECORD if value_of(record, key) is not None)


def no_key(flag: str, key: str, known: Iterable[str]) -> UsageError:
    """The error for a key that no record has."""
    names = sorted(known)
    listed = f" They have: {', '.join(names[:20])}" if names else ""
    return UsageError(f"{flag} {key}: no record has {key!r}.{suggest(key, names)}{listed}")
