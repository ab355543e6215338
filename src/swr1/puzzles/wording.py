"""The text of a puzzle, in several wordings.

A wording is a function (statements, dice, roles) -> template, where the template holds "{i}" for the
name of person i, and `dice` are 32-bit random words, one per person, for wordings that vary. To add
a wording, write the function and put it in WORDINGS. What a statement becomes is its Grammar's; all
wordings but "terse" are an intro, a report per person, and a question (TEXTS).

Every clause has one reading, also for somebody who knows no precedence:

    clause = simple                                   {0} is a knight | {0} is not a knight
           | pieces `flat` around parts that are all simple            S and S | if S then S
           | pieces `deep` around parts, one of which is compound      P, and P | if P, then P
           | negation around a part                     it is not the case that P
    part   = simple | nested | ( clause ) | negation or flat "if" where `bare` allows it
    nested = "both S and S", "either S or S or both"; S is simple

One clause has one connective, so no precedence is needed: commas separate the parts of an outer
clause, "both", "either" and parentheses hold an inner one together. A part that is open at its end
("if ..." and "it is not the case that ...") stands bare only where nothing follows that it could
swallow. Chinese has its own pieces: a nested "and" or "or" has no commas within, as the outer one
has (S并且S，或者S), and what is denied is a whole clause in parentheses: 并非（...）.
A clause in quotation marks begins with a capital, within its parentheses if it has some.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

from swr1.puzzles.roles import Roles
from swr1.puzzles.statements import LEAVES
from swr1.registry import check_known

Pieces = tuple[str, str, str]  # what stands before the first part, between parts, after the last


@dataclass(frozen=True, eq=False)  # compared by identity, so that clauses can be kept by grammar
class Grammar:
    """How statements become clauses; the module's docstring says what the pieces are for."""

    leaf: str  # {who}, and {a_role} or {role}
    denied: str  # "not" of a leaf
    negation: tuple[str, str]  # before and after the part; with an end, a clause stands inside
    flat: dict[str, Pieces]
    deep: dict[str, Pieces]
    nested: dict[str, Pieces]
    nested_parts: int  # most parts of a nested "and" or "or"; more stand in parentheses
    bare: dict[str, tuple[str, ...]]  # place of a part -> kinds that need no parentheses there
    brackets: tuple[str, str] = ("(", ")")


def _infix(between: dict[str, str], conditional: Pieces) -> dict[str, Pieces]:
    return {k: ("", word, "") for k, word in between.items()} | {"implies": conditional}


# The places of a part: the last of its clause, between "if" and "then", or any other.
LAST, IF, MIDDLE = "last", "if", "middle"

ENGLISH = Grammar(
    leaf="{who} is {a_role}",
    denied="{who} is not {a_role}",
    negation=("it is not the case that ", ""),
    flat=_infix({"and": " and ", "or": " or ", "iff": " if and only if "}, ("if ", " then ", "")),
    deep=_infix(
        {"and": ", and ", "or": ", or ", "iff": ", if and only if "}, ("if ", ", then ", "")
    ),
    # "or both" says that the "either" does not exclude both
    nested={"and": ("both ", " and ", ""), "or": ("either ", " or ", " or both")},
    nested_parts=2,
    bare={LAST: ("not", "implies"), IF: ("not",), MIDDLE: ()},
)
CHINESE = Grammar(
    leaf="{who}是{role}",
    denied="{who}不是{role}",
    negation=("并非（", "）"),
    flat=_infix({"and": "并且", "or": "或者", "iff": "当且仅当"}, ("如果", "，那么", "")),
    deep=_infix({"and": "，并且", "or": "，或者", "iff": "，当且仅当"}, ("如果", "，那么", "")),
    nested={"and": ("", "并且", ""), "or": ("", "或者", "")},
    nested_parts=99,
    bare={LAST: ("not", "implies"), IF: ("not",), MIDDLE: ("not",)},
    brackets=("（", "）"),
)
_TERSE = _infix({"and": " and ", "or": " or ", "iff": " iff "}, ("if ", " then ", ""))
TERSE = Grammar(
    leaf="{who} is {a_role}",
    denied="{who} is not {a_role}",
    negation=("not ", ""),
    flat=_TERSE,
    deep=_TERSE,
    nested={},
    nested_parts=0,
    bare={LAST: (), IF: (), MIDDLE: ()},
    brackets=("( ", " )"),
)


class Text(NamedTuple):
    """What stands around the clauses."""

    intro: str
    question: str
    lists: tuple[str, str]  # between names, and before the last one
    space: str  # between sentences


INTRO = (
    "On an island everyone is either {a_truth} or {a_liar}. {Truths} always tell the truth, and"
    " {liars} always lie. You meet {people}."
)
QUESTION = "For each of them, is that person {a_truth} or {a_liar}?"
INTRO_ZH = (
    "在一座岛上，每个居民要么是{truth}，要么是{liar}。{truth}只说真话，{liar}只说假话。"
    "你遇到了{people}。"
)
QUESTION_ZH = "请问他们各自是{truth}还是{liar}？"
TEXTS = {
    "en": Text(INTRO, QUESTION, (", ", " and "), " "),
    "zh": Text(INTRO_ZH, QUESTION_ZH, ("、", "和"), ""),
}

# Ways to report a statement: {who} speaks, {what} is said, {What} with a capital.
SAYS = "{who} says that {what}."
SAYS_TERSE = "{who} says : {what} ."
SAYS_ZH = "{who}说：{what}。"
REPORTS = (
    "{who} said that {what}.",
    "{who} told you that {what}.",
    '{who} said: "{What}."',
    "{who} let you know that {what}.",
    "According to {who}, {what}.",
    'In the words of {who}: "{What}."',
    '{who} remarked: "{What}."',
    '"{What}," declared {who}.',
    'You overheard {who} saying: "{What}."',
    "{who} was of the opinion that {what}.",
    '"{What}." Those were the words of {who}.',
    'As {who} put it: "{What}."',
    "{who} asserted that {what}.",
    '"{What}," {who} mentioned in passing.',
    'The comment of {who} was: "{What}."',
    'A statement made by {who} reads: "{What}."',
    '{who} noted: "{What}."',
    'What {who} claimed is this: "{What}."',
)
REPORTS_ZH = (
    SAYS_ZH,
    "{who}说：“{what}。”",
    "{who}告诉你：{what}。",
    "{who}对你说：“{what}。”",
    "{who}声称：“{what}。”",
    "{who}表示：{what}。",
    "{who}指出：{what}。",
    "{who}断言：“{what}。”",
    "据{who}说，{what}。",
    "按照{who}的说法，{what}。",
    "用{who}的话来说：“{what}。”",
    "你听到{who}说：“{what}。”",
    "“{what}。”{who}说道。",
    "“{what}。”这是{who}的原话。",
)


def is_simple(statement: tuple) -> bool:
    """Whether it is a leaf or "not" of a leaf, which need no connective."""
    kind = statement[0]
    return kind in LEAVES or (kind == "not" and statement[1][0] in LEAVES)


@lru_cache(maxsize=1 << 16)
def clause(statement: tuple, grammar: Grammar, roles: Roles) -> str:
    """A statement as a clause with "{i}" for names: "{0} is a knight and {2} is not a knave"."""
    kind, *parts = statement
    if kind in LEAVES:
        return _leaf(grammar.leaf, statement, roles)
    if kind == "not":
        if parts[0][0] in LEAVES:
            return _leaf(grammar.denied, parts[0], roles)
        return _negated(parts[0], grammar, roles, LAST)
    pieces = (grammar.flat if all(map(is_simple, parts)) else grammar.deep)[kind]
    texts = [_part(s, grammar, roles, IF if kind == "implies" else MIDDLE) for s in parts[:-1]]
    texts.append(_part(parts[-1], grammar, roles, LAST))
    return _around(pieces, texts)


def _leaf(form: str, leaf: tuple, roles: Roles) -> str:
    truth = leaf[0] == "knight"
    return form.format(who=f"{{{leaf[1]}}}", a_role=roles.a(truth), role=roles.word(truth))


@lru_cache(maxsize=1 << 14)
def _part(statement: tuple, grammar: Grammar, roles: Roles, place: str) -> str:
    """A statement within another, so that it is clear where it ends."""
    if is_simple(statement):
        return clause(statement, grammar, roles)
    kind, *parts = statement
    if kind == "not" and kind in grammar.bare[place]:
        return _negated(parts[0], grammar, roles, place)
    if all(map(is_simple, parts)):
        if kind in grammar.nested and len(parts) <= grammar.nested_parts:
            return _around(grammar.nested[kind], [clause(s, grammar, roles) for s in parts])
        if kind == "implies" and kind in grammar.bare[place]:
            return clause(statement, grammar, roles)
    before, after = grammar.brackets
    return f"{before}{clause(statement, grammar, roles)}{after}"


def _negated(statement: tuple, grammar: Grammar, roles: Roles, place: str) -> str:
    before, after = grammar.negation
    inner = clause(statement, grammar, roles) if after else _part(statement, grammar, roles, place)
    return f"{before}{inner}{after}"


def _around(pieces: Pieces, texts: Sequence[str]) -> str:
    before, between, after = pieces
    return f"{before}{between.join(texts)}{after}"


@lru_cache(maxsize=1 << 16)
def _capital_phrase(statement: tuple, roles: Roles) -> str:
    text = clause(statement, ENGLISH, roles)
    start = len(text) - len(text.lstrip("("))
    return text[:start] + text[start].upper() + text[start + 1 :]


def listed(items: Sequence[str], language: str = "en") -> str:
    """A, B and C."""
    comma, last = TEXTS[language].lists
    return f"{comma.join(items[:-1])}{last}{items[-1]}" if len(items) > 1 else "".join(items)


@lru_cache(maxsize=64)
def _frame(people: int, roles: Roles, language: str = "en") -> tuple[str, str]:
    """The first and the last sentence."""
    words = {
        "{a_truth}": roles.a(True),
        "{a_liar}": roles.a(False),
        "{truth}": roles.truth,
        "{liar}": roles.liar,
        "{Truths}": roles.truths[0].upper() + roles.truths[1:],
        "{liars}": roles.liars,
        "{people}": listed([f"{{{i}}}" for i in range(people)], language),
    }
    intro, question = TEXTS[language].intro, TEXTS[language].question
    for place, word in words.items():
        intro, question = intro.replace(place, word), question.replace(place, word)
    return intro, question


@lru_cache(maxsize=1 << 12)
def _report(speaker: int, report: str) -> tuple[str, str, bool]:
    """What stands before and after the clause, and whether the clause takes a capital."""
    text = report.replace("{who}", f"{{{speaker}}}")
    before, place, after = re.split("({what}|{What})", text)
    return before, after, place == "{What}"


def _reported(
    statements: Sequence[tuple],
    dice: Sequence[int],
    roles: Roles,
    *,
    language: str,
    grammar: Grammar,
    reports: Sequence[str],
) -> str:
    """An intro, a report per person (the dice choose which), and a question."""
    intro, question = _frame(len(statements), roles, language)
    sentences = []
    for i, s in enumerate(statements):
        report = reports[dice[i] * len(reports) >> 32] if len(reports) > 1 else reports[0]
        before, after, capital = _report(i, report)
        text = _capital_phrase(s, roles) if capital else clause(s, grammar, roles)
        sentences.append(before + text + after)
    return TEXTS[language].space.join([intro, *sentences, question])


def terse(statements: Sequence[tuple], dice: Sequence[int], roles: Roles) -> str:
    """All tokens stand apart, punctuation too, and few words are used: for tiny models."""
    return " ".join(
        [f"{{{i}}} says : {clause(s, TERSE, roles)} ." for i, s in enumerate(statements)]
    )


_english = partial(_reported, language="en", grammar=ENGLISH)
_chinese = partial(_reported, language="zh", grammar=CHINESE)


class Wording(NamedTuple):
    text: Callable[[Sequence[tuple], Sequence[int], Roles], str]
    language: str = "en"  # or "zh": which words for roles, and which names, go with it
    grammar: Grammar = ENGLISH


WORDINGS: dict[str, Wording] = {
    "plain": Wording(partial(_english, reports=(SAYS,))),
    "varied": Wording(partial(_english, reports=REPORTS)),
    "terse": Wording(terse, grammar=TERSE),
    "chinese": Wording(partial(_chinese, reports=(SAYS_ZH,)), "zh", CHINESE),
    "chinese-varied": Wording(partial(_chinese, reports=REPORTS_ZH), "zh", CHINESE),
}


def find_wording(name: str) -> Wording:
    """Raises UsageError, with a suggestion, for an unknown wording."""
    check_known("wording", name, WORDINGS)
    return WORDINGS[name]
