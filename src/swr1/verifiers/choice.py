r"""Is the option that a completion chose the right one?

    swr1 verify choice rollouts.jsonl

What counts is the last \boxed{} after the thinking, else what stands in <answer> tags, else what
follows the last "the answer is" (or 答案, 选). There it must be one letter ("C", "(C)", "C. Paris",
"选C", "选项 C"), or the text of one option, exactly. "A or B" chooses nothing and is wrong.
"""

from __future__ import annotations

import re
import string
from typing import Any

from swr1.errors import DataError
from swr1.records import Record
from swr1.verifiers._answers import boxed, final_text, null, other_task, tagged
from swr1.verifiers._strings import normalize
from swr1.verifiers._text import assistant_text, is_truncated

BY = "choice@1"

_ANNOUNCED = re.compile(
    r"(?:\banswer\s*(?:is|would be|should be|:)|答案(?:应该|应当)?(?:是|为|选|：|:)"
    r"|(?:故|应|应该|所以|因此|我)选(?:择)?(?:项|：|:)?)[\s:：*]*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[\n。!！?？]|\.(?:\s|$)")
_MARKUP = re.compile(r"[*`$_\"“”]|\\(?:text|textbf|mathrm|mathbf)(?=\s*\{)|[{}]")
_LETTER = re.compile(  # a letter, then nothing, a bracket or a stop, then its text
    r"(?:option|choice|选项|选择|选)?\s*[:：]?\s*[(\[（【]?\s*([A-Za-z])\s*"
    r"(?:$|[)\]）】]+[.:：、,，]?|[.:：、,，])\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_REASONED = re.compile(
    r"\s*[,，(（]?\s*(?:because|since|as|for|which|因为|由于|，).*", re.I | re.DOTALL
)
_SINGLE = re.compile(r"(?<![A-Za-z'])[A-Z](?![A-Za-z'])")


def verify(record: Record, *, announced: bool = True, prefill: str = "") -> dict[str, Any]:
    """A verdict: "correct" (score 1.0), "wrong" or "unreadable" (0.0).

    Args:
        record: has `completion`, `answer` (a letter), and `info.choices`, the options' texts in the
            order of their letters; without them only letters can be read.
        announced: without a box or <answer>, read what follows "the answer is".
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `reason` (unreadable: no-answer, thinking-unclosed; wrong: several, no-option,
    mismatch, where a letter stands beside another option's text), `read` (the letter), `truncated`.

    The score is null for another task and without a gold letter. Raises DataError without a
    completion, or for a gold that is no letter of an option.
    """
    text = assistant_text(record, prefill)
    gold = record.get("answer")
    reason = other_task(record, "choice") or (None if gold else "the record has no answer")
    if reason:
        return null(reason, BY)
    options = (record.get("info") or {}).get("choices") or []
    letters = string.ascii_uppercase[: len(options) or 26]
    gold = gold.strip(" ().").upper() if isinstance(gold, str) else gold
    if not isinstance(gold, str) or len(gold) != 1 or gold not in letters:
        raise DataError(
            f"record {record.get('id')!r}: 'answer' must be one letter of"
            f" {letters[0]}-{letters[-1]}, it is {record.get('answer')!r}"
        )
    said, why = _said(text, announced)
    read = None
    if said:
        chosen = {_option(one, options, letters) for one in said}
        read, why = chosen.pop() if len({a for a, _ in chosen}) == 1 else (None, "several")
    label = "unreadable" if not said else "correct" if read == gold else "wrong"
    return {
        "score": 1.0 if label == "correct" else 0.0,
        "label": label,
        "detail": {"reason": why, "read": read, "truncated": is_truncated(record)},
        "by": BY,
    }


def _said(text: str, announced: bool) -> tuple[list[str], str | None]:
    """Everything that is given as the answer, or nothing and why."""
    final = final_text(text)
    if final is None:
        return [], "thinking-unclosed"
    found = [*boxed(final), *(t for t in tagged(final) if "\\boxed" not in t)]
    if not found and announced and (told := _told(final)) is not None:
        found = [_REASONED.sub("", _SENTENCE_END.split(told, maxsplit=1)[0])]
    found = [one for one in found if one.strip()]
    return found, None if found else "no-answer"


def _told(text: str) -> str | None:
    """What follows the last "the answer is"; None without one."""
    *_, last = [None, *_ANNOUNCED.finditer(text)]
    return text[last.end() :] if last else None


def _option(text: str, options: list[str], letters: str) -> tuple[str | None, str | None]:
    """The letter that a text chooses; or None, and why."""
    told = _told(text)
    plain = " ".join(_MARKUP.sub(" ", text if told is None else told).split()).rstrip(".。 ")
    match = _LETTER.fullmatch(plain)
    if match is None or plain in options:
        named = _named(plain, options, letters)
        if len(named) == 1:
            return named[0], None
        several = len(named) > 1 or len(set(_SINGLE.findall(plain)) & set(letters)) > 1
        return None, "several" if several else "no-option"
    letter, rest = match[1].upper(), match[2]
    if letter not in letters:
        return None, "no-option"
    if not rest or _named(rest, options, letters) == [letter]:
        return letter, None
    # beside its letter the text may be put otherwise, unless it is another option's
    if options:
        rest = rest.replace(options[letters.index(letter)], " ")
    if set(_SINGLE.findall(rest)) & set(letters):
        return None, "several"
    said = f" {normalize(rest)} "
    others = (o for a, o in zip(letters, options, strict=False) if a != letter)
    if any(f" {normalize(other)} " in said for other in others):
        return None, "mismatch"
    return letter, None


def _named(text: str, options: list[str], letters: str) -> list[str]:
    """The letters of the options whose text this is, exactly but for case, articles, punctuation."""
    for same in (str.strip, normalize):
        found = [a for a, o in zip(letters, options, strict=False) if same(o) == same(text)]
        if found:
            return found
    return []
