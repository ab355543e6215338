"""Chat messages -> the text and the token ids that a policy reads, up to the opened turn."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.prompts.control import control_of, free_mark
from swr1.registry import suggest
from swr1.terminal import shown

# The arguments of apply_chat_template that are set here, and not by --template.
_OURS = frozenset(
    """messages conversation chat_template tokenize add_generation_prompt continue_final_message
    padding truncation max_length return_tensors return_dict return_assistant_tokens_mask
    tokenizer_kwargs processor_kwargs""".split()
)
# Tags that a template writes at its end, after the mark of whose turn it is: "<think>\n".
_TAGS_AT_END = re.compile(r"(?:</?[A-Za-z][\w-]*>\s*)+\Z")
_ROLE = re.compile(r"\s*<(?:assistant|model|bot|ai|gpt|user|human|system)>\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put around a record's messages.

    Attributes:
        system: the system message, or None. prefill: what opens the answer.
        arguments: further variables of the chat template, such as enable_thinking.
    """

    name: str
    system: str | None = None
    prefill: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of system message and prefill, by which prompts are compared, whatever they are called."""
        return _digest(json.dumps([self.system or "", self.prefill]))


@dataclass(frozen=True)
class Rendered:
    """A prompt as a model reads it.

    Attributes:
        prefill: how the assistant's turn was opened, by the template (a "<think>") or the prompt.
    """

    tokenizer: Any
    prefill: str
    _text: str  # with the mark in typed control tokens
    _mark: str

    @property
    def text(self) -> str:
        """For people and for engines that take text. Typed control tokens stand in it as typed."""
        return self._text.replace(self._mark, "")

    @cached_property
    def ids(self) -> list[int]:
        """Token ids. Text of template and prefill are tokenized together, once; what follows (a
        sampled or a given completion) is tokenized on its own: its ids are simply appended."""
        ids = control_of(self.tokenizer).ids(self._text, self._mark)
        if not self.tokenizer.chat_template and _starts_with_bos(self.tokenizer):
            ids = [self.tokenizer.bos_token_id, *ids]
        return ids


def rendered(tokenizer: Any, messages: list[dict], prompt: Prompt) -> Rendered:
    """`messages` up to and including the opened assistant turn.

    Where the template has no system role, the system message goes into the first user turn.
    Raises DataError for messages that are not text, do not end with somebody else's turn, or that
    the template refuses; UsageError for arguments that it does not know.
    """
    turns = [_turn(m) for m in messages]
    if not turns or turns[-1]["role"] == "assistant":
        raise DataError("the prompt must end with a turn that the assistant answers")
    system, prefill = prompt.system, prompt.prefill
    if turns[0]["role"] == "system":
        first_system = turns.pop(0)["content"]
        system = f"{system}\n\n{first_system}" if system else first_system
    control = control_of(tokenizer)
    mark = free_mark([system or "", prefill, *(t["content"] for t in turns)])
    for turn in turns:
        turn["content"] = control.marked(turn["content"], mark)
    system = control.marked(system, mark) if system else None
    if not tokenizer.chat_template:
        if prompt.arguments:
            raise UsageError("--template: this tokenizer has no chat template")
        text, opened = _plain(turns, system), ""
    else:
        _check_arguments(tokenizer, prompt.arguments)
        text = _templated(tokenizer, turns, system, prompt.arguments)
        opened = _opened(text, turns[-1]["content"] if turns else "", control.pattern)
    # Some templates open the thinking themselves: one opening is enough.
    if prefill and text.rstrip().endswith(prefill.rstrip()):
        return Rendered(tokenizer, opened or prefill, text, mark)
    return Rendered(tokenizer, opened + prefill, text + prefill, mark)


def render(
    tokenizer: Any, messages: list[dict], system: str | None = None, prefill: str = ""
) -> list[int]:
    """The token ids of `rendered`."""
    return rendered(tokenizer, messages, Prompt("", system, prefill)).ids


def render_text(
    tokenizer: Any, messages: list[dict], system: str | None = None, prefill: str = ""
) -> str:
    """The text of `rendered`."""
    return rendered(tokenizer, messages, Prompt("", system, prefill)).text


def template_facts(tokenizer: Any, prompt: Prompt) -> dict[str, Any]:
    """The record's facts about its chat template; empty where there is none."""
    if not tokenizer.chat_template:
        return {}
    facts: dict[str, Any] = {"digest": _digest(json.dumps(tokenizer.chat_template))}
    if prompt.arguments:
        facts["arguments"] = dict(prompt.arguments)
    return {"template": facts}


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE of --template; values are JSON (true, 3, "x"), or else text."""
    arguments: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise UsageError(
                f"--template is KEY=VALUE, such as enable_thinking=false, not {pair!r}"
            )
        if key in _OURS:
            raise UsageError(f"--template {key}: that is not the template's to know")
        words = {"true": True, "false": False, "none": None}
        try:
            arguments[key] = words[value.lower()] if value.lower() in words else json.loads(value)
        except ValueError:
            arguments[key] = value
    return arguments


def _turn(message: dict) -> dict[str, Any]:
    if not isinstance(message.get("role"), str):
        raise DataError("the prompt has a message whose role is not text")
    return {**message, "content": text_of(message.get("content"))}


def text_of(content: Any) -> str:
    """Message content as text; a list of text parts is joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    ):
        return "".join(part["text"] for part in content)
    raise DataError("the prompt has content that is not text, and only text can be rendered")


def _templated(
    tokenizer: Any, turns: list[dict], system: str | None, arguments: Mapping[str, Any]
) -> str:
    """The template with a system message, in the first user turn where it has no such role."""
    if system is None:
        return _apply(tokenizer, turns, arguments)
    try:
        text = _apply(tokenizer, [{"role": "system", "content": system}, *turns], arguments)
        if system.strip() in text:
            return text
    except DataError:
        pass  # e.g. "System role not supported"
    at = next((i for i, turn in enumerate(turns) if turn["role"] == "user"), None)
    if at is None:
        raise DataError(
            "the chat template has no place for a system message, and no user's turn can take it"
        )
    first = {**turns[at], "content": f"{system}\n\n{turns[at]['content']}"}
    return _apply(tokenizer, [*turns[:at], first, *turns[at + 1 :]], arguments)


def _apply(tokenizer: Any, turns: list[dict], arguments: Mapping[str, Any]) -> str:
    try:
        return tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **arguments
        )
    except Exception as error:  # a template raises what it likes
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the chat template refuses it: {shown(words)[:300]}") from None


def _opened(text: str, content: str, control: re.Pattern[str] | None) -> str:
    """What the template opened the assistant's turn with, behind whose turn it is: tags only."""
    at = text.rfind(content.strip()) if content.strip() else -1
    tail = text[at + len(content.strip()) :] if at >= 0 else text
    if control:
        tail = control.split(tail)[-1]
    tags = _TAGS_AT_END.search(tail)
    return _ROLE.sub("", tags[0]) if tags else ""


@lru_cache(maxsize=16)
def _variables(template: str) -> frozenset[str] | None:
    """The variables that a chat template reads; None where they cannot be determined."""
    from jinja2 import Environment, TemplateError
    from jinja2.meta import find_undeclared_variables

    try:
        parsed = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
    except TemplateError:
        return None
    return frozenset(find_undeclared_variables(parsed))


def _check_arguments(tokenizer: Any, arguments: Mapping[str, Any]) -> None:
    if not arguments:
        return
    template = tokenizer.chat_template
    known = _variables(template) if isinstance(template, str) else None
    taken = tokenizer.special_tokens_map.keys()
    for key in arguments:
        if key in taken:
            raise UsageError(f"--template {key}: the tokenizer says that")
        if known is not None and key not in known:
            free = sorted(known - {*_OURS, *taken, "raise_exception", "strftime_now"})
            raise UsageError(
                f"--template {key}: the chat template knows no such argument."
                f"{suggest(key, free)} It reads: {', '.join(free) or 'none'}"
            )


def _plain(turns: list[dict], system: str | None) -> str:
    """For a tokenizer without a chat template: the layout of Logic-RL's `base` prompt."""
    titles = {"user": "User", "assistant": "Assistant"}
    lines = [system] if system else []
    for turn in turns:
        title = titles.get(turn["role"])
        lines.append(f"{title}: {turn['content']}" if title else turn["content"])
    return "\n".join([*lines, "Assistant: "])


@lru_cache(maxsize=16)
def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _starts_with_bos(tokenizer: Any) -> bool:
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][:1] == [bos]
