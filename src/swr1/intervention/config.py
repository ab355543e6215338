"""The options of `swr1 intervene` that are neither the engine's nor about how tokens are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from swr1.intervention.known import SIMILAR
from swr1.options import option

policy_option = partial(option, panel="Policy")
judge_option = partial(option, panel="Judge")


@dataclass(frozen=True, kw_only=True)
class InterveneConfig:
    """What is edited, by whom, and who goes on. record, sample: which completion; None: the only one."""

    policy: str | None = policy_option(
        None, "Who goes on: policy folder, model folder or hub name.", usual=True
    )
    record: str | None = option(None, "The record's id, or how it begins.", usual=True)
    sample: int | None = option(None, "Which of its samples.", min=0, usual=True)
    why: str = option("", "Why you change it; stands in the journal and the record.", usual=True)
    who: str = option("", "Who you are.", default="as the system calls you")
    to_end: bool = option(
        False, "All that you save is kept: the policy goes on from its end.", usual=True
    )
    edits: Path | None = option(
        None,
        "The journal of edits.",
        default="FILE.edits.jsonl beside FILE; with --batch none",
        written=True,
        usual=True,
    )
    take: str | None = option(
        None,
        "Open the text with this edit made in it: one of those offered, which were made where the"
        " prompt is similar.",
        metavar="EDIT",
        usual=True,
    )
    known: Sequence[str] = option(
        (),
        "One more journal whose edits are offered, or applied with --batch edits; may be repeated.",
        metavar="JOURNAL",
        kind=list[str],
        parse=tuple,
        usual=True,
    )
    similar: float = option(
        SIMILAR, "How similar a prompt must be, from 0 to 1: of word trigrams.", min=0, max=1
    )
    batch: str | None = option(
        None,
        "Edit without a person: trace (puzzles: the first wrong step becomes the right one), judge"
        " (it becomes what --judge says), edits (those of --known, on similar prompts), or a file"
        " of rules (.toml).",
        metavar="RULES",
        usual=True,
    )
    judge: Sequence[str] = judge_option(
        (),
        "With --batch judge: an OpenAI-compatible server that says the right step; may be repeated.",
        metavar="URL",
        kind=list[str],
        parse=tuple,
        usual=True,
    )
    judge_model: str = judge_option("", "Its name there.", default="the only one that is served")
    judge_key_env: str = judge_option(
        "", "Variable that holds the server's key.", default="OPENAI_API_KEY", quiet=True
    )
    judge_cache: str | None = judge_option(
        None,
        "Keep its replies in this file, and ask only what is new.",
        metavar="FILE",
        written=True,
        quiet=True,
    )
    judge_retry_for: float = judge_option(
        60.0, "Seconds without any answer until it is given up.", min=0, quiet=True
    )
    together: int = option(16, "Records that are worked on together, with --batch.", min=1)
    web: bool = option(False, "A page in the browser, on this machine alone.", usual=True)
    port: int = option(0, "Of the page; 0: any that is free.", min=0, max=65535, quiet=True)
    engine: str | None = policy_option(
        None, "hf, vllm, openai, or ./mine.py:Engine.", default="hf; with --url openai"
    )
    system_prompt: str | None = policy_option(
        None,
        "Of completions without token ids of this policy: logic-rl, none, or a file (.txt, .toml).",
        default="as the record says, else the policy",
    )
    prefill: str | None = policy_option(
        None, "How the assistant's turn is opened.", default="as the system prompt says"
    )
