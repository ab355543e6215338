"""gen-puzzles as it is called: knobs reach the record, shards and restarts give the same bytes."""

import json
import shutil

import pytest

from tests.conftest import jsonl, load


@pytest.mark.parametrize(
    "options",
    [
        "-n 700 --people 3-7",
        "-n 9 --people 30",
        "-n 11 --people 12-14 --split test --test-share 0.4 --trace search",
        "-n 40 --people 2-4 --retell 3 --knights 0.3 --wording chinese --roles saint/sinner",
    ],
)
def test_shards_merged_are_the_unsharded_bytes(swr1, tmp_path, options):
    args = ["gen-puzzles", "-q", *options.split()]
    swr1(*args, "-o", "whole.jsonl", cwd=tmp_path, check=True)
    for i in range(3):
        swr1(*args, "-o", "parts/", "--shard", f"{i}/3", cwd=tmp_path, check=True)
    swr1("merge", "-q", "parts/", "-o", "merged.jsonl", cwd=tmp_path, check=True)
    merged = load(tmp_path / "merged.jsonl")
    for record in merged:  # merge says that it was there; the rest is equal to the byte
        record["trail"].pop("merge")
    assert jsonl(merged) == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("people", ["3-5", "20"])
def test_a_stopped_shard_goes_on(swr1, tmp_path, people):
    args = f"gen-puzzles -q -n 20 --people {people} -o out.jsonl --shard 1/2".split()
    swr1(*args, cwd=tmp_path, check=True)
    whole = (tmp_path / "out.jsonl").read_bytes()
    meta = json.loads((tmp_path / "out.jsonl.meta.json").read_text())
    lines = whole.splitlines(keepends=True)
    (tmp_path / "out.jsonl.part").write_bytes(b"".join(lines[:4]) + lines[4][:50])
    shutil.move(tmp_path / "out.jsonl.meta.json", tmp_path / "out.jsonl.part.meta.json")
    (tmp_path / "out.jsonl").unlink()
    swr1(*args, cwd=tmp_path, check=True)
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    again = json.loads((tmp_path / "out.jsonl.meta.json").read_text())
    assert again["per_input"] == meta["per_input"]
    assert again["records"] == 10


def test_every_knob_reaches_the_record(swr1, tmp_path):
    swr1(
        "gen-puzzles", "-q", "-n", "4", "--people", "5", "--weights", "iff=2,leaf=0", "--steps",
        "--no-self-reference", "--no-trivial", "--knights", "0.5", "--depth", "3", "--width", "3",
        "--roles", "knave/knight", "--wording", "chinese", "--names", "latin", "--trace", "search",
        "--wrong", "early", "--difficulty", "--distinct", "form", "-o", "p.jsonl",
        cwd=tmp_path, check=True,
    )  # fmt: skip
    for record in load(tmp_path / "p.jsonl"):
        info = record["info"]
        assert info["weights"] == {"leaf": 0, "not": 1, "and": 1, "or": 1, "implies": 1, "iff": 2}
        assert (info["self_reference"], info["trivial"]) == (False, False)
        assert (info["knights"], info["distinct"], info["depth"], info["width"]) == (
            0.5, "form", 3, 3
        )  # fmt: skip
        assert info["wording"] == "chinese"
        assert info["difficulty"]["people"] == 5
        assert info["steps"] and info["trace_fault"]["kind"] == "early"


def test_a_plain_record_names_no_knobs(swr1):
    (line,) = swr1("gen-puzzles", "-n", "1", "-q", check=True).stdout.splitlines()
    assert set(json.loads(line)["info"]) == {
        "people", "names", "roles", "statements", "wording", "depth", "width", "seed", "index"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--weights impliez=2", "Did you mean 'implies'"),
        ("--knights 1.5", "between 0 and 1"),
        ("--distinct from", "Did you mean 'form'"),
        ("--people 1001", "at most 1000"),
        ("--wrong early", "choose a trace style"),
        ("--trace search --wrong erly", "Did you mean 'early'"),
        ("--people 600", "600 people need 600 names"),
    ],
)
def test_wrong_use_says_what_to_do(swr1, tmp_path, options, message):
    done = swr1("gen-puzzles", *options.split(), "-o", "out/", cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_fewer_where_no_more_exist(swr1, tmp_path):
    (tmp_path / "four.txt").write_text("Ann\nBob\nCy\nDee\n")
    small = "gen-puzzles --people 2 --names four.txt --test-share 0.5 --split test -n 9999".split()
    assert swr1(*small, "--retell", "56", cwd=tmp_path).returncode == 2
    assert swr1(*small, cwd=tmp_path).returncode == 2
    few = swr1(*small, "--retell", "56", "--or-fewer", cwd=tmp_path, check=True)
    assert "of 9,999 puzzles: no more exist" in few.stderr
    lines = few.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 205 * 12  # so many exist, four names for two people
    # Where there are enough it changes nothing, the digest in `trail` included.
    enough = "gen-puzzles -q -n 3 --people 2-4 --retell 2".split()
    assert swr1(*enough, "--or-fewer").stdout == swr1(*enough).stdout
