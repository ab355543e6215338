"""What the page gets to see of a completion, as JSON. All text of records is for textContent alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from swr1.errors import DataError
from swr1.intervention.history import State
from swr1.intervention.known import MOST, Offer
from swr1.intervention.page import changed, fits, parts
from swr1.intervention.steps import judged_steps
from swr1.prompts.rendering import text_of
from swr1.records import Record, key
from swr1.terminal import shown

KINDS = {" ": "kept", "-": "old", "~": "dropped", "+": "new", ">": "wrote"}


def row(number: int, state: State) -> dict[str, Any]:
    """A completion in the list."""
    name, epoch, sample = key(state.record)
    return {
        "number": number,
        "id": shown(name),
        "epoch": epoch,
        "sample": sample,
        "edits": len(state.levels),
        "pending": state.pending,
        "begins": shown(" ".join(_question(state.record).split())[:80]),
        "labels": {} if state.levels else _labels(state.record),  # they are of what it said first
    }


def page(number: int, state: State) -> dict[str, Any]:
    """A completion in full: before and after its last edit, and its text to be edited."""
    record = state.record
    sides = parts(state) if state.levels else ([], [])
    before, after = ([{"kind": KINDS[m[0]], "text": shown(t)} for m, t in side] for side in sides)
    return row(number, state) | {
        "task": shown(str(record.get("task") or "")),
        "prompt": [
            {"role": shown(m["role"]), "text": shown(_text(m.get("content")))}
            for m in record["prompt"]
        ],
        "text": state.text,
        "digest": state.digest,
        "editable": "\r"
        not in state.text,  # a browser's text field would turn it into a line break
        "before": before or list(_steps(record)),
        "after": after,
        "history": [
            {n: shown(str(level.edit.get(n, ""))) for n in ("edit", "who", "when", "why", "from")}
            for level in state.levels
        ],
    }


def offered(state: State, offers: Sequence[Offer]) -> list[dict[str, Any]]:
    """Known edits as the page offers them.

    `find` and `put` are exact texts: what stands from the beginning of the line to the end of the
    replaced text, and what taking the offer makes of it; null where it does not fit.
    """
    return [_offered(state.text, offer) for offer in offers[:MOST]]


def _offered(text: str, offer: Offer) -> dict[str, Any]:
    made = offer.edit
    fine = offer.place and "\r" not in made["new"]  # which a text field would change
    find, put = offer.line(text) if fine else (None, None)
    return {
        "edit": offer.name,
        "similar": round(offer.similarity, 2),
        "change": shown(changed(made)),
        "about": shown(f"by {made.get('who', '?')}, {made.get('when', '')[:10]}{fits(offer)}"),
        "find": find,
        "put": put,
    }


def _steps(record: Record) -> Iterator[dict[str, Any]]:
    """The completion in steps with their verdicts, and what stands between them."""
    text, at = record["completion"], 0
    try:
        spans, wrong, _ = judged_steps(record)
    except (DataError, KeyError, TypeError):
        spans, wrong = [], None
    said = ((record.get("verdicts") or {}).get("steps") or {}).get("detail", {}).get("steps") or []
    why = ((record.get("verdicts") or {}).get("trace") or {}).get("detail", {}).get("message")
    for number, (start, end) in enumerate(spans):
        if start < at or end > len(text):
            break
        if start > at:
            yield {"kind": "kept", "text": shown(text[at:start])}
        before = wrong is None or number < wrong
        label = "right" if before else "wrong" if number == wrong else ""
        about = (why or "").removeprefix(f"{text[start:end]!r}: ") if number == wrong else ""
        if number < len(said):
            label = str(said[number].get("label") or "")
            about = str(said[number].get("why") or "")
        step = {"kind": "kept", "text": shown(text[start:end])}
        yield step | {"label": shown(label), "why": shown(about)}
        at = end
    yield {"kind": "kept", "text": shown(text[at:])}


def _labels(record: Record) -> dict[str, str]:
    verdicts = record.get("verdicts") or {}
    return {shown(name): shown(str(verdict.get("label"))) for name, verdict in verdicts.items()}


def _question(record: Record) -> str:
    return _text(record["prompt"][-1].get("content")) if record["prompt"] else ""


def _text(content: Any) -> str:
    try:
        return text_of(content)
    except DataError:
        return "[not text]"
