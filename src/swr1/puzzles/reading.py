"""Reads a puzzle's text back into statements: ours in every wording, and other people's.

    told = read_puzzle("A very special island is inhabited only by knights and knaves. ...")
    told.names, told.roles, told.statements

A text is an opening that says which two kinds of people there are and whom you meet, sentences that
each report what one of them says, and a question. Those are templates (FRAMES, `_reports`), so
regular expressions cut a text; each clause then goes through a grammar (`clauses.py`). The reader
knows the texts of mem-kk (arXiv 2410.23123, also as Logic-RL uses them) with their perturbed
variants, those of reasoning-gym, and those of puzzles/wording.py. It passes over what stands around
a puzzle (a chat template, a word on the layout of the answer).

A text that has more than one reading is an error, never a guess: "A and B or C" without brackets,
"either A or B" (both?), two puzzles in one text.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from swr1.errors import DataError, UsageError
from swr1.puzzles.clauses import FIRST, NAME, claims_pattern, parse_clause, short
from swr1.puzzles.roles import PAIRS, Roles, find_roles
from swr1.puzzles.wording import REPORTS, REPORTS_ZH, SAYS, SAYS_TERSE, TEXTS


class ParsedPuzzle(NamedTuple):
    """What a text says: names[i] says statements[i]; people in the order of the opening."""

    names: list[str]
    roles: Roles
    statements: tuple[tuple, ...]


class Frame(NamedTuple):
    """Opening, up to the people you meet, and question."""

    language: str
    opening: str
    question: str


_MET = "You meet {count} inhabitants: {people}."
_QUESTION = "So who is {one} and who is {other}?"
_ISLAND = "A very special island is inhabited only by {kinds}. "
FRAMES = [
    Frame(
        "en",
        f"{_ISLAND}{{Truths}} always tell the truth, and {{liars}} always lie. {_MET}",
        _QUESTION,
    ),
    Frame(
        "en",
        f"{_ISLAND}{{Liars}} always lie, and {{truths}} always tell the truth. {_MET}",
        _QUESTION,
    ),
    *[Frame(language, text.intro, text.question) for language, text in TEXTS.items()],
]
PUBLISHED_REPORTS = (
    "{who} said that {what}.",
    "{who} told you that {what}.",
    '{who} said, "{what}."',
    '{who} stated, "{what}".',
    'According to {who}, "{what}".',
    'In {who}\'s words: "{what}".',
    '{who} remarked, "{what}".',
    '"{what}," {who} declared.',
    '{who} was heard saying, "{what}".',
    "{who} expressed that {what}.",
    '"{what}" - {who}.',
    'As {who} put it, "{what}".',
    '{who} asserted: "{what}".',
    '"{what}," {who} mentioned.',
    '{who} commented, "{what}".',
    'In a statement by {who}: "{what}".',
    '{who} noted, "{what}".',
    '"{what}," {who} claimed.',
)

NO_PUZZLE = "no puzzle in it"
_WORD = r"[^\W\d_]+(?:-[^\W\d_]+)*"


class _Masks:
    """Names to single characters and back."""

    def __init__(self, names: list[str], language: str) -> None:
        self.names = names
        self.characters = {name: chr(FIRST + i) for i, name in enumerate(names)}
        words = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        # Where words stand apart, no letter follows a name; in Chinese, no Latin one.
        letter = "[0-9A-Za-zÀ-ÿ]" if language == "zh" else r"\w"
        self._pattern = re.compile(rf"(?<!{letter})(?:{words})(?!{letter})")

    def hide(self, text: str) -> str:
        return self._pattern.sub(lambda m: self.characters[m[0]], text)

    def show(self, text: str) -> str:
        return re.sub(NAME, lambda m: self.names[ord(m[0]) - FIRST], text)


def read_claims(text: str, names: list[str], roles: Roles) -> list[tuple[int, bool]]:
    """(person, tells the truth) for every "X is a knight" of an answer, in the order of the text."""
    language = _language(text)
    matches = claims_pattern(roles, language).finditer(_Masks(list(names), language).hide(text))
    return [(ord(m[1]) - FIRST, bool(m[3]) is not bool(m[2])) for m in matches]


def _language(text: str) -> str:
    return "zh" if "是" in text else "en"


def _statement(clause: str, masks: _Masks, roles: Roles, language: str) -> tuple:
    try:
        return parse_clause(clause, roles, language)
    except DataError as error:
        shown, reason = masks.show(clause).strip(), masks.show(error.reason)
        raise DataError(f"clause {short(shown)}: {reason}") from None


# --- frames ------------------------------------------------------------------------------------


def _as_pattern(template: str) -> re.Pattern:
    """A template as a pattern: placeholders are groups, a space is any white space.

    {Truths} and {truths} are one group: the second must say the same, but for its first letter.
    """
    word = rf"(?:{_WORD}?)"
    kinds = rf"{word}\s+and\s+{word}"
    inside = {"count": r"\d+", "who": NAME, "what": r"[^.:：。\"“”]+?", "kinds": kinds}
    pattern, seen = "", set()
    for i, piece in enumerate(re.split(r"\{(\w+)\}", template)):
        if i % 2 == 0:
            escaped = re.escape(piece).replace(r"\ ", r"\s+").replace('"', '["“”]')
            pattern += escaped.replace("'", "['’]")
            continue
        name = piece.lower()
        article = r"(?:an?\s+)?" if name.startswith("a_") or name in ("one", "other") else ""
        name = name.removeprefix("a_")
        pattern += article + (
            rf"(?i:(?P={name}))" if name in seen else rf"(?P<{name}>{inside.get(name, word)})"
        )
        seen.add(name)
    return re.compile(pattern)


@lru_cache
def _frames() -> list[tuple[Frame, re.Pattern, re.Pattern]]:
    return [
        (f, _as_pattern(f.opening.partition("{people}")[0]), _as_pattern(f.question))
        for f in FRAMES
    ]


@lru_cache
def _reports(language: str) -> re.Pattern:
    """One pattern for all ways to report a statement; its two groups that match: who and what."""
    known = REPORTS_ZH if language == "zh" else (SAYS, *PUBLISHED_REPORTS, *REPORTS)
    quote, patterns = '["“”]', set()
    for template in known:
        pattern = re.sub(r"\?P<\w+>", "", _as_pattern(template).pattern)
        for end in (rf"\.{quote}", rf"{quote}\."):  # the full stop on either side of the quote
            if pattern.endswith(end):
                pattern = pattern.removesuffix(end) + rf"(?:\.{quote}|{quote}\.)"
        patterns.add(pattern)
    return re.compile(r"\s*(?:" + "|".join(sorted(patterns)) + ")")


def read_puzzle(text: str, roles: Roles | None = None) -> ParsedPuzzle:
    """Who is there, and what each of them says. Raises DataError naming what could not be read.

    Args:
        text: the puzzle, also within a prompt.
        roles: who tells the truth, for texts that do not say it ("terse"); without it such a text
            is read with the pair's usual meaning.
    """
    return read_within(text, roles)[0]


def read_within(text: str, roles: Roles | None = None) -> tuple[ParsedPuzzle, str]:
    """`read_puzzle`, and the part of the text that is the puzzle."""
    openings = [(m, f, q) for f, opening, q in _frames() for m in opening.finditer(text)]
    if not openings and SAYS_TERSE.partition("{what}")[0].replace("{who}", "") in text:
        return _read_terse(text, roles)
    if not openings:
        raise DataError(
            f"{NO_PUZZLE}: no opening that says which kinds of people there are and whom you"
            ' meet, such as "A very special island is inhabited only by knights and knaves. ..."'
        )
    if len(openings) > 1:
        raise DataError(f"{len(openings)} puzzles in one text: which one is meant?")
    ((opening, frame, question),) = openings
    end = question.search(text, opening.end())
    if end is None:
        raise DataError(
            'no question after the statements, such as "So who is a knight and who is a knave?"'
        )
    middle = text[opening.end() : end.start()]
    stated_roles = _roles(opening.groupdict(), end.groupdict(), frame.language)
    count = opening.groupdict().get("count")
    names, reports = _people(middle, frame, int(count) if count else None)
    masks = _Masks(names, frame.language)
    sentences = _sentences(masks.hide(reports).strip(), masks, frame.language)
    statements = [
        _statement_of(who, sentences, masks, stated_roles, frame.language)
        for who in range(len(names))
    ]
    return ParsedPuzzle(names, stated_roles, tuple(statements)), text[opening.start() : end.end()]


def _statement_of(
    who: int, sentences: dict[int, str], masks: _Masks, roles: Roles, language: str
) -> tuple:
    name = masks.names[who]
    if who not in sentences:
        raise DataError(f"{name} says nothing")
    try:
        return _statement(sentences[who], masks, roles, language)
    except DataError as error:
        raise DataError(f"statement of {name}, {error.reason}") from None


def _sentences(text: str, masks: _Masks, language: str) -> dict[int, str]:
    """Person -> clause, from sentences in any order."""
    pattern, clauses, at = _reports(language), {}, 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            sentence = re.split(
                r"(?<=[。.])(?:\s|$)" if language == "en" else "(?<=。)", text[at:].strip()
            )[0]
            raise DataError(f"sentence not understood: {short(masks.show(sentence))}")
        one, other = (group for group in match.groups() if group is not None)
        who, clause = (one, other) if re.fullmatch(NAME, one) else (other, one)
        person = ord(who) - FIRST
        if person in clauses:
            raise DataError(f"{masks.names[person]} speaks twice")
        clauses[person] = clause
        at = match.end()
    return clauses


def _people(middle: str, frame: Frame, count: int | None) -> tuple[list[str], str]:
    """The names, and the text after them.

    The list ends with a full stop; a name may hold one too ("J. Doe"), so the end is the first stop
    after which somebody listed speaks.
    """
    stop = "。" if frame.language == "zh" else r"\.(?=\s)"
    ends = list(re.finditer(stop, middle))[:40]
    lists = [_listed(middle[: end.start()], frame.language) for end in ends]
    if not lists or not lists[0]:
        raise DataError("nobody is listed after the words on whom you meet")
    at = next(
        (i for i, end in enumerate(ends) if _speaks(lists[i], middle[end.end() :], frame.language)),
        0,
    )
    names = lists[at]
    if len(set(names)) < len(names):
        raise DataError(f"a name is listed twice: {', '.join(names)}")
    if count not in (None, len(names)):
        raise DataError(f"{count} inhabitants are announced, {len(names)} are listed")
    return names, middle[ends[at].end() :]


def _speaks(names: list[str], text: str, language: str) -> bool:
    """Whether a sentence of one of them comes next, no name being a sentence about another."""
    for name in names:
        others = [n for n in names if n != name]
        if ". " in name and others and _Masks(others, language).hide(name) != name:
            return False
    return bool(_reports(language).match(_Masks(names, language).hide(text).strip()))


def _listed(text: str, language: str) -> list[str]:
    comma, last = TEXTS[language].lists
    *head, tail = text.split(comma)
    if language == "en":
        head, tail = [*head, *tail.removeprefix("and ").split(last)], ""
    elif not head or last in tail:
        first, _, tail = tail.partition(last)
        head.append(first)
    return [name.strip() for name in (*head, tail) if name.strip()]


def _roles(opening: dict[str, str], question: dict[str, str], language: str) -> Roles:
    """Roles from what opening and question say; plurals show which word of the question is whose."""
    truth, liar = opening.get("truth"), opening.get("liar")
    truths, liars = opening.get("truths"), opening.get("liars")
    try:
        if truth is None or liar is None:
            words = (question["one"], question["other"])
            fits = [
                w
                for w in (words, words[::-1])
                if _plural_fits(w[0], truths) and _plural_fits(w[1], liars)
            ]
            if len(fits) != 1:
                raise DataError(
                    f'the kinds of people, "{truths}" and "{liars}", are not those of the question,'
                    f' "{words[0]}" and "{words[1]}"'
                )
            truth, liar = fits[0]
        roles = find_roles(f"{truth}/{liar}", language)
    except UsageError as error:
        raise DataError(str(error)) from None
    if truths is None or liars is None:
        return roles
    plurals = (_plural_form(truths, truth, roles.truths), _plural_form(liars, liar, roles.liars))
    return roles._replace(truths=plurals[0], liars=plurals[1])


def _plural_fits(word: str, plural: str | None) -> bool:
    """Whether they begin alike: "knave" and "Knaves", "wolf" and "wolves"."""
    plural = (plural or "").lower()
    return plural[: max(1, len(word) - 2)] == word.lower()[: max(1, len(word) - 2)]


def _plural_form(plural: str, word: str, regular: str) -> str:
    """The plural, with a small letter where only a sentence's beginning made it a capital.

    mem-kk adds "s" to every word ("heros"), which is no other word than the regular plural.
    """
    if plural.lower() in (f"{word}s".lower(), regular.lower()):
        return regular
    return plural if word[0].isupper() else plural[0].lower() + plural[1:]


# --- without an opening ------------------------------------------------------------------------


def _read_terse(text: str, roles: Roles | None) -> tuple[ParsedPuzzle, str]:
    """Only "X says : ... ." one after the other, names being those who speak."""
    says = SAYS_TERSE.removeprefix("{who}").partition("{what}")[0]
    first, *rest = text.split(says)
    begin = max(
        [first.rfind(mark) + len(mark) for mark in ("\n", ">", ": ") if mark in first] or [0]
    )
    names, clauses, after = [first[begin:].strip()], [], ""
    for piece in rest:
        clause, stop, after = piece.partition(" .")
        if not stop:
            raise DataError(f'the sentence of {names[-1]} does not end with " ."')
        clauses.append(clause)
        names.append(after.strip())
    del names[-1]  # what stands after the last sentence
    if len(set(names)) < len(names):
        raise DataError(f"somebody speaks twice: {', '.join(names)}")
    if roles is None:
        roles = _usual_roles(" ".join(clauses))
    masks = _Masks(names, "en")
    sentences = {i: masks.hide(clause) for i, clause in enumerate(clauses)}
    statements = tuple(_statement_of(i, sentences, masks, roles, "en") for i in range(len(names)))
    whole = text[begin : len(text) - len(after)]
    return ParsedPuzzle(names, roles, statements), whole.strip()


def _usual_roles(text: str) -> Roles:
    words = set(re.findall(rf"\bis (?:not )?an? ({_WORD})", text))
    for pair in PAIRS:
        if words and words <= set(pair):
            return find_roles("/".join(pair))
    raise DataError(
        f"the text does not say who tells the truth, and {', '.join(sorted(words)) or 'nobody'}"
        " is no known pair of roles"
    )
