"""What a step of reasoning is: a rule that splits a turn, declared once for all who read steps.

    rule = StepRule.of("line")
    rule.split("<think> a\\nb </think> c")     # [Step(0, 7, 10, " a\\n"), Step(1, 10, 12, "b ")]
    rule.stops                                 # what ends a step where one is written

| rule          | a step ends                                                    |
| ------------- | -------------------------------------------------------------- |
| `line`        | with its line                                                  |
| `paragraph`   | at an empty line                                               |
| `sentence`    | after . ! ? with white space behind it, or after 。！？          |
| `separator:X` | after X                                                        |

Only thinking has steps: what stands between <think> and </think>, either of which may be missing. A
step keeps what separates it from the next one, so the steps of a thought joined are the thought. A
model that learned from steps of one rule reads steps of that rule only: its folder names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from swr1.errors import DataError, UsageError
from swr1.records import Record
from swr1.registry import suggest

_TAG = re.compile(r"<think>|</think>|<answer>")
_ENDS = {
    "line": (r"\n", ("\n",)),
    "paragraph": (r"\n[^\S\n]*\n", ("\n\n",)),
    "sentence": (
        r"[.!?]+[\"')\]”’]*(?=\s)|[。！？]+[”’」』）]*",
        (".", "!", "?", "。", "！", "？"),
    ),
}
SEPARATOR = "separator:"
NAMES = (*_ENDS, f"{SEPARATOR}X")


@dataclass(frozen=True, slots=True)
class Step:
    """Step number `index`: text[start:end], with the white space and the separator behind it."""

    index: int
    start: int
    end: int
    text: str

    @property
    def content(self) -> str:
        """Its text without white space around it."""
        return self.text.strip()


@dataclass(frozen=True)
class StepRule:
    """How a thought is split. `separator` is that of the rule `separator`, else empty.

    `str(rule)` is how it is stored and given: "line", "separator:---". `of` reads that.
    """

    name: str
    separator: str = ""

    @classmethod
    def of(cls, text: str) -> StepRule:
        """Raises UsageError for what is no rule."""
        if text in _ENDS:
            return cls(text)
        if text.startswith(SEPARATOR) and text != SEPARATOR:
            separator = text.removeprefix(SEPARATOR)
            return cls("separator", separator.replace("\\n", "\n").replace("\\t", "\t"))
        raise UsageError(f"no step rule {text!r}.{suggest(text, _ENDS)} Known: {', '.join(NAMES)}")

    def __str__(self) -> str:
        written = self.separator.replace("\n", "\\n").replace("\t", "\\t")
        return f"{SEPARATOR}{written}" if self.separator else self.name

    @property
    def stops(self) -> tuple[str, ...]:
        """Stop strings for an engine that is to write one step: each may end one (see `ends`)."""
        return (self.separator,) if self.separator else _ENDS[self.name][1]

    def ends(self, text: str) -> bool:
        """Whether a text that was written so far ends a step: it says something, then an end."""
        more = "\n" if self.name == "sentence" else ""  # what would show that it has ended
        *_, tail = [0, *(m.end() for m in self._end.finditer(text + more))]
        return tail >= len(text.rstrip(" ")) and bool(text.strip())

    def split(self, text: str, foreign: Iterable[tuple[int, int]] = ()) -> list[Step]:
        """The steps of a turn, in their order.

        Args:
            foreign: ranges of characters that are none of the policy's words, such as what a tool
                gave. They belong to no step, and end one.

        Every character of a thought is in one step, where the thought has one that can be seen.
        """
        pieces: list[tuple[int, int]] = []
        for start, end in _without(thoughts(text), sorted(foreign)):
            pieces += self._cut(text, start, end)
        return [Step(n, a, b, text[a:b]) for n, (a, b) in enumerate(pieces)]

    @cached_property
    def _end(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.separator) if self.separator else _ENDS[self.name][0])

    def _cut(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        """The pieces of text[start:end]: one without a visible character joins the one before it."""
        borders = [m.end() for m in self._end.finditer(text, start, end)]
        pieces: list[tuple[int, int]] = []
        begin = start
        for border in [*borders, end]:
            if border == begin:
                continue
            if self._is_empty(text[begin:border]):
                if not pieces:
                    continue  # the first step begins with it
                pieces[-1] = (pieces[-1][0], border)
            else:
                pieces.append((begin, border))
            begin = border
        return pieces

    def _is_empty(self, piece: str) -> bool:
        return not (piece.replace(self.separator, "") if self.separator else piece).strip()


def thoughts(text: str) -> list[tuple[int, int]]:
    """Where thinking stands in a turn: [(start, end), ...], without the tags.

    A text without tags is one thought up to the answer; so is what stands before a </think> that
    nothing opened.
    """
    found: list[tuple[int, int]] = []
    tags = list(_TAG.finditer(text))
    opened: int | None = 0
    if any(tag[0] == "<think>" for tag in tags) and tags[0][0] != "</think>":
        opened = None
    for tag in tags:
        if opened is not None:
            found.append((opened, tag.start()))
        opened = tag.end() if tag[0] == "<think>" else None
    if opened is not None:
        found.append((opened, len(text)))
    return [(a, b) for a, b in found if a < b]


def _without(
    ranges: list[tuple[int, int]], foreign: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """The ranges, less those that are foreign."""
    for start, end in ranges:
        for a, b in foreign:
            if a < end and b > start:
                if start < a:
                    yield start, a
                start = max(start, b)
        if start < end:
            yield start, end


def first_wrong_f1(pairs: Iterable[tuple[int | None, int | None]]) -> dict[str, Any]:
    """How well the first wrong step is found, as ProcessBench counts it (arXiv 2412.06559).

    Args: pairs: the true one and the found one of each reasoning; None: there is none.

    Returns `wrong`, the share of the reasonings with a wrong step of which the very first is found;
    `right`, the share of the others in which none is; `f1`, their harmonic mean; `n_wrong`, `n_right`.
    A share of none is null, and so is f1 then.
    """
    found = {True: [0, 0], False: [0, 0]}
    for true, guess in pairs:
        count = found[true is None]
        count[0] += true == guess
        count[1] += 1
    wrong, right = (found[k][0] / found[k][1] if found[k][1] else None for k in (False, True))
    f1 = None
    if wrong is not None and right is not None:
        f1 = 2 * wrong * right / (wrong + right) if wrong + right else 0.0
    return {
        "f1": f1,
        "wrong": wrong,
        "right": right,
        "n_wrong": found[False][1],
        "n_right": found[True][1],
    }


def steps_in(record: Record, name: str) -> list[dict[str, Any]] | None:
    """The steps that a verdict judged: `start` and `end` (characters of the completion), `label`, ...

    None where that verdict has no steps. Raises DataError for steps of another shape: whoever reads
    records reads what others wrote.
    """
    verdict = (record.get("verdicts") or {}).get(name)
    detail = verdict.get("detail") if isinstance(verdict, dict) else None
    found = detail.get("steps") if isinstance(detail, dict) else None
    if not isinstance(found, list):
        return None
    if not all(map(_is_step, found)):
        raise DataError(
            f"record {record.get('id')!r}: the steps of the verdict {name!r} are not as `swr1 verify"
            " steps` writes them: objects with `start` and `end`; judge again",
            getattr(record, "location", None),
        )
    return found


def _is_step(step: Any) -> bool:
    if type(step) is not dict:
        return False
    start, end, label = step.get("start"), step.get("end"), step.get("label")
    score, values = step.get("score"), step.get("values")
    return (
        type(start) is int
        and type(end) is int
        and start <= end
        and (label is None or type(label) is str)
        and (score is None or type(score) in (int, float))
        and (values is None or type(values) is dict)
    )
