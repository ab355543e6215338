"""No option that names a file to be written touches an input, the output, or its parts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from swr1.errors import SwrError, UsageError
from swr1.streams.files import open_to_write, refuse_clashes, write_atomically
from tests.conftest import SWR1, jsonl, run_swr1

RECORDS = [{"id": f"r{i}", "completion": "<answer>x</answer>"} for i in range(4)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Inputs and finished outputs, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "a.jsonl").write_bytes(jsonl(RECORDS))
    (folder / "b.jsonl").write_bytes(jsonl(RECORDS))
    (folder / "link.jsonl").symlink_to("a.jsonl")
    (folder / "below").mkdir()
    (folder / "own.py").write_text("def check(record):\n    return 1.0\n")
    run_swr1("verify", "format", "b.jsonl", "-o", "shards/", "-q", cwd=folder, check=True)
    run_swr1("merge", "b.jsonl", "-o", "whole.jsonl", "-q", cwd=folder, check=True)
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    os.link("a.jsonl", "hard.jsonl")
    return tmp_path


LINES = [
    "verify format a.jsonl --on-error quarantine a.jsonl",
    "verify format a.jsonl --on-error quarantine below/../a.jsonl",
    "verify format a.jsonl --on-error quarantine link.jsonl",
    "verify format link.jsonl --on-error quarantine a.jsonl",
    "verify format a.jsonl --on-error quarantine hard.jsonl",
    "verify format *.jsonl --metrics b.jsonl",
    "verify format a.jsonl --metrics ./a.jsonl",
    "verify format whole.jsonl --metrics whole.jsonl.meta.json",
    "verify format a.jsonl --cache a.jsonl",
    "verify ./own.py:check a.jsonl --metrics own.py",
    "verify format a.jsonl -o a.jsonl",
    "verify format a.jsonl -o hard.jsonl",
    "verify format a.jsonl -o link.jsonl",
    "verify format a.jsonl -o out.jsonl --on-error quarantine out.jsonl",
    "verify format a.jsonl -o out.jsonl --on-error quarantine out.jsonl.part",
    "verify format a.jsonl -o out.jsonl --metrics out.jsonl.meta.json",
    "verify format a.jsonl -o out.jsonl --metrics out.jsonl.part.meta.json",
    "verify format a.jsonl --metrics m.jsonl --on-error quarantine m.jsonl",
    "merge shards/ -o shards/",
    "merge shards -o shards/00000-of-00001.jsonl",
    "merge shards/ --metrics shards/plan.json",
    "merge shards/ --metrics shards/00000-of-00001.jsonl.meta.json",
    "merge a.jsonl -o new/ --metrics new/plan.json",
    "verify format a.jsonl -o new/ --shard 0/2 --metrics new/00001-of-00002.jsonl",
    "verify format a.jsonl -o new/ --on-error quarantine ./new/00000-of-00001.jsonl.part",
    "verify format a.jsonl -o shards --on-error quarantine shards/00001-of-00002.jsonl",
    "eval a.jsonl --picture a.jsonl",
    "eval x=a.jsonl --suite all --failures a.jsonl",
    "analyze a.jsonl --picture a.jsonl",
    "export trl a.jsonl -o a.jsonl",
    "plot x=a.jsonl -o a.jsonl",
]


@pytest.mark.parametrize("line", LINES)
def test_a_clash_is_refused_before_anything_is_written(folder, line):
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    done = run_swr1(*line.split())
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and "this file is" in done.stderr
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before


def test_standard_streams_that_are_files_count_too(folder):
    before = Path("a.jsonl").read_bytes()
    for line in (
        f"{SWR1} verify format a.jsonl -q >> a.jsonl",
        f"{SWR1} verify format -o a.jsonl -q < a.jsonl",
        f"{SWR1} verify format -q --metrics a.jsonl < a.jsonl",
    ):
        assert subprocess.run(line, shell=True, stderr=subprocess.PIPE).returncode == 2
        assert Path("a.jsonl").read_bytes() == before


def test_what_may_be_shared(folder):
    for line in (
        "verify format a.jsonl -o ok.jsonl --metrics m.jsonl --on-error quarantine q.jsonl",
        "verify length a.jsonl -o ok2.jsonl --metrics m.jsonl --on-error quarantine /dev/null",
        "verify format a.jsonl --metrics /dev/null --on-error quarantine /dev/null",
        "verify format a.jsonl --metrics /dev/stderr",
    ):
        run_swr1(*line.split(), check=True)


def test_the_folders_of_a_policy_take_no_outputs(folder):
    Path("run/versions/000000").mkdir(parents=True)
    refuse_clashes({"-o": "run/rollouts.jsonl"}, ["run"])
    for name in ("run/versions/000000/x.jsonl", "run/trainer/x.jsonl"):
        with pytest.raises(UsageError, match="it lies in"):
            refuse_clashes({"-o": name}, ["run"])


@pytest.mark.parametrize("name", ["out.jsonl.part", ".out.jsonl.meta.json.tmp", "bad.jsonl", "m"])
def test_a_planted_link_is_not_followed(folder, name):
    victim = Path("victim")
    for plant in (victim.symlink_to, os.link):
        victim.unlink(missing_ok=True)
        other = Path("precious")
        other.write_text("precious")
        if plant is os.link:
            os.link(other, name)
        else:
            Path(name).symlink_to(other)
        line = "verify format a.jsonl -o out.jsonl --metrics m --on-error quarantine bad.jsonl"
        done = run_swr1(*line.split(), "--force")
        assert other.read_text() == "precious"
        assert done.returncode == (0 if name.endswith(".tmp") else 1)
        if done.returncode:
            assert "link" in done.stderr
        Path(name).unlink(missing_ok=True)


def test_a_file_is_written_whole_or_not_at_all_and_through_no_link(folder):
    Path("precious").write_text("precious")
    Path(".x.tmp").symlink_to("precious")
    write_atomically(Path("x"), lambda file: file.write(b"new"))
    assert (Path("x").read_text(), Path("precious").read_text()) == ("new", "precious")
    with pytest.raises(ZeroDivisionError):
        write_atomically(Path("x"), lambda file: file.write(b"n") / 0)
    assert Path("x").read_text() == "new" and not Path(".x.tmp").exists()
    Path("l").symlink_to("precious")
    with pytest.raises(SwrError, match="symbolic link"):
        open_to_write(Path("l"))
