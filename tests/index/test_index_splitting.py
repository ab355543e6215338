"""How files become passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import DataError, UsageError
from swr1.index.building import refuse
from swr1.index.config import Columns, IndexConfig, parse_columns
from swr1.index.passages import MOST_CHARACTERS, make_passage, packed, unpacked
from swr1.index.sources import find_sources
from swr1.index.splitting import pieces, sections, split


def cut(text, words, overlap=0):
    return list(pieces(enumerate(text.split("\n"), 1), words, overlap))


def test_whole_paragraphs_share_a_passage_as_long_as_they_fit():
    text = "a b c\nd e\n\nf g\n\n\nh i j k\n"
    assert cut(text, 10) == [(1, "a b c\nd e\n\nf g"), (7, "h i j k")]


def test_a_long_paragraph_is_cut_into_windows_that_overlap():
    assert cut("a b c\nd e f\ng h", 4, 2) == [(1, "a b c\nd"), (1, "c\nd e f"), (2, "e f\ng h")]


def test_characters_of_a_script_without_spaces_are_words():
    assert cut("荷兰画家伦勃朗", 4) == [(1, "荷兰画家"), (1, "伦勃朗")]


@given(st.text(alphabet="ab夜 \n", max_size=200), st.integers(2, 9))
def test_no_word_is_lost_or_doubled(text, words):
    pieced = "\n\n".join(piece for _, piece in cut(text, words))
    assert "".join(pieced.split()) == "".join(text.split())


@given(st.text(alphabet="ab夜 \n", max_size=200), st.integers(4, 9), st.integers(0, 2))
def test_a_passage_begins_on_the_line_it_names(text, words, overlap):
    lines = text.split("\n")
    for number, piece in cut(text, words, overlap):
        assert piece.split("\n")[0] in lines[number - 1]


MARKDOWN = """intro

# Top

one

## Sub `x`

```
# no heading
```

Second
======

two
"""


def test_markdown_is_split_by_headings_whose_path_is_the_title():
    parts = [
        (" > ".join(path), [(n, line) for n, line in lines if line])
        for path, lines in sections(MARKDOWN)
    ]
    assert parts == [
        ("", [(1, "intro")]),
        ("Top", [(5, "one")]),
        ("Top > Sub `x`", [(9, "```"), (10, "# no heading"), (11, "```")]),
        ("Second", [(16, "two")]),
    ]


def test_front_matter_is_no_heading_and_lines_are_those_of_the_file(tmp_path):
    (tmp_path / "a.md").write_text("---\ntitle: x\n---\n# Top\n\nword\n")
    [source] = find_sources([str(tmp_path / "a.md")], tmp_path / "index")
    [passage] = split(source, IndexConfig(output="x"), refuse)
    assert (passage.title, passage.text, passage.place) == ("Top", "word", "6")
    assert passage.id == f"{source.name}#1"


@pytest.mark.parametrize(
    ("row", "picked"),
    [
        ({"id": 3, "title": "t", "text": "x"}, ("3", "t", "x")),
        ({"contents": '"Night Watch"\nIt is a painting'}, ("", "Night Watch", "It is a painting")),
        ({"contents": "only text"}, ("", "", "only text")),
    ],
)
def test_a_row_gives_id_title_and_text(row, picked):
    assert Columns().pick(row) == picked


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"body": "x"}, "--set text=COLUMN"),
        ({"text": ["a"]}, "'text' holds"),
        ({"text": "x", "id": True}, "no id"),
        ({"text": " "}, "empty"),
        ([1], "no object"),
    ],
)
def test_a_row_without_a_text_is_refused(row, why):
    with pytest.raises(DataError, match=why):
        Columns().pick(row)


def test_columns_have_other_names_if_you_say_so():
    assert parse_columns(["text=body"]).pick({"body": "x", "id": "i"}) == ("i", "", "x")
    with pytest.raises(UsageError, match="cannot set"):
        parse_columns(["txt=body"])


def test_a_passage_is_stored_and_comes_back():
    made = make_passage("i", "标题", "text\n", "a.md", "3")
    assert unpacked(packed(made)) == made
    with pytest.raises(DataError, match="100,000"):
        make_passage("i", "", "x" * (MOST_CHARACTERS + 1), "a", "1")
    with pytest.raises(DataError, match="surrogate"):
        make_passage("i", "", "\ud800", "a", "1")


def test_of_a_folder_hidden_files_indexes_and_other_kinds_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.md", ".b.md", "sub/c.txt", ".git/d.md", "e.py", "idx/swr1-index.json",
                 "idx/f.jsonl", "out/g.jsonl"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [source.name for source in find_sources(["."], tmp_path / "out")]
    assert names == ["a.md", "sub/c.txt"]
    named = find_sources([str(tmp_path / "e.py"), "sub/../a.md"], tmp_path / "out")
    assert [(source.name, source.kind) for source in named] == [("a.md", "markdown"), ("e.py", "text")]  # fmt: skip
