"""Every text of ours reads back as it was; published texts read; doubtful ones are refused."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError
from swr1.puzzles.reading import (
    PUBLISHED_REPORTS,
    ParsedPuzzle,
    _Masks,
    _statement,
    read_claims,
    read_puzzle,
    read_within,
)
from swr1.puzzles.roles import find_roles
from swr1.puzzles.statements import as_tuples
from swr1.puzzles.wording import INTRO, QUESTION, REPORTS, WORDINGS

from .brute import patient, statement_of

KNIGHTS = find_roles()
NAMES = {
    "en": """Zoey Bo Ann|Ann Lee|J. R. Smith|Łukasz|Zoë van der Berg|O'Neil|Jean-Luc|張偉|Will|Ada
        |Иван|Agent 47|Sam|Sammy|Samuel""",
    "zh": "张三|张三丰|李四|王五|欧阳修|José|Ann|Ann Lee|Cy|Cynthia|O'Neil|司马光",
}
NAMES = {language: [n.strip() for n in text.split("|")] for language, text in NAMES.items()}
PAIRS = ["knight/knave", "knave/knight", "hero/villain", "devil/angel", "altruist/egoist"]
OWN_PAIRS = ["elf:elves/orc", "Jedi:Jedi/Sith:Sith", "truth-teller/liar", "ásatrúar/trickster"]


@st.composite
def tellings(draw, language):
    people = draw(st.integers(1, 5))
    names = draw(st.permutations(NAMES[language]))[:people]
    roles = find_roles(draw(st.sampled_from(PAIRS + OWN_PAIRS)), language)
    one = statement_of(st.integers(0, people - 1))
    said = draw(st.lists(one, min_size=people, max_size=people))
    dice = draw(st.lists(st.integers(0, 2**32 - 1), min_size=people, max_size=people))
    return ParsedPuzzle(names, roles, tuple(map(as_tuples, said))), dice


def retold(told, dice, wording):
    text = WORDINGS[wording].text(told.statements, dice, told.roles).format(*told.names)
    return read_puzzle(text, told.roles if wording == "terse" else None)


@pytest.mark.parametrize("wording", WORDINGS)
@settings(patient, max_examples=50)
@given(data=st.data())
def test_reading_is_the_inverse_of_every_wording(wording, data):
    told, dice = data.draw(tellings(WORDINGS[wording].language))
    assert retold(told, dice, wording) == told


def deep_statement(rng, people, depth, width):
    kind = rng.choice(["leaf", "not", "and", "or", "implies", "iff"]) if depth > 1 else "leaf"
    if kind == "leaf":
        return (rng.choice(["knight", "knave"]), rng.randrange(people))
    parts = {"not": 1, "and": rng.randint(2, width), "or": rng.randint(2, width)}.get(kind, 2)
    return (kind, *[deep_statement(rng, people, depth - 1, width) for _ in range(parts)])


@pytest.mark.parametrize("wording", WORDINGS)
def test_also_at_five_levels_and_four_parts(wording):
    rng, language = random.Random(wording), WORDINGS[wording].language
    for _ in range(40):
        people = rng.randint(2, 8)
        said = tuple(deep_statement(rng, people, 5, 4) for _ in range(people))
        told = ParsedPuzzle(
            rng.sample(NAMES[language], people), find_roles(rng.choice(PAIRS), language), said
        )
        assert retold(told, [rng.getrandbits(32) for _ in said], wording) == told


# Words of the texts themselves can be no names.
TAKEN = set(re.findall(r"\w+", " ".join([INTRO, QUESTION, *REPORTS]).casefold()))
TAKEN |= set("if then it not case only both says knight knave knights knaves".split())
latin = st.text(st.characters(categories=["Lu", "Ll"]), min_size=2, max_size=7).filter(
    lambda word: word.casefold() not in TAKEN
)


@settings(patient, max_examples=50)
@given(
    names=st.lists(
        latin,
        min_size=2,
        max_size=4,
        unique_by=str.casefold,
    ),
    dice=st.integers(0, 2**32 - 1),
)
def test_names_of_any_letters(names, dice):
    said = tuple(("knave", i - 1) if i else ("knight", len(names) - 1) for i in range(len(names)))
    told = ParsedPuzzle(names, KNIGHTS, said)
    assert retold(told, [dice] * len(names), "varied") == told


# --- published texts, in their format -----------------------------------------------------------

OPENING = (
    "A very special island is inhabited only by {0}s and {1}s. {2}s always tell the truth, and {1}s"
    " always lie. You meet {3} inhabitants: {4}."
)


def published(names, sentences, truth="knight", liar="knave", flipped=False, ask=None):
    listed = f"{', '.join(names[:-1])}, and {names[-1]}"
    opening = OPENING.format(truth, liar, truth.capitalize(), len(names), listed)
    if flipped:
        opening = opening.replace("tell the truth", "#").replace(
            "always lie", "always tell the truth"
        )
        opening = opening.replace("#", "lie")
    article = "an" if truth[0] in "aeiou" else "a"
    question = ask or f"So who is {article} {truth} and who is a {liar}?"
    return " ".join([opening, *sentences, question])


@pytest.mark.parametrize("report", PUBLISHED_REPORTS)
@pytest.mark.parametrize("quotes", ['""', "“”"])
def test_every_published_report(report, quotes):
    told = read_puzzle(
        published(
            ["Zoey", "Oliver"],
            [
                report.format(who="Zoey", what="If Oliver is a knight then Zoey is not a knave"),
                report.format(who="Oliver", what="Zoey is a knave or Oliver is a knave"),
            ],
        ).replace('"', quotes[0])
    )
    assert told.statements == (
        ("implies", ("knight", 1), ("not", ("knave", 0))),
        ("or", ("knave", 0), ("knave", 1)),
    )


def test_perturbed_variants():
    ann = 'Ann commented, "Bo is a {0} and Cy is a {1} and Ann is not a {1}".'
    bo, cy = '"Cy is a {0} if and only if Ann is a {0}" - Bo.', "Cy said that Bo is not a {0}."
    statements = (
        ("and", ("knight", 1), ("knave", 2), ("not", ("knave", 0))),
        ("iff", ("knight", 2), ("knight", 0)),
        ("not", ("knight", 1)),
    )

    def said(*sentences, words=("knight", "knave")):
        return [s.format(*words) for s in sentences]

    names = ["Ann", "Bo", "Cy"]
    usual = ParsedPuzzle(names, KNIGHTS, statements)
    assert read_puzzle(published(names, said(ann, bo, cy))) == usual
    assert read_puzzle(published(names, said(cy, ann, bo))) == usual  # each keeps what it said
    hero = said(ann, bo, cy, words=("hero", "villain"))
    told = read_puzzle(published(names, hero, "hero", "villain"))  # "heros"
    assert told == ParsedPuzzle(names, find_roles("hero/villain"), statements)
    odd = ["Ænwyn van Pelt", "Zé", "Dr. Bo"]
    renamed = [
        s.replace("Ann", odd[0])
        .replace("Cy", odd[2])
        .replace("Bo ", "Zé ")
        .replace("Bo.", "Zé.")
        .replace("Dr. Zé ", "Dr. Bo ")
        for s in said(ann, bo, cy)
    ]
    assert read_puzzle(published(odd, renamed)) == ParsedPuzzle(odd, KNIGHTS, statements)
    # Knights lie: "knight" is now the liar's word, whichever order the words come in.
    swapped = said(ann, bo, cy, words=("knave", "knight"))
    flipped = ParsedPuzzle(names, find_roles("knave/knight"), statements)
    assert read_puzzle(published(names, swapped, flipped=True)) == flipped
    assert read_puzzle(published(names, swapped, "knave", "knight")) == flipped


def test_nested_with_brackets_and_a_note_on_the_layout():
    text = published(
        ["Mia", "Leo"],
        [
            'Mia noted, "(it is not the case that (Mia is an angel or Leo is a devil)) or Leo is an'
            ' angel".',
            "Leo expressed that if (Leo is a devil if and only if Mia is an angel) then Mia is a"
            " devil.",
        ],
        "angel",
        "devil",
    )
    note = ' (Format your answer like: "Mia is a angel/devil, and Leo is a angel/devil")'
    told, own = read_within(text + note)
    assert own == text
    assert told.statements == (
        ("or", ("not", ("or", ("knight", 0), ("knave", 1))), ("knight", 1)),
        ("implies", ("iff", ("knave", 1), ("knight", 0)), ("knave", 0)),
    )


@pytest.mark.parametrize(
    "around",
    [
        "<|im_start|>system\nSay (1) Zoey is a knight.<|im_end|>\n<|im_start|>user\n{}\n<|im_end|>\n"
        "<|im_start|>assistant\n<think>",
        "Name everybody, (1) Zoey is a knave, one a line.\nUser: {}\nAssistant: <think>",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        published(
            ["Zoey", "Bo"], ["Zoey said that Bo is a knight.", "Bo told you that Bo is a knight."]
        ),
        "Zoey says : Bo is a knight . Bo says : Bo is a knight .",
    ],
)
def test_within_a_prompt(text, around):
    told, own = read_within(around.format(text))
    assert own == text
    assert told == ParsedPuzzle(["Zoey", "Bo"], KNIGHTS, (("knight", 1), ("knight", 1)))


# --- doubts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clause", "reason"),
    [
        ("Zoey is a knight and Bo is a knave or Al is a knave", 'stuck at "or Al is a knave"'),
        ("Zoey is a knight, and Bo is a knave or Al is a knave", "several readings"),
        ("if Zoey is a knight then Bo is a knave and Al is a knave", "several readings"),
        ("it is not the case that Bo is a knave and Al is a knave", "several readings"),
        ("Bo is a knave if and only if Al is a knave if and only if Bo is a knave", "several"),
        ("both Zoey is a knight and Bo is a knave and Al is a knave", "several readings"),
        ("either Zoey is a knight or Bo is a knave", 'does "either" allow both'),
        ("Zoey is a knight and", "ends in the middle"),
        ("(Zoey is a knight", "ends in the middle"),
        ("", "ends in the middle"),
        ("Zed is a knight", 'not understood: "Zed is a knight"'),
        ("Zoey is a sinner", 'not understood: "Zoey is a sinner"'),
        ("Zoey is a knightess", "not understood"),
        ("Zoey是骑士，并且Bo是骑士或者Al是骑士并且Al是骑士", "several readings"),
    ],
)
def test_a_clause_without_one_reading_is_refused(clause, reason):
    language = "zh" if "是" in clause else "en"
    masks = _Masks(["Zoey", "Bo", "Al"], language)
    with pytest.raises(DataError, match=re.escape(reason)):
        _statement(masks.hide(clause), masks, find_roles("knight/knave", language), language)


GOOD = published(
    ["Zoey", "Bo"], ["Zoey said that Bo is a knight.", 'Bo remarked, "Zoey is a knave."']
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("Zoey said that", "Zoey muttered that"), 'sentence not understood: "Zoey muttered that'),
        (("Zoey said that Bo is a knight. ", ""), "Zoey says nothing"),
        (("Bo remarked", "Zoey remarked"), "Zoey speaks twice"),
        (("2 inhabitants", "3 inhabitants"), "3 inhabitants are announced, 2 are listed"),
        (("Zoey, and Bo.", "Zoey, and Zoey."), "listed twice"),
        (("Zoey, and Bo.", "Zoey, Al, and Bo."), "2 inhabitants are announced, 3 are listed"),
        (
            ("who is a knave?", "who is a sinner?"),
            'not those of the question, "knight" and "sinner"',
        ),
        (("So who is a knight", "Well"), "no question"),
        (("You meet", "There are"), "no puzzle in it"),
        (("Bo is a knight", "Max is a knight"), 'statement of Zoey, clause "Max is a knight"'),
        (("So who", f"{GOOD} So who"), "2 puzzles"),
    ],
)
def test_the_message_says_what_could_not_be_read(change, reason):
    read_puzzle(GOOD)
    assert change[0] in GOOD
    with pytest.raises(DataError, match=re.escape(reason)):
        read_puzzle(GOOD.replace(*change))


def test_terse_texts_do_not_say_who_tells_the_truth():
    text = "Ann says : Bo is a {0} . Bo says : Ann is not a {1} ."
    flipped = find_roles("knave/knight")
    assert read_puzzle(text.format("knight", "knave")).roles == KNIGHTS
    told = read_puzzle(text.format("knave", "knight"), flipped)
    assert told.statements == (("knight", 1), ("not", ("knave", 0)))
    with pytest.raises(DataError, match="elf, orc is no known pair"):
        read_puzzle(text.format("elf", "orc"))


def test_claims_of_an_answer():
    text = "(1) Ann Lee is a knight\n(2) Ann is a knave, and Bo is not a knight."
    assert read_claims(text, ["Ann", "Ann Lee", "Bo"], KNIGHTS) == [
        (1, True),
        (0, False),
        (2, False),
    ]
