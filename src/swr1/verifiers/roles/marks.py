"""What ticks and crosses, yes and no, and reasons say of the roles beside them.

    "knight: no", "knight = 0", "knight [ ]", "{knight: false}"     not a knight, hence the other
    "Zoey: knight ✗, Ava: knight ✓"                                  the same
    "Zoey: knight ✓, Ava: knave ✗"                                   decoration: who is truthful
    "Ava: knave ✗", and no knight beside it                          ambiguous: unclear
    "Ava is a knave because her statement is false"                  a reason, which says no more

Sentences come as strings of kinds from `lexicon` and leave without the kinds that only this step
knows: a denied role is the other one, and what nothing was made of is "D", which taints a sentence.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from swr1.verifiers.roles.lexicon import Lexicon, Sentence

_STRUCK = re.compile(
    r"~~([^~\n]{1,200})~~|<(s|del|strike)>([^<\n]{1,200})</\2>|\\[sx]?out\{([^{}\n]{1,200})\}"
)
_OURS = re.compile("[vxju0yfkasoE]|R:#")
_REASON = re.compile(r"(?<=[Rr])([w,:&]*)([ka][^PRrIHOQ/]*?)($|[,&]w*(?=P))")
_REASON_FIRST = re.compile(r"(^[w#:,]*)(k[^PRrIHOQ/]*)([,&])")
_STATEMENT = re.compile(  # "(statement false)", "says false things"
    r"([Rr])([w,:&]*)(?=[^PRr,&]*[sS])([^PRr,&NDIHOQ/vx]*([vx])[^PRr,&NDIHOQ/vx]*)(?=[,&]|$)"
)
_BEHIND = re.compile(r"([Rr])([w:>,C]*|w*P[w:>C]*)([vxjuo0#fy])")
_BEFORE = re.compile(r"([vxju])([w:>,C]*|[w#:]*P[w:>,C&P#]*)([Rr])")
_LISTED = re.compile(r"[vxju]?[w:>C]*P[w:>C]*[vxjuo]?")  # a name with a mark, under a heading
_LISTING = re.compile(r"[w#,&:]*(?:[vxju]?[w:>C]*P[w:>C]*[vxjuo]?[w#,&]*)+")
_DENIAL = re.compile(r"[w:,#]*[oux][w:,]*")
_NONE = re.compile(r"(P[w:C>,]*R[w:>,C]*|Rw*P[w:>C]*)E(?=[,&]|$)")
_NAME_NEXT = re.compile(r"[w:#]*P")
_ROLE_NEXT = re.compile(r"w*[Rr]")
_LEFT = str.maketrans({"v": "w", "j": "w", "y": "?", "f": "?", "0": "#", "k": "&", "a": ":",
                       "s": "w", "x": "D", "u": "D"})  # fmt: skip


class _Mark(NamedTuple):
    sentence: int
    role_at: int
    role: int
    denies: bool
    keyed: bool  # "knight: no", not "knight (no)"
    word: bool  # yes or no, a number or a box to tick; not a tick, which may be mere decoration


def unstruck(text: str, lexicon: Lexicon) -> str:
    """The text without roles that were struck out."""

    def gone(match: re.Match[str]) -> str:
        sentences = lexicon.sentences(match[1] or match[3] or match[4])
        return "" if any("R" in one.kinds or "r" in one.kinds for one in sentences) else match[0]

    return _STRUCK.sub(gone, text)


def settle(sentences: list[Sentence]) -> tuple[list[Sentence], list[str]]:
    """The sentences with every mark made part of the role that it is about, and faults."""
    if not any(_OURS.search(sentence.kinds) for sentence in sentences):
        return sentences, []
    faults: list[str] = []
    marks: list[_Mark] = []
    rows = [list(_without_reasons(sentence)) for sentence in sentences]
    for number, sentence in enumerate(sentences):
        marks += _marks(number, rows[number], sentence.values)
    denied, unclear = _denied(marks)
    if unclear:
        faults.append("unclear")
    values = [list(sentence.values) for sentence in sentences]
    for mark in denied:
        values[mark.sentence][mark.role_at] ^= 1
    for mark, after in zip(marks, [*marks[1:], None], strict=False):
        end = after.role_at if after and after.sentence == mark.sentence else None
        rest = "".join(rows[mark.sentence][mark.role_at + 1 : end])
        if mark.word and mark.denies and re.match(r"[^PRr]*[Rr]", rest):
            faults.append("negated")  # "a knight, no, a knave"
    keyed = {mark.sentence for mark in marks if mark.keyed}
    return [
        Sentence(_rest("".join(row)), value, old.is_question, number in keyed)
        for number, (row, value, old) in enumerate(zip(rows, values, sentences, strict=True))
    ], faults


def _without_reasons(sentence: Sentence) -> str:
    def blank(match: re.Match[str]) -> str:
        return match[1] + "w" * len(match[2]) + match[3]

    def statement(match: re.Match[str]) -> str:
        agrees = (match[4] == "x") == (sentence.values[match.start()] == 1)
        taken_back = set("NZo") & set(sentence.kinds[: match.start()])
        filler = "w" if agrees and not taken_back else "U"
        return match[1] + match[2] + filler * len(match[3])

    kinds = _REASON_FIRST.sub(blank, _REASON.sub(blank, sentence.kinds))
    return _STATEMENT.sub(statement, kinds)


def _marks(number: int, row: list[str], values: list[int]) -> list[_Mark]:
    """The marks of a sentence, which is changed: they vanish from it."""
    kinds = "".join(row)
    role, tick = re.search("[Rr]", kinds), re.search("[vxju]", kinds)
    if not role:
        if _LISTING.fullmatch(kinds):
            for at, kind in enumerate(kinds):  # for `reader`, which knows the heading
                row[at] = {"v": "j", "x": "u", "o": "u"}.get(kind, kind)
        elif _DENIAL.fullmatch(kinds):
            row[:] = "D"
        return []
    ahead = tick is not None and tick.start() < role.start()
    marks: list[_Mark] = []

    def take(place: int, gap: range, at: int) -> None:
        kind = kinds[at]
        keyed = any(kinds[i] == "C" or (kinds[i] == ":" and values[i]) for i in gap)
        marks.append(
            _Mark(
                number, place, values[place], kind in "xuo0f", keyed and not ahead, kind in "juo0#"
            )
        )
        for i in (*gap, at):
            if row[i] not in "P,&" and not (ahead and row[i] in ":>C"):
                row[i] = "w"

    if ahead:
        for match in _BEFORE.finditer(kinds):
            at = match.start()
            across = "P" in match[2]
            word = kinds[at] in "vx" and values[at]
            if not across or not (word or (at and kinds[at - 1] == "P")):
                take(match.end() - 1, range(at + 1, match.end() - 1), at)
    for match in _BEHIND.finditer(kinds):
        if _counts(kinds, values, match, ahead):
            take(match.start(), range(match.start() + 1, match.end() - 1), match.end() - 1)
    marks.sort(key=lambda mark: mark.role_at)
    for i, (one, other) in enumerate(pairwise(marks)):
        if one.role != other.role and "P" not in kinds[one.role_at : other.role_at]:
            marks[i], marks[i + 1] = (m._replace(keyed=True) for m in (one, other))
    return marks


def _counts(kinds: str, values: list[int], match: re.Match[str], ahead: bool) -> bool:
    """Whether a mark behind a role is about it."""
    role, gap, kind = match.groups()
    rest = match.string[match.end() :]
    keyed = any(c == ":" and values[match.start() + 1 + i] for i, c in enumerate(gap))
    if kind in "vxju":
        return not ahead and not ("," in gap and _NAME_NEXT.match(rest))
    if kind == "o":
        return not rest or rest[0] in ",&:/"
    alone = not rest or rest[0] in ",&"
    if (
        role == "r"
        or _NAME_NEXT.match(rest)
        or ("P" in gap and not keyed)
        or ("," in gap and not alone)
    ):
        return False  # "2. Ava", "knights: 0"
    return kind != "#" or (keyed and bool(values[match.end() - 1]))


def _denied(marks: Iterable[_Mark]) -> tuple[list[_Mark], bool]:
    """The marks that make a role the other one, and whether some cannot be known."""
    denied = [mark for mark in marks if mark.keyed and mark.denies]
    unclear = False
    for word in (True, False):
        some = [mark for mark in marks if mark.word == word and not mark.keyed]
        claims = {(mark.role, not mark.denies) for mark in some}
        if all(yes for _, yes in claims):
            continue
        decorated = claims == {(0, True), (1, False)}
        if word:
            unclear = unclear or decorated
        elif not decorated and (len({role for role, _ in claims}) > 1 or claims == {(1, False)}):
            unclear = True
        if not decorated:
            denied += [mark for mark in some if mark.denies]
    return denied, unclear


def _rest(kinds: str) -> str:
    """What is left of our kinds, as kinds that the reader knows."""
    if not re.search("[Rr]", kinds):
        if _LISTING.fullmatch(kinds):
            return kinds
        return kinds.translate(_LEFT)
    role = re.search("[Rr]", kinds).start()  # type: ignore[union-attr]
    row = list(_NONE.sub(lambda match: match[1] + "D", kinds).translate(_LEFT))
    for at, kind in enumerate(row):
        if kind == "o" and at > role and not _ROLE_NEXT.match(kinds, at + 1):
            row[at] = "D"  # "Zoey is a knight, no ..."
    return "".join(row)
