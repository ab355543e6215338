"""Plans and markers may hold anything: one line and a code, in bounded time."""

import json
from pathlib import Path

import pytest

from tests.conftest import jsonl, load, run_swr1

ODD = [
    *("", "{", "nonsense", "[]", "{}", "null", '"2"', "-1", "0", "2.5", "\x00"),
    *('{"shards": 0}', '{"shards": -1}', '{"shards": 1e9}', '{"shards": 1000000000}'),
    *('{"shards": null, "options": {}}', '{"shards": 99999999999999999999999, "options": {}}'),
    *('{"shards": true, "options": {}}', '{"shards": "2", "options": {}}', "[" * 5000),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_bytes(jsonl({"id": f"r{i}", "completion": "x"} for i in range(9)))
    for index in range(2):
        line = f"verify format a.jsonl -o s/ --shard {index}/2 -q"
        run_swr1(*line.split(), check=True)
    return tmp_path


def told(*args) -> int:
    done = run_swr1(*args)
    assert done.returncode in (2, 65), (args, done.stderr)
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    return done.returncode


def test_any_plan(folder):
    for text in ODD:
        Path("s/plan.json").write_text(text)
        told("merge", "s/")
        assert run_swr1("status", ".").returncode == 0
    for line in ("verify format s/", "verify format a.jsonl -o s/ --shard 0/2"):
        told(*line.split())


def shard(**changed):
    marker = Path("s/00001-of-00002.jsonl.meta.json")
    meta = json.loads(marker.read_text())
    return json.dumps(meta | changed)


def test_any_marker_of_a_shard(folder):
    marker = Path("s/00001-of-00002.jsonl.meta.json")
    right = marker.read_text()
    odd = [
        *({"block": 0}, {"block": -1}, {"block": None}, {"block": 1.5}, {"per_input": None}),
        *({"per_input": [[1, 10**15]]}, {"per_input": [[10**15, 1]]}, {"per_input": [1]}),
        *({"per_input": [[1, -4]]}, {"records": "4"}, {"records": 5}, {"records": 3}),
    ]
    for text in [*ODD, *(shard(**change) for change in odd)]:
        marker.write_text(text)
        assert told("merge", "s/") == 65
    marker.write_text(right)
    # inputs that gave nothing may be many; they are not walked one by one
    marker.write_text(shard(per_input=[[1, 4], [0, 10**15]]))
    assert len(run_swr1("merge", "s/", check=True).stdout.splitlines()) == 9


def test_any_marker_of_an_output_and_of_a_part(folder):
    run_swr1("merge", "a.jsonl", "-o", "out.jsonl", check=True)
    for name in ("out.jsonl.meta.json", "out.jsonl.part.meta.json"):
        if name.endswith("part.meta.json"):
            Path("out.jsonl.meta.json").unlink()
            Path("out.jsonl").rename("out.jsonl.part")
        for text in ODD:
            Path(name).write_text(text)
            assert told("merge", "a.jsonl", "-o", "out.jsonl") == 65
            assert run_swr1("status", ".").returncode == 0
    run_swr1("merge", "a.jsonl", "-o", "out.jsonl", "--force", check=True)
    assert len(load("out.jsonl")) == 9


def test_a_finished_output_is_not_replaced_in_silence(folder):
    def again(*more) -> str:
        done = run_swr1("merge", "a.jsonl", "-o", "out.jsonl", *more)
        return f"{done.returncode} {done.stderr}"

    assert again().startswith("0 ")
    assert "nothing to do" in again()
    whole = Path("out.jsonl").read_bytes()
    said = again("--partial")
    assert said.startswith("2 ") and "partial (False -> True)" in said and "--force" in said
    assert Path("out.jsonl").read_bytes() == whole
    for change in (whole[:-9], whole.replace(b"r3", b"r4"), whole + b"\n"):
        Path("out.jsonl").write_bytes(change)
        said = again()
        assert said.startswith("2 ") and "was changed after" in said
        assert Path("out.jsonl").read_bytes() == change
    assert again("--force").startswith("0 ")
    assert Path("out.jsonl").read_bytes() == whole
    Path("out.jsonl.meta.json").unlink()
    said = again()
    assert said.startswith("2 ") and "no marker says" in said
    Path("out.jsonl").write_bytes(b"")  # nothing to lose
    assert again().startswith("0 ")


def test_from_a_pipe_the_same_output_is_made_again_and_that_is_said(folder):
    text = Path("a.jsonl").read_bytes()
    run_swr1("merge", "-o", "out.jsonl", stdin=text, check=True)
    done = run_swr1("merge", "-o", "out.jsonl", stdin=text[: len(text) // 9 * 4], check=True)
    assert "made again" in done.stderr
    assert len(load("out.jsonl")) == 4
    assert run_swr1("merge", "-o", "out.jsonl", "--partial", stdin=text).returncode == 2
