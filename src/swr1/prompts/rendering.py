"""Chat messages -> the text and the token ids that a policy reads, up to the opened turn."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.picture_parts import is_picture, parts
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
        pictures: the parts of the messages that are pictures, in their order; in `ids` a
            placeholder, written by the template, stands for each.
    """

    tokenizer: Any
    prefill: str
    _text: str  # with the mark in typed control tokens
    _mark: str
    pictures: tuple[Mapping[str, Any], ...] = ()

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


def rendered(
    tokenizer: Any, messages: list[dict], prompt: Prompt, placeholder: int | None = None
) -> Rendered:
    """`messages` up to and including the opened assistant turn.

    Where the template has no system role, the system message goes into the first user turn.

    Args:
        placeholder: the token id that the chat template has for a picture (swr1.vision), of a model
            that takes them; without it messages are text.

    Raises DataError for messages that are not text (nor pictures), do not end with somebody else's
    turn, or that the template refuses; UsageError for arguments that it does not know.
    """
    turns = [_turn(m, placeholder is not None) for m in messages]
    if not turns or turns[-1]["role"] == "assistant":
        raise DataError("the prompt must end with a turn that the assistant answers")
    system, prefill = prompt.system, prompt.prefill
    if turns[0]["role"] == "system":
        first_system = text_of(turns.pop(0)["content"])
        system = f"{system}\n\n{first_system}" if system else first_system
    control = control_of(tokenizer)
    mark = free_mark([system or "", prefill, *(text for t in turns for text in _texts(t))])
    for turn in turns:
        turn["content"] = _mapped(turn["content"], lambda text: control.marked(text, mark))
    system = control.marked(system, mark) if system else None
    pictures = tuple(parts(messages))
    if pictures and not tokenizer.chat_template:
        raise DataError("the prompt has a picture, and this model no chat template to place it")
    if not tokenizer.chat_template:
        if prompt.arguments:
            raise UsageError("--template: this tokenizer has no chat template")
        text, opened = _plain(turns, system), ""
    else:
        _check_arguments(tokenizer, prompt.arguments)
        text = _templated(tokenizer, turns, system, prompt.arguments)
        last = [*_texts(turns[-1])][-1:] if turns else []
        opened = _opened(text, last[0] if last else "", control.pattern)
    # Some templates open the thinking themselves: one opening is enough.
    if prefill and text.rstrip().endswith(prefill.rstrip()):
        made = Rendered(tokenizer, opened or prefill, text, mark, pictures)
    else:
        made = Rendered(tokenizer, opened + prefill, text + prefill, mark, pictures)
    if placeholder is not None and (count := made.ids.count(placeholder)) != len(pictures):
        raise DataError(
            f"the prompt has {len(pictures)} pictures and {count} placeholders of one: somebody typed"
            " one into a text, or the chat template has no place for pictures"
        )
    return made


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


def _turn(message: dict, sees: bool) -> dict[str, Any]:
    if not isinstance(message.get("role"), str):
        raise DataError("the prompt has a message whose role is not text")
    content = message.get("content")
    if not (isinstance(content, list) and any(map(is_picture, content))):
        return {**message, "content": text_of(content)}
    if not sees:
        raise DataError(
            "the prompt has content that is not text: a picture, and this model takes none that"
            " swr1 knows of (init-policy --vision makes one that does)"
        )
    shown = [{"type": "image"} if is_picture(p) else _text_part(p) for p in content]
    return {**message, "content": shown}


def _text_part(part: Any) -> dict[str, Any]:
    return {"type": "text", "text": text_of([part])}


def _texts(turn: Mapping[str, Any]) -> list[str]:
    """The texts of a turn."""
    content = turn["content"]
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if "text" in part]


def _mapped(content: str | list[dict], change: Callable[[str], str]) -> str | list[dict]:
    """Content with its texts changed."""
    if isinstance(content, str):
        return change(content)
    return [{**p, "text": change(p["text"])} if "text" in p else p for p in content]


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
    content = turns[at]["content"]
    if isinstance(content, str):
        content = f"{system}\n\n{content}"
    else:
        content = [{"type": "text", "text": f"{system}\n\n"}, *content]
    first = {**turns[at], "content": content}
    return _apply(tokenizer, [*turns[:at], first, *turns[at + 1 :]], arguments)


def _apply(tokenizer: Any, turns: list[dict], arguments: Mapping[str, Any]) -> str:
    if _wants_parts(tokenizer):
        turns = [
            {**t, "content": [{"type": "text", "text": t["content"]}]}
            if isinstance(t["content"], str)
            else t
            for t in turns
        ]
    try:
        return tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, **arguments
        )
    except Exception as error:  # a template raises what it likes
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"the chat template refuses it: {shown(words)[:300]}") from None


def _wants_parts(tokenizer: Any) -> bool:
    """Whether a template writes parts of content and no plain text (SmolVLM's, say)."""
    template = tokenizer.chat_template
    if not isinstance(template, str) or "image" not in template:
        return False
    if template not in _parts_wanted:
        try:
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": "word"}], tokenize=False, add_generation_prompt=True
            )
        except Exception:  # a template raises what it likes
            text = ""
        _parts_wanted[template] = "word" not in text
    return _parts_wanted[template]


_parts_wanted: dict[str, bool] = {}


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
