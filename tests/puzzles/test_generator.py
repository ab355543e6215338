"""Sequences: unique, reproducible, disjoint, of the published distribution, and fast."""

import json
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.puzzles import space
from swr1.puzzles.canonical import split_of
from swr1.puzzles.generator import generate, parse_people
from swr1.puzzles.names import LISTS, read_names

from .brute import brute_solutions, shared_puzzles

PINNED = [
    ["iff", ["knight", 1], ["knight", 2]],
    ["and", ["knight", 0], ["knave", 2]],
    ["knave", 0],
]
PINNED_TEXT = (
    "On an island everyone is either a knight or a knave. Knights always tell the truth, and knaves"
    " always lie. You meet Robert, Julia and Benjamin. Robert says that Julia is a knight if and"
    " only if Benjamin is a knight. Julia says that Robert is a knight and Benjamin is a knave."
    " Benjamin says that Robert is a knave. For each of them, is that person a knight or a knave?"
)


def told(records):
    return [json.dumps(r["info"]["statements"]) for r in records]


@pytest.mark.parametrize(
    ("people", "depth", "width"), [((2, 6), 2, 2), (4, 2, 3), (3, 3, 2), (3, 4, 3), (10, 2, 2)]
)
def test_every_puzzle_has_its_answer_as_the_only_solution(people, depth, width):
    records = list(generate(60, people, depth=depth, width=width, seed=1))
    assert len(set(told(records))) == 60
    for r in records:
        (only,) = brute_solutions(r["info"]["statements"])
        roles = ["knight" if role else "knave" for role in only]
        assert r["answer"] == [list(pair) for pair in zip(r["info"]["names"], roles, strict=True)]
        assert r["info"]["people"] == len(only)


def test_a_record_holds_what_it_should_and_is_json():
    (record,) = generate(1, 3, seed=4, start=2, split="train", trace="search")
    assert json.loads(json.dumps(record)) == record
    assert record["task"] == "knights"
    assert [m["role"] for m in record["prompt"]] == ["user"]
    info = record["info"]
    assert {k: info[k] for k in ("people", "depth", "width", "seed", "index", "wording")} == {
        "people": 3,
        "depth": 2,
        "width": 2,
        "seed": 4,
        "index": 2,
        "wording": "plain",
    }
    assert (info["split"], info["test_share"]) == ("train", 0.1)
    assert info["trace"].startswith("<think> ")


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 90),
    st.integers(0, 90),
    st.integers(0, 90),
    st.tuples(st.integers(2, 4), st.integers(0, 3)),
    st.sampled_from([None, "train", "test"]),
)
def test_ranges_join_to_the_whole(start, first, second, sizes, split):
    options = {"people": (max(sizes[0], 3), max(sizes[0], 3) + sizes[1]), "seed": 9, "split": split}
    whole = list(generate(first + second, start=start, **options))
    parts = [*generate(first, start=start, **options)]
    parts += generate(second, start=start + first, **options)
    assert parts == whole


def test_the_same_puzzles_whatever_the_text():
    plain = list(generate(30, (2, 5), seed=2))
    other = list(generate(30, (2, 5), seed=2, wording="terse", names="few", trace="search"))
    assert told(plain) == told(other)
    assert plain[0]["prompt"] != other[0]["prompt"]
    assert told(plain) != told(generate(30, (2, 5), seed=3))


def test_a_size_has_its_sequence_in_any_range_of_people():
    mixed = [r for r in generate(40, (3, 6), seed=5) if r["info"]["people"] == 4]
    alone = list(generate(10, 4, seed=5))
    assert [r["prompt"] for r in mixed] == [r["prompt"] for r in alone]


def test_sizes_take_turns():
    records = list(generate(12, "3-5", start=7))
    assert [r["info"]["people"] for r in records] == [4, 5, 3] * 4
    assert [r["info"]["index"] for r in records] == list(range(7, 19))


def test_the_sequence_of_a_seed_is_pinned():
    """Another machine, another day: the same puzzles. A change here breaks users' splits."""
    (record,) = generate(1, 3, seed=7, start=5)
    assert record["info"]["statements"] == PINNED
    assert record["prompt"][0]["content"] == PINNED_TEXT


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        ({"n": 440, "people": (2, 12), "seed": 3}, "d31744ceec7c"),
        ({"n": 200, "people": (3, 6), "depth": 3, "width": 3, "seed": 1}, "e476911a55d5"),
        ({"n": 300, "people": (3, 5), "split": "test", "start": 77}, "624a46c2bde8"),
        ({"n": 100, "people": 4, "retell": 5, "start": 13}, "0142be8bc89c"),
    ],
)
def test_whole_sequences_are_pinned(options, digest):
    """Statements and answers, names included; splits, starts and retelling, too."""
    told = [
        [r["info"]["statements"], r["answer"], r["info"]["index"]]
        for r in generate(**options, names="few" if options["people"] in ((3, 5), 4) else "common")
    ]
    assert sha256(json.dumps(told).encode()).hexdigest()[:12] == digest


def test_all_399_puzzles_of_two_people_come_and_no_more():
    records = list(generate(399, 2, seed=11))
    assert len(set(told(records))) == 399
    with pytest.raises(UsageError, match=r"only 399 puzzles .* 2 people, depth 2, width 2"):
        generate(400, 2)
    with pytest.raises(UsageError, match="only 399"):
        generate(1, 2, start=399)


def test_a_mixed_range_says_how_many_positions_can_be_filled():
    assert len(list(islice(generate(3 * 399, (2, 4)), 3))) == 3
    with pytest.raises(UsageError, match=r"sizes 2-4 take turns, so only 1197 positions"):
        generate(3 * 399 + 1, (2, 4))


def test_every_puzzle_of_a_split_comes_and_no_more():
    both = []
    for split in ("train", "test"):
        with pytest.raises(
            UsageError, match=rf"in the {split} split \((half|0.5) of all\)"
        ) as error:
            generate(1000, 2, split=split, test_share=0.5)
        have = int(str(error.value).split()[1])
        records = list(generate(have, 2, split=split, test_share=0.5, seed=1))
        assert len(set(told(records))) == have
        both.append(records)
    assert sum(map(len, both)) == 399
    assert shared_puzzles(*both) == []
    assert 150 < len(both[1]) < 250


def test_rare_last_puzzles_are_listed_when_drawing_gives_up(monkeypatch):
    monkeypatch.setattr("swr1.puzzles.generator.RETRIES", 0)
    assert len(set(told(generate(399, 2)))) == 399


def test_running_out_where_nobody_can_count_is_an_error(monkeypatch):
    monkeypatch.setattr("swr1.puzzles.generator.RETRIES", 2000)
    records = generate(2, 4, split="test", test_share=1e-15)
    with pytest.raises(UsageError, match=r"only 0 such puzzles found for 4 people"):
        list(records)


@pytest.mark.parametrize(("share", "other"), [(0.3, 0.3), (0.1, 0.5), (0.5, 0.1)])
def test_splits_share_nothing_whatever_the_seeds_and_the_shares(share, other):
    train = list(generate(500, (2, 4), split="train", seed=1, test_share=share))
    test = list(generate(90, (2, 4), split="test", seed=2, test_share=other))
    assert shared_puzzles(train, test) == []
    assert {split_of(r["info"]["statements"], other) for r in train} == {"train"}
    assert {split_of(r["info"]["statements"], other) for r in test} == {"test"}


def test_a_larger_share_only_adds_to_the_test_split():
    drawn = [r["info"]["statements"] for r in generate(500, 3)]
    small, large = ([split_of(s, share) for s in drawn] for share in (0.2, 0.4))
    assert all(b == "test" for a, b in zip(small, large, strict=True) if a == "test")
    assert large.count("test") > small.count("test") and small.count(None) > large.count(None)


@pytest.mark.parametrize("people", [3, 5])
def test_the_test_share_is_about_what_was_asked(people):
    found = Counter(split_of(r["info"]["statements"], 0.2) for r in generate(3000, people))
    assert 0.16 < found["test"] / 3000 < 0.24


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "n must be 0 or more"),
        ({"start": -1}, "start must be 0 or more"),
        ({"people": 0}, "at least 2 people"),
        ({"people": 1}, "at least 2 people"),
        ({"people": (5, 3)}, "few to many"),
        ({"people": (3, 1001)}, "at most 1000"),
        ({"people": "three"}, "such as 3-7"),
        ({"depth": 0}, "depth must be 2 to 10"),
        ({"depth": 1}, "at depth 1 no puzzle has exactly one solution"),
        ({"depth": 11}, "depth must be 2 to 10"),
        ({"width": 1}, "width must be 2 to 3 for 2 people"),
        ({"width": 4}, "width must be 2 to 3 for 2 people"),
        ({"split": "tset"}, "Did you mean 'test'"),
        ({"split": "test", "test_share": 0.6}, "above 0 and at most 0.5"),
        ({"wording": "plan"}, "Did you mean 'plain'"),
        ({"trace": "serach"}, "Did you mean 'search'"),
        ({"names": "commn"}, "Did you mean 'common'"),
        ({"people": 9, "names": "few"}, "9 people need 9 names"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_made(options, message):
    with pytest.raises(UsageError, match=message):
        generate(**{"n": 1, "people": 2} | options)


def test_depth_one_never_has_one_solution():
    assert [space.count_puzzles(n, 1) for n in (2, 3, 4, 5)] == [0, 0, 0, 0]


def test_nothing_asked_nothing_made():
    assert list(generate(0, (3, 7))) == []


@pytest.mark.parametrize(("text", "sizes"), [("3-7", (3, 7)), ("5", (5, 5)), (" 2 - 3 ", (2, 3))])
def test_people_as_text(text, sizes):
    assert parse_people(text) == sizes


def test_names_of_a_file(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("# my island\nÅsa\n\nJean-Luc  # captain\nMary Ann\n李雷\n", encoding="utf-8")
    assert read_names(str(file)) == ["Åsa", "Jean-Luc", "Mary Ann", "李雷"]
    (record,) = generate(1, 4, names=str(file))
    assert set(record["info"]["names"]) == {"Åsa", "Jean-Luc", "Mary Ann", "李雷"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"Ann\nBob\nann\n", r"names.txt:3: 'ann' is listed twice"),
        (b"Ann\nKnight\n", r"names.txt:2: 'Knight' cannot serve"),
        (b"Ann\n{0}\n", r"names.txt:2: '\{0\}' cannot serve"),
        (b"Mary Ann\nMary\n", r"'Mary Ann' contains another name, 'Mary'"),
        (b"Ann\n\xff\xfe\n", r"not UTF-8"),
    ],
)
def test_names_that_cannot_serve_are_refused_with_their_line(tmp_path, lines, message):
    (tmp_path / "names.txt").write_bytes(lines)
    with pytest.raises(DataError, match=message):
        read_names(str(tmp_path / "names.txt"))


def test_built_in_names_are_names():
    for names in LISTS.values():
        assert read_names(names.split()) == names.split()
    assert len(read_names("common")) == 50
    assert len(read_names("few")) == 8


def test_nothing_heavy_is_imported():
    code = (
        "import sys, swr1.puzzles.generator\n"
        "heavy = {'numpy', 'torch', 'pyarrow', 'transformers'} & sys.modules.keys()\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
