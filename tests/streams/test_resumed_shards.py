"""A mapping stage that writes a shard is killed and run again: the folder still reads in order."""

import signal
import time
from subprocess import PIPE

from tests.conftest import jsonl, load, run_swr1
from tests.forked import start

RECORDS = [{"v": 1, "id": f"i{i}", "completion": "<think>x</think>" * (i % 3)} for i in range(40)]


def killed_in_the_middle(args, cwd, part):
    """Feed half of the records, kill -9 when some are on disk; returns how many are."""
    with start(args, cwd=cwd, stdin=PIPE, stderr=PIPE) as stage:
        stage.stdin.write(jsonl(RECORDS[:20]))
        stage.stdin.flush()
        deadline = time.monotonic() + 60
        while not (part.exists() and part.read_bytes().count(b"\n") >= 3):
            assert time.monotonic() < deadline and stage.poll() is None
            time.sleep(0.01)
        stage.kill()
        assert stage.wait() == -signal.SIGKILL
    return part.read_bytes().count(b"\n")


def test_a_resumed_shard_is_read_in_the_order_of_the_unsharded_run(tmp_path):
    stdin, args = jsonl(RECORDS), ["verify", "format", "-"]
    first = [*args, "-o", "s/", "--shard", "0/2"]
    had = killed_in_the_middle(first, tmp_path, tmp_path / "s" / "00000-of-00002.jsonl.part")
    done = run_swr1(*first, cwd=tmp_path, stdin=stdin, check=True)
    assert f"{had} done before" in done.stderr
    run_swr1(*args, "-o", "s/", "--shard", "1/2", cwd=tmp_path, stdin=stdin, check=True)
    run_swr1(*args, "-o", "whole.jsonl", cwd=tmp_path, stdin=stdin, check=True)
    run_swr1(*"merge s/ -o merged.jsonl".split(), cwd=tmp_path, check=True)
    assert [r["id"] for r in load(tmp_path / "merged.jsonl")] == [r["id"] for r in RECORDS]
    read_in_order = run_swr1("verify", "format", "s/", cwd=tmp_path, check=True).stdout
    assert read_in_order == run_swr1("verify", "format", "whole.jsonl", cwd=tmp_path).stdout
