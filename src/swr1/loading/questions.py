"""Questions with accepted answers, to be looked up: what their loaders share.

`info.searches` is how many documents a question takes, where the set says it; `swr1 eval --calibration`
splits the calls of tools by it.
"""

import json
from collections.abc import Mapping
from typing import Any

from swr1.errors import DataError
from swr1.loading.declare import item, text

FLASHRAG = ("id", "question", "golden_answers")
"""The columns of FlashRAG's copies (arXiv 2405.13576), on which Search-R1 and its kin evaluate."""


def accepted(value: Any, column: str) -> list[str]:
    """The accepted answers in a column: a text, a list of them, or such a list as JSON text.

    Each once, in their order; [] where the set does not give them. Raises DataError for anything else.
    """
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise DataError(f"no list of answers: column {column!r} holds {value[:60]!r}") from None
    golds = [value] if isinstance(value, str | int | float) else value or []
    if not isinstance(golds, list) or not all(isinstance(g, str | int | float) for g in golds):
        raise DataError(f"no answers: column {column!r} holds {str(value)[:60]!r}")
    return list(dict.fromkeys(str(gold) for gold in golds if str(gold).strip()))


def question(row: Mapping[str, Any], golds: list[str], **info: Any) -> dict[str, Any]:
    """An item of task `qa` with the question in column `question`; without answers, none."""
    return item("qa", text(row, "question"), golds or None, **info)


def documents(row: Mapping[str, Any]) -> int | None:
    """How many documents the supporting facts name: rows [title, sentence], or columns of them."""
    facts = row.get("supporting_facts")
    titles = facts.get("title") if isinstance(facts, dict) else facts
    if not isinstance(titles, list):
        return None
    return len({t[0] if isinstance(t, list) and t else str(t) for t in titles}) or None
