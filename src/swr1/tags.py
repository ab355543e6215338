"""The tags of a completion: its reasoning and answer, and what a policy writes to call a tool.

A completion is one text: `<think>...</think><search>...</search>`, then what the tool gave between
`<information>` tags, which the policy did not write, and at last `<answer>...</answer>`.
"""

from __future__ import annotations

from collections.abc import Iterable

REASONING = ("<think>", "</think>", "<answer>", "</answer>")
CONFIDENCE = "confidence"
INFORMATION = "information"  # around what a tool gave


def pairs(names: Iterable[str]) -> tuple[str, ...]:
    """("search", "read") as ("<search>", "</search>", "<read>", "</read>")."""
    return tuple(tag for name in names for tag in (f"<{name}>", f"</{name}>"))


# Kept in a completion's text, even where a tokenizer has made special tokens of them.
SHOWN = REASONING + pairs((CONFIDENCE, INFORMATION, "search", "read"))


def split_tools(tools: str) -> list[str]:
    """What --tools names: "search, ./mine.py:weather" as two."""
    return [word.strip() for word in tools.split(",") if word.strip()]


def tool_name(target: str) -> str:
    """How a policy calls a tool: "./mine.py:weather" is <weather>."""
    return target.rpartition(":")[2] if ".py:" in target else target
