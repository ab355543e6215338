"""System prompts by name, and the one place where chat messages become token ids.

Every stage that needs a model's input (rollout, SFT, evaluation) renders it here, so that the ids a
policy is trained on are the ids it is sampled from: the chat template applied once, the assistant
turn opened with the prompt's `prefill` (Logic-RL opens it with "<think>"), no second BOS, and
control tokens that somebody typed into a message are letters, not control.

    prompt = load_prompt("logic-rl")            # or a text or TOML file
    ids = rendered(tokenizer, record["prompt"], prompt).ids

The named prompts are TOML files with `title`, `system`, `prefill` and `source`.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from swr1.errors import UsageError
from swr1.prompts.control import encode, holds_control
from swr1.prompts.rendering import (
    Prompt,
    Rendered,
    parse_arguments,
    render,
    render_text,
    rendered,
    template_facts,
)
from swr1.registry import suggest

__all__ = [
    "Prompt",
    "Rendered",
    "assistant_text",
    "encode",
    "holds_control",
    "load_prompt",
    "parse_arguments",
    "prompt_names",
    "render",
    "render_text",
    "rendered",
    "template_facts",
]


def prompt_names() -> list[str]:
    """The names of the prompts that come with the package."""
    files = (resources.files("swr1.data") / "prompts").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def load_prompt(name_or_file: str) -> Prompt:
    """A named prompt, a .toml file of the same shape, or a text file that is the system message.

    A text file has no prefill. Raises UsageError for an unknown name (with a suggestion), an
    unreadable file or an unknown key.
    """
    names = prompt_names()
    if name_or_file in names:
        file = resources.files("swr1.data") / "prompts" / f"{name_or_file}.toml"
        return _from_toml(name_or_file, file.read_text(encoding="utf-8"))
    path = Path(name_or_file)
    if not path.is_file():
        raise UsageError(
            f"unknown system prompt {name_or_file!r}.{suggest(name_or_file, names)}"
            f" Known: {', '.join(names)}; or the path of a text or .toml file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the system prompt {path}: {error}") from None
    if path.suffix == ".toml":
        return _from_toml(path.stem, text)
    return Prompt(path.stem, text.strip() or None)


def _from_toml(name: str, text: str) -> Prompt:
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the system prompt {name!r} is not valid TOML: {error}") from None
    known = ("title", "system", "prefill", "source")
    for key, value in fields.items():
        if key not in known:
            raise UsageError(
                f"the system prompt {name!r} has an unknown key {key!r}; it may have {known}"
            )
        if not isinstance(value, str):
            raise UsageError(f"the system prompt {name!r}: {key!r} must be text")
    return Prompt(name, fields.get("system") or None, fields.get("prefill", ""))


def assistant_text(record: dict) -> str:
    """The whole assistant turn of a completed record: what opened it, then the completion."""
    return record.get("generation", {}).get("prefill", "") + record["completion"]
