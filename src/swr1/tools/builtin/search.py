"""Passages about a question: `<search>who found radium</search>`.

    swr1 rollout questions.jsonl --policy runs/kk --tools search --index wiki/
    swr1 rollout questions.jsonl --policy runs/kk --tools search --search-url http://host:8000/retrieve

The passages come from a folder made by `swr1 index`, best first, or from a server with the interface
that users of Search-R1 have: POST {"queries": [...], "topk": 3, "return_scores": true}, answered by
{"result": [[{"document": {"contents": "title\\ntext"}, "score": 1.5}, ...]]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from swr1.errors import SwrError, UsageError
from swr1.servers import GivenUp, Refused, Server, Servers, Trouble
from swr1.tools import Reply, ToolError
from swr1.tools.options import ToolOptions

NOTHING = "nothing found"
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
        shown(passage, 0, 1, {"title": "a", "text": "b"})
    except (KeyError, IndexError, ValueError, AttributeError):
        raise UsageError(
            f"--passage {passage!r}: it may hold {{rank}}, {{title}} and {{text}}"
        ) from None


def shown(passage: str, words: int, rank: int, found: Mapping[str, Any]) -> str:
    """A passage as the policy reads it, before it is escaped."""
    text = found["text"]
    if words and len(parts := text.split()) > words:
        text = " ".join(parts[:words]) + " ..."
    fields = {"rank": rank, "title": found["title"], "text": text}
    return passage.format(**fields)


class _Local:
    """Over an index. `digest` is the index's."""

    def __init__(self, options: ToolOptions) -> None:
        from swr1.index import open_index

        assert options.index
        self._index = open_index(options.index)
        self._options = options
        self.digest = f"{self._index.digest} {options.top} {options.abstract} {options.passage}"

    def __call__(self, query: str) -> Reply:
        [found] = self._index.search([query], top=self._options.top)
        if not found:
            return Reply(NOTHING)
        o = self._options
        texts = [
            shown(o.passage, o.abstract, rank, {"title": p.title, "text": p.text})
            for rank, p in enumerate(found, 1)
        ]
        facts = [
            {"id": p.id, "title": p.title, "source": p.source, "digest": p.digest, "score": p.score}
            for p in found
        ]
        return Reply("\n".join(texts), tuple(facts))


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
        o = options
        self.digest = f"{o.search_url} {o.top} {o.abstract} {o.passage}"

    def __call__(self, query: str) -> Reply:
        o = self._options
        asked = {"queries": [query], "topk": o.top, "return_scores": True}
        work = self._servers.ask(lambda server: ("", asked), _passages)
        try:
            found = self._servers.submit(work).result()[: o.top]
        except (Refused, GivenUp, SwrError) as error:
            raise ToolError(self._servers.clean(str(error))) from None
        if not found:
            return Reply(NOTHING)
        texts = [shown(o.passage, o.abstract, rank, p) for rank, p in enumerate(found, 1)]
        facts = [{k: v for k, v in p.items() if k != "text"} for p in found]
        return Reply("\n".join(texts), tuple(facts))


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
