"""What a machine does to a run: a full disk, a folder that is deleted, a clock that goes backwards,
a trainer that is gone or is there twice. One clear line, nothing lost.
"""

import errno
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime as real_datetime
from datetime import timedelta

import pytest

from swr1 import policy as policies
from swr1.errors import ReaderClosed, SwrError
from swr1.policy import Policy
from swr1.rollout import follower
from swr1.rollout.follower import PolicyFollower
from tests.conftest import SWR1, run_swr1
from tests.training.tiny_runs import (
    noisy_reward,
    same_weights,
    sample_records,
    tiny_policy,
    train_rl,
    weights,
)

STEPS = 4


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


def test_a_second_writer_is_refused_and_what_the_first_one_wrote_kept(tmp_path):
    line = [SWR1, *"gen-puzzles -n 100000 --people 3 --quiet -o out.jsonl --seed".split()]
    part = tmp_path / "out.jsonl.part"
    with subprocess.Popen([*line, "1"], cwd=tmp_path) as first:
        while not (part.exists() and part.stat().st_size):
            time.sleep(0.01)
        first.send_signal(signal.SIGSTOP)
        for more in (["1"], ["2", "--force"]):
            done = run_swr1(*line[1:], *more, cwd=tmp_path)
            assert done.returncode == 1
            (said,) = done.stderr.splitlines()
            assert f"out.jsonl.part is being written by another process (pid {first.pid} on" in said
        first.kill()
    whole = part.read_bytes()
    whole = whole[: whole.rindex(b"\n") + 1]
    done = run_swr1(*line[1:], "1", "-n", whole.count(b"\n") + 50, cwd=tmp_path)
    assert done.returncode == 2  # other options: what is there is kept
    assert part.read_bytes().startswith(whole)


def test_a_second_trainer_is_refused_and_told_who_holds_the_policy(tmp_path):
    policy = Policy(tmp_path / "p")
    policy.publish(lambda folder: None, {})
    with policy.lock("train-step grpo"):
        done = run_swr1("train-step", "grpo", "--policy", policy.path, stdin="{}")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"train-step grpo (pid {os.getpid()} on " in line
    assert policy.versions() == [0]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return tiny_policy(tmp_path_factory.mktemp("hostile") / "p")


@pytest.fixture(scope="module")
def records(start):
    return sample_records(start, prompts=2 * STEPS, group=3, reward=noisy_reward)


def train(policy: Policy, records: list[dict], **options):
    return train_rl(records, policy, "grpo", batch=2, lr=1e-2, kl=0.0, steps=STEPS, **options)


@pytest.fixture(scope="module")
def unbroken(start, records):
    policy = Policy(start.path.with_name("unbroken") / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    train(policy, records, log=lambda line: None)
    return policy


def size(folder) -> int:
    return sum(f.stat().st_size for f in folder.iterdir())


@pytest.mark.parametrize("during", ["the state", "the version"])
def test_a_disk_that_fills_while_a_step_is_written(small_disk, start, records, unbroken, during):
    policy = Policy(small_disk / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    state, version = size(unbroken.path / "trainer" / f"{STEPS:06d}"), size(unbroken.folder())
    room = state // 2 if during == "the state" else state + version // 2
    pages = os.statvfs(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(pages.f_bavail * pages.f_frsize - room))
    with pytest.raises(OSError, match="No space left") as error:
        train(policy, records)
    assert error.value.errno == errno.ENOSPC
    assert policy.versions() == [0] and same_weights(weights(policy), weights(start))
    assert not list(policy.path.glob("*/.tmp-*"))
    ballast.unlink()
    train(policy, records)
    assert policy.latest() == STEPS
    assert same_weights(weights(policy), weights(unbroken))


@pytest.mark.parametrize("how", ["deleted", "moved", "emptied"])
def test_the_policy_folder_goes_under_way(tmp_path, start, records, how):
    policy = Policy(tmp_path / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)

    def remove(row):
        if row["step"] < 2:
            return
        if how == "deleted":
            shutil.rmtree(policy.path)
        elif how == "moved":
            policy.path.rename(tmp_path / "elsewhere")
        else:  # rm -r p/*
            for name in ("versions", "trainer"):
                shutil.rmtree(policy.path / name)

    with pytest.raises(SwrError, match=r"the policy folder .*/p vanished"):
        train(policy, records, on_step=remove)
    assert not policy.exists  # nothing was made anew


def test_a_rollout_says_that_the_folder_went(tmp_path, start):
    policy = Policy(tmp_path / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    source = PolicyFollower(policy.name, 0, wait=9)
    source.plan = {"pid": os.getpid(), "batch": 2, "publish_every": 1, "before": 0}
    shutil.rmtree(policy.path)
    with pytest.raises(SwrError, match="vanished"):
        source.admit(None, given=2, size=2)


def test_a_clock_that_goes_backwards(tmp_path, start, records, unbroken, monkeypatch):
    clock = [real_datetime(2030, 1, 1)]

    class Backwards(real_datetime):
        @classmethod
        def now(cls, tz=None):
            clock[0] -= timedelta(days=1)
            return clock[0].replace(tzinfo=tz)

    monkeypatch.setattr(policies, "datetime", Backwards)
    monkeypatch.setattr(time, "time", lambda: Backwards.now().timestamp())
    policy = Policy(tmp_path / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    train(policy, records, keep=None)
    stamps = [policy.meta(v)["created"] for v in range(1, STEPS + 1)]
    assert stamps == sorted(stamps, reverse=True) and len(set(stamps)) == STEPS
    assert policy.latest() == STEPS == int((policy.path / "latest").resolve().name)
    assert same_weights(weights(policy), weights(unbroken))


def follow(policy: Policy) -> PolicyFollower:
    source = PolicyFollower(policy.name, 0, wait=9)
    policy.announce(batch=2, publish_every=1, consumed=0, before=0)
    source.follow()
    return source


def test_a_rollout_ends_with_the_trainer(tmp_path, start):
    """Where another process reads its output, it does not learn of it from the pipe."""
    policy = Policy(tmp_path / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    with policy.lock("train-step grpo"):
        source = follow(policy)
    with pytest.raises(ReaderClosed):
        source.admit(None, given=2, size=2)


def test_a_rollout_whose_trainer_failed_says_so(tmp_path, start, monkeypatch):
    monkeypatch.setattr(follower, "TRAINER_GONE", 1.5)
    policy = Policy(tmp_path / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    with suppress(ZeroDivisionError), policy.lock("train-step grpo"):
        source = follow(policy)
        raise ZeroDivisionError
    began = time.monotonic()
    with pytest.raises(SwrError, match=rf"the train-step on .*/p \(pid {os.getpid()}\) ended"):
        source.admit(None, given=2, size=2)
    assert time.monotonic() - began > 1


def test_a_rollout_ends_where_there_was_nothing_to_train(tmp_path, start):
    policy = Policy(tmp_path / "p")
    shutil.copytree(start.path, policy.path, symlinks=True)
    (policy.path / "trainer").mkdir()
    source = PolicyFollower(policy.name, 0, wait=9)
    with policy.lock("train-step grpo"):
        pass  # "step 4 of 4 is done already"
    with pytest.raises(ReaderClosed):
        source.follow()
    with pytest.raises(SwrError, match="for a train-step"):  # that was another run's end
        PolicyFollower(policy.name, 0, wait=0.1).follow()
