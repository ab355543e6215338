"""`swr1 verify NAME --gold`: a data set's own answers against its verifier."""

import tomllib
from importlib import resources

import orjson
import pytest

from swr1.puzzles.generator import generate
from swr1.verifiers.declared import REGISTRY
from swr1.verifiers.gold import has_gold
from swr1.verifiers.running import open_verifiers
from tests.conftest import jsonl, run_swr1

PAIRS = tomllib.loads((resources.files("swr1.data") / "roles.toml").read_text("utf-8"))["pairs"]
GSM = {"task": "math", "prompt": [{"role": "user", "content": "9 + 9?"}]}
RIGHT = [  # verifiers, a record
    (["format", "math"], GSM | {"answer": "18"}),
    (["math"], GSM | {"answer": 18.5}),
    (["math"], GSM | {"answer": [r"\frac{1}{2}", "0.5"]}),
    (["math"], GSM | {"answer": ["3", "-3"], "info": {"answers": "all"}}),
    (["choice"], {"task": "choice", "answer": "C"}),
    (["choice"], {"task": "multi-choice", "answer": ["A", "C"]}),
    (["exact", "f1", "format"], {"task": "qa", "answer": ["The Old Man and the Sea", "x"]}),
    (["exact"], {"task": "qa", "answer": "巴黎"}),
]


@pytest.mark.parametrize(("names", "record"), RIGHT)
def test_a_known_answer_is_right(names, record):
    done = run_swr1("verify", *names, "--gold", stdin=jsonl([{"id": "a", **record}]), check=True)
    verdicts = orjson.loads(done.stdout)["verdicts"]
    assert [verdicts[name]["score"] for name in names] == [1.0] * len(names)
    assert "every known answer is right by its verifier" in done.stderr


@pytest.mark.parametrize("names", ["common", "chinese", "accented"])
@pytest.mark.parametrize(
    "words", [pair[language] for pair in PAIRS for language in ("en", "zh")], ids="/".join
)
def test_everybodys_role_is_read(words, names):
    from swr1.verifiers.builtin.knights import gold

    options = {"people": (2, 6), "seed": 5, "names": names, "roles": "/".join(words)}
    with open_verifiers(["format", "knights"]) as verifiers:
        for puzzle in generate(20, **options):
            record = {"id": "x", **puzzle}
            verdicts = verifiers(record | {"completion": gold(record)})
            assert verdicts["knights"]["label"] == "correct"
            assert verdicts["format"]["label"] == "ok"


def test_items_whose_own_answer_is_not_right_are_listed():
    rows = [
        GSM | {"id": "right", "answer": "18"},
        GSM | {"id": "unread", "answer": "1}2"},
        GSM | {"id": "none"},
        GSM
        | {"id": "policy", "answer": "2", "completion": "3", "generation": {"prefill": "<think>"}},
    ]
    done = run_swr1("verify", "math", "--gold", stdin=jsonl(rows), check=True)
    out = {r["id"]: r for r in map(orjson.loads, done.stdout.splitlines())}
    assert len(out) == 4 and "generation" not in out["policy"]
    assert "\\boxed{2}" in out["policy"]["completion"]
    said = " ".join(done.stderr.split())
    assert "math: correct 2, null 2" in said
    assert "known answers that are not right by their verifier: 2" in said
    assert "unread: math null" in said and "none: math null (the record has no answer)" in said
    assert "right: math" not in said


def test_a_verifier_of_your_own_says_how_its_answer_is_written(tmp_path):
    (tmp_path / "mine.py").write_text(
        'LABELS = {"same": 1, "other": 0}\n'
        "def same(record): return record['completion'] == record['answer'].strip()\n"
        "def gold(record): return record['answer'] if record['id'] != 'c' else 3\n"
    )
    rows = [{"id": "a", "answer": "x"}, {"id": "b", "answer": "x "}, {"id": "c", "answer": "x"}]
    done = run_swr1("verify", "./mine.py:same", "--gold", stdin=jsonl(rows), cwd=tmp_path)
    assert done.returncode == 65
    assert "mine.py:gold gave 3, which is no text" in done.stderr
    done = run_swr1("verify", "./mine.py:same", "--gold", stdin=jsonl(rows[:2]), cwd=tmp_path)
    said = " ".join(done.stderr.split())
    assert done.returncode == 0 and "same: same 1, other 1" in said
    assert "b: same other, the answer is 'x '" in said


def test_what_has_no_known_answer_is_refused():
    done = run_swr1("verify", "format", "--gold")
    assert (
        done.returncode == 2 and "These do: choice, exact, f1, knights, math, trace" in done.stderr
    )
    done = run_swr1("verify", "exact", "safety", "--gold", "--guard", "x")
    assert done.returncode == 2 and "--gold is for rules, and safety is a model" in done.stderr
    assert not [name for name in REGISTRY.names() if has_gold(name) and REGISTRY.is_foreign(name)]


def test_the_list_of_verifiers():
    text = run_swr1("verify", "--list", check=True).stdout
    assert "  correct 1, wrong 0..0.5, unreadable 0; needs answer: a letter or letters" in text
    for name in REGISTRY.names():
        assert f"\n{name} " in f"\n{text}"
