"""Conversations of other people's files as a record's prompt and completion, and nothing lost.

    prompt = messages(row["prompt"])                 # a text is the user's, JSON in a text is read
    prompt, said = last_turn(messages(row["messages"]))
    prompt, pair = fork(prompt, row["chosen"], row["rejected"])

Whose turn it is decides: only the assistant's last turn is a completion. What is no conversation
raises DataError with the true reason.
"""

import ast
import json
import re
from typing import Any

from swr1.errors import DataError
from swr1.loading.values import plain
from swr1.prompts import Prompt, from_facts

Messages = list[dict[str, Any]]
_LOOKS_LIKE_MESSAGES = re.compile(r"""\s*\[\s*\{\s*["'](role|content|from|value)["']\s*:""")


def unpacked(value: Any) -> Any:
    """A value that a file keeps as JSON or as Python's repr; other text as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{", "("):
        for parse in (json.loads, ast.literal_eval):
            try:
                return parse(value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return value


def messages(value: Any) -> Messages:
    """Messages with role and content; a text is the user's, unless it is messages as JSON.

    Content that is a list of texts is joined; with pictures among them it stays a list. Raises
    DataError for what is neither, is empty, or has a turn without content.
    """
    if isinstance(value, str):
        value = _read(value)
        if isinstance(value, str):
            if not value.strip():
                raise DataError("no prompt: the text is empty")
            return [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise DataError(f"no prompt: {str(value)[:60]!r} is neither a text nor messages")
    turns = [_message(one, number) for number, one in enumerate(value, 1)]
    if not any(turn["content"] for turn in turns):
        raise DataError("no prompt: all messages are empty")
    return turns


def _read(text: str) -> Any:
    if not _LOOKS_LIKE_MESSAGES.match(text):
        return text
    parsed = unpacked(text)
    if isinstance(parsed, str):
        raise DataError(f"broken JSON: messages as text that cannot be read: {text[:60]!r}")
    return parsed


def _message(one: Any, number: int) -> dict[str, Any]:
    which = f"no message: number {number}"
    if not isinstance(one, dict):
        raise DataError(f"{which} is {str(one)[:60]!r}, not an object with role and content")
    role = one.get("role")
    if not isinstance(role, str) or not role:
        names = ", ".join(map(repr, list(one)[:4])) or "nothing"
        raise DataError(f"{which} has no role (it has {names}): a role and a content are needed")
    fields = {k: v for k, v in one.items() if v is not None}
    content = one.get("content")
    if content is None and role == "assistant" and isinstance(fields.get("refusal"), str):
        content = fields.pop("refusal")
    if content is None:
        calls = ": it calls tools, and a record holds text" if one.get("tool_calls") else ""
        raise DataError(f"{which}, of the {role}, has no content{calls}")
    return {**fields, "role": role, "content": _content(content, f"{which}, of the {role},")}


def _content(content: Any, which: str) -> Any:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise DataError(f"{which} has {str(content)[:60]!r} as content, neither a text nor parts")
    parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("type", "text"), str):
            raise DataError(f"{which} has a part that is {str(part)[:60]!r}, no object with a type")
    parts = [_of_openai({k: v for k, v in part.items() if v is not None}) for part in parts]
    if all(_is_text(part) for part in parts):
        return "".join(part["text"] for part in parts)
    if any(part.get("type", "text") == "text" and not _is_text(part) for part in parts):
        raise DataError(f"{which} has a part without its text")
    return parts


def _of_openai(part: dict[str, Any]) -> dict[str, Any]:
    """A part that shows a picture by its address, or data URL, as a record has it."""
    held = part.get("image_url")
    url = held.get("url") if isinstance(held, dict) else held
    if part.get("type") not in ("image_url", "input_image") or not isinstance(url, str):
        return part
    head, comma, data = url.partition(";base64,")
    place = {"base64": data} if comma and head.startswith("data:image/") else {"url": url}
    return {"type": "image", **place}


def _is_text(part: dict[str, Any]) -> bool:
    text_like = part.get("type", "text") in ("text", "input_text", "output_text")
    return text_like and isinstance(part.get("text"), str)


def joined(content: Any, which: str = "a turn") -> str:
    """Content that is a text, or texts in parts, as one text. Raises DataError for others."""
    if content is None:
        raise DataError(f"no content: {which} has none")
    text = _content(content, which)
    if not isinstance(text, str):
        raise DataError(f"no text: {which} holds a picture, or something else that is no text")
    return text


def last_turn(turns: Messages) -> tuple[Messages, str | None]:
    """(prompt, completion): the completion is the assistant's last turn; else there is none."""
    if turns[-1]["role"] != "assistant":
        return turns, None
    if len(turns) == 1:
        raise DataError("no prompt: the only message is the assistant's")
    return turns[:-1], joined(turns[-1]["content"], "the assistant's turn")


def turns_of(value: Any, what: str) -> Messages:
    """What the assistant said, a text or messages (as JSON, too), as messages that end with it."""
    if isinstance(value, str):
        value = _read(value)
        if isinstance(value, str):
            return [{"role": "assistant", "content": value}]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        raise DataError(f"no {what}: {str(value)[:60]!r} is neither a text nor messages")
    turns = [_message(one, number) for number, one in enumerate(value, 1)]
    if turns[-1]["role"] != "assistant":
        raise DataError(
            f"no {what}: its last turn is the {turns[-1]['role']}'s, not the assistant's"
        )
    return turns


def completed(prompt: Messages, continuation: Any) -> tuple[Messages, str]:
    """(prompt, completion) of a prompt and what followed it; its earlier turns go to the prompt."""
    *earlier, last = turns_of(continuation, "completion")
    return [*prompt, *earlier], joined(last["content"], "the completion")


def fork(prompt: Messages | None, chosen: Any, rejected: Any) -> tuple[Messages, dict[str, str]]:
    """(prompt, {"chosen", "rejected"}) of two conversations that differ in their last turn only.

    `prompt` is what comes before both, None where it is within them; they may repeat it.
    """
    if chosen is None or rejected is None:
        raise DataError(f"half a pair: no {'chosen' if chosen is None else 'rejected'} side")
    sides = {"chosen": turns_of(chosen, "chosen"), "rejected": turns_of(rejected, "rejected")}
    n = len(prompt or ())
    if prompt:
        sides = {k: turns[n:] if turns[:n] == prompt else turns for k, turns in sides.items()}
    earlier, other = sides["chosen"][:-1], sides["rejected"][:-1]
    if earlier != other:
        raise DataError("no pair: the two conversations differ before their last turn")
    whole = [*(prompt or ()), *earlier]
    if not whole:
        raise DataError("no prompt: nothing comes before the two answers")
    pair = {k: joined(turns[-1]["content"], f"the {k} side") for k, turns in sides.items()}
    return whole, pair


def checked_prompt(prompt: Any) -> None:
    """Raise DataError unless a record's prompt is messages that somebody can answer."""
    turns = messages(prompt)
    if turns[-1]["role"] == "assistant":
        raise DataError("no prompt: it ends with the assistant's own turn")


def restored(
    swr1: Any, made: dict[str, Any], prompt: Any, completion: str | None
) -> dict[str, Any]:
    """The item of a row that `swr1 export` wrote (its column `swr1`), or else `made` of the rest."""
    fields = made
    if swr1:
        fields = unpacked(swr1)
        if not isinstance(fields, dict) or not isinstance(fields.get("info") or {}, dict):
            raise DataError(
                f"no item: column 'swr1' holds {str(swr1)[:60]!r}, not what export wrote"
            )
        if around := fields.get("system_prompt"):
            prompt = _without(prompt, from_facts(around))
    item = {"info": fields.get("info") or {}, "answer": fields.get("answer")}
    item = {"task": fields.get("task"), "prompt": prompt, **item, "completion": completion}
    return {name: value for name, value in item.items() if value is not None}


def _without(turns: Messages, around: Prompt) -> Messages:
    """A prompt's own messages: without the system prompt and the opened turn that export put there."""
    opened = {"role": "assistant", "content": around.prefill}
    if around.prefill and turns[-1:] == [opened]:
        turns = turns[:-1]
    if around.system and turns and turns[0]["role"] == "system":
        own = str(turns[0]["content"]).removeprefix(around.system).removeprefix("\n\n")
        turns = [*([turns[0] | {"content": own}] if own else []), *turns[1:]]
    return turns


def truth(value: Any) -> tuple[Any, dict[str, Any]]:
    """(answer, what `info` and the item get beside it) of a ground truth as reward code keeps it.

    Search-R1's {"target": [...]} and SQuAD's texts are accepted texts; Logic-RL's names and solution
    a Knights and Knaves answer; {"value": ...} and the like are what they hold.
    """
    known = unpacked(value) if isinstance(value, str) and value.lstrip()[:1] == "{" else value
    if not isinstance(known, dict):
        return value, {}
    holds = {k: v for k, v in known.items() if v not in (None, "", [])}
    extra = {"ground_truth": known} if len(holds) > 1 else {}
    if isinstance(holds.get("names"), list) and "solution" in holds:
        return _knights(holds), {"task": "knights", **extra}
    if isinstance(holds.get("text"), list) and "answer_start" in holds:
        return list(dict.fromkeys(holds["text"])), {"answers": "any", **extra}
    if "value" in holds and isinstance(holds.get("aliases"), list):
        return list(dict.fromkeys([holds["value"], *holds["aliases"]])), {"answers": "any", **extra}
    for name in ("target", "ground_truth", "value", "answer", "solution", "label"):
        if name in holds:
            answer, more = truth(holds[name])
            if name == "target" and isinstance(answer, list):
                more = {"answers": "any", **more}
            return answer, {**more, **extra}
    return value, {}


def _knights(holds: dict[str, Any]) -> list[list[str]]:
    names, solution = holds["names"], unpacked(holds["solution"])
    good = isinstance(solution, list) and len(solution) == len(names)
    if not good or not all(isinstance(one, bool) for one in solution):
        raise DataError(f"no ground truth: solution {str(solution)[:60]!r} of {len(names)} names")
    words = holds.get("knight_knave") or {}
    roles = {True: words.get("knight") or "knight", False: words.get("knave") or "knave"}
    return [[str(name), roles[one]] for name, one in zip(names, solution, strict=True)]


def rest_of(row: dict[str, Any], known: Any) -> dict[str, Any]:
    """The columns that no field is for, for `info`; one named `source` gives way to ours."""
    columns = {k: v for k, v in row.items() if k not in known and v is not None}
    return plain({f"published_{k}" if k == "source" else k: v for k, v in columns.items()}, False)
