"""Steps about a question of the made facts: against the passages that were read, and what all know.

The sentences are those of swr1.facts.traces: `first HEADING asked HEADING same|other`, `it says
VALUE`, `found nothing`, `the TABLE of WORD is X`. They are judged by the last search before them, so
a passage that lies makes no step wrong: the step reports it.
"""

import re

from swr1.facts.world import words
from swr1.records import INSERTED, Record
from swr1.verifiers.steps.claims import CANNOT_READ, SAYS_NOTHING, holds, together
from swr1.verifiers.steps.turn import Judged, Turn

_CLAIMS = re.compile(
    r"look up (?P<query>.+?)(?= first |$)"
    r"|first (?P<first>.+?) asked (?P<asked>.+?) (?P<same>same|other)\b"
    r"|it says (?P<says>\S+)"
    r"|found (?P<nothing>nothing)"
    r"|the (?P<table>\S+) of (?P<word>\S+) is (?P<value>\S+)"
    r"|(?P<empty>I know|a guess)"
)
_CALL = re.compile(r"<search>(.*?)</search>", re.DOTALL)
_TAG = re.compile(r"</?information>")


def judge(record: Record, turn: Turn) -> list[Judged]:
    """By what stood in the completion before each step."""
    turns = (record.get("generation") or {}).get("turns") or ()
    read = [
        (b, _flat(_TAG.sub(" ", turn.text[a + turn.opened : b + turn.opened])))
        for t in turns
        if t.get("kind") in INSERTED
        for a, b in [t["characters"]]
    ]
    judged = []
    for step in turn.steps:
        before = [text for end, text in read if end + turn.opened <= step.start]
        calls = _CALL.findall(turn.text[: step.start])
        judged.append(
            _judge(
                _flat(step.text), before[-1] if before else None, _flat(calls[-1]) if calls else ""
            )
        )
    return judged


def _flat(text: str) -> str:
    return " ".join(text.split())


def _judge(said: str, passages: str | None, query: str) -> Judged:
    claims, at, first = [], 0, ""
    for match in _CLAIMS.finditer(said):
        if said[at : match.start()].strip(" ."):
            claims.append(CANNOT_READ)
        at, first = match.end(), match["first"] or first
        claims.append(_claim(match, passages, query, first))
    if said[at:].strip(" ."):
        claims.append(CANNOT_READ)
    return together(claims)


def _claim(match: re.Match[str], passages: str | None, query: str, first: str) -> Judged:
    if match["query"] or match["empty"]:
        return SAYS_NOTHING
    if match["table"]:
        table = words()["common"].get(match["table"], {})
        return holds(table.get(match["word"]) == match["value"], "that is not what everybody knows")
    if passages is None:
        return holds(False, "nothing was read before it")
    none = passages in ("", "nothing found")
    if match["first"]:
        found, asked = match["first"], match["asked"]
        if not (found == "nothing" if none else f"{passages} ".startswith(f"{found} ")):
            return holds(False, "the first passage is another")
        if asked != query:
            return holds(False, f"what was asked is {query!r}")
        return holds((match["same"] == "same") == (found == asked), "it is the other way round")
    if match["nothing"]:
        return holds(none or first != query, "something was found")
    here = passages.removeprefix(first).split()
    return holds(
        bool(first and here) and here[0] == match["says"], "the first passage does not say so"
    )
