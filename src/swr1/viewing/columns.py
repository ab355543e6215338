"""The list's columns: which ones a file needs, what stands in them, and how wide they are.

Used by the table in a pipe and by the terminal page alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from swr1.picture_parts import is_picture
from swr1.records import Record, pack
from swr1.terminal import shown
from swr1.viewing import BAD, GOOD, UNSURE, number
from swr1.viewing.source import BROKEN

FIRST = 64  # records that decide about the columns
NARROW = 110  # cells; below this labels and ids are cut
TEXTS = ("prompt", "completion")
ROOM = 36  # cells that prompt and completion need together
DROPPED = ("end", "tokens", "version", "id", "people", "sample", "model", "run")
"""What a line leaves out, in this order, until the texts have their room."""
_OPENING = 12  # characters that all texts begin with, from which on they are left out


def cleaned(value: Any) -> Any:
    """The value with all its texts as they may be shown."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {cleaned(k): cleaned(v) for k, v in value.items()}
    if isinstance(value, list) and not (value and isinstance(value[0], int | float)):
        return [cleaned(v) for v in value]
    return value


class Columns:
    """The columns of a list, chosen from its first records: only what some of them have.

    With `hide`, a column in which all of these have one value is left out and stands in `same`. It
    comes back as soon as a record with another value is noticed.
    """

    def __init__(self, first: Sequence[Record], hide: bool = False) -> None:
        first = [r for r in first if BROKEN not in r]
        verdicts = sorted({v for r in first for v in r.get("verdicts") or {}})
        names = ["id", "run", "model", "people", "sample", "version"]
        names += [*(f"verdicts.{v}" for v in verdicts), "reward", "tokens", "end", "failed"]
        cells = {n: [cell(r, n) for r in first] for n in (*names, *TEXTS)}
        given = {n for n, column in cells.items() if any(column)}
        self.names = [n for n in names if n in given or n == "id"]
        self.names += [n for n in TEXTS if n in given] or ["completion"]
        self.titles = {n: cleaned(n.removeprefix("verdicts.")) for n in self.names}
        self.widths = {
            n: max([len(self.titles[n]), *map(len, cells[n])]) for n in self.names if n not in TEXTS
        }
        self.widths["id"] = max(self.widths["id"], 16)
        self.same: dict[str, str] = {}
        if hide and len(first) > 1:
            alike = [n for n in self.names if n not in ("id", *TEXTS) and len(set(cells[n])) == 1]
            self.same = {n: cells[n][0] for n in alike}
        self._openings = {n: _opening(cells[n]) for n in TEXTS}

    def notice(self, record: Record) -> bool:
        """Bring back hidden columns in which `record` differs; whether there were any."""
        differ = [n for n, value in self.same.items() if cell(record, n) != value]
        if BROKEN in record:
            return False
        for name in differ:
            value = self.same.pop(name)
            self.widths[name] = max(self.widths[name], len(value), len(cell(record, name)))
        return bool(differ)

    def said(self) -> str:
        """What the hidden columns hold, in words for a title."""
        return ", ".join(f"{self.titles[n]} {value}" for n, value in self.same.items())

    def head(self, width: int | None = None, by: str = "") -> Text:
        """The titles; `by` is the column that the list is sorted by, with - before it if downward."""
        down = by.startswith("-")
        titles = {n: f"{t}{'↓' if down else '↑'}" if by.lstrip("-") == t else t
                  for n, t in self.titles.items()}  # fmt: skip
        return self._line({n: (titles[n], "bold") for n in self.names}, width)

    def row(self, record: Record, width: int | None = None) -> Text:
        """One line, cut at `width` cells; without a width prompt and completion have 60 and 80."""
        if BROKEN in record:
            line = Text(cleaned(f"{BROKEN}: {record[BROKEN]}"), BAD, no_wrap=True)
            line.truncate(width or 100, overflow="ellipsis")
            return line
        cells = {n: (cell(record, n), _style(record, n)) for n in self.names}
        for name, opening in self._openings.items():
            if opening and cells.get(name, ("", ""))[0].startswith(opening):
                cells[name] = (f"…{cells[name][0][len(opening) :]}", cells[name][1])
        return self._line(cells, width)

    def _line(self, cells: dict[str, tuple[str, str]], width: int | None) -> Text:
        line = Text(no_wrap=True, end="")
        wide = self._fitted(width)
        for name, cells_wide in wide.items():
            text, style = cells[name]
            if name in TEXTS:
                cell = Text(text, style)
                last = name == list(wide)[-1]
                cell.truncate(cells_wide, overflow="ellipsis", pad=not last)
                line.append_text(cell)
                line.append("" if last else "  ")
                continue
            gap = "  "
            if len(text) == cells_wide + 1 and text[-1] in "↑↓":  # of a title
                gap = " "
            elif len(text) > cells_wide:
                text = text[:cells_wide] if name == "id" else f"{text[: cells_wide - 1]}…"
            left = name in ("id", "end", "failed", "run", "model") or name.startswith("verdicts.")
            line.append(text.ljust(cells_wide) if left else text.rjust(cells_wide), style)
            line.append(gap)
        if width is not None:
            line.truncate(width)
        return line

    def _fitted(self, width: int | None) -> dict[str, int]:
        """The columns that a line of `width` cells has, each with its cells."""
        texts = [n for n in self.names if n in TEXTS]
        names = [n for n in self.names if n not in self.same]
        wide = {n: self.widths.get(n, 0) for n in names}
        if width is None:
            return wide | {n: 60 if n == "prompt" and len(texts) > 1 else 80 for n in texts}
        if width < NARROW:
            wide = {n: min(w, 8 if n == "id" else 12) for n, w in wide.items()}
        room = lambda: width - sum(w + 2 for n, w in wide.items() if n not in TEXTS)  # noqa: E731
        for name in DROPPED:
            if room() < ROOM and name in wide:
                del wide[name]
        left = max(room(), 0)
        if len(texts) > 1:
            prompt = max(left * 2 // 5, 0)
            return wide | {"prompt": prompt, "completion": max(left - prompt - 2, 0)}
        return wide | {texts[0]: left}


def _opening(texts: Sequence[str]) -> str:
    """What all different texts begin with, up to a space, if that is long enough to be left out."""
    first, last = min(texts, default=""), max(texts, default="")
    differ = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    common = first[: first.rfind(" ", 0, differ) + 1]
    return common if len(common) >= _OPENING else ""


def cell(record: Record, name: str) -> str:
    """What stands in a column of the list."""
    return cleaned(_raw_cell(record, name))


def _raw_cell(record: Record, name: str) -> str:
    generation, info = record.get("generation") or {}, record.get("info") or {}
    if name == "completion":
        return _words(record.get("completion"))
    if name == "prompt":
        asked = [m for m in record.get("prompt") or () if m.get("role") != "system"]
        return _words(content(asked[-1].get("content", ""))) if asked else ""
    if name.startswith("verdicts."):
        verdict = (record.get("verdicts") or {}).get(name.removeprefix("verdicts."))
        if not isinstance(verdict, dict):
            return "" if verdict is None else as_json(verdict)
        return judged(verdict)
    if name == "failed":
        failed = info.get("failed")
        return ", ".join(map(str, failed)) if isinstance(failed, list) else _words(failed)
    if name in ("run", "model"):
        return _words(info.get(name))
    value = {
        "people": lambda: info.get("people"),
        "version": lambda: (generation.get("policy") or {}).get("version"),
        "tokens": lambda: len(generation["token_ids"]) if "token_ids" in generation else None,
        "end": lambda: generation.get("finish_reason"),
    }.get(name, lambda: record.get(name))()
    return "" if value is None else number(value)


def _words(value: Any) -> str:
    """The beginning of a text in one line."""
    return "" if value is None else " ".join(content(value)[:400].split())


def content(value: Any) -> str:
    """A message's content as text: of parts their texts or [picture], and JSON for what else there is."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        texts = ["[picture]" if is_picture(part) else part.get("text") for part in value]
        if all(isinstance(text, str) for text in texts):
            return "\n".join(texts)  # type: ignore[arg-type]
    return as_json(value)


def as_json(value: Any) -> str:
    return pack(value).decode()


def judged(verdict: dict[str, Any]) -> str:
    """A verdict in a word: its label, or its score."""
    if verdict.get("score") is None:
        return "not judged"
    return str(verdict.get("label") or number(verdict["score"]))


def _style(record: Record, name: str) -> str:
    if name.startswith("verdicts."):
        verdict = (record.get("verdicts") or {}).get(name.removeprefix("verdicts.")) or {}
        return scored(verdict.get("score") if isinstance(verdict, dict) else None)
    if name == "reward" and "reward" in record:
        return GOOD if record["reward"] > 0 else BAD
    return {"id": "dim", "prompt": "dim", "failed": BAD}.get(name, "")


def scored(score: Any) -> str:
    """The colour of a score: good above 0."""
    return (GOOD if score > 0 else BAD) if isinstance(score, int | float) else UNSURE
