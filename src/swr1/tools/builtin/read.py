"""A document in full, by the title that a search showed: `<read>Marie Curie</read>`.

    swr1 rollout questions.jsonl --policy runs/kk --tools search,read --index wiki/ --abstract 12

A search that shows only the beginnings of passages (`--abstract`) saves context; the policy decides
what to read. How much of a long document fits is bounded by --max-passage-tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from swr1.errors import UsageError
from swr1.tools import Reply, ToolError
from swr1.tools.builtin.search import check_layout, facts_of, shown
from swr1.tools.options import ToolOptions

LOOKED_AT = 50  # passages found by the words of a title


def open(options: ToolOptions) -> Any:
    """The reader of the index that the options name. Raises UsageError where they name none."""
    if options.index is None:
        raise UsageError("--tools read needs --index FOLDER (of `swr1 index`)")
    check_layout(options.passage)
    return _Reader(options)


def tool(query: str) -> str:
    """Not called: `open` opens the reader."""
    raise ToolError("read is opened with its options")


class _Reader:
    """Over an index. `digest` is the index's."""

    def __init__(self, options: ToolOptions) -> None:
        from swr1.index import open_index

        assert options.index
        self._index, self._passage = open_index(options.index), options.passage
        self.digest = f"{self._index.digest} {options.passage}"

    def __call__(self, query: str) -> Reply:
        title = query.strip().strip('"')
        [found] = self._index.search([title], top=LOOKED_AT)
        mine = [p for p in found if p.title.casefold() == title.casefold()]
        if not mine:
            raise ToolError("no document has this title")
        mine.sort(key=lambda p: (p.source, p.place))
        text = "\n".join(p.text for p in mine)
        whole = {"title": mine[0].title, "text": text}
        return Reply(
            shown(self._passage, 1, whole), tuple(facts_of(replace(p, score=None)) for p in mine)
        )
