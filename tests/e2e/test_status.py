"""`swr1 status` on folders in every state, made by the real stages where that is quick."""

import json
import os
import signal
import subprocess
import time

import pytest

from swr1.policy import Policy
from tests.conftest import SWR1, jsonl


def version(policy, **meta):
    return policy.publish(lambda f: (f / "config.json").write_text("{}"), meta)


def status(swr1, path, **kw):
    return json.loads(swr1("status", path, "--json", check=True, **kw).stdout)


def old(path, seconds=1000):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_idle_policy_tells_version_and_last_step(swr1, tmp_path):
    policy = Policy(tmp_path / "kk")
    version(policy, step=0)
    version(policy, step=4, groups_consumed=64)
    rows = [
        {"step": 3, "stage": "rl", "reward_mean": 0.5},
        {"step": 4, "stage": "rl", "reward_mean": 1.25, "tokens": 90, "wait_s": 1, "compute_s": 2},
    ]
    (tmp_path / "kk" / "metrics.jsonl").write_bytes(jsonl(rows) + b'{"step": 5, "rew')
    (found,) = status(swr1, tmp_path / "kk")["policies"]
    assert (found["state"], found["version"], found["step"]) == ("idle", 1, 4)
    assert found["groups_consumed"] == 64
    assert found["last"]["tokens_per_s"] == 30
    page = swr1("status", tmp_path / "kk", check=True).stdout
    assert "version 1" in page and "reward 1.25" in page and "\x1b" not in page


def test_a_held_policy_names_its_trainer(swr1, tmp_path):
    policy = Policy(tmp_path / "kk")
    version(policy)
    with policy.lock("train-step grpo"):
        policy.announce(16, 2, 0, 0)
        (found,) = status(swr1, tmp_path)["policies"]
        page = swr1("status", tmp_path, check=True).stdout
    assert found["state"] == "training"
    assert found["trainer"]["pid"] == os.getpid()
    assert (found["batch"], found["publish_every"]) == (16, 2)
    assert f"held by train-step grpo (pid {os.getpid()} on" in page
    (found,) = status(swr1, tmp_path)["policies"]
    assert found["state"] == "idle" and found["trainer"] is None and found["batch"] is None


def test_a_trainer_that_is_gone_before_its_last_step(swr1, tmp_path):
    policy = Policy(tmp_path / "kk")
    version(policy, step=0)
    (tmp_path / "kk" / "metrics.jsonl").write_bytes(jsonl([{"step": 8, "stage": "rl"}]))
    plan = tmp_path / "kk" / "trainer" / "plan.json"
    with policy.lock("train-step grpo"):
        policy.announce(16, 1, 0, 0, steps=25)
        killed = plan.read_bytes()
        (found,) = status(swr1, tmp_path)["policies"]
        assert (found["state"], found["steps"]) == ("training", None)
    (found,) = status(swr1, tmp_path)["policies"]
    assert found["state"] == "idle"  # it ended by itself
    plan.write_bytes(killed)  # as -9 leaves it
    (found,) = status(swr1, tmp_path)["policies"]
    assert (found["state"], found["step"], found["steps"]) == ("stopped", 8, 25)
    page = swr1("status", tmp_path / "kk", check=True).stdout
    assert "stopped at step 8 of 25 (its process is gone): run the line again" in page


def test_a_version_without_its_marker_does_not_count(swr1, tmp_path):
    (tmp_path / "kk" / "versions" / "000000").mkdir(parents=True)
    (found,) = status(swr1, tmp_path / "kk")["policies"]
    assert (found["state"], found["version"]) == ("empty", None)
    assert "no complete version" in swr1("status", tmp_path / "kk", check=True).stdout


def test_shards_done_stopped_and_owed_with_the_command_to_finish(swr1, tmp_path):
    out = tmp_path / "out"
    for i in (0, 2):
        swr1("gen-puzzles", "-n", 40, "--shard", f"{i}/5", "-o", f"{out}/", check=True)
    first = (out / "00000-of-00005.jsonl").read_bytes()
    (out / "00003-of-00005.jsonl.part").write_bytes(first[:100])
    old(out / "00003-of-00005.jsonl.part")
    (out / "00004-of-00005.jsonl.part").write_bytes(first[:100])
    (found,) = status(swr1, out)["outputs"]
    assert found["shards"] == 5
    assert (found["done"], found["stopped"], found["recent"]) == ([0, 2], [3], [4])
    assert (found["owed"], found["running"]) == ([1], [])
    assert found["records"] == 16 and found["stage"] == "gen-puzzles"
    page = swr1("status", out, check=True).stdout
    assert "2/5" in page and "--array=1,3" in page


def test_finished_and_stopped_files_of_a_run_folder(swr1, tmp_path):
    run = tmp_path / "run" / "inner"
    run.mkdir(parents=True)
    swr1("gen-puzzles", "-n", 3, "-o", run / "a.jsonl.gz", check=True)
    (run / "b.parquet.part").write_text('{"id":"x"}\n')
    old(run / "b.parquet.part")
    first, second = status(swr1, ".", cwd=tmp_path)["outputs"]
    assert (first["state"], first["records"]) == ("done", 3)
    assert first["path"].endswith("a.jsonl.gz")
    assert (second["state"], second["records"]) == ("stopped", None)
    assert second["path"].endswith("b.parquet")
    assert "same -o to go on" in swr1("status", run / "b.parquet", check=True).stdout


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_running_stage_is_seen_by_its_open_journal_with_its_pipe(swr1, tmp_path):
    item = jsonl(one_completed(swr1))
    a, b = (
        subprocess.Popen(
            [SWR1, "verify", "format", "-o", str(tmp_path / name), "-q"],
            stdin=subprocess.PIPE,
            process_group=0,
        )
        for name in ("seen.jsonl", "elsewhere.jsonl")
    )
    try:
        for process in (a, b):
            process.stdin.write(item)
            process.stdin.flush()
        deadline = time.monotonic() + 60
        while not (tmp_path / "seen.jsonl.part").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        report = status(swr1, tmp_path / "seen.jsonl")
        assert report["outputs"][0]["state"] == "running"
        assert report["outputs"][0]["pids"] == [a.pid]
        assert [s["pid"] for s in report["stages"]] == [a.pid]
        assert report["stages"][0]["stage"] == "verify"
        a.send_signal(signal.SIGKILL)
        a.wait()
        report = status(swr1, tmp_path / "seen.jsonl")
        assert report["outputs"][0]["state"] == "recent" and report["stages"] == []
    finally:
        for process in (a, b):
            process.kill()
            process.wait()
            process.stdin.close()


def one_completed(swr1):
    (record,) = map(json.loads, swr1("gen-puzzles", "-n", 1, check=True).stdout.splitlines())
    return [record | {"completion": "<think>a</think><answer>b</answer>"}]


def test_the_last_error_in_a_log_is_told(swr1, tmp_path):
    swr1("gen-puzzles", "-n", 3, "-o", tmp_path / "a.jsonl", check=True)
    failed = swr1("verify", "knights", tmp_path / "a.jsonl", "-o", tmp_path / "b.jsonl")
    (tmp_path / "verify.log").write_text("swr1 reward: error: an earlier one\n" + failed.stderr)
    (error,) = status(swr1, tmp_path)["errors"]
    assert error["error"].startswith("swr1 verify: error: ") and "completion" in error["error"]
    assert "last error in verify.log" in swr1("status", tmp_path, check=True).stdout


def test_what_is_no_run_is_refused(swr1, tmp_path):
    missing = swr1("status", tmp_path / "nope")
    assert missing.returncode == 2 and "no such folder" in missing.stderr
    (tmp_path / "notes.txt").write_text("x")
    other = swr1("status", tmp_path)
    assert other.returncode == 65 and "neither a policy folder" in other.stderr
    assert other.stdout == ""


def test_a_trainer_that_failed_says_why(swr1, tmp_path):
    policy = Policy(tmp_path / "kk")
    version(policy, step=0)
    with pytest.raises(RuntimeError), policy.lock("train-step sft"):
        raise RuntimeError("the disk is\nfull \x1b[31m")
    (found,) = status(swr1, tmp_path)["policies"]
    assert found["state"] == "failed" and found["failure"].startswith(
        "train-step sft: the disk is full"
    )
    page = swr1("status", tmp_path, check=True).stdout
    assert "policy kk  failed, version 0" in page and "\x1b" not in page
    assert "train-step sft: the disk is full ␛[31m" in page
    with policy.lock("train-step sft"):
        assert status(swr1, tmp_path)["policies"][0]["state"] == "training"
    assert status(swr1, tmp_path)["policies"][0]["state"] == "idle"
