"""Passages about a question: `<search>who found radium</search>`.

    swr1 rollout questions.jsonl --policy runs/kk --tools search --index wiki/
    swr1 rollout questions.jsonl --policy runs/kk --tools search --search-url http://host:8000/retrieve

The passages come from a folder made by `swr1 index`, best first, or from a server with the interface
that users of Search-R1 have: POST {"queries": [...], "topk": 3, "return_scores": true}, answered by
{"result": [[{"document": {"contents": "title\\ntext"}, "score": 1.5}, ...]]}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from swr1.errors import SwrError, UsageError
from swr1.injected import order_in
from swr1.servers import GivenUp, Refused, Server, Servers, Trouble
from swr1.tools import Reply, ToolError
from swr1.tools.options import ToolOptions

if TYPE_CHECKING:
    from swr1.index.passages import Passage

NOTHING = "nothing found"
MORE = 10  # times as many passages are looked at where some may be left out
LARGEST = 2**22  # bytes of a server's reply


def open(options: ToolOptions) -> Any:
    """The search that the options name. Raises UsageError where they name none, or two."""
    if (options.index is None) == (options.search_url is None):
        raise UsageError(
            "--tools search needs --index FOLDER (of `swr1 index`) or --search-url URL"
        )
    check_layout(options.passage)
    return _Local(options) if options.index else _Served(options)


def tool(query: str) -> str:
    """Not called: `open` opens the search."""
    raise ToolError("search is opened with its options")


def check_layout(passage: str) -> None:
    """Raises UsageError for a --passage that is none."""
    try:
        shown(passage, 1, {"title": "a", "text": "b"})
    except (KeyError, IndexError, ValueError, AttributeError):
        raise UsageError(
            f"--passage {passage!r}: it may hold {{rank}}, {{title}} and {{text}}"
        ) from None


def shown(passage: str, rank: int, found: Mapping[str, Any]) -> str:
    """A passage as the policy reads it, before it is escaped."""
    return passage.format(rank=rank, title=found["title"], text=found["text"])


def beginning(text: str, words: int) -> str:
    """The first so many words of a text; 0: all of it."""
    parts = text.split() if words else []
    return " ".join(parts[:words]) + " ..." if len(parts) > words else text


def reply_of(found: Sequence[dict[str, Any]], options: ToolOptions) -> Reply:
    """Passages as a reply, the best first: those that are shown, and beside them what was left out."""
    found = [p | {"text": beginning(p["text"], options.abstract)} for p in found]
    kept: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    for passage in found:
        why = options.drop_flagged and order_in(f"{passage['title']}\n{passage['text']}")
        if why:
            dropped.append(passage | {"dropped": why})
        elif len(kept) < options.top:
            kept.append(passage)
    texts = [shown(options.passage, rank, p) for rank, p in enumerate(kept, 1)]
    return Reply("\n".join(texts) if texts else NOTHING, (*kept, *dropped))


class _Local:
    """Over an index. `digest` is the index's."""

    def __init__(self, options: ToolOptions) -> None:
        from swr1.index import open_index

        assert options.index
        self._index = open_index(options.index)
        self._options = options
        self._most = options.top * (MORE if options.drop_flagged else 1)
        self.digest = f"{self._index.digest} {_shaping(options)}"

    def __call__(self, query: str) -> Reply:
        [found] = self._index.search([query], top=self._most)
        return reply_of([facts_of(p) for p in found], self._options)


class _Served:
    """Over a server. What it holds is not known, so `digest` is its address."""

    def __init__(self, options: ToolOptions) -> None:
        assert options.search_url
        self._options = options
        self.patience = options.tool_retry_for
        self._servers = Servers(
            [_address(options.search_url)],
            key=None,
            timeout=options.tool_timeout,
            retry_for=options.tool_retry_for,
            learn=_nothing,
            largest=LARGEST,
        )
        self._most = options.top * (MORE if options.drop_flagged else 1)
        self.digest = f"{options.search_url} {_shaping(options)}"

    def __call__(self, query: str) -> Reply:
        asked = {"queries": [query], "topk": self._most, "return_scores": True}
        work = self._servers.ask(lambda server: ("", asked), _passages)
        try:
            found = self._servers.submit(work).result()[: self._most]
        except (Refused, GivenUp, SwrError) as error:
            raise ToolError(self._servers.clean(str(error))) from None
        return reply_of(found, self._options)


def facts_of(passage: Passage) -> dict[str, Any]:
    """What a record keeps of a passage of an index."""
    p = passage
    facts: dict[str, Any] = {
        "id": p.id,
        "title": p.title,
        "text": p.text,
        "source": p.source,
        "digest": p.digest,
    }
    facts |= {"score": p.score} if p.score is not None else {}
    return facts | ({"attack": p.attack} if p.attack else {})


def _shaping(options: ToolOptions) -> str:
    """The options that replies depend on."""
    shaping = f"{options.top} {options.abstract} {options.passage}"
    return f"{shaping} drop-flagged" if options.drop_flagged else shaping


def _address(url: str) -> str:
    """The URL of a server, with the path that it has where none is given."""
    return url.rstrip("/") + ("" if urlsplit(url).path.strip("/") else "/retrieve")


async def _nothing(server: Server, fetch: Any) -> None:
    """There is nothing to learn of a search server before it is asked."""


def _passages(server: Server, answer: Any) -> list[dict[str, Any]]:
    """Title, text and score of each. Raises Trouble for an answer that is no list of passages."""
    try:
        [found] = answer["result"]
        return [_passage(entry) for entry in found]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Trouble("no passages", f"{server.url} answers without a list of passages") from None


def _passage(entry: Mapping[str, Any]) -> dict[str, Any]:
    document = entry.get("document", entry)
    title, text = document.get("title"), document.get("text")
    if text is None:
        first, _, rest = document["contents"].partition("\n")
        title, text = (first.strip('"'), rest) if rest else ("", first)
    if not isinstance(text, str) or not isinstance(title, str | None):
        raise ValueError
    found: dict[str, Any] = {"title": title or "", "text": text}
    if isinstance(score := entry.get("score"), int | float):
        found["score"] = score
    if isinstance(name := document.get("id"), str | int):
        found["id"] = str(name)
    return found
