"""Logic-RL's published scoring rules (arXiv 2502.14768 and its code), rule for rule.

For comparing with published numbers, not for training: its quirks are kept on purpose.

* It reads the decoded prompt AND response, and keeps what follows the first "Assistant:", or else
  the first "<|im_start|>assistant". So an "Assistant:" anywhere in a ChatML turn throws away all
  that stood before it, and a text without either header has no answer.
* Tags are counted as substrings; nothing else is asked of the format.
* An answer must hold the words "knight" and "knave", as substrings in any case, exactly as often as
  there are people, and "NAME is a ROLE" for each of them.
* The truth is read back from lines "(1) NAME is a ROLE": the first word of ASCII letters is the
  name, so that "Mary Ann" becomes "Mary" and "Zoë" becomes "is".

Records hold no decoded prompt, so it is rebuilt from their messages. `header` says how the turn was
opened: "chatml" (the instruct template), "plain" ("Assistant: ", the base template), or "none" when
`completion` is the whole decoded text already. A system message that `rollout` added is not in the
record; it matters only if it holds one of the headers.
"""

import re
from functools import lru_cache

from swr1.records import Record
from swr1.registry import check_known
from swr1.tags import REASONING
from swr1.verifiers.completions.text import assistant_text, content_text

HEADERS = ("chatml", "plain", "none")

_TRUTH = re.compile(r"\b([A-Za-z]+)\b.*?\b(knight|knave)\b", re.IGNORECASE)
_ROLE = re.compile(r"\b(knight|knave)\b", re.IGNORECASE)


def decoded(record: Record, prefill: str, header: str) -> str:
    """Prompt and response as one text, as the published function receives it."""
    check_known("header", header, HEADERS)
    turn = assistant_text(record, prefill, raw=True)
    if header == "none":
        return turn
    messages = record.get("prompt") or ()
    if header == "plain":
        return "\n".join(f"User: {content_text(m)}" for m in messages) + "\nAssistant: " + turn
    chat = (f"<|im_start|>{m.get('role')}\n{content_text(m)}<|im_end|>\n" for m in messages)
    return "".join(chat) + "<|im_start|>assistant\n" + turn


def after_header(text: str) -> tuple[bool, str]:
    """Whether there is a header, and the text after it (or all of it)."""
    for header in ("Assistant:", "<|im_start|>assistant"):
        if header in text:
            return True, text.split(header, 1)[1]
    return False, text


def format_faults(text: str) -> list[str]:
    """The faults of the tags in the text after the header; none when it passes."""
    counts = [text.count(tag) for tag in REASONING]
    places = [text.find(tag) for tag in REASONING]
    faults = ["missing-tag"] if 0 in counts else []
    if max(counts) > 1:
        faults.append("repeated-tag")
    if places != sorted(places):
        faults.append("tag-order")
    return faults


def last_answer(text: str) -> str | None:
    """Inside the last of the matches of <answer>(.*?)</answer>, found in linear time."""
    answer, at = None, 0
    while True:
        start = text.find("<answer>", at)
        end = text.find("</answer>", start + 8)
        if start < 0 or end < 0:
            return answer
        answer, at = text[start + 8 : end].strip(), end + 9


def truth(answer: list) -> dict[str, str]:
    """Name -> role as the published code reads them from its ground-truth lines."""
    lines = (f"({i}) {name} is a {role}" for i, (name, role) in enumerate(answer, 1))
    matches = (_TRUTH.search(line) for line in lines)
    return {m[1]: m[2].lower() for m in matches if m}


@lru_cache(maxsize=4096)
def _is_a(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(name)}\b\s+is\s+a\s+\b(knight|knave)\b", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE)


def read_reward(answer: str, names: list[str]) -> dict[str, str] | None:
    """Roles as the published reward reads them, or None."""
    lower = answer.lower()
    if lower.count("knight") + lower.count("knave") != len(names):
        return None
    matches = {name: _is_a(name).search(answer) for name in names}
    return {n: m[1].lower() for n, m in matches.items() if m} if all(matches.values()) else None


def read_eval(answer: str, names: list[str]) -> dict[str, str] | None:
    r"""Roles as the published evaluation reads them, or None: \bNAME\b.*?\b(knight|knave)\b.

    The nearest role after the first mention in a line decides, which takes linear time: when no
    role follows the first mention, none follows a later one in that line.
    """
    read = {}
    for name in names:
        for line in answer.split("\n"):
            mention = _named(name).search(line)
            role = _ROLE.search(line, mention.end()) if mention else None
            if role:
                read[name] = role[1].lower()
                break
        else:
            return None
    return read
