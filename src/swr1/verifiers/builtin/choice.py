r"""Is the option that a completion chose the right one?

    swr1 verify choice rollouts.jsonl

What counts is the last \boxed{} after the thinking, else the text in <answer> tags, else what
follows the last "the answer is" (or 答案, 选). There it must be one letter ("C", "(C)", "C. Paris",
"选C", "选项 C"), or the text of one option, exactly. "A or B" chooses nothing and is wrong.

Where several options are right (the task "multi-choice", `answer` a list of letters) all of them must
be chosen and no other: "BD", "B, D", "B和D", in one box or several.
"""

import re
import string
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from swr1.errors import DataError
from swr1.records import Record
from swr1.types import Verdict
from swr1.verifiers.completions.announced import EXCLUDED, SINGLE, announcement
from swr1.verifiers.completions.answers import boxed, final_text, other_task, tagged, written_answer
from swr1.verifiers.completions.strings import normalize
from swr1.verifiers.completions.text import assistant_text, is_truncated
from swr1.verifiers.verdicts import null, verdict

BY = "choice@2"
LABELS = {"correct": 1, "wrong": (0, 0.5), "unreadable": 0}  # see `incomplete`
NEEDS = "answer: a letter or letters; info.choices"
LENIENT = "announced=true"

_SPACES = re.compile(  # LaTeX and markup that only say how a text looks
    r"[*`$_~\"“”#{}]|''|\\(?:color|textcolor|hspace|vspace|phantom)\s?\{[^{}]{0,40}\}|\\[,;:!()\[\]{}]"
    r"|\\(?=\s|$)|\\(?:text|math|operatorname)[a-z]{0,8}(?![a-z])|\\(?:bm|boldsymbol|emph|underline|mbox|hbox|rm|bf|it|sf"
    r"|tt|em|quad|qquad|left|right|displaystyle|textstyle|normalsize|tiny|small|[lL]arge|LARGE|[hH]uge)(?![a-zA-Z])"
    r"|<(?:/?(?:b|i|u|em|strong|p|br|span))\s?/?>"
)
_QUOTED = re.compile(r"[<'‘’«「『‹]\s?([A-Za-z])\s?[>'’»」』›]")
_NAMES = r"(?:the\s)?(?:option|choice|letter|alternative|answer|选项|选择|选|答案)"
_LETTER = re.compile(  # a letter, then nothing, a bracket or a stop, then its text
    rf"{_NAMES}?\s?[:：]?\s?[(\[（【]?\s?([A-Za-z])\s?(?:选项|项)?"
    r"(?:$|[)\]）】]+\s?[.:：、,，;；]?|[.:：、,，;；|]|(?:[-–—]{1,3}|=>?|->|[→⇒>])(?=\s)|(?=[(（])|(?<=\s)(?=not\b|rather\b"
    r"|instead\b|unlike\b|and not\b)|(?=而不是|而非|不是))\s?(.*)",
    re.IGNORECASE | re.DOTALL,
)
_FORMULA = re.compile(r"\s?(?:=|[→⇒>]|->|[-–—])")  # may as well belong to a name: "a = 5", "b-flat"
_REASON = re.compile(
    r" ?[,，(（]? ?(?:\b(?:because|since|as|for|which)\b|因为|由于).*", re.IGNORECASE | re.DOTALL
)
_SEPARATORS = re.compile(
    r"[\s,，、;；/&()\[\]（）【】:：]|\band\b|和|与|以?及|\b(?:options?|choices?)\b|选项|选择|选|(?<=[A-Z])两?项",
    re.IGNORECASE,
)
_SMALL_LETTERS = re.compile(r"\s?[a-z](?:\s?[,，、;；/&]\s?[a-z])*\s?")
_ALONE = re.compile(r"[A-Z](?![A-Za-z])")
_PIECES = re.compile(r"[,，、;；]|\band\b|和|与|及")
TASKS = ("choice", "multi-choice")


def verify(
    record: Record, *, announced: bool = True, incomplete: float = 0.0, prefill: str = ""
) -> Verdict:
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
        return null(BY, reason)
    options = info.get("choices") or []
    letters = string.ascii_uppercase[: len(options) or 26]
    many = record.get("task") == "multi-choice" or (
        record.get("task") is None and isinstance(gold, list)
    )
    expected = _gold(record, letters, many)
    reads = cache(partial(_letters if many else _option, options=options, letters=letters))
    answers, why = _answers_in(text, announced, many, reads)
    read: str | None = None
    if answers:
        chosen = [reads(one) for one in answers]
        read, why = _together(chosen) if many else _agreed(chosen)
    label = "unreadable" if not answers else "correct" if read == expected else "wrong"
    score = 1.0 if label == "correct" else 0.0
    if many and read and set(read) < set(expected):
        score, why = _partly(record, info.get("incomplete", incomplete)), "incomplete"
    return verdict(BY, score, label, reason=why, read=read, truncated=is_truncated(record))


def gold(record: Record) -> str:
    """The right letter, or the right letters."""
    answer = record.get("answer")
    letters = "".join(map(str, answer)) if isinstance(answer, list) else str(answer or "")
    return written_answer(f"\\boxed{{{letters}}}" if letters else "")


def _gold(record: Record, letters: str, many: bool) -> str:
    """The right letter, or of several the right letters in their order."""
    gold = record.get("answer")
    text = "".join(map(str, gold)) if many and isinstance(gold, list) else gold
    if isinstance(text, str):
        text = re.sub(r"[\s,、，;]", "", text) if many else text
        text = text.strip(" ().").upper()
        if len(set(text) & set(letters)) == len(text) and (many or len(text) == 1) and text:
            return "".join(sorted(text))
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


Choice = tuple[str | None, str | None]  # what is chosen; or None, and why


def _answers_in(
    text: str, announced: bool, many: bool, reads: Callable[[str], Choice]
) -> tuple[list[str], str | None]:
    """Everything that is given as the answer, or nothing and why.

    A box that names no option is of the working, if a tag, another box or the prose names one.
    """
    final = final_text(text)
    if final is None:
        return [], "thinking-unclosed"
    boxes = [one for one in boxed(final) if one]
    tags = [one for one in tagged(final) if one and "\\boxed" not in one]
    naming = [b for b in boxes if _ALONE.fullmatch(b) or reads(b)[1] != "no-option"]
    if candidates := [*naming, *tags]:
        return candidates, None
    claimed = announcement(final) if announced else None
    if (
        claimed is not None
        and (claim := _claim(claimed, many)).strip()
        and (not boxes or reads(claim)[0])
    ):
        return [claim], None
    return boxes, None if boxes else "no-answer"


def _agreed(chosen: list[Choice]) -> Choice:
    return chosen[0] if len({letter for letter, _ in chosen}) == 1 else (None, "several")


def _together(chosen: list[Choice]) -> Choice:
    if failed := [one for one in chosen if one[0] is None]:
        return failed[0]
    return "".join(sorted({a for letters, _ in chosen for a in letters or ""})), None


def _claim(claimed: str, many: bool) -> str:
    """What is announced, without the reasons for it."""
    claimed = " ".join(claimed.split())
    return _REASON.sub("", claimed if many else claimed.partition("，")[0])


def _plain(text: str) -> str:
    """The text without markup, single spaces between its words."""
    text = _SPACES.sub(" ", " ".join(text.split()))
    return _QUOTED.sub(r"(\1)", " ".join(text.split())).rstrip(".。 ")


def _letters(text: str, options: list[str], letters: str) -> Choice:
    """All letters that a text chooses; or None, and why."""
    chosen_letters: set[str] = set()
    claimed = announcement(text)
    plain = _plain(text if claimed is None else claimed)
    if not EXCLUDED.match(plain):
        plain = EXCLUDED.sub("", plain).rstrip(" ,，;；(（)）")
    if _SMALL_LETTERS.fullmatch(plain):
        plain = plain.upper()
    listed = _SEPARATORS.sub("", plain)
    if listed.isascii() and listed.isalpha() and listed.isupper():
        chosen = "".join(sorted(set(listed)))
        return (chosen, None) if set(listed) <= set(letters) else (None, "no-option")
    for piece in filter(str.strip, _PIECES.split(plain)):
        letter, why = _option(piece, options, letters)
        if letter is None:
            return None, why
        chosen_letters.add(letter)
    return "".join(sorted(chosen_letters)) or None, None if chosen_letters else "no-option"


def _option(text: str, options: list[str], letters: str) -> Choice:
    """The letter that a text chooses; or None, and why."""
    if text.strip() in options:
        return letters[options.index(text.strip())], None
    claimed = announcement(text)
    plain = _plain(text if claimed is None else claimed)
    match = _LETTER.fullmatch(plain)
    if match and _FORMULA.match(plain, match.end(1)):
        sure = (
            match[1].isupper() and plain[match.end(1)] == " " and plain[match.end(1) + 1] in "-–—"
        )
        match = match if sure or _named(match[2], options, letters) else None
    if match is None and _ALONE.match(plain) and _named(plain[2:], options, letters) == [plain[0]]:
        return plain[0], None  # "C Paris"
    if match is None or plain in map(_plain, options):
        named = _named(plain, options, letters)
        if len(named) == 1:
            return named[0], None
        several = len(named) > 1 or len(set(SINGLE.findall(plain)) & set(letters)) > 1
        return None, "several" if several else "no-option"
    letter, rest = match[1].upper(), match[2]
    if letter not in letters:
        return None, "no-option"
    if not rest or _named(rest, options, letters) == [letter]:
        return letter, None
    # beside its letter the text may be put otherwise, unless it is another option's
    if options:
        rest = rest.replace(options[letters.index(letter)], " ")
    if set(SINGLE.findall(EXCLUDED.sub(" ", rest))) & set(letters):
        return None, "several"
    remainder = f" {normalize(rest)} "
    others = (normalize(o) for a, o in zip(letters, options, strict=False) if a != letter)
    for other in filter(None, others):
        for no in ("not", "rather than", "instead of"):
            remainder = remainder.replace(f" {no} {other} ", " ")
        if f" {other} " in remainder:
            return None, "mismatch"
    return letter, None


def _named(text: str, options: list[str], letters: str) -> list[str]:
    """The letters of the options whose text this is, exactly but for case, articles, punctuation."""
    if len(text) > 200 + 4 * max(map(len, options), default=0):
        return []  # whatever stands around it in markup, that is none of them
    for same in (str.strip, _plain, normalize):
        normalized = same(text)
        matching = [a for a, o in zip(letters, options, strict=False) if same(o) == normalized]
        if matching:
            return matching
    return []
