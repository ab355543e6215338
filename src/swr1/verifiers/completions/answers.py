r"""Where a completion says its final answer: after the thinking, in \boxed{}, in <answer> tags.

Shared by the verifiers that compare an answer with a known one. Every function is linear in the
length of the text.
"""

import re

from swr1.records import Record

_BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\[{}]|[{}]")
# A box without braces holds one digit, one letter at the end of a formula, or a command and its group.
_NO_BRACE = re.compile(
    r"\\(?:boxed|fbox)\s{0,3}(\d(?![\d.]?\w)|(?<=\s)[a-zA-Z](?=\s{0,3}(?:\$|\\[)\]]|\.?\s*$))"
    r"|\\[a-zA-Z]{1,20}\s{0,3}\{[^{}]{0,200}\}(?:\{[^{}]{0,200}\})?)"
)
# Tags are read in any case and with spaces: whether they are well formed, `format` judges.
_THINK_TAG = re.compile(r"<\s{0,3}(/?)\s{0,3}think\s{0,3}>", re.IGNORECASE)
ANSWER_TAG = re.compile(r"<\s{0,3}(/?)\s{0,3}answer\s{0,3}>", re.IGNORECASE)


def final_text(text: str) -> str | None:
    """What follows the thinking: all of a text without <think>, None where thinking never ends.

    A text that thinks again after its answer, and does not come to an end, ends with the answer.
    """
    start, opened = 0, -1
    strays: list[re.Match[str]] = []  # closing tags that close nothing
    for tag in _THINK_TAG.finditer(text):
        if not tag[1]:
            opened = tag.start() if opened < 0 else opened
        elif opened >= 0 or not start:
            start, opened, strays = tag.end(), -1, []
        else:
            strays.append(tag)
    if opened >= 0:
        return text[start:opened] if start else None
    end = len(text)
    for stray in reversed(strays):
        if text[stray.end() : end].strip():
            return text[stray.end() : end]
        end = stray.start()
    return text[start:end]


def boxed(text: str) -> list[str]:
    r"""The contents of each \boxed{} (or \fbox{}), in order; of nested boxes the outermost.

    A box whose brace is never closed is left out.
    """
    opened: list[int | None] = []  # per open brace: where a box's content starts, or None
    spans = [match.span(1) for match in _NO_BRACE.finditer(text)]
    for match in _BRACES.finditer(text):
        token = match[0]
        if token in ("\\{", "\\}"):
            continue
        if token != "}":
            opened.append(match.end() if len(token) > 1 else None)
        elif opened and (start := opened.pop()) is not None:
            spans.append((start, match.start()))
    outer: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not outer or start >= outer[-1][1]:
            outer.append((start, end))
    return [text[a:b].replace("\\boxed", "").replace("\\fbox", "").strip() for a, b in outer]


def tagged(text: str) -> list[str]:
    """The contents of each closed <answer>, in order; of nested ones the innermost."""
    contents, start = [], -1
    for tag in ANSWER_TAG.finditer(text):
        if not tag[1]:
            start = tag.end()
        elif start >= 0:
            contents.append(text[start : tag.start()].strip())
            start = -1
    return contents


def written_answer(answer: str) -> str:
    """A known answer as a completion that every rule reads: reasoning of a kind, and the tags."""
    return f"<think>The answer is known.</think>\n<answer>{answer}</answer>"


def other_task(record: Record, *tasks: str) -> str | None:
    """Why this is not an item of these tasks, or None. A record without `task` may be anything."""
    task = record.get("task")
    if task is None or task in tasks:
        return None
    listed = " and ".join(filter(None, [", ".join(tasks[:-1]), tasks[-1]]))
    return f"the task is {task!r}, this verifier judges {listed}"
