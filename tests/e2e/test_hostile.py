"""What a machine does to a stage: a full disk, a second trainer. One clear line, nothing lost."""

import os
import subprocess

import pytest

from swr1.policy import Policy
from tests.conftest import run_swr1


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a tmpfs here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_and_then_space_again(small_disk, tmp_path):
    line = "gen-puzzles -n 600 --people 3 --quiet -o"
    run_swr1(*line.split(), tmp_path / "right.jsonl", check=True)
    right = (tmp_path / "right.jsonl").read_bytes()
    (small_disk / "ballast").write_bytes(bytes((1 << 20) - len(right) // 2))
    out = small_disk / "out.jsonl"
    done = run_swr1(*line.split(), out)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "No space left" in done.stderr
    assert not out.exists()
    (small_disk / "ballast").unlink()
    run_swr1(*line.split(), out, check=True)
    assert out.read_bytes() == right
    assert not list(small_disk.glob("*.part*"))


def test_a_second_trainer_is_refused_and_told_who_holds_the_policy(tmp_path):
    policy = Policy(tmp_path / "p")
    policy.publish(lambda folder: None, {})
    with policy.lock("train-step grpo"):
        done = run_swr1("train-step", "grpo", "--policy", policy.path, stdin="{}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"train-step grpo (pid {os.getpid()} on " in line
    assert policy.versions() == [0]
