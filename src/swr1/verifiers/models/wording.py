"""A guard's verdict in its reply, whatever harmless stands around it.

Guards print one word, or lines of a name and a word. Servers and prompts add to it: another case,
line ends of Windows, tokens that end the turn, bold type, quotes, list marks, JSON, the same verdict
twice, an explanation behind it. All of that is read. What is not: a verdict in the middle of prose,
one that is questioned, negated or hedged, and two that differ.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from swr1.verifiers.completions.text import EDGE_TOKEN, INVISIBLE, TURN_HEADER
from swr1.verifiers.models.reply import CouldNotJudge

_FLAT: dict[
    int, int | str
] = {  # full-width signs are plain ones, markup and invisible characters are spaces
    **{0xFF01 + i: 0x21 + i for i in range(94)},
    **dict.fromkeys((*INVISIBLE, *map(ord, "*_`\"'“”‘’«»「」\t\r\u00a0\u3000")), " "),
}
_MARK = r"[^\w\n!¬≠~]{0,20}(?:\(?\d{1,2}[.)])?[^\w\n!¬≠~]{0,20}"  # of a list, a quote, JSON
_LABEL = (
    r"(?:(?:the )?(?:final )?(?:answer|verdict|label|result|output|classification|assessment|safety|score"
    r"|judge?ment|decision|rating|category)\s{0,3}(?:is\s{0,3})?[:=]\s{0,3}[^\w\n!¬≠~]{0,5})?"
)
_LEVEL = r"(?: (?:level|label|rating))?[ ]*"
_HEDGE = re.compile(
    r"\b(?:but|however|though|although|unless|if|except|not|nor|or|maybe|perhaps|possibly|could|might|may"
    r"|unsure|unclear|unlikely|probably|yet)\b|n't\b",
    re.IGNORECASE,
)


class VerdictWord(NamedTuple):
    """A verdict: the word in lower case, where it begins in the text, and what stands behind it."""

    word: str
    at: int
    rest: str


def flat(text: str) -> str:
    """The text as long as before, without markup: what ends a turn ends a line."""
    for tokens in (TURN_HEADER, EDGE_TOKEN):
        text = tokens.sub(lambda match: "\n" + " " * (len(match[0]) - 1), text)
    return text.translate(_FLAT)


def first_word(text: str, words: Collection[str], codes: str = "(?!)") -> VerdictWord:
    """The verdict that the reply begins with.

    Args:
        words: the possible verdicts, none of which may also be said.
        codes: a pattern of what may follow without a comma.

    Raises CouldNotJudge for any other reply.
    """
    view = flat(text)
    choices = "|".join(sorted(words, key=len, reverse=True))
    match = re.match(rf"(?:[^\w\n!¬≠~]*\n)*{_MARK}{_LABEL}({choices})\b", view, re.IGNORECASE)
    if not match:
        raise CouldNotJudge(f"the reply does not begin with {choices}: {text[:100]!r}")
    word, rest = match[1].casefold(), view[match.end() :]
    rest = rest[re.match(rf"(?:[\s.,;]+{word}\b)*", rest, re.IGNORECASE).end() :]  # type: ignore[union-attr]
    for other in re.finditer(rf"\b(?:{choices})\b", rest, re.IGNORECASE):
        if other[0].casefold() != word:
            raise CouldNotJudge(f"the reply says both {word} and {other[0]}: {text[:100]!r}")
    if not re.match(
        rf"[ ]*(?:$|[\n.,;:!)\]}}([|]|(?i:{codes}))|[ ]+(?:[–—-]|(?i:because|since|due to)\b)", rest
    ):
        raise CouldNotJudge(f"the reply goes on after {word!r}: {text[:100]!r}")
    answers = set(words) == {"yes", "no"}  # to a question: explained with a "not", perhaps
    denied = re.search(
        rf"(?:\bnot|n't|\bnever|\bhardly) (?:\w+ ){{0,2}}(?:{choices})\b", rest, re.IGNORECASE
    )
    hedged = _HEDGE.search(rest.partition("\n")[0]) or _HEDGE.match(rest.lstrip(" \n.,;:-"))
    if (hedged or denied) and not answers:
        raise CouldNotJudge(f"the reply takes back its {word!r}: {text[:100]!r}")
    return VerdictWord(word, match.start(1), rest)


def keyed(
    text: str, keys: dict[str, Sequence[str]], free: Sequence[str] = ()
) -> dict[str, VerdictWord]:
    """What the lines `KEY: WORD` say, key -> verdict; keys that stand nowhere are left out.

    Args:
        keys: key -> its possible words. free: keys with any text behind them, which is `rest`.

    Raises CouldNotJudge where a key stands there with another word, or with two.
    """
    names = [*keys, *free]
    view = _one_a_line(flat(text), names)
    verdicts: dict[str, VerdictWord] = {}
    for key in names:
        begins = rf"^{_MARK}{re.escape(key)}{_LEVEL}[:=][ ]*[^\w\n!¬≠~]{{0,5}}"
        if key in free:
            if line := re.search(rf"{begins}(.*)$", view, re.IGNORECASE | re.MULTILINE):
                verdicts[key] = VerdictWord("", line.start(1), line[1])
            continue
        words = "|".join(keys[key])
        line = re.search(rf"{begins}({words})(?!\w)(.*)$", view, re.IGNORECASE | re.MULTILINE)
        if line and (_goes_on(line[2], words) or not _agree(view, key, words)):
            raise CouldNotJudge(f"the reply says different things of {key!r}: {text[:100]!r}")
        if line:
            verdicts[key] = VerdictWord(line[1].casefold(), line.start(1), line[2])
    return verdicts


def _one_a_line(view: str, names: Sequence[str]) -> str:
    """Names that follow others on one line get lines of their own; as long as before."""
    one = "|".join(map(re.escape, names))
    starts = re.compile(rf"{_MARK}(?:{one})[ ]*[:=]", re.IGNORECASE)
    gap = re.compile(rf"(?<=[^\s])[ ](?=[ ,;|]{{0,8}}(?:{one})[ ]*[:=])", re.IGNORECASE)
    lines = view.split("\n")
    return "\n".join(gap.sub("\n", line) if starts.match(line) else line for line in lines)


def _goes_on(rest: str, words: str) -> bool:
    """Whether what follows the word on its line makes it another statement."""
    return bool(
        not re.match(r"[ ]*(?:$|[.,;:!)\]}|(\[])|[ ]+[–—-]", rest)
        or re.search(rf"\b(?:{words})\b", rest, re.IGNORECASE)
        or _HEDGE.search(rest)
    )


def _agree(view: str, key: str, words: str) -> bool:
    """Whether the key has the same word wherever it stands."""
    matches = re.findall(rf"\b{re.escape(key)}{_LEVEL}[:=][^\w\n]*({words})(?!\w)", view, re.I)
    return len({word.casefold() for word in matches}) == 1
