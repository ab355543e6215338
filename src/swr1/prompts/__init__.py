"""System prompts by name, and the one place where chat messages become token ids.

Every stage that needs a model's input (rollout, SFT, evaluation) renders it here, so that the ids a
policy is trained on are the ids it is sampled from: the chat template applied once, the assistant
turn opened with the prompt's `prefill` (Logic-RL opens it with "<think>"), no second BOS.

    prompt = load_prompt("logic-rl")            # or a text or TOML file
    ids = render(tokenizer, record["prompt"], prompt.system, prompt.prefill)

The named prompts are TOML files with `title`, `system`, `prefill` and `source`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.registry import suggest


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put around a record's messages: a system message (or None) and the opened answer."""

    name: str
    system: str | None = None
    prefill: str = ""


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


def render(
    tokenizer: Any, messages: list[dict], system: str | None = None, prefill: str = ""
) -> list[int]:
    """Token ids of `messages` up to and including the opened assistant turn.

    The text of the template and the prefill are tokenized together, once; what follows (a sampled
    or a given completion) is tokenized on its own, so its ids are simply appended.
    Raises DataError for messages that are not text or do not end with somebody else's turn.
    """
    text = render_text(tokenizer, messages, system, prefill)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if not tokenizer.chat_template and _starts_with_bos(tokenizer):
        ids = [tokenizer.bos_token_id, *ids]
    return ids


def render_text(
    tokenizer: Any, messages: list[dict], system: str | None = None, prefill: str = ""
) -> str:
    """The text behind `render`, for people and for engines that take text."""
    turns = [{**m, "content": _text(m.get("content"))} for m in messages]
    if not turns or turns[-1]["role"] == "assistant":
        raise DataError("the prompt must end with a turn that the assistant answers")
    if system and turns[0]["role"] == "system":
        system, turns = f"{system}\n\n{turns[0]['content']}", turns[1:]
    if not tokenizer.chat_template:
        text = _plain(turns, system)
    elif not system:
        text = _template(tokenizer, turns)
    else:
        text = _with_system(tokenizer, turns, system)
    # Some templates open the thinking themselves: one opening is enough.
    return text if prefill and text.rstrip().endswith(prefill.rstrip()) else text + prefill


def assistant_text(record: dict) -> str:
    """The whole assistant turn of a completed record: what opened it, then the completion."""
    return record.get("generation", {}).get("prefill", "") + record["completion"]


def _text(content: Any) -> str:
    """Message content as text; a list of text parts is joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in content
    ):
        return "".join(part["text"] for part in content)
    raise DataError("the prompt has content that is not text, and only text can be rendered")


def _template(tokenizer: Any, turns: list[dict]) -> str:
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


def _with_system(tokenizer: Any, turns: list[dict], system: str) -> str:
    """The template with a system message, in the first user turn where it has no such role."""
    from jinja2 import TemplateError

    try:
        text = _template(tokenizer, [{"role": "system", "content": system}, *turns])
        if system.strip() in text:
            return text
    except TemplateError:
        pass  # e.g. "System role not supported"
    first = {**turns[0], "content": f"{system}\n\n{turns[0]['content']}"}
    return _template(tokenizer, [first, *turns[1:]])


def _plain(turns: list[dict], system: str | None) -> str:
    """For a tokenizer without a chat template: the layout of Logic-RL's `base` prompt."""
    titles = {"user": "User", "assistant": "Assistant"}
    lines = [system] if system else []
    for turn in turns:
        title = titles.get(turn["role"])
        lines.append(f"{title}: {turn['content']}" if title else turn["content"])
    return "\n".join([*lines, "Assistant: "])


def _starts_with_bos(tokenizer: Any) -> bool:
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][:1] == [bos]
