"""The assistant's text and its four tags, which every verifier of a reasoned answer starts from."""

from __future__ import annotations

from collections.abc import Sequence

from swr1.errors import DataError, UsageError
from swr1.records import Record
from swr1.registry import suggest

TAGS = ("<think>", "</think>", "<answer>", "</answer>")


def assistant_text(record: Record, prefill: str = "") -> str:
    """The assistant's whole turn: how the prompt opened it, then the completion.

    `prefill` stands in for a record without `generation.prefill`, such as somebody else's JSONL
    whose prompts ended with "<think>". Raises DataError when there is no completion.
    """
    completion = record.get("completion")
    if not isinstance(completion, str):
        raise DataError(
            f"record {record.get('id')!r} has no 'completion' to judge: `swr1 rollout` adds it"
        )
    opened = (record.get("generation") or {}).get("prefill")
    return (prefill if opened is None else opened) + completion


def is_truncated(record: Record) -> bool:
    """Whether the completion was cut at its length limit."""
    return (record.get("generation") or {}).get("finish_reason") == "length"


def prompt_text(record: Record) -> str:
    """The prompt's messages as one text, a line break between them; images are left out."""
    return "\n".join([content_text(message) for message in record.get("prompt") or ()])


def content_text(message: dict) -> str:
    """The text of one chat message, whose content is a text or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def check_choice(option: str, value: str, known: Sequence[str]) -> None:
    """Raises UsageError, with a suggestion, unless `value` is one of `known`."""
    if value not in known:
        raise UsageError(
            f"unknown {option} {value!r}.{suggest(value, known)} Known: {', '.join(known)}"
        )
