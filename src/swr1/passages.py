"""The passages that tools put into a completion, as its record keeps them."""

import re
from collections.abc import Iterator
from typing import Any

from swr1.records import Record

_ROWS = re.compile(r"\.(?:jsonl?|csv|tsv|parquet)(?:\.\w+)?$")


def passages(record: Record) -> Iterator[dict[str, Any]]:
    """The passages that the policy could read, in their order; those that a tool left out are none."""
    for turn in (record.get("generation") or {}).get("turns") or ():
        listed = turn.get("passages")
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict) and "dropped" not in one:
                yield one


def with_text(record: Record) -> list[dict[str, Any]]:
    """Those of them whose text the record has."""
    return [one for one in passages(record) if isinstance(one.get("text"), str)]


def attackers_value(passage: dict[str, Any]) -> str | None:
    """What an attacking passage wants answered (`swr1 attack --documents`); None of others."""
    attack = passage.get("attack")
    value = attack.get("value") if isinstance(attack, dict) else None
    return value if isinstance(value, str) else None


def name_of(passage: dict[str, Any]) -> str:
    """A passage's id, or what else there is of it."""
    return str(passage.get("id") or passage.get("digest") or passage.get("text"))


def document_of(passage: dict[str, Any]) -> str:
    """What the passage's document is called: its id, or for a part of a text (FILE#N) the file."""
    name, source = name_of(passage), str(passage.get("source") or "")
    part_of_text = source and not _ROWS.search(source) and name.startswith(f"{source}#")
    return source if part_of_text else name
