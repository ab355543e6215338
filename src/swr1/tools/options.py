"""The options of `swr1 rollout` about tools."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from swr1.options import option

tools_option = partial(option, panel="Tools")
PASSAGE = "[{rank}] {title}\n{text}"


@dataclass(frozen=True, kw_only=True)
class ToolOptions:
    """Which tools a policy may call in a rollout, and what bounds them.

    All lengths are tokens of the policy; `max_tokens` of Sampling counts the policy's own tokens of
    all turns together.
    """

    tools: str = tools_option(
        "", "What the policy may call: search,read,calculator, or ./mine.py:tool.", usual=True
    )
    index: str | None = tools_option(
        None, "search, read: a folder made by `swr1 index`.", usual=True
    )
    search_url: str | None = tools_option(
        None, "search: a server that answers POST {queries, topk}, as Search-R1's does."
    )
    top: int = tools_option(3, "Passages of a search.", min=1)
    max_turns: int = tools_option(4, "Calls in one completion; one more ends it.", min=1)
    max_passage_tokens: int = tools_option(500, "Longest reply of a tool; it is cut there.", min=1)
    abstract: int = tools_option(
        0, "Words that a search shows of a passage (`read` shows all); 0: all.", min=0
    )
    passage: str = tools_option(
        PASSAGE, "How a passage is shown: {rank}, {title}, {text}.", default="[1] title, text"
    )
    datamark: str = tools_option(
        "",
        "Put this mark between the words of what tools give, such as ^: the policy can tell them from"
        " instructions (say so in its system prompt).",
    )
    drop_flagged: bool = tools_option(
        False, "search: leave out passages that tell the reader what to do (verifier `injection`)."
    )
    tool_timeout: float = tools_option(10.0, "Seconds for one call.", quiet=True)
    tool_retry_for: float = tools_option(
        30.0, "Seconds in which a search server is asked again.", quiet=True
    )
    tool_failures: int = tools_option(
        20, "So many failed calls in a row end the stage.", min=1, quiet=True
    )
    tool_cache: str | None = tools_option(
        None, "A file that keeps replies: a rollout that is run again gets the same.", quiet=True
    )
    tool_set: tuple[str, ...] = tools_option(
        (), "A setting of a tool of your own.", metavar="TOOL.NAME=VALUE"
    )
