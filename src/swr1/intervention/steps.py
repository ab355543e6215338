"""Where the steps of a completion stand, and which is the first wrong one."""

from __future__ import annotations

from typing import Any, NamedTuple

from swr1.errors import DataError, UsageError
from swr1.records import Record
from swr1.steps import StepRule

LINE = StepRule("line")
Span = tuple[int, int]  # characters of the completion, [from, to)


def lines_of(text: str) -> list[Span]:
    """The lines of the reasoning, without white space around them."""
    return [span for step in LINE.split(text) if (span := _trimmed(text, step.start, step.end))]


def _trimmed(text: str, start: int, end: int) -> Span | None:
    """None for white space alone."""
    inner = text[start:end].strip()
    at = start + text[start:end].find(inner)
    return (at, at + len(inner)) if inner else None


class JudgedSteps(NamedTuple):
    """The steps of a completion, which is the first wrong one, and the rule that split them."""

    spans: list[Span]
    wrong: int | None
    rule: StepRule


def judged_steps(record: Record) -> JudgedSteps:
    """The steps of a completion as `verify steps` or `verify trace` judged them.

    Raises DataError for a record without either verdict, or with one on another text.
    """
    verdicts, text = record.get("verdicts") or {}, record["completion"]
    for name, read in (("steps", _of_steps), ("trace", _of_trace)):
        if detail := (verdicts.get(name) or {}).get("detail"):
            try:
                spans, wrong, rule = read(text, detail)
            except (KeyError, TypeError, AttributeError, UsageError):  # a verdict may be anybody's
                raise DataError(
                    f"its verdict `{name}` is not as `swr1 verify {name}` writes it"
                ) from None
            if wrong is not None and not (type(wrong) is int and 0 <= wrong < len(spans)):
                raise DataError(f"its verdict `{name}` calls a step wrong that is none: {wrong!r}")
            return JudgedSteps(spans, wrong, rule)
    raise DataError(
        "no verdict says which of its steps are wrong: run `swr1 verify steps` or `swr1 verify"
        " trace` first"
    )


def step_texts(text: str, spans: list[Span]) -> list[str]:
    return [text[start:end] for start, end in spans]


def _of_steps(text: str, detail: dict[str, Any]) -> tuple[list[Span], Any, StepRule]:
    trimmed = [_trimmed(text, max(0, s["start"]), s["end"]) for s in detail["steps"]]
    if None in trimmed or (trimmed and detail["steps"][-1]["end"] > len(text)):
        raise DataError("its verdict `steps` is of another completion")
    rule = StepRule.of(detail.get("rule") or str(LINE))
    return [span for span in trimmed if span], detail["first_wrong"], rule


def _of_trace(text: str, detail: dict[str, Any]) -> tuple[list[Span], Any, StepRule]:
    spans = lines_of(text)
    if len(spans) != detail["steps"]:
        raise DataError("its verdict `trace` is of another completion")
    return spans, detail["wrong_step"], LINE
