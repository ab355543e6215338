"""Bad queries and bad documents: an answer or one line, never a traceback, never an order obeyed."""

import random
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swr1.errors import UsageError
from swr1.index.reading import MOST_WORDS
from tests.conftest import run_swr1
from tests.index.corpus import BACKENDS, build, rows, write

pytest.importorskip("tantivy")
HOSTILE = [
    '"night', "(a OR", "AND", "OR NOT", "words:rare1", "w1*", "[a TO b]", "^w1 -w2 +w3", "\\", "NEAR(w1 w2)",
    "w1 \x00\x1b[31m\u202e w2", "{}", "'; DROP TABLE passages; --", "😀 \ud83d", "w1 " * 10_000,
]  # fmt: skip


@pytest.fixture(scope="module", params=BACKENDS)
def index(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    made = [*rows(random.Random(0), 50), {"text": "夜巡是荷兰画家伦勃朗的油画"}]
    return build(folder / "idx", write(folder / "a.jsonl", made), backend=request.param)


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_query_is_words(index, query):
    [answer] = index.search([query])
    assert all("w" in passage.text for passage in answer)


@pytest.mark.parametrize("query", ["", " ", "?!", "\n\t", "\u200b", "。、"])
def test_a_query_without_words_finds_nothing(index, query):
    assert index.search([query]) == [[]]


@given(query=st.text())
def test_any_text_is_a_query(index, query):
    index.search([query], top=2)


def test_ten_thousand_words_are_a_query_of_the_first_ones(index):
    words = [f"x{i}" for i in range(10_000)]
    assert index.search([" ".join(["rare7", *words])])[0][0].id == "r7"
    assert index.search([" ".join([*words[:MOST_WORDS], "rare7"])]) == [[]]


@pytest.mark.parametrize("query", ["伦勃朗", "夜", "荷兰画家是谁", "油画 w1"])
def test_chinese_is_found_by_one_character_or_many(index, query):
    assert "伦勃朗" in index.search([query])[0][0].text
    assert index.search(["凡高"]) == [[]]


def test_a_search_has_bounds(index):
    for top in (0, -1, 1001):
        with pytest.raises(UsageError, match="1 to 1,000"):
            index.search(["w1"], top)
    assert len(index.search(["w1 w2 w3 w4 w5"], 1000)[0]) <= 50
    with pytest.raises(TimeoutError, match="0 of 2"):
        index.search(["w1", "w2"], deadline=time.monotonic() - 1)


BAD = {  # file -> (its bytes, the place and the reason that are told)
    "binary.txt": (b"a\nb\0\x01\xff", "binary.txt:2: a binary file"),
    "gbk.md": ("你好".encode("gbk"), "gbk.md:1: not valid UTF-8"),
    "utf16.txt": ("words".encode("utf-16"), "utf16.txt:1: UTF-16"),
    "line.txt": (b"x" * 2_000_000, "line.txt:1: the line is longer than 1 MB"),
    "deep.jsonl": (b'{"text":' + b"[" * 5000 + b"]" * 5000 + b"}\n", "deep.jsonl:1: "),
    "torn.jsonl": (b'{"text": "a"}\n{"text": "b', "torn.jsonl:2: the last line is torn"),
    "large.jsonl": (orjson.dumps({"text": "w " * 60_000}), "large.jsonl:1: no passage: it has"),
    "half.jsonl.gz": (b"\x1f\x8b\x08\x00 no gzip", "half.jsonl.gz:1: "),
    "no.parquet": (b"PAR1 but no more", "no.parquet: not a Parquet file"),
    "surrogate.jsonl": (b'{"text": "\\ud800"}\n', "surrogate.jsonl:1: "),
}


def test_bad_documents_are_named_with_their_line_and_the_others_are_indexed(tmp_path):
    (tmp_path / "in").mkdir()
    for name, (content, _) in BAD.items():
        (tmp_path / "in" / name).write_bytes(content)
    (tmp_path / "in" / "good.md").write_text("# \x1b]0;evil\x07Title\n\nsome words \x1b[2J\u202e\n")
    (tmp_path / "in" / ("quotes" + "> " * 20 + ".md")).write_text("> " * 10_000 + "deep\n")
    done = run_swr1("index", "in", "-o", "idx", "--on-error", "skip", cwd=tmp_path, check=True)
    for name, (_, said) in BAD.items():
        assert f"dropped in/{said}" in done.stderr, name
    assert "Traceback" not in done.stderr and "\x1b" not in done.stderr
    asked = run_swr1("index", "query", "idx", "some", "deep", cwd=tmp_path, check=True)
    assert "some words ␛[2J" in asked.stdout and "Title" in asked.stdout and "deep" in asked.stdout
    assert "\x1b" not in asked.stdout and "\u202e" not in asked.stdout
    failed = run_swr1("index", "in", "-o", "idx2", cwd=tmp_path)
    assert failed.returncode == 65 and len(failed.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_line_without_end_is_a_bad_row_in_bounded_memory(tmp_path):
    huge = b'{"text": "fine"}\n{"text": "' + b"w " * 2**26 + b'"}\n{"text": "fine too"}\n'
    (tmp_path / "huge.jsonl").write_bytes(huge)
    line = "index huge.jsonl -o idx --on-error skip".split()
    done = run_swr1(*line, cwd=tmp_path, check=True)
    assert "dropped huge.jsonl:2: the line is longer than 64 MB" in done.stderr
    assert "idx: 2 passages" in done.stderr
