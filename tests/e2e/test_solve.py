"""`swr1 solve` on records and on texts, through the command line."""

import orjson
import pytest

from swr1.errors import DataError
from swr1.puzzles.solver import solve_record
from tests.conftest import jsonl, load

TEXT = (
    "On an island everyone is either a knight or a knave. Knights always tell the truth, and knaves"
    " always lie. You meet {people}. {said} For each of them, is that person a knight or a knave?"
)
# Zoey a knight would make Oliver a knave, whose words would then be true.
ONE = TEXT.format(
    people="Zoey and Oliver",
    said="Zoey says that Oliver is a knave."
    " Oliver says that Oliver is a knight if and only if Zoey is a knave.",
)
TWO = TEXT.format(
    people="Zoey and Oliver",
    said="Zoey says that Oliver is a knight. Oliver says that Zoey is a knight.",
)
NONE = TEXT.format(
    people="Zoey and Oliver",
    said="Zoey says that Zoey is a knave. Oliver says that Zoey is a knight.",
)


def record(name, statements, roles, answer="given", **info):
    names = ["Zoey", "Oliver", "Ava"][: len(statements)]
    answer = [list(pair) for pair in zip(names, roles, strict=True)] if answer else None
    info = {"names": names, "statements": statements} | info
    return {"v": 1, "id": name, "task": "knights", "answer": answer, "info": info}


def test_records_get_all_that_fits_and_whether_the_answer_does(swr1, tmp_path):
    mutual, against = [["knight", 1], ["knight", 0]], [["knave", 1], ["knight", 1]]
    records = [
        record("one", [["knave", 1], ["and", ["knight", 0], ["knight", 1]]], ["knight", "knave"]),
        record("two", mutual, ["knave", "knave"]),
        record("wrong", mutual, ["knave", "knight"]),
        record("none", [["knave", 0], ["knight", 0]], ["knave", "knave"]),
        record("asked", against, [], answer=None),
        record("flipped", [["knave", 1], ["knave", 0]], ["knave", "knight"])
        | {"extra": 1, "info": {"names": ["A", "B"], "statements": mutual, "more": 2}},
        {"v": 1, "id": "sum", "task": "math", "answer": "4"},
    ]
    records[5]["info"]["roles"] = ["knave", "knight"]
    records[5]["answer"] = [["B", "knave"], ["A", "knave"]]
    done = swr1("solve", "-", "-o", "out.jsonl", stdin=jsonl(records), cwd=tmp_path, check=True)
    out = load(tmp_path / "out.jsonl")
    assert [r["id"] for r in out] == [r["id"] for r in records]
    solved = {r["id"]: r.get("info", {}).get("solved") for r in out}
    both = [[], ["Zoey", "Oliver"]]
    assert solved == {
        "one": {"count": 1, "exact": True, "worlds": [["Zoey"]], "agrees": True},
        "two": {"count": 2, "exact": True, "worlds": both, "agrees": True},
        "wrong": {"count": 2, "exact": True, "worlds": both, "agrees": False},
        "none": {"count": 0, "exact": True, "worlds": [], "agrees": False},
        "asked": {"count": 2, "exact": True, "worlds": [["Zoey"], ["Oliver"]], "agrees": None},
        "flipped": {"count": 2, "exact": True, "worlds": [[], ["A", "B"]], "agrees": True},
        "sum": None,
    }
    assert out[5]["extra"] == 1 and out[5]["info"]["more"] == 2
    words = "several 57.1%, one 14.3%, none 14.3%, not a puzzle 14.3%"
    assert words in done.stderr
    assert "answer: fits 50.0%, does not fit 33.3%, absent 16.7%" in done.stderr


def test_generated_puzzles_agree_by_their_statements_and_by_their_text(swr1, tmp_path):
    swr1("gen-puzzles", "-n", "40", "--people", "2-8", "-o", "p.jsonl", cwd=tmp_path, check=True)
    for args in ((), ("--reread",)):
        out = swr1("solve", "p.jsonl", *args, cwd=tmp_path, check=True).stdout.splitlines()
        for r in map(orjson.loads, out):
            knights = [name for name, role in r["answer"] if role == "knight"]
            expected = {"count": 1, "exact": True, "worlds": [knights], "agrees": True}
            assert r["info"]["solved"] == expected


def test_reread_sees_what_the_text_says(swr1):
    told = record("told", [["knight", 0], ["knight", 0]], ["knight", "knight"])
    told["prompt"] = [{"role": "user", "content": ONE}]
    del told["info"]["names"]
    by_statements = orjson.loads(swr1("solve", stdin=jsonl([told]), check=True).stdout)
    by_text = orjson.loads(swr1("solve", "--reread", stdin=jsonl([told]), check=True).stdout)
    assert (
        by_statements["info"]["solved"]["count"],
        by_statements["info"]["solved"]["agrees"],
    ) == (
        2,
        True,
    )
    assert by_text["info"]["solved"]["worlds"] == [["Oliver"]]
    assert by_text["info"]["solved"]["agrees"] is False
    both = swr1("solve", "--reread", "--difficulty", stdin=jsonl([told]), check=True).stdout
    assert orjson.loads(both)["info"]["difficulty"]["alive"][-1] == 1
    by_both = swr1("solve", "--difficulty", stdin=jsonl([told]), check=True).stdout
    assert orjson.loads(by_both)["info"]["difficulty"]["alive"][-1] == 2
    assert "difficulty" not in by_text["info"]


def test_a_hundred_people_and_more_solutions_than_wanted(swr1):
    names = [f"P{i}" for i in range(100)]
    pairs = record("pairs", [["knight", 0]], ["knight"])
    pairs["info"] = {"names": names, "statements": [["knight", i ^ 1] for i in range(100)]}
    out = swr1("solve", "--most", "3", stdin=jsonl([pairs | {"answer": None}]), check=True).stdout
    solved = orjson.loads(out)["info"]["solved"]
    assert (solved["count"], solved["exact"], len(solved["worlds"])) == (2**50, True, 3)


def test_a_count_that_no_record_can_hold_is_a_lower_bound(swr1):
    free = record("free", [["knight", i] for i in range(90)], [], answer=None)
    free["info"]["names"] = [f"P{i}" for i in range(90)]
    solved = orjson.loads(swr1("solve", stdin=jsonl([free]), check=True).stdout)["info"]["solved"]
    assert (solved["count"], solved["exact"]) == (2**63 - 1, False)


def test_bad_records_are_65_and_named(swr1, tmp_path):
    bad = [
        record("good", [["knight", 0]], ["knight"]),
        record("range", [["knight", 7]], ["knight"]),
        record("short", [["knight", 0], ["knight", 0]], ["knight", "knave"], names=["Zoey"]),
        {"v": 1, "id": "text", "task": "knights", "prompt": [{"role": "user", "content": "Hi"}]},
        {"v": 1, "id": "empty", "task": "knights"},
    ]
    done = swr1("solve", stdin=jsonl(bad))
    assert done.returncode == 65 and "stdin:2: not a statement" in done.stderr
    for one, words in zip(bad[2:], ("1 people", "no puzzle", "neither"), strict=True):
        with pytest.raises(DataError, match=words):
            solve_record(one)
    done = swr1("solve", "--on-error", "skip", stdin=jsonl(bad), check=True)
    assert len(done.stdout.splitlines()) == 1 and "4 dropped" in done.stderr


def test_texts_are_solved_for_people_to_read(swr1, tmp_path):
    done = swr1("solve", "--text", ONE, "--explain", check=True).stdout
    assert "contradiction" in done and "One solution:" in done
    rows = [line.split() for line in done.splitlines()]
    assert ["Zoey", "knave", *"Oliver is a knave".split()] in rows
    assert [row[:2] for row in rows if row[:1] == ["Oliver"]][-1] == ["Oliver", "knight"]
    done = swr1("solve", "--text", "-", stdin=TWO, check=True).stdout
    assert done.splitlines() == [
        "2 solutions:",
        "1. knights: -; knaves: Zoey, Oliver",
        "2. knights: Zoey, Oliver; knaves: -",
    ]
    (tmp_path / "t.txt").write_text(TWO)
    (tmp_path / "p.txt").write_text(NONE)
    (tmp_path / "q.txt").write_text("Hello")
    done = swr1("solve", "p.txt", "t.txt", "--most", "1", cwd=tmp_path, check=True).stdout
    assert done.startswith("p.txt:\nNo solution") and "t.txt:\n2 solutions; 1 of them:" in done
    done = swr1("solve", "q.txt", cwd=tmp_path)
    assert done.returncode == 65 and "q.txt: no puzzle" in done.stderr


def test_wrong_use_is_code_2(swr1, tmp_path):
    (tmp_path / "p.txt").write_text(ONE)
    (tmp_path / "r.jsonl").write_bytes(jsonl([record("one", [["knight", 0]], ["knight"])]))
    for args, words in [
        (["--text", ONE, "r.jsonl"], "takes no files"),
        (["p.txt", "r.jsonl"], "cannot be solved together"),
        (["--text", ONE, "-o", "x.jsonl"], "-o is for records"),
        (["r.jsonl", "--explain"], "--explain is for texts"),
    ]:
        done = swr1("solve", *args, cwd=tmp_path)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "x.jsonl").exists()


def test_a_text_without_opening_is_read_as_knights_and_knaves(swr1):
    text = "Zoe says that Leo is a liar. Leo says we are both knights."
    page = swr1("solve", "--text", text, check=True).stdout
    assert "One solution" in page and "Leo   knave    Zoe is a knight and Leo is a knight" in page


def test_a_file_given_as_text_is_told_how(swr1, tmp_path):
    (tmp_path / "one.txt").write_text(ONE)
    result = swr1("solve", "--text", tmp_path / "one.txt")
    assert result.returncode == 2
    assert "--text - <" in result.stderr
