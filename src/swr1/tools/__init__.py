"""What a policy may call while it writes: a search, a calculator, a function of your own.

A policy calls a tool by its tag, `<search>who found radium</search>`. The reply is put behind it,
between `<information>` tags, and the policy goes on from there (see `loop`).

A tool is one file with one function, in `builtin` or anywhere (`./mine.py:tool`):

    def tool(query: str) -> str: ...

Its keyword arguments are its settings (`--tool-set NAME.KEY=VALUE`). It returns a text, or a dict
with `text` and `passages`, each with `title`, `text` and whatever else the record is to keep. It
raises ValueError for a call that it cannot answer: the policy reads the message and may call again.
A built-in one whose module has `open` is opened once, with `ToolOptions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swr1.registry import Registry

REGISTRY = Registry("tool", "swr1.tools", "tool", "builtin")


class ToolError(Exception):
    """A call that came to nothing, in words that the policy and the record get."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a tool gave to one call.

    Attributes:
        text: what the policy reads; of a failed call the reason.
        passages: what the record keeps of each passage: id, source, digest, score.
        error: why the call failed, "" if it did not.
    """

    text: str
    passages: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
