r"""Is the option that a completion chose the right one?

    swr1 verify choice rollouts.jsonl

What counts is the last \boxed{} after the thinking, else what stands in <answer> tags, else what
follows the last "the answer is" (or 答案, 选). There it must be one letter ("C", "(C)", "C. Paris",
"选C", "选项 C"), or the text of one option, exactly. "A or B" chooses nothing and is wrong.

Where several options are right (the task "multi-choice", `answer` a list of letters) all of them must
be chosen and no other: "BD", "B, D", "B和D", in one box or several.
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
    r"(?:\banswers?\s*(?:is|are|would be|should be|:)|【答案】|答案(?:应该|应当)?(?:是|为|选|：|:)"
    r"|(?:故|应|应该|所以|因此|我)选(?:择)?(?:项|：|:)?)[\s:：*]*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[\n。!！?？]|\.(?:\s|$)|<eoa>")  # <eoa>: of GAOKAO's own prompts
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
_ONE = r"[(\[（【]?\s*[A-Z]\s*[)\]）】]?"
_BETWEEN = r"\s*(?:[,，、;；/&]\s*(?:and\b)?|\band\b|和|与|及|以及)?\s*"
_LETTERS = re.compile(
    rf"\s*(?:[Oo]ptions?|[Cc]hoices?|选项|选择|选)?\s*[:：]?\s*({_ONE}(?:{_BETWEEN}{_ONE})*)(?![A-Za-z'])"
)
_AFTER_LETTERS = re.compile(
    r"\s*(?:$|[,，(（]|\b(?:because|since|as|for|which)\b|因为|由于|两项|项)", re.IGNORECASE
)
_SMALL_LETTERS = re.compile(r"\s*[a-z](?:\s*[,，、;；/&]\s*[a-z])*\s*")
_PIECES = re.compile(r"[,，、;；\n]|\band\b|和|与|及")
TASKS = ("choice", "multi-choice")


def verify(
    record: Record, *, announced: bool = True, incomplete: float = 0.0, prefill: str = ""
) -> dict[str, Any]:
    """A verdict: "correct" (score 1.0), "wrong" or "unreadable" (0.0).

    Args:
        record: has `completion`, `answer` (a letter; of the task "multi-choice" the letters, as a
            list or "BD"), and `info.choices`, the options' texts in the order of their letters;
            without them only letters can be read.
        announced: without a box or <answer>, read what follows "the answer is".
        incomplete: score of an answer with some of several right options and no wrong one, 0 to
            0.5, as in GAOKAO's physics; `info.incomplete` comes first. Its label is "wrong".
        prefill: the opening of the turn, for records that do not say it.

    `detail` holds `reason` (unreadable: no-answer, thinking-unclosed; wrong: several, no-option,
    incomplete, mismatch, where a letter stands beside another option's text), `read` (the letter or
    letters), `truncated`.

    The score is null for another task and without a gold letter. Raises DataError without a
    completion, for a gold that is no letter of an option, and for an `incomplete` out of bounds.
    """
    text = assistant_text(record, prefill)
    gold, info = record.get("answer"), record.get("info") or {}
    reason = other_task(record, *TASKS) or (None if gold else "the record has no answer")
    if reason:
        return null(reason, BY)
    options = info.get("choices") or []
    letters = string.ascii_uppercase[: len(options) or 26]
    many = record.get("task") == "multi-choice" or (
        record.get("task") is None and isinstance(gold, list)
    )
    wanted = _gold(record, letters, many)
    said, why = _said(text, announced, many)
    read: str | None = None
    if said and many:
        read, why = _letters(said, options, letters)
    elif said:
        chosen = {_option(one, options, letters) for one in said}
        read, why = chosen.pop() if len({a for a, _ in chosen}) == 1 else (None, "several")
    label = "unreadable" if not said else "correct" if read == wanted else "wrong"
    score = 1.0 if label == "correct" else 0.0
    if many and read and set(read) < set(wanted):
        score, why = _partly(record, info.get("incomplete", incomplete)), "incomplete"
    return {
        "score": score,
        "label": label,
        "detail": {"reason": why, "read": read, "truncated": is_truncated(record)},
        "by": BY,
    }


def _gold(record: Record, letters: str, many: bool) -> str:
    """The right letter, or of several the right letters in their order."""
    gold = record.get("answer")
    said = "".join(map(str, gold)) if many and isinstance(gold, list) else gold
    if isinstance(said, str):
        said = re.sub(r"[\s,、，;]", "", said) if many else said
        said = said.strip(" ().").upper()
        if len(set(said) & set(letters)) == len(said) and (many or len(said) == 1) and said:
            return "".join(sorted(said))
    raise DataError(
        f"record {record.get('id')!r}: 'answer' must be {'some letters' if many else 'one letter'}"
        f" of {letters[0]}-{letters[-1]}, it is {gold!r}"
    )


def _partly(record: Record, score: Any) -> float:
    if type(score) not in (int, float) or not 0 <= score <= 0.5:
        raise DataError(
            f"record {record.get('id')!r}: the score of an incomplete choice is 0 to 0.5, not {score!r}"
        )
    return float(score)


def _said(text: str, announced: bool, many: bool) -> tuple[list[str], str | None]:
    """Everything that is given as the answer, or nothing and why."""
    final = final_text(text)
    if final is None:
        return [], "thinking-unclosed"
    found = [*boxed(final), *(t for t in tagged(final) if "\\boxed" not in t)]
    if not found and announced and (told := _told(final)) is not None:
        sentence = _SENTENCE_END.split(told, maxsplit=1)[0]
        plain = _plain(sentence)
        listed = _LETTERS.match(plain) if many else None  # the commas in a list begin no reason
        if listed and _AFTER_LETTERS.match(plain, listed.end()):
            found = [listed[1]]
        else:
            found = [_REASONED.sub("", sentence)]
    found = [one for one in found if one.strip()]
    return found, None if found else "no-answer"


def _told(text: str) -> str | None:
    """What follows the last "the answer is"; None without one."""
    *_, last = [None, *_ANNOUNCED.finditer(text)]
    return text[last.end() :] if last else None


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub(" ", text).split()).rstrip(".。 ")


def _letters(said: list[str], options: list[str], letters: str) -> tuple[str | None, str | None]:
    """All letters that texts choose together; or None, and why."""
    found: set[str] = set()
    for text in said:
        told = _told(text)
        plain = _plain(text if told is None else told)
        if _SMALL_LETTERS.fullmatch(plain):
            plain = plain.upper()
        if listed := _LETTERS.fullmatch(plain):
            chosen = set(re.findall("[A-Z]", listed[1]))
            if not chosen <= set(letters):
                return None, "no-option"
            found |= chosen
            continue
        for piece in filter(str.strip, _PIECES.split(plain)):
            letter, why = _option(piece, options, letters)
            if letter is None:
                return None, why
            found.add(letter)
    return "".join(sorted(found)) or None, None if found else "no-option"


def _option(text: str, options: list[str], letters: str) -> tuple[str | None, str | None]:
    """The letter that a text chooses; or None, and why."""
    told = _told(text)
    plain = _plain(text if told is None else told)
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
