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


def note_keys(record: Record, known: set[str]) -> None:
    """Add to `known` what could be named of this record."""
    known.update(record.get("info") or ())
    known.update(key for key in OF_RECORD if value_of(record, key) is not None)


def no_key(flag: str, key: str, known: Iterable[str]) -> UsageError:
    """The error for a key that no record has."""
    names = sorted(known)
    listed = f" They have: {', '.join(names[:20])}" if names else ""
    return UsageError(f"{flag} {key}: no record has {key!r}.{suggest(key, names)}{listed}")
