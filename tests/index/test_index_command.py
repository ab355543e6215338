"""`swr1 index`, `swr1 index query` and `swr1 index show` as they are typed."""

import orjson
import pytest

from tests.conftest import jsonl, run_swr1

pytest.importorskip("tantivy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    (folder / "docs").mkdir()
    (folder / "docs/art.md").write_text(
        "# Painters\n\n## Rembrandt\n\nHe painted the night watch.\n"
    )
    wiki = [{"id": "7", "contents": '"Night Watch"\nA painting of 1642.'}]
    (folder / "wiki.jsonl").write_bytes(jsonl(wiki))
    line = "index docs wiki.jsonl -o all.index/"
    done = run_swr1(*line.split(), cwd=folder, check=True)
    assert "all.index/: 2 passages; files: 2 new; digest " in done.stderr and not done.stdout
    return folder


def lines(text):
    return [orjson.loads(line) for line in text.splitlines()]


def test_words_give_a_page(folder):
    done = run_swr1("index", "query", "all.index", "night watch", cwd=folder, check=True)
    assert "Painters > Rembrandt  docs/art.md:5" in done.stdout
    assert "Night Watch  wiki.jsonl:1" in done.stdout and "A painting of 1642." in done.stdout


def test_queries_of_a_pipe_give_a_line_each_that_keeps_what_they_had(folder):
    asked = '{"query": "1642", "id": "q1"}\nwho was "Rembrandt\n\n"painting"\n'
    done = run_swr1("index", "query", "all.index", "--top", 1, stdin=asked, cwd=folder, check=True)
    first, second, third = lines(done.stdout)
    shown = lines(
        run_swr1("index", "show", "all.index", "--json", cwd=folder).stdout.replace("\n", "")
    )
    assert first["id"] == "q1" and first["index"] == shown[0]["digest"]
    [passage] = first["passages"]
    assert passage | {"score": 0} == {
        "id": "7", "title": "Night Watch", "text": "A painting of 1642.", "source": "wiki.jsonl",
        "place": "1", "digest": passage["digest"], "score": 0,
    }  # fmt: skip
    assert second["query"] == 'who was "Rembrandt' and second["passages"][0]["place"] == "5"
    assert third["passages"][0]["id"] == "7"
    same = run_swr1("index", "query", "all.index", "1642", "--json", "--top", 1, cwd=folder)
    assert lines(same.stdout)[0]["passages"] == first["passages"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("index query none x", 65, "no index is here; make one with: swr1 index FILE -o none"),
        ("index show docs", 65, "no index is here"),
        ("index query all.index --queries bad", 65, "bad:2: no query"),
        ("index none.jsonl -o x", 2, "no file, folder or glob match 'none.jsonl'"),
        ("index - -o x", 2, "name one, not -"),
        ("index docs -o all.index --words 50", 2, "--force"),
        ("index docs -o x --backend lucene", 2, "tantivy or sqlite"),
        ("index docs -o x --words 20 --overlap 15", 2, "half of --words"),
        ("index docs -o x --set txt=a", 2, "cannot set 'txt=a'"),
        ("index wiki.jsonl -o wiki.jsonl", 2, "wiki.jsonl"),
    ],
)
def test_wrong_use_is_one_line(folder, words, code, said):
    (folder / "bad").write_text('fine\n{"q": 1}\n')
    done = run_swr1(*words.split(), cwd=folder)
    assert done.returncode == code and said in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not done.stdout.count("no query")


def test_show_says_what_an_index_holds(folder):
    page = run_swr1("index", "show", "all.index", cwd=folder, check=True).stdout
    assert "passages  2" in page and "tantivy" in page and "1  docs/art.md" in page


def test_the_help_lists_the_three(folder):
    done = run_swr1("--help", check=True)
    for name in ("index", "index query", "index show"):
        assert f" {name} " in done.stdout


def test_dry_run_writes_nothing(folder):
    done = run_swr1(*"index docs -o dry --dry-run".split(), cwd=folder, check=True)
    assert '"sources"' in done.stdout and not (folder / "dry").exists()
