"""Is a puzzle in the training data, up to names, order, role words and wording?

    held = Held(puzzles)            # those to evaluate on; judged or bare
    result = held.look_through(training_records)

Two puzzles are the same when their canonical forms are (see puzzles/canonical.py). The puzzles asked
about are held in memory; the training data may be any size and stream by. Most of them are
distinguished by a hash that all variants of a puzzle share, in microseconds; the canonical form decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType

from swr1.errors import DataError
from swr1.evals.memorisation import share_of
from swr1.evals.metrics import Item, by_number, summarise
from swr1.evals.report import as_page, new_table, percent, row_style, span
from swr1.puzzles.canonical import canonical_key, shape_hash
from swr1.puzzles.statements import as_tuples
from swr1.records import Record

MOST = 10  # matches of one puzzle that are named; all are counted


class Held:
    """The puzzles that are looked for, by their form.

    Args:
        records: puzzles, or their completions (then all of them judged: accuracy is counted too).
        by: the key of `info` that groups them.
        verdict: see `metrics.summarise`.

    Raises DataError for no records, for one without statements, and what `summarise` raises.
    """

    def __init__(
        self, records: Iterable[Record], by: str | None = None, verdict: str | None = None
    ) -> None:
        self.by = by or "people"
        self.groups: dict[str, str] = {}  # id -> size
        self.places: dict[str, str] = {}  # id -> FILE:LINE
        self.matches: dict[str, list[dict[str, str]]] = {}  # id -> its matches, named
        self.times: dict[str, int] = {}  # id -> how many records match
        self.items: dict[str, Item] = {}  # id -> its samples, right and judged
        self._shapes: set[int] = set()
        self._by_key: dict[str, list[str]] = {}
        self.looked_through = 0
        noted = self._noted(records)
        first = next(noted, None)
        if first is None:
            raise DataError("no puzzles to look for")
        if "completion" in first:
            self.items = summarise(_again(first, noted), by, verdict)["items"]
        else:
            for _ in noted:
                pass

    def _noted(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if (name := record["id"]) not in self.groups:
                statements = _statements(record)
                value = record["info"].get(self.by)
                self.groups[name] = "-" if value is None else str(value)
                self.places[name] = _location(record)
                self._shapes.add(_shape(statements))
                self._by_key.setdefault(canonical_key(statements), []).append(name)
            yield record

    def look_through(self, seen: Iterable[Record]) -> dict[str, Any]:
        """Compare with training records, read once; the result is plain JSON.

        Returns:
            "all" and "groups" (by size) with `puzzles`, `seen`, `same_id` (seen word for word),
            and for judged ones `right_seen` and `right_unseen` {share, interval}; "matches":
            [{id, where, records, of: [{id, where}, ...]}], at most MOST named for each.
        """
        for record in seen:
            self.looked_through += 1
            statements = _statements(record)
            if _shape(statements) not in self._shapes:
                continue
            for name in self._by_key.get(canonical_key(statements), ()):
                named = self.matches.setdefault(name, [])
                self.times[name] = self.times.get(name, 0) + 1
                # The very same item is always named, also when it comes late.
                exact = record["id"] == name
                if record["id"] not in {of["id"] for of in named} and (exact or len(named) < MOST):
                    named.append({"id": record["id"], "where": _location(record)})
        sizes = sorted(set(self.groups.values()), key=by_number)
        return {
            "by": self.by,
            "looked_through": self.looked_through,
            "all": self._cell(list(self.groups)),
            "groups": {s: self._cell([n for n, g in self.groups.items() if g == s]) for s in sizes},
            "matches": [
                {"id": n, "where": self.places[n], "records": self.times[n], "of": self.matches[n]}
                for n in self.groups
                if n in self.matches
            ],
        }

    def _cell(self, names: list[str]) -> dict[str, Any]:
        seen = [name for name in names if name in self.matches]
        cell: dict[str, Any] = {
            "puzzles": len(names),
            "seen": len(seen),
            "same_id": sum(name in {of["id"] for of in self.matches[name]} for name in seen),
        }
        if self.items:
            unseen = [name for name in names if name not in self.matches]
            for label, part in (("right_seen", seen), ("right_unseen", unseen)):
                items = [self.items[name] for name in part]
                cell[label] = share_of([i["correct"] for i in items], [i["judged"] for i in items])
        return cell


def report(results: dict[str, dict[str, Any]]) -> RenderableType:
    """A table per run: how many of its puzzles were seen, and how many of those were solved."""
    tables = []
    for label, result in results.items():
        table = new_table()
        table.add_column(result["by"], no_wrap=True)
        judged = "right_seen" in result["all"]
        accuracy = ["right:\nseen", "95%", "\nunseen", "95%"] if judged else []
        for name in [f"{label}\npuzzles", "\nseen", "%", "word for\nword", *accuracy]:
            table.add_column(name, justify="right", no_wrap=True)
        rows = result["groups"] if len(result["groups"]) > 1 else {}
        for name, cell in (rows | {"all": result["all"]}).items():
            row = [cell["puzzles"], cell["seen"], percent(cell["seen"] / cell["puzzles"])]
            row.append(cell["same_id"])
            for share in [cell[key] for key in ("right_seen", "right_unseen") if judged]:
                row += [percent(share["share"]), span(share["interval"])]
            table.add_row(name, *map(str, row), style=row_style(name))
        tables.append(table)
    looked = max(result["looked_through"] for result in results.values())
    head = f"Puzzles seen in {looked:,} training records, up to names, order, roles, wording"
    return as_page(head, tables, [])


def match_lines(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """ "test.jsonl:3 (id) = train.jsonl:17 (id), ..." for each puzzle that was seen."""
    for result in results.values():
        for match in result["matches"]:
            named = ", ".join(f"{of['where']} ({of['id']})" for of in match["of"])
            more = match["records"] - len(match["of"])
            tail = f" and {more} more" if more else ""
            yield f"{match['where']} ({match['id']}) = {named}{tail}"


def _again(first: Record, rest: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rest


def _location(record: Record) -> str:
    return getattr(record, "location", None) or f"record {record['id']}"


def _statements(record: Record) -> list[tuple]:
    try:
        statements = [as_tuples(s) for s in record["info"]["statements"]]
        _shape(statements)
    except (KeyError, TypeError, IndexError, ValueError):
        raise DataError(
            "not a puzzle with info.statements; `swr1 gen-puzzles` and `swr1 load kk` make those",
            _location(record),
        ) from None
    return statements


def _shape(statements: list[tuple]) -> int:
    """64 bits that all variants of a puzzle share, and few others."""
    return (
        sum(shape_hash(statement, speaker) for speaker, statement in enumerate(statements))
        & (1 << 64) - 1
    )
