"""Edits that are known, offered again where a prompt is like theirs. Nothing is applied by itself.

    known = KnownEdits(standing(journal.read()))
    for offer in known.offers(record, text):
        offer.edit["edit"], offer.similarity, offer.place

Prompts are found by the index that searches passages (BM25), and compared by their words: similarity
is the Jaccard index of their word trigrams, from 0 to 1. An edit fits a completion where the text
that it replaced stands there, as whole words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from swr1.errors import UsageError
from swr1.intervention.difference import Difference, difference
from swr1.intervention.journal import Entry, Journal, Key, digest_of, prompt_of
from swr1.records import Record, pack

SIMILAR = 0.3  # the least similarity of prompts, unless another is asked for
MOST = 5  # offers that are shown
CANDIDATES = 50  # prompts that the index gives
GRAM = 3  # words


class Place(NamedTuple):
    """Where the replaced text stands: the character of the first place, of `among` in all."""

    at: int
    among: int


class Offer(NamedTuple):
    """A known edit, how similar its prompt is, and where its replaced text stands; None: nowhere."""

    edit: Entry
    similarity: float
    place: Place | None

    @property
    def name(self) -> str:
        return self.edit["edit"]

    def difference(self) -> Difference:
        """The edit at its place. Raises UsageError where it has none."""
        if self.place is None:
            old = " ".join(self.edit["old"].split())
            what = (
                f"what it replaced ({old[:60]!r}) does" if old else "it replaced nothing that could"
            )
            raise UsageError(
                f"edit {self.name} cannot be taken: {what} not stand in this completion"
            )
        return Difference(self.place.at, self.edit["old"], self.edit["new"])

    def taken(self, text: str) -> str:
        """The text with the change made; all that follows is left as it is."""
        at, old, new = self.difference()
        return text[:at] + new + text[at + len(old) :]

    def change(self, text: str, after: str, to_end: bool = False) -> Difference | None:
        """What a person changed who took it: the edit alone, and the policy goes on right behind it."""
        if after == self.taken(text) and not to_end:
            return self.difference()
        return difference(text, after, to_end)

    def line(self, text: str) -> tuple[str, str]:
        """From the beginning of the line to the end of what is replaced; and what becomes of it."""
        at, old, new = self.difference()
        begin = text.rfind("\n", 0, at) + 1
        return text[begin : at + len(old)], text[begin:at] + new

    def is_in(self, edited: str, text: str) -> bool:
        """Whether what a person made of a text still has the change."""
        return self.place is not None and self.line(text)[1] in edited


def standing(entries: Iterable[Entry]) -> list[Entry]:
    """The edits of a journal that nobody has undone, whatever the completions say now.

    An edit of a completion that was no longer there (a batch that was run twice) is left out.
    """
    levels: dict[Key, list[tuple[Entry, str]]] = defaultdict(
        list
    )  # the edit; what came of it, or ""
    for made in entries:
        stack = levels[made["id"], made["epoch"], made["sample"]]
        top = stack[-1] if stack else None
        if made["kind"] == "edit" and (not top or top[1] in ("", made["digest"])):
            stack.append((made, ""))
        elif top and made.get("edit") == top[0]["edit"]:
            stack.pop()
            if made["kind"] == "continued":
                stack.append((top[0], digest_of(made["text"])))
    return [made for stack in levels.values() for made, _ in stack]


def read_known(paths: Iterable[str | Path]) -> list[Entry]:
    """The edits that stand in journals. Raises UsageError where there is no file."""
    found: list[Entry] = []
    for path in paths:
        if not Path(path).is_file():
            raise UsageError(f"no journal of edits here: {path}")
        found += standing(Journal(path).read())
    return found


class KnownEdits:
    """Edits by their prompts. Those without a prompt (of an earlier swr1, of pictures) are left out."""

    def __init__(self, edits: Iterable[Entry]) -> None:
        self._by_prompt: dict[str, list[Entry]] = defaultdict(list)
        for made in {made["edit"]: made for made in edits}.values():
            if made.get("prompt"):
                self._by_prompt[made["prompt"]].append(made)
        self._prompts = [*self._by_prompt]
        self._grams = [*map(grams, self._prompts)]
        self._index: Any = None

    def __len__(self) -> int:
        return sum(map(len, self._by_prompt.values()))

    def offers(self, record: Record, text: str, least: float = SIMILAR) -> list[Offer]:
        """The edits whose prompt is like the record's: those that fit first, then the most similar
        ones, then the latest. Of edits that changed the same into the same, the first.

        Args:
            text: what the record's completion says now.
            least: similarity that an offer needs.
        """
        prompt = prompt_of(record)
        mine, found = grams(prompt), []
        for number in self._candidates(prompt):
            similarity = jaccard(mine, self._grams[number])
            if similarity >= least:
                edits = self._by_prompt[self._prompts[number]]
                found += [Offer(made, similarity, place_of(made, text)) for made in reversed(edits)]
        found.sort(key=lambda offer: (offer.place is None, -offer.similarity))
        return [*{(o.edit["old"], o.edit["new"]): o for o in reversed(found)}.values()][::-1]

    def _candidates(self, prompt: str) -> Iterator[int]:
        if not self._prompts or not prompt:
            return
        if self._index is None:
            self._index = self._built()
        [hits] = self._index.search([prompt], CANDIDATES)
        yield from (int(hit.id) for hit in hits)

    def _built(self) -> Any:
        """An index of the prompts. They are few, so SQLite does, which needs no package."""
        from swr1.index import IndexConfig, build_index, open_index

        self._folder = TemporaryDirectory(prefix="swr1-")  # goes when this object does
        rows, index = Path(self._folder.name) / "prompts.jsonl", f"{self._folder.name}/index"
        with open(rows, "wb") as file:
            for number, prompt in enumerate(self._prompts):
                file.write(pack({"id": str(number), "text": prompt}) + b"\n")
        build_index(
            [str(rows)],
            IndexConfig(output=index, backend="sqlite"),
            on_bad=lambda where, why, raw: None,  # a prompt without a word is like none
        )
        return open_index(index)


def grams(text: str) -> set[tuple[str, ...]]:
    """The runs of three words, of a shorter text all its words."""
    from swr1.index.words import words_of

    words = words_of(text)
    return {tuple(words[i : i + GRAM]) for i in range(max(1, len(words) - GRAM + 1))} - {()}


def jaccard(one: set[Any], other: set[Any]) -> float:
    """What both have, of what either has."""
    return len(one & other) / len(one | other) if one and other else 0.0


def place_of(edit: Entry, text: str) -> Place | None:
    """Where the text that an edit replaced stands: behind the same beginning of a line, else anywhere.

    Whole words alone count, and no place that says already what was put in.
    """
    line, old, new = edit.get("line", ""), edit["old"], edit["new"]
    word = re.search(r"\S*$", line)[0]  # type: ignore[index]
    for before, pattern in ((line, r"^"), (word, "")):
        find = before + old
        if not find.strip() or (not old and not pattern):
            continue
        matches = re.finditer(pattern + re.escape(find), text, re.MULTILINE)
        places = [m.start() + len(before) for m in matches if _whole(text, *m.span(), bool(old))]
        places = [at for at in places if not (new and text.startswith(new, at))]
        if places:
            return Place(places[0], len(places))
    return None


def _whole(text: str, start: int, end: int, to_end: bool) -> bool:
    """Whether text[start:end] begins and ends where words do."""
    return not (_inside_word(text, start) or (to_end and _inside_word(text, end)))


def _inside_word(text: str, at: int) -> bool:
    """Scripts that put no spaces between words have no inside."""
    sides = text[at - 1 : at + 1] if 0 < at < len(text) else ""
    return len(sides) == 2 and all((c.isalnum() or c == "_") and c <= "\u2e7f" for c in sides)
