"""Answers in other words: every pair of roles, flipped, a user's own, and Chinese with its names."""

import tomllib
from importlib import resources

import pytest

from swr1.puzzles.generator import generate
from swr1.puzzles.names import LISTS
from swr1.puzzles.roles import PAIRS, find_roles
from swr1.verifiers.builtin.knights import verify

OWN = ("elf:elves/orc", "truth-teller/liar", "liar/truth-teller", "好人/坏人", "knave/villain")
ALL = [f"{a}/{b}" for pair in PAIRS for a, b in (pair, pair[::-1])]
CHINESE = ["小明", "李娜", "王建国"]
WORLD = [True, False, False]


def outcome(text, names, roles, world=WORLD):
    """What becomes of an answer: the label, or the reason why it is unreadable."""
    answer = [[name, roles.word(truth)] for name, truth in zip(names, world, strict=True)]
    completion = f"<think>...</think><answer>{text}</answer>"
    record = {"id": "x", "completion": completion, "answer": answer}
    verdict = verify(record | {"info": {"roles": [roles.truth, roles.liar]}})
    return verdict["detail"]["reason"] or verdict["label"]


ENGLISH_FORMS = [
    "(1) {0} is {a_truth}\n(2) {1} is {a_liar}\n(3) {2} is {a_liar}",
    "{0}: {truth}, {1}: {liar}, {2}: {liar}",
    "{0} is {a_truth}, while {1} and {2} are {liars}.",
    "## {truths}\n- {0}\n## {liars}\n- {1}\n- {2}",
    "{0} is not {a_liar}. {1} and {2} are not {truths}.",
    "| {0} | {truth} |\n| {1} | {liar} |\n| {2} | {liar} |",
    '{{"{0}": "{truth}", "{1}": "{liar}", "{2}": "{liar}"}}',
]


def fill(form, names, roles, first=True):
    """The form with the roles; those of the other world when `first` is False."""
    words = {
        "truth": roles.word(first),
        "liar": roles.word(not first),
        "a_truth": roles.a(first),
        "a_liar": roles.a(not first),
        "truths": roles.truths if first else roles.liars,
        "liars": roles.liars if first else roles.truths,
    }
    return form.format(*names, **words)


@pytest.mark.parametrize("pair", [*ALL, *OWN])
@pytest.mark.parametrize("form", ENGLISH_FORMS)
def test_english_answers_in_every_pair(pair, form):
    roles, names = find_roles(pair), ["Zoé", "Jean-Luc", "Mary Ann"]
    assert outcome(fill(form, names, roles), names, roles) == "correct"
    assert outcome(fill(form, names, roles, first=False), names, roles) == "wrong"


CHINESE_FORMS = [
    "（1）{0}是{truth}\n（2）{1}是{liar}\n（3）{2}是{liar}",
    "{0}是{truth}，{1}是{liar}，{2}是{liar}。",
    "{0}：{truth}；{1}：{liar}；{2}：{liar}",
    "{0}是{truth}，{1}和{2}都是{liar}。",
    "{0}是一名{truth}，而{1}、{2}均为{liar}。",
    "{truth}：{0}\n{liar}：{1}、{2}",
    "{truth}是{0}，{liar}是{1}和{2}。",
    "{0}不是{liar}，{1}不是{truth}，{2}不是{truth}。",
    "{0}是{truth}，其他人都是{liar}。",
    "**{0}**的身份是**{truth}**，**{1}**的身份是**{liar}**，**{2}**的身份是**{liar}**",
    '{{"{0}": "{truth}", "{1}": "{liar}", "{2}": "{liar}"}}',
]


@pytest.mark.parametrize("pair", [*ALL, *OWN])
@pytest.mark.parametrize("form", CHINESE_FORMS)
def test_chinese_answers_in_every_pair(pair, form):
    roles = find_roles(pair, "zh")
    assert outcome(fill(form, CHINESE, roles), CHINESE, roles) == "correct"
    assert outcome(fill(form, CHINESE, roles, first=False), CHINESE, roles) == "wrong"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("小明可能是{truth}，李娜和王建国是{liar}", "hedge"),
        ("小明是{truth}或者{liar}，李娜和王建国是{liar}", "hedge"),
        ("如果小明是{truth}，那么李娜和王建国是{liar}", "conditional"),
        ("小明说李娜是{liar}。王建国是{liar}。小明是{truth}", "reported"),
        ("小明是{truth}吗？李娜和王建国是{liar}", "question"),
        ("小明是{truth}，李娜是{liar}", "missing"),
        ("小明是{truth}，小明是{liar}，李娜是{liar}，王建国是{liar}", "contradiction"),
    ],
)
@pytest.mark.parametrize("pair", ALL)
def test_chinese_answers_that_do_not_commit(pair, text, reason):
    roles = find_roles(pair, "zh")
    assert outcome(fill(text, CHINESE, roles), CHINESE, roles) == reason


@pytest.mark.parametrize("source", LISTS)
def test_every_built_in_name_is_found(source):
    """60 people at a time, as an answer has room for 10,000 characters."""
    everybody = LISTS[source].split()
    for start in range(0, len(everybody), 60):
        names = everybody[start : start + 60]
        for language, form in (("en", "{} is the {}"), ("zh", "{}是{}")):
            roles = find_roles(language=language)
            world = [i % 3 == 0 for i in range(len(names))]
            said = [form.format(n, roles.word(t)) for n, t in zip(names, world, strict=True)]
            for text in ("\n".join(said), "，".join(said)):
                assert outcome(text, names, roles, world) == "correct"
                for i in (0, len(names) - 1):
                    other = [not t if at == i else t for at, t in enumerate(world)]
                    assert outcome(text, names, roles, other) == "wrong"


def test_a_chinese_puzzle_answered_in_english_words_and_the_other_way():
    chinese, english = find_roles("sage/fool", "zh"), find_roles("fool/sage")
    assert outcome("小明 is a sage. 李娜 and 王建国 are fools.", CHINESE, chinese) == "correct"
    assert outcome("小明是愚人，李娜是智者，王建国是智者", CHINESE, english) == "correct"
    assert outcome("小明是智者，李娜是愚人，王建国是愚人", CHINESE, english) == "wrong"


def test_what_an_answer_may_say_instead():
    """Every other word of data/roles.toml, for its own side and in either order of the pair."""
    file = resources.files("swr1.data") / "roles.toml"
    for pair in tomllib.loads(file.read_text("utf-8"))["pairs"]:
        for order in (1, -1):
            roles = find_roles("/".join(pair["en"][::order]), "zh")
            for side, words in enumerate(pair["also"][::order]):
                for word in words.split():
                    said = [f"{n}是{word if t is (side == 0) else roles.word(t)}"
                            for n, t in zip(CHINESE, WORLD, strict=True)]  # fmt: skip
                    assert outcome("，".join(said), CHINESE, roles) == "correct", word


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann is a liar. Bob and Cy are truth-tellers.", "correct"),
        ("Ann is a truth-teller. Bob and Cy are liars.", "wrong"),
        ("Ann is a truth teller. Bob and Cy are liars.", "missing"),  # neither of the two words
    ],
)
def test_the_words_of_the_puzzle_win_over_what_they_may_mean(text, expected):
    assert outcome(text, ["Ann", "Bob", "Cy"], find_roles("liar/truth-teller")) == expected


@pytest.mark.parametrize("wording", ["plain", "chinese", "chinese-varied"])
@pytest.mark.parametrize("pair", ALL)
def test_generated_puzzles_are_judged_by_their_own_words(wording, pair):
    names = "chinese" if "chinese" in wording else "accented"
    for record in generate(3, (2, 6), wording=wording, roles=pair, names=names, seed=len(pair)):
        link = "是" if names == "chinese" else " is the "
        for flip, label in ((False, "correct"), (True, "wrong")):
            words = dict(zip(record["info"]["roles"], record["info"]["roles"][::-1], strict=True))
            said = [f"{n}{link}{words[r] if flip else r}" for n, r in record["answer"]]
            completion = f"<answer>{'，'.join(said) if link == '是' else '; '.join(said)}</answer>"
            told = record | {"id": "x", "completion": completion}
            assert verify(told)["label"] == label
            assert verify(told | {"info": {}})["label"] == label  # the pair is known by its words
