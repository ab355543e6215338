"""Running tools: each call has a deadline, its reply may be kept, and a failure is a reply, too.

    with open_tools(ToolOptions(tools="search,calculator", index="wiki/")) as tools:
        future = tools.submit("search", "who found radium")
        future.result()      # a Reply; its `error` says why the call failed

A tool that is somebody else's runs in a process of its own, which is killed when a call takes too
long. When many calls in a row fail, the next one raises SwrError: a dead search must not become
thousands of completions that found nothing.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from functools import partial
from typing import Any

from swr1.errors import SwrError, UsageError
from swr1.killable import Killable, Lost, Unfit, one_line, short
from swr1.records import pack, parse
from swr1.registry import check_known, digest_of_files, parse_options, suggest
from swr1.shelf import Shelf
from swr1.tags import split_tools, tool_name
from swr1.tools import REGISTRY, Reply, ToolError
from swr1.tools.options import ToolOptions

AT_A_TIME = 16  # calls
LONGEST_CALL = 2000  # characters of a query that the record keeps and a tool gets


@contextmanager
def open_tools(options: ToolOptions) -> Iterator[Tools]:
    """The tools that `options` names. Raises UsageError for one that cannot be used."""
    targets = targets_of(options.tools)
    settings = _by_tool(targets, options.tool_set)
    names = [tool_name(target) for target in targets]
    made: dict[str, Any] = {}
    tools = None
    try:
        for name, target in zip(names, targets, strict=True):
            made[name] = _open(target, settings[target], options)
        tools = Tools(made, options)
        yield tools
    finally:
        if tools:
            tools.close()
        for tool in made.values():
            getattr(tool, "close", lambda: None)()


def targets_of(tools: str) -> list[str]:
    """The tools that --tools names. Raises UsageError for one that nobody knows, or that is no tag."""
    targets = split_tools(tools)
    if not targets:
        raise UsageError(f"--tools names none: {', '.join(REGISTRY.names())}, or ./mine.py:tool")
    for target in targets:
        if ".py:" not in target:
            check_known("tool", target, REGISTRY.names())
    names = [tool_name(target) for target in targets]
    if len(set(names)) < len(names):
        raise UsageError(f"--tools {tools}: two tools have the same name")
    if bad := next((name for name in names if not name.isidentifier()), None):
        raise UsageError(f"--tools: {bad!r} cannot be a tag; a tool's name is a word")
    return targets


def digests(options: ToolOptions) -> dict[str, str]:
    """What replies depend on beside the options: the index, and the files of tools of one's own."""
    found = digest_of_files(*options.tools.split(","))
    if options.index:
        from swr1.index import open_index

        found["index"] = open_index(options.index).digest
    return found


def _by_tool(targets: Sequence[str], pairs: Sequence[str]) -> dict[str, list[str]]:
    settings: dict[str, list[str]] = {target: [] for target in targets}
    by_name = {tool_name(target): target for target in targets}
    for pair in pairs:
        name, dot, setting = pair.partition(".")
        if not dot or name not in by_name:
            near = suggest(name, by_name)
            raise UsageError(f"--tool-set {pair}: no such tool here.{near}")
        settings[by_name[name]].append(setting)
    return settings


def _open(target: str, settings: list[str], options: ToolOptions) -> Any:
    """A callable from a query to a Reply; `digest` says what its replies depend on."""
    if REGISTRY.is_foreign(target):
        return _Foreign(target, settings, options.tool_timeout)
    function = REGISTRY.get(target)
    if opener := getattr(sys.modules[function.__module__], "open", None):
        if settings:
            raise UsageError(f"--tool-set {target}.{settings[0]}: it has options of its own")
        return opener(options)
    return _Plain(target, partial(function, **parse_options(function, settings)))


class _Plain:
    """A function of ours that needs nothing."""

    def __init__(self, name: str, function: Callable[[str], Any]) -> None:
        self.digest, self._function = name, function

    def __call__(self, query: str) -> Reply:
        try:
            return as_reply(self._function(query))
        except ValueError as error:
            raise ToolError(str(error)) from None


class _Foreign:
    """A function of somebody else's, in a process of its own."""

    def __init__(self, target: str, settings: list[str], timeout: float) -> None:
        self.digest = f"{target} {digest_of_files(target)} {settings}"
        self._run = Killable(
            REGISTRY, target, settings, convert=f"{__name__}:as_answer", timeout=timeout
        )
        self._run.start()
        self._lock = threading.Lock()
        self.close = self._run.close

    def __call__(self, query: str) -> Reply:
        with self._lock:
            try:
                answer = self._run(query)
            except Lost as lost:
                raise ToolError(str(lost)) from None
        if "error" in answer:
            raise ToolError(answer["error"])
        return Reply(answer["text"], tuple(answer["passages"]))


def as_answer(given: Any, name: str) -> dict[str, Any]:
    """What a tool's function gave or raised, as plain data. Raises killable.Unfit."""
    if isinstance(given, Unfit):
        return {"error": f"{tool_name(name)} gave {given}"}
    if isinstance(given, ValueError):
        return {"error": one_line(given).partition(": ")[2] or "it cannot answer this"}
    if isinstance(given, BaseException):
        return {"error": one_line(given)}
    reply = as_reply(given)
    return {"text": reply.text, "passages": list(reply.passages)}


def as_reply(given: Any) -> Reply:
    """What a tool may return, as a Reply. Raises killable.Unfit for everything else."""
    if isinstance(given, Reply):
        return given
    if isinstance(given, str | int | float):
        return Reply(str(given))
    if isinstance(given, Mapping) and isinstance(given.get("text"), str):
        passages = given.get("passages", ())
        if isinstance(passages, list | tuple) and all(isinstance(p, Mapping) for p in passages):
            return Reply(given["text"], tuple(passages))
    raise Unfit(f"{short(given)}, which is neither a text nor a dict with `text`")


class Tools:
    """Open tools by name.

    Args:
        tools: from a query to a Reply; ToolError for a call that fails, which is tried no more.
        options: their deadline, how many failures in a row end it all, and where replies are kept.
    """

    def __init__(self, tools: Mapping[str, Any], options: ToolOptions) -> None:
        self.names = tuple(tools)
        self.counts: Counter[str] = Counter()
        self._tools, self._options = tools, options
        self._shelf = Shelf(options.tool_cache, "--tool-cache") if options.tool_cache else None
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="tool")
        self._known: dict[tuple[str, str], Future[Reply]] = {}  # of calls that run now
        self._failures = 0  # in a row

    def submit(self, name: str, query: str) -> Future[Reply]:
        """A call that runs in another thread; equal ones that run at the same time run once."""
        asked = (name, query)
        if (known := self._known.get(asked)) and not known.done():
            return known
        future = self._pool.submit(self._answer, name, query[:LONGEST_CALL])
        self._known[asked] = future
        if len(self._known) > 10 * AT_A_TIME:
            self._known = {k: f for k, f in self._known.items() if not f.done()}
        return future

    def result(self, name: str, future: Future[Reply]) -> Reply:
        """The reply to a call, or why there is none within the deadline.

        Raises SwrError after `tool_failures` failed calls in a row.
        """
        limit = self._options.tool_timeout
        try:
            reply = future.result(limit + getattr(self._tools[name], "patience", 0.0) + 1)
        except ToolError as error:
            reply = Reply("", error=str(error))
        except Late:
            reply = Reply("", error=f"no reply in {limit:g} s")
        self.counts[f"{name} failed" if reply.error else name] += 1
        self._failures = self._failures + 1 if reply.error else 0
        if self._failures >= self._options.tool_failures:
            raise SwrError(
                f"{self._failures} calls of tools in a row have failed, the last one of {name}:"
                f" {reply.error}. Run the same line again when it works (--tool-failures: more)"
            )
        return reply

    def _answer(self, name: str, query: str) -> Reply:
        tool = self._tools[name]
        key = Shelf.key([name, tool.digest, query]) if self._shelf else b""
        if self._shelf and (kept := self._shelf.get(key)) is not None:
            text, passages = parse(kept)
            return Reply(text, tuple(passages))
        reply = tool(query)
        if self._shelf:
            self._shelf.put(key, pack([reply.text, list(reply.passages)]))
        return reply

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._shelf:
            self._shelf.close()
