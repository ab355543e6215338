"""Wordings can be read back without doubt; traces reason correctly and end in the solution."""

import re

import pytest
from hypothesis import given

from swr1.puzzles.generator import generate
from swr1.puzzles.statements import as_tuples, solutions
from swr1.puzzles.traces import STYLES, answer_text, assistant_text
from swr1.puzzles.wording import REPORTS, WORDINGS, listed, phrase

from .brute import patient, puzzles

NAMES = ["Ann", "Bob", "Cy", "Dee", "Eli", "Flo"]


def read(text):
    """The statement of a clause: a small reader, strict about parentheses."""
    tokens = re.findall(r"[()]|[\w-]+", text.replace("if and only if", "iff"))
    tokens = " ".join(tokens).replace("it is not the case that", "not").split()

    def take(*expected):
        assert tuple(tokens[: len(expected)]) == expected
        del tokens[: len(expected)]

    def part():
        if tokens[0] == "(":
            take("(")
            inner = whole()
            take(")")
            return inner
        who = NAMES.index(tokens.pop(0))
        negated = tokens[:2] == ["is", "not"]
        take(*(["is", "not", "a"] if negated else ["is", "a"]))
        leaf = (tokens.pop(0), who)
        return ("not", leaf) if negated else leaf

    def whole():
        if tokens[0] in ("if", "not"):
            if tokens.pop(0) == "not":
                return ("not", part())
            first = part()
            take("then")
            return ("implies", first, part())
        parts, kinds = [part()], set()
        while tokens and tokens[0] in ("and", "or", "iff"):
            kinds.add(tokens.pop(0))
            parts.append(part())
        if not kinds:
            return parts[0]
        (kind,) = kinds
        return (kind, *parts)

    statement = whole()
    assert tokens == []
    return statement


@pytest.mark.parametrize("terse", [False, True])
@patient
@given(statements=puzzles())
def test_a_clause_has_one_reading(terse, statements):
    for s in map(as_tuples, statements):
        assert read(phrase(s, terse).format(*NAMES)) == s


def test_depth_two_reads_as_english():
    s = ("implies", ("knight", 0), ("not", ("knave", 1)))
    assert phrase(s).format(*NAMES) == "if Ann is a knight then Bob is not a knave"
    s = ("iff", ("and", ("knight", 0), ("knave", 1), ("knave", 2)), ("knight", 1))
    assert phrase(s).format(*NAMES) == (
        "(Ann is a knight and Bob is a knave and Cy is a knave) if and only if Bob is a knight"
    )
    assert phrase(s, terse=True).format(*NAMES) == (
        "( Ann is a knight and Bob is a knave and Cy is a knave ) iff Bob is a knight"
    )


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("depth", [2, 4])
def test_the_text_names_everybody_and_says_everything(wording, depth):
    for r in generate(80, (2, 5), depth=depth, wording=wording, seed=8):
        (message,), info = r["prompt"], r["info"]
        text, names = message["content"], info["names"]
        assert not re.search(r"[{}]|None|  ", text)
        for name, statement in zip(names, info["statements"], strict=True):
            assert re.search(rf"\b{name}\b", text)
            clause = phrase(as_tuples(statement), wording == "terse").format(*names)
            assert clause in text or clause[0].upper() + clause[1:] in text
        if wording != "terse":
            assert f"You meet {listed(names)}." in text
            assert text.endswith("is that person a knight or a knave?")


def test_terse_tokens_stand_apart():
    for r in generate(50, (2, 4), depth=3, wording="terse", names="few"):
        words = r["prompt"][0]["content"].split(" ")
        assert set(words) <= {
            *"():.",
            *["says", "is", "a", "not", "knight", "knave", "and", "or", "if", "then", "iff"],
        } | set(r["info"]["names"])


def test_all_reports_come_up_and_each_names_its_speaker():
    assert len(set(REPORTS)) == 18
    text = " ".join(r["prompt"][0]["content"] for r in generate(300, 4, wording="varied"))
    for report in REPORTS:
        assert "{who}" in report
        assert len(re.findall("{[wW]hat}", report)) == 1
        pattern = re.escape(report).replace(r"\{who\}", r"[A-Z]\w+")
        assert re.search(re.sub(r"\\{[wW]hat\\}", r"\\w[^.:\"]+", pattern), text), report


# Traces


@pytest.mark.parametrize("depth", [2, 3])
def test_search_ends_in_the_solution(depth):
    for r in generate(300, (2, 7), depth=depth, trace="search", seed=3):
        turn = re.fullmatch(
            r"<think> (.+) </think>\n<answer>(.+)</answer>", r["info"]["trace"], re.S
        )
        reasoning, answer = turn.groups()
        assert answer == answer_text(r["answer"])
        conclusion = reasoning.splitlines()[-1]
        assert conclusion == f"So {listed([f'{n} is a {role}' for n, role in r['answer']])}."
        assert "not" not in re.findall(r": (\w+), as it should", reasoning)


def test_search_claims_only_real_contradictions():
    """Every contradiction named is one in all completions of the roles assumed before it."""
    for r in generate(150, (2, 5), trace="search", seed=6):
        names, statements = r["info"]["names"], r["info"]["statements"]
        assumed, contradictions = {}, 0
        for line in r["info"]["trace"].splitlines():
            if step := re.search(r"[Ss]uppose (\w+) is a (\w+)\.", line):
                assumed[names.index(step[1])] = step[2] == "knight"
            elif step := re.match(r"Neither role works for (\w+)\.", line):
                del assumed[names.index(step[1])]
            elif line.endswith("This is a contradiction."):
                contradictions += 1
                (only,) = solutions(statements)
                assert any(only[p] != role for p, role in assumed.items())
                speaker = names.index(line.split()[0])
                would_be = "would be true" in line
                assert would_be != assumed[speaker]
        assert [assumed[i] for i in range(len(names))] == list(solutions(statements)[0])
        assert contradictions or len(re.findall("uppose", r["info"]["trace"])) == len(names)


def test_answer_and_turn_layout():
    answer = [["Zoey", "knight"], ["Oliver", "knave"]]
    assert answer_text(answer) == "(1) Zoey is a knight\n(2) Oliver is a knave"
    assert assistant_text("Hm.", answer) == (
        "<think> Hm. </think>\n<answer>(1) Zoey is a knight\n(2) Oliver is a knave</answer>"
    )


@pytest.mark.parametrize("style", STYLES)
def test_styles_answer_for_everybody_in_order(style):
    for r in generate(60, (2, 5), trace=style, seed=1):
        lines = r["info"]["trace"].rpartition("<answer>")[2].removesuffix("</answer>").splitlines()
        assert [line.split()[1] for line in lines] == r["info"]["names"]
