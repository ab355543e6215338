"""The form of a completion with tools: blocks one after the other, and nothing between them.

    <think>...</think><search>...</search><think>...</think><confidence>7</confidence><answer>...</answer>

Reasoning, calls, confidence and answer are blocks; what a tool gave is no part of the text that is
judged. The order of the others is free, but the answer is the last, and once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from swr1.tags import CONFIDENCE

_SPACE = re.compile(r"\s*")
_TAG = re.compile(r"</?[a-z_]\w{0,40}>")


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a text, by name and in order, and what is wrong with their form."""

    blocks: tuple[tuple[str, str], ...]
    faults: tuple[str, ...]

    def texts(self, name: str) -> list[str]:
        """What stands in the blocks of a name."""
        return [text for block, text in self.blocks if block == name]


def blocks_of(text: str, names: frozenset[str], need_confidence: bool) -> Blocks:
    """The blocks of a text. `names`: those of blocks; other tags are words of the text."""
    found: list[tuple[str, str]] = []
    faults: list[str] = []
    ends = _Ends(text)
    at = 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # matches anything
        if at == len(text):
            break
        name = _opened(text, at, names)
        end = ends.after(name, at) if name else -1
        if name is None or end < 0:
            faults.append("missing-tag" if name else "outside-text")
            at = _next(text, at, names)
            continue
        inner = text[at + len(name) + 2 : end]
        if any(tag.strip("</>") in names for tag in _TAG.findall(inner)):
            faults.append("tag-order")  # one block in another
        found.append((name, inner))
        at = end + len(name) + 3
    answers = [place for place, (name, _) in enumerate(found) if name == "answer"]
    if not answers or not any(name == "think" for name, _ in found):
        faults.append("missing-tag")
    if len(answers) > 1:
        faults.append("repeated-tag")
    elif answers and answers[0] != len(found) - 1:
        faults.append("tag-order")
    if need_confidence and not any(name == CONFIDENCE for name, _ in found):
        faults.append("no-confidence")
    return Blocks(tuple(found), tuple(dict.fromkeys(faults)))


class _Ends:
    """Where the end tags of a text are. Each is looked for once, so a text of open tags is quick."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}

    def after(self, name: str, at: int) -> int:
        """The place of the first end of `name` behind `at`, which never falls; -1 if there is none."""
        known = self._next.get(name, 0)
        if 0 <= known < at or name not in self._next:
            known = self._next[name] = self._text.find(f"</{name}>", at)
        return known


def _opened(text: str, at: int, names: frozenset[str]) -> str | None:
    """The name of the block that begins here."""
    tag = _TAG.match(text, at)
    name = tag[0].strip("<>") if tag else ""
    return name if name in names else None


def _next(text: str, at: int, names: frozenset[str]) -> int:
    """Where the next block may begin."""
    for tag in _TAG.finditer(text, at + 1):
        if not tag[0].startswith("</") and tag[0].strip("<>") in names:
            return tag.start()
    return len(text)
