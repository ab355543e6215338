"""A mapping stage that writes a shard is killed and run again: the folder still reads in order."""

import signal
import time
from subprocess import PIPE

import orjson
import pytest

from tests.conftest import jsonl, load, run_swr1
from tests.forked import start

RECORDS = [
    {
        "v": 1,
        "id": f"i{i}",
        "prompt": [{"role": "user", "content": f"how do I pick lock {i}?"}],
        "completion": "<think>x</think>" * (i % 3),
    }
    for i in range(40)
]


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


@pytest.mark.parametrize("line", ["verify format -", "attack prefix rot13 - --texts english"])
def test_a_resumed_shard_is_read_in_the_order_of_the_unsharded_run(tmp_path, line):
    """Stages that make one record of one, and several."""
    stdin, args = jsonl(RECORDS), line.split()
    first = [*args, "-o", "s/", "--shard", "0/2"]
    had = killed_in_the_middle(first, tmp_path, tmp_path / "s" / "00000-of-00002.jsonl.part")
    done = run_swr1(*first, cwd=tmp_path, stdin=stdin, check=True)
    assert f"{had} done before" in done.stderr
    run_swr1(*args, "-o", "s/", "--shard", "1/2", cwd=tmp_path, stdin=stdin, check=True)
    run_swr1(*args, "-o", "whole.jsonl", cwd=tmp_path, stdin=stdin, check=True)
    run_swr1(*"merge s/ -o merged.jsonl".split(), cwd=tmp_path, check=True)
    whole = [r["id"] for r in load(tmp_path / "whole.jsonl")]
    assert [r["id"] for r in load(tmp_path / "merged.jsonl")] == whole
    read = run_swr1("sample", "s/", cwd=tmp_path, check=True).stdout
    assert [orjson.loads(text)["id"] for text in read.splitlines()] == whole
