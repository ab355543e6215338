"""Role words and names: which go together, and that every refusal says what to do."""

import re
import unicodedata

import pytest

from swr1.errors import DataError, UsageError
from swr1.puzzles.generator import generate
from swr1.puzzles.names import LISTS, check_names, default_names, read_names
from swr1.puzzles.roles import PAIRS, find_roles
from swr1.puzzles.wording import WORDINGS


@pytest.mark.parametrize("pair", PAIRS)
def test_built_in_pairs_flip_and_translate(pair):
    truth, liar = pair
    roles, flipped = find_roles(f"{truth}/{liar}"), find_roles(f"{liar}/{truth}")
    assert (roles.truth, roles.liar) == (flipped.liar, flipped.truth) == pair
    assert (roles.truths, roles.liars) == (flipped.liars, flipped.truths)
    chinese, other = find_roles(f"{truth}/{liar}", "zh"), find_roles(f"{liar}/{truth}", "zh")
    assert (chinese.truth, chinese.liar) == (other.liar, other.truth) == PAIRS[pair]


def test_role_words_of_all_pairs_are_distinct():
    for words in (
        [w for pair in PAIRS for w in pair],
        [w for pair in PAIRS.values() for w in pair],
    ):
        assert len(set(words)) == len(words) == 14
        assert not [(a, b) for a in words for b in words if a != b and a in b]


@pytest.mark.parametrize(
    ("word", "article", "plural"),
    [
        ("knight", "a", "knights"),
        ("angel", "an", "angels"),
        ("hero", "a", "heroes"),
        ("witch", "a", "witches"),
        ("ally", "an", "allies"),
        ("monkey", "a", "monkeys"),
        ("unicorn", "a", "unicorns"),
        ("heir", "an", "heirs"),
    ],
)
def test_articles_and_plurals(word, article, plural):
    roles = find_roles(f"{word}/orc")
    assert (roles.a(True), roles.truths) == (f"{article} {word}", plural)


def test_a_users_own_pair():
    assert find_roles("elf:elves/orc") == ("elf", "orc", "elves", "orcs")
    assert find_roles("elf:elves/orc", "zh") == ("elf", "orc", "elf", "orc")
    assert find_roles("好人/坏人") == ("好人", "坏人", "好人", "坏人")
    assert find_roles("truth-teller/liar").truths == "truth-tellers"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("knight", "two words"),
        ("knight/", "two words"),
        ("knight/Knight", "two words"),
        ("knight/knave/spy", "two words"),
        ("knight/knights", "'knight/knights' one word stands for both roles: knights"),
        ("good man/bad man", "one word of letters"),
        ("{0}/knave", "one word of letters"),
    ],
)
def test_pairs_that_cannot_serve(text, message):
    with pytest.raises(UsageError, match=message):
        find_roles(text)


# Names


@pytest.mark.parametrize("source", LISTS)
def test_every_built_in_list_is_a_list_of_names_for_every_pair(source):
    names = LISTS[source].split()
    assert read_names(names) == names == [unicodedata.normalize("NFC", name) for name in names]
    for pair in PAIRS:
        for language in ("en", "zh"):
            check_names(names, find_roles("/".join(pair), language))


def test_sizes_and_scripts_of_the_lists():
    sizes = {name: len(text.split()) for name, text in LISTS.items()}
    assert sizes["common"] == 50
    assert sizes["few"] == 8
    assert sizes["latin"] >= 400
    assert sizes["accented"] >= 100
    assert sizes["chinese"] >= 120
    assert set(LISTS["common"].split()) < set(LISTS["latin"].split())
    assert LISTS["latin"].isascii()
    assert all(not name.isascii() for name in LISTS["accented"].split())
    chinese = LISTS["chinese"].split()
    assert all(re.fullmatch("[\u4e00-\u9fff]{2,3}", name) for name in chinese)
    assert not [(a, b) for a in chinese for b in chinese if a != b and a in b]


@pytest.mark.parametrize("wording", [name for name, w in WORDINGS.items() if w.language == "zh"])
def test_a_chinese_name_stands_only_where_its_person_is_meant(wording):
    """No other place of a text reads as the name, though nothing parts it from its neighbours."""
    text = WORDINGS[wording].text
    statements = [("and", ("knight", 1), ("not", ("or", ("knight", 2), ("knave", 0))))] * 3
    places = {"{0}", "{1}", "{2}"}
    names = LISTS["chinese"].split()
    for report in range(14):
        for pair in PAIRS:
            roles = find_roles("/".join(pair), "zh")
            template = text(statements, [(report << 32) // 14 + 1] * 3, roles)
            count = sum(template.count(place) for place in places)
            for i in range(0, len(names) - 2, 3):
                told = template.format(*names[i : i + 3])
                assert len(re.findall("|".join(names), told)) == count


def test_the_default_list_has_the_language_and_enough_names():
    assert default_names() == default_names("en", 50) == "common"
    assert default_names("en", 51) == default_names("en", 100) == "latin"
    assert default_names("zh") == default_names("zh", 100) == "chinese"
    for language in ("en", "zh"):
        assert len(read_names(default_names(language, 100), people=100)) >= 100


def test_too_few_names_name_the_lists_that_are_long_enough():
    with pytest.raises(UsageError, match=r"100 people need 100 names.*50 \('common'\)") as caught:
        read_names("common", people=100)
    assert "latin (450)" in str(caught.value)
    assert "few" not in str(caught.value)
    with pytest.raises(UsageError, match="Give a file of more"):
        read_names("latin", people=1000)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Ann", "Both"], "names:2: 'Both' cannot serve"),
        (["Ann Knight"], "no word of the puzzles"),
        (["King of Spain"], "no word of the puzzles"),
        (["Anne-Marie", "Anne"], "'Anne-Marie' contains another name, 'Anne'"),
        (["Zoe\u0301", "Zo\u00e9"], "names:2: 'Zo\u00e9' is listed twice"),
        (["李明", "李明华"], "'李明华' contains another name, '李明'"),
        (["李和平"], "和 may stand next to a name"),
        (["居民"], "part of the puzzle's own sentences"),
    ],
)
def test_names_that_a_reader_could_not_find(names, message):
    with pytest.raises(DataError, match=message):
        read_names(names)


@pytest.mark.parametrize(
    ("names", "roles", "message"),
    [
        (["Ann", "Angel"], "angel/devil", "'Angel' and the role 'angel' look alike"),
        (["Ann", "Max Elves"], "elf:elves/orc", "'Max Elves' and the role 'elves'"),
        (["王英雄"], "英雄/恶棍", "'王英雄' and the role '英雄'"),
        (["圣"], "圣人/罪人", "'圣' and the role '圣人'"),
        (["Ann"], "person/liar", "'person' cannot be a role"),
    ],
)
def test_names_and_roles_that_look_alike(names, roles, message):
    with pytest.raises(UsageError, match=message):
        read_names(names, roles=find_roles(roles))


def test_names_that_go_with_their_roles():
    names = ["Jean-Luc Saint-Clair", "O'Brien", "J. R. Smith", "Zoé", "小明"]
    assert read_names(names, find_roles("hero/villain"), people=5) == names


def test_names_of_every_script_in_every_wording():
    names = ["Jean-Luc", "Zoé", "小明", "Mary Ann"]
    for wording in WORDINGS:
        (r,) = generate(1, 4, names=names, wording=wording, roles="sage/fool")
        text = r["prompt"][0]["content"]
        assert all(name in text for name in names)
        assert sorted(name for name, _ in r["answer"]) == sorted(names)
