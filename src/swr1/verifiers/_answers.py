r"""Where a completion says its final answer: after the thinking, in \boxed{}, in <answer> tags.

Shared by the verifiers that compare an answer with a known one. Every function is linear in the
length of the text.
"""

from __future__ import annotations

import re
from typing import Any

from swr1.records import Record

_BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\[{}]|[{}]")
_TAGGED = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.DOTALL)


def final_text(text: str) -> str | None:
    """What follows the thinking: all of a text without <think>, None where thinking never ends."""
    _, closed, rest = text.rpartition("</think>")
    if closed:
        return rest
    return None if "<think>" in text else text


def boxed(text: str) -> list[str]:
    r"""The contents of each \boxed{} (or \fbox{}), in order; of nested boxes the outermost.

    A box whose brace is never closed is left out.
    """
    opened: list[int | None] = []  # per open brace: where a box's content starts, or None
    found: list[tuple[int, int]] = []
    for match in _BRACES.finditer(text):
        token = match[0]
        if token in ("\\{", "\\}"):
            continue
        if token != "}":
            opened.append(match.end() if len(token) > 1 else None)
        elif opened and (start := opened.pop()) is not None:
            while found and found[-1][0] > start:
                found.pop()
            found.append((start, match.start()))
    return [text[a:b].replace("\\boxed", "").replace("\\fbox", "").strip() for a, b in found]


def tagged(text: str) -> list[str]:
    """The contents of each closed <answer>, in order."""
    return [content.strip() for content in _TAGGED.findall(text)]


def null(reason: str, by: str, **detail: Any) -> dict[str, Any]:
    """The verdict of a verifier that could not judge, and why."""
    return {"score": None, "label": None, "detail": detail, "by": by, "error": reason}


def other_task(record: Record, *tasks: str) -> str | None:
    """Why this is not an item of these tasks, or None. A record without `task` may be anything."""
    task = record.get("task")
    if task is None or task in tasks:
        return None
    listed = " and ".join(filter(None, [", ".join(tasks[:-1]), tasks[-1]]))
    return f"the task is {task!r}, this verifier judges {listed}"
