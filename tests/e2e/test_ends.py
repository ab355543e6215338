"""How runs end that do not come to their end: signals, a reader that left, too little input.

What is signalled says when it is at work (a file appears), so that no test hangs on speed.
"""

import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from swr1.policy import Policy
from tests.conftest import SWR1, jsonl, load, run_swr1
from tests.training.tiny_runs import noisy_reward, sample_records, tiny_policy

N = 6
OWN = """
import ctypes, os, subprocess, time

def note(record):
    with open("begun", "a") as file:
        file.write(record["id"] + "\\n")

def swallowing(record):
    note(record)
    while record["id"] == "r2" and not os.path.exists("go"):
        try:
            time.sleep(60)
        except BaseException:
            pass
    return 1.0

def in_c(record):
    note(record)
    if record["id"] == "r2" and not os.path.exists("go"):
        ctypes.PyDLL(None).sleep(600)  # and holds the interpreter's lock
    return 1.0

def in_child(record):
    note(record)
    if record["id"] == "r2" and not os.path.exists("go"):
        subprocess.run(["sleep", "600.5"])
    return 1.0
"""
# An engine of one's own runs in the stage's process, and swallows what it can.
ENGINE = """
import time
from pathlib import Path

class Engine:
    name, version, dtype, needs_policy = "mine", "1", "float32", False
    def __init__(self, folder): pass
    def load(self, folder): pass
    def request(self, key, messages, prompt):
        from swr1.engines import Request
        return Request(key, [1])
    def generate(self, requests, sampling):
        Path("begun").touch()
        for _ in range(600):
            try:
                time.sleep(1)
            except BaseException:
                pass
        return []
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    rows = [{"id": f"r{i}", "prompt": [], "completion": "x", "verdicts": {}} for i in range(N)]
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows))
    return tmp_path


def started(command: list, cwd: Path, enough: int) -> subprocess.Popen:
    """The command, when its own code is at work on so many records."""
    process = subprocess.Popen([SWR1, *command], cwd=cwd, stderr=subprocess.PIPE, text=True)
    begun = cwd / "begun"
    while not (begun.exists() and len(begun.read_text().split()) >= enough):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("function", ["swallowing", "in_c", "in_child"])
@pytest.mark.parametrize(
    ("stage", "number"),
    [("reward", signal.SIGINT), ("verify", signal.SIGTERM), ("reward", signal.SIGHUP)],
)
def test_a_signal_ends_a_stage_whatever_code_of_the_users_is_running(
    folder, function, stage, number
):
    command = [stage, f"./mine.py:{function}", "in.jsonl", "-o", "out.jsonl", "--on-error", "skip"]
    command += ["--timeout", 500]
    command = list(map(str, command))
    with started(command, folder, 3) as process:
        process.send_signal(number)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said and "dropped" not in said
    assert said.count("the same command continues") == 1
    assert not (folder / "out.jsonl").exists()
    left = subprocess.run(["pgrep", "-f", "^sleep 600.5"], capture_output=True, text=True).stdout
    assert not left, "a child of the user's function lives on"
    (folder / "go").touch()
    run_swr1(*command, cwd=folder, check=True)
    assert [r["id"] for r in load(folder / "out.jsonl")] == [f"r{i}" for i in range(N)]
    assert (folder / "begun").read_text().split() == ["r0", "r1", "r2", "r2", "r3", "r4", "r5"]


def test_the_reader_left_while_a_users_function_runs(folder):
    line = f"{SWR1} reward ./mine.py:in_child in.jsonl --timeout 500 | head -1"
    line = f"set -o pipefail; {line}"
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, timeout=100)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)


def test_a_signal_that_code_in_the_stages_own_process_swallows(folder):
    (folder / "engine.py").write_text(ENGINE)
    command = ["rollout", "in.jsonl", "--engine", "./engine.py:Engine", "-o", "out.jsonl"]
    with started(command, folder, 0) as process:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert not (folder / "out.jsonl").exists()


def test_a_signal_at_the_head_of_a_pipe_that_nobody_reads():
    """Its reader may itself be ending: the last records are not waited for."""
    command = [SWR1, "gen-puzzles", "-q", "-n", "100000", "--people", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        waiting = b""  # bytes in the pipe, which holds 64 KiB
        while int.from_bytes(waiting, sys.byteorder) < 60_000:
            time.sleep(0.01)
            waiting = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4))
        process.terminate()
        assert process.wait(60) == 143
        assert process.stderr.read() == b""  # not "ended as it stands", ten seconds later


def test_counts_are_of_all_starts(folder):
    command = ["verify", "./mine.py:in_child", "in.jsonl", "-o", "out.jsonl", "--timeout", "500"]
    with started(command, folder, 3) as process:
        process.terminate()
        process.communicate(timeout=60)
    (folder / "go").touch()
    run_swr1(*command, cwd=folder, check=True)
    meta = json.loads((folder / "out.jsonl.meta.json").read_text())
    assert (meta["in"], meta["out"], meta["records"]) == (N, N, N)
    assert meta["tallies"] == {"in_child": {"1": N}}


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    policy = tiny_policy(folder / "start")
    (folder / "in.jsonl").write_bytes(jsonl(sample_records(policy, 4, 4, noisy_reward)))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--batch", 2, "--steps", 5], "did 2 of 5 steps: the input ended after"),
        (["--batch", 100], "did no step: the input ended after"),
    ],
)
def test_fewer_steps_than_asked_for_is_no_success(training, tmp_path, asked, told):
    run_swr1("init-policy", tmp_path / "p", "--from", training / "start", check=True)
    command = ["train-step", "grpo", training / "in.jsonl", "--policy", tmp_path / "p", *asked]
    done = run_swr1(*command, "--lr", "1e-3", "--kl", 0)
    assert done.returncode == 1 and told in done.stderr, done.stderr
    assert "--allow-fewer-steps" in done.stderr and "Traceback" not in done.stderr
    run_swr1(*command, "--lr", "1e-3", "--kl", 0, "--allow-fewer-steps", check=True)
    assert Policy(tmp_path / "p").latest() == (2 if "--steps" in asked else 0)
