"""`swr1 sample` through the command line: filters, shares, orders, and the contract of a stage."""

import subprocess
from collections import Counter

import orjson

from tests.conftest import SWR1, jsonl, load
from tests.streams.test_sampling import items


def out(done):
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def values(done):
    return [r["info"]["x"] for r in out(done)]


def test_a_missing_key_is_bad_data_with_a_suggestion(swr1):
    records = [*items([1, 2]), {"v": 1, "id": "none"}]
    done = swr1("sample", "--where", "x=1-2", stdin=jsonl(records))
    assert done.returncode == 65 and "stdin:3" in done.stderr and "'x'" in done.stderr
    for args in (["--where", "x=1-2"], ["--by", "x", "--order", "rising"]):
        done = swr1("sample", *args, "--on-error", "skip", stdin=jsonl(records), check=True)
        assert values(done) == [1, 2] and "1 dropped" in done.stderr


def test_filters_stream_shard_and_say_what_they_dropped(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(jsonl(items([i % 7 for i in range(60)])))
    where = ["--where", "x=2-5", "--where", "x!=3"]
    whole = swr1("sample", "in.jsonl", *where, cwd=tmp_path, check=True)
    assert values(whole) == [v for i in range(60) if (v := i % 7) in (2, 4, 5)]
    assert "dropped" in whole.stderr and "not x=2-5" in whole.stderr
    for i in range(2):
        swr1(
            "sample", "in.jsonl", *where, "-o", "s/", "--shard", f"{i}/2", cwd=tmp_path, check=True
        )
    merged = swr1("merge", "s/", cwd=tmp_path, check=True)
    assert values(merged) == values(whole)


def test_a_filter_gives_its_first_record_while_its_input_goes_on():
    with subprocess.Popen(
        [SWR1, "sample", "--where", "x=1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as stage:
        stage.stdin.write(jsonl(items([1])))
        stage.stdin.flush()
        assert orjson.loads(stage.stdout.readline())["id"] == "i0"
        stage.stdin.close()
        assert stage.wait(timeout=60) == 0


def test_orders(swr1):
    stdin = jsonl(items([3, 1, None, 2, 1.5, "b", "a", 3]))
    rising = values(swr1("sample", "--by", "x", "--order", "rising", stdin=stdin, check=True))
    assert rising == [1, 1.5, 2, 3, 3, "a", "b", None]
    falling = values(swr1("sample", "--by", "x", "--order", "falling", stdin=stdin, check=True))
    assert falling == ["b", "a", 3, 3, 2, 1.5, 1, None]


def test_a_mix_has_the_shares_asked_for(swr1):
    stdin = jsonl(items([i % 10 for i in range(500)]))
    args = ["--by", "x", "--mix", "0=1,1-2=3", "--seed", "3"]
    done = Counter(min(v, 1) for v in values(swr1("sample", *args, stdin=stdin, check=True)))
    assert done == {0: 33, 1: 100}
    done = values(swr1("sample", *args, "--n", "40", stdin=stdin, check=True))
    assert Counter(min(v, 1) for v in done) == {0: 10, 1: 30}


def test_a_stopped_run_goes_on_and_gives_the_same_file(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(jsonl(items([i % 5 for i in range(100)])))
    args = "sample in.jsonl --by x --order rising --balance -n 50 -o out.jsonl".split()
    swr1(*args, cwd=tmp_path, check=True)
    whole = (tmp_path / "out.jsonl").read_bytes()
    assert len(load(tmp_path / "out.jsonl")) == 50
    meta = (tmp_path / "out.jsonl.meta.json").rename(tmp_path / "out.jsonl.part.meta.json")
    (tmp_path / "out.jsonl").unlink()
    (tmp_path / "out.jsonl.part").write_bytes(whole[: len(whole) // 3])
    assert meta.exists()
    done = swr1(*args, cwd=tmp_path, check=True)
    assert "continuing" in done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_wrong_use_is_code_2(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(jsonl(items([1, 2])))
    for args, words in [
        (["--by", "x", "--order", "risin"], "Did you mean 'rising'"),
        (["--balance"], "add --by KEY"),
        (["--by", "x"], "--by KEY goes with"),
        (["--order", "shuffle", "--shard", "0/2"], "no shards"),
    ]:
        done = swr1("sample", "in.jsonl", *args, cwd=tmp_path)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
