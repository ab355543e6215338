"""Wordings can be read back without doubt."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.puzzles.generator import generate
from swr1.puzzles.roles import PAIRS, find_roles
from swr1.puzzles.statements import as_tuples
from swr1.puzzles.wording import (
    CHINESE,
    ENGLISH,
    REPORTS,
    REPORTS_ZH,
    TERSE,
    WORDINGS,
    clause,
    listed,
)

from .brute import patient, puzzles, statement_of

NAMES = ["Ann", "Bob", "Cy", "Dee", "Eli", "Flo"]
NOT, IFF = "it is not the case that", "if and only if"
SIGNS = {  # Chinese words as the English ones that stand in the same places
    "并且": " and ", "或者": " or ", "当且仅当": " iff ", "如果": " if ", "那么": " then ",
    "并非": " not ", "不是": " is not a ", "是": " is a ", "（": "(", "）": ")", "，": ",",
    "骑士": "knight", "无赖": "knave",
}  # fmt: skip


class Reader:
    """The statement of a clause, token by token from the left: never goes back, never guesses."""

    def __init__(self, text, chinese=False):
        if chinese:
            for word, sign in SIGNS.items():
                text = text.replace(word, sign)
        text = text.replace(IFF, "iff").replace(NOT, "not")
        self.chinese, self.tokens = chinese, re.findall(r"[(),]|\w+", text)

    def read(self):
        statement = self.clause()
        assert self.tokens == []
        return statement

    def sees(self, *tokens):
        return self.tokens[: len(tokens)] == list(tokens)

    def skips(self, *tokens):
        if found := self.sees(*tokens):
            del self.tokens[: len(tokens)]
        return found

    def take(self, *tokens):
        assert self.skips(*tokens), (tokens, self.tokens)

    def clause(self):
        parts, kinds = [self.part()], set()
        while self.tokens and self.tokens[0] != ")":
            comma = self.skips(",")
            kinds.add((self.tokens.pop(0), comma))
            parts.append(self.part())
        if not kinds:
            return parts[0]
        ((kind, _),) = kinds  # one connective, always with a comma or never
        assert kind in ("and", "or", "iff")
        return (kind, *parts)

    def part(self):
        if self.skips("("):
            inner = self.clause()
            self.take(")")
            return inner
        if self.skips("not"):
            assert not self.chinese or self.sees("(")
            return ("not", self.part())
        if self.skips("if"):
            first = self.part()
            self.skips(",")
            self.take("then")
            return ("implies", first, self.part())
        for word, kind in (("both", "and"), ("either", "or")):
            if self.skips(word):
                first = self.simple()
                self.take(kind)
                parts = (kind, first, self.simple())
                if kind == "or":
                    self.take("or", "both")
                return parts
        if not self.chinese:
            return self.simple()
        parts, kinds = [self.simple()], set()
        while self.tokens and self.tokens[0] in ("and", "or"):
            kinds.add(self.tokens.pop(0))
            parts.append(self.simple())
        assert len(kinds) <= 1
        return (*kinds, *parts) if kinds else parts[0]

    def simple(self):
        who = NAMES.index(self.tokens.pop(0))
        self.take("is")
        negated = self.skips("not")
        self.take("a")
        leaf = (self.tokens.pop(0), who)
        return ("not", leaf) if negated else leaf


GRAMMARS = {"english": ENGLISH, "terse": TERSE, "chinese": CHINESE}
ROLES = {
    "english": find_roles(),
    "terse": find_roles(),
    "chinese": find_roles("knight/knave", "zh"),
}


@pytest.mark.parametrize("grammar", GRAMMARS)
@patient
@given(statement=statement_of(st.integers(0, 5)).map(as_tuples))
def test_a_clause_has_one_reading(grammar, statement):
    text = clause(statement, GRAMMARS[grammar], ROLES[grammar]).format(*NAMES)
    assert Reader(text, grammar == "chinese").read() == statement


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_generated_clauses_have_one_reading_at_every_depth(depth):
    for r in generate(60, (3, 5), depth=depth, width=4, seed=depth):
        for s in map(as_tuples, r["info"]["statements"]):
            for name, grammar in GRAMMARS.items():
                text = clause(s, grammar, ROLES[name]).format(*NAMES)
                assert Reader(text, name == "chinese").read() == s


def leaf(name, role="knight"):
    return (role, NAMES.index(name))


A, B, C, D = leaf("Ann"), leaf("Bob"), ("knave", 2), ("not", ("knave", 3))
AB, CD = "Ann is a knight and Bob is a knight", "Cy is a knave or Dee is not a knave"
TEXTS = [
    (("implies", A, D), "if Ann is a knight then Dee is not a knave", "如果Ann是骑士，那么Dee不是无赖"),
    (("and", A, B), AB, "Ann是骑士并且Bob是骑士"),
    (("not", ("and", A, B)), f"it is not the case that both {AB}", "并非（Ann是骑士并且Bob是骑士）"),
    (
        ("implies", ("and", A, B), ("or", C, D)),
        f"if both {AB}, then either {CD} or both",
        "如果Ann是骑士并且Bob是骑士，那么Cy是无赖或者Dee不是无赖",
    ),
    (
        ("and", ("and", A, B), C),
        f"both {AB}, and Cy is a knave",
        "Ann是骑士并且Bob是骑士，并且Cy是无赖",
    ),
    (
        ("iff", ("and", A, B, C), A),
        f"({AB} and Cy is a knave), if and only if Ann is a knight",
        "Ann是骑士并且Bob是骑士并且Cy是无赖，当且仅当Ann是骑士",
    ),
    (
        ("or", ("implies", A, C), ("implies", B, C)),
        "(if Ann is a knight then Cy is a knave), or if Bob is a knight then Cy is a knave",
        "（如果Ann是骑士，那么Cy是无赖），或者如果Bob是骑士，那么Cy是无赖",
    ),
    (
        ("implies", ("not", ("or", C, D)), ("and", ("or", C, D), A)),
        f"if it is not the case that either {CD} or both, then (either {CD} or both, and Ann is a"
        " knight)",
        "如果并非（Cy是无赖或者Dee不是无赖），那么（Cy是无赖或者Dee不是无赖，并且Ann是骑士）",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "english", "chinese"), TEXTS)
def test_clauses_read_as_english_and_as_chinese(statement, english, chinese):
    assert clause(statement, ENGLISH, find_roles()).format(*NAMES) == english
    assert clause(statement, CHINESE, ROLES["chinese"]).format(*NAMES) == chinese


def test_depth_two_needs_no_parentheses():
    for r in generate(400, (2, 4), width=3, seed=1):
        for wording in WORDINGS.values():
            if wording.language == "en":
                roles = find_roles("knight/knave")
                for s in map(as_tuples, r["info"]["statements"]):
                    assert not re.search("[(),]", clause(s, wording.grammar, roles))


def test_terse_puts_every_compound_part_in_parentheses():
    s = ("iff", ("and", A, B, C), ("not", ("or", A, B)))
    assert clause(s, TERSE, find_roles()).format(*NAMES) == (
        f"( {AB} and Cy is a knave ) iff ( not ( Ann is a knight or Bob is a knight ) )"
    )


@settings(deadline=None, max_examples=50)
@given(puzzle=puzzles(most=3), other=puzzles(most=3))
def test_different_puzzles_have_different_texts(puzzle, other):
    puzzle, other = (tuple(map(as_tuples, p)) for p in (puzzle, other))
    for wording in WORDINGS.values():
        roles = find_roles("saint/sinner", wording.language)
        texts = {p: wording.text(p, [0] * len(p), roles).format(*NAMES) for p in (puzzle, other)}
        assert len(set(texts.values())) == len(texts)


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("depth", [2, 5])
def test_the_text_names_everybody_and_says_everything(wording, depth):
    language = WORDINGS[wording].language
    for r in generate(60, (2, 5), depth=depth, wording=wording, seed=8):
        (message,), info = r["prompt"], r["info"]
        text, names = message["content"], info["names"]
        roles = find_roles("knight/knave", language)
        assert info["roles"] == [roles.truth, roles.liar]
        assert not re.search(r"[{}]|None|  ", text)
        for name, statement in zip(names, info["statements"], strict=True):
            assert name in text
            said = clause(as_tuples(statement), WORDINGS[wording].grammar, roles).format(*names)
            assert said.casefold() in text.casefold()
        if wording == "terse":
            continue
        if language == "en":
            assert f"You meet {listed(names)}." in text
            assert text.endswith("is that person a knight or a knave?")
        else:
            assert f"你遇到了{listed(names, 'zh')}。" in text
            assert text.endswith("是骑士还是无赖？")


@pytest.mark.parametrize("wording", [w for w in WORDINGS if w != "terse"])
@pytest.mark.parametrize("pair", [*PAIRS, ("elf", "orc")])
@pytest.mark.parametrize("flipped", [False, True])
def test_the_text_says_who_tells_the_truth(wording, pair, flipped):
    language = WORDINGS[wording].language
    chosen = "/".join(reversed(pair) if flipped else pair)
    (r,) = generate(1, 3, wording=wording, roles=chosen, seed=4)
    text, roles = r["prompt"][0]["content"], find_roles(chosen, language)
    if language == "en":
        assert roles[:2] == (tuple(reversed(pair)) if flipped else pair)
        assert f"{roles.truths.capitalize()} always tell the truth, and {roles.liars}" in text
        assert text.endswith(f"is that person {roles.a(True)} or {roles.a(False)}?")
    else:
        assert f"{roles.truth}只说真话，{roles.liar}只说假话。" in text
    assert {role for _, role in r["answer"]} <= set(roles[:2])
    others = {w for p in PAIRS for w in (*p, *PAIRS[p])} - set(roles[:2])
    assert not [w for w in others if re.search(rf"\b{w}", text) and language == "en"]
    assert not [w for w in others if w in text and language == "zh"]


def test_a_quoted_clause_begins_with_a_capital_within_its_parentheses():
    s = ("or", ("implies", A, C), B)
    text = WORDINGS["varied"].text([s], [2 * (1 << 32) // len(REPORTS) + 1], find_roles())
    assert 'said: "(If {0} is a knight' in text


def test_terse_tokens_stand_apart():
    for r in generate(50, (2, 4), depth=3, wording="terse", names="few"):
        words = r["prompt"][0]["content"].split(" ")
        assert set(words) <= {
            *"():.",
            *["says", "is", "a", "not", "knight", "knave", "and", "or", "if", "then", "iff"],
        } | set(r["info"]["names"])


@pytest.mark.parametrize(
    ("wording", "reports", "count"), [("varied", REPORTS, 18), ("chinese-varied", REPORTS_ZH, 14)]
)
def test_all_reports_come_up_and_each_names_its_speaker(wording, reports, count):
    assert len(set(reports)) == count
    text = " ".join(r["prompt"][0]["content"] for r in generate(300, 4, wording=wording))
    for report in reports:
        assert report.count("{who}") == 1
        assert len(re.findall("{[wW]hat}", report)) == 1
        pattern = re.escape(report).replace(r"\{who\}", r"\w+")
        assert re.search(re.sub(r"\\{[wW]hat\\}", r"[^.:\"。：“”]+", pattern), text), report
