"""System prompts by name, and the one place where chat messages become token ids.

Every stage that needs a model's input (rollout, SFT, evaluation) renders it here, so that the ids a
policy is trained on are the ids it is sampled from: the chat template applied once, the assistant
turn opened with the prompt's `prefill` (Logic-RL opens it with "<think>"), no second BOS, and
control tokens that somebody typed into a message are letters, not control.

    prompt = load_prompt("logic-rl")            # or a text or TOML file
    ids = rendered(tokenizer, record["prompt"], prompt).ids

Which prompt that is says choosing.py: the option's, else the policy's, else the task's.
"""

from __future__ import annotations

from swr1.prompts.choosing import Prompts, task_prompt
from swr1.prompts.control import encode, holds_control
from swr1.prompts.named import as_facts, from_facts, load_prompt, prompt_names
from swr1.prompts.rendering import (
    Prompt,
    Rendered,
    parse_arguments,
    render,
    render_text,
    rendered,
    template_facts,
)

__all__ = [
    "Prompt",
    "Prompts",
    "Rendered",
    "as_facts",
    "assistant_text",
    "encode",
    "from_facts",
    "holds_control",
    "load_prompt",
    "parse_arguments",
    "prompt_names",
    "render",
    "render_text",
    "rendered",
    "task_prompt",
    "template_facts",
]


def assistant_text(record: dict) -> str:
    """The whole assistant turn of a completed record: what opened it, then the completion."""
    return record.get("generation", {}).get("prefill", "") + record["completion"]
