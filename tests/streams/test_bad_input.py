"""Bad input through the real command line: file, line, what to do, code 65, no traceback."""

import gzip

import orjson
import pytest

from swr1.streams.stage import MOST_REASONS, Stage
from tests.conftest import jsonl, load

GOOD = {
    "v": 1,
    "id": "a",
    "task": "knights",
    "completion": "<think>x is odd</think><answer>Zoey is a knight</answer>",
    "answer": [["Zoey", "knight"]],
}
ok = orjson.dumps(GOOD) + b"\n"
other = orjson.dumps(GOOD | {"id": "b"}) + b"\n"


def changed(**fields) -> bytes:
    return orjson.dumps(GOOD | {"id": "c"} | fields) + b"\n"


generation = {"token_ids": [1, 2], "logprobs": [-1.0], "loss_mask": [1, 1]}
CASES = {
    "broken JSON": (ok + b'{"id": "b", \n' + other, 2, "broken JSON"),
    "not an object": (ok + b"[1, 2]\n", 2, "JSON object"),
    "missing id": (ok + b'{"completion": "x"}\n', 2, "'id' is missing"),
    "missing completion": (ok + b'{"id": "b"}\n', 2, "swr1 rollout"),
    "wrong type": (ok + changed(completion=5), 2, "must be a text, it is the number 5"),
    "wrong shape": (ok + changed(info=[1]), 2, "must be an object"),
    "bad prompt": (ok + changed(prompt=["hi"]), 2, "'role' and 'content'"),
    "lengths": (ok + changed(generation=generation), 2, "must be equal"),
    "version": (ok + changed(v=99), 2, "reads version 1"),
    "NaN": (ok + b'{"id": "b", "reward": NaN}\n', 2, "NaN"),
    "null reward": (ok + changed(reward=None), 2, "finite number"),
    "invalid UTF-8": (ok + b'{"id": "\xff\xfe"}\n', 2, "UTF-8"),
    "torn last line": (ok + other[:40], 2, "torn"),
    "duplicate id": (ok + other + ok, 3, "duplicate id a"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_line_is_named(swr1, tmp_path, name):
    text, line, reason = CASES[name]
    (tmp_path / "in.jsonl").write_bytes(text)
    done = swr1("verify", "format", "in.jsonl", cwd=tmp_path)
    assert done.returncode == 65
    assert f"in.jsonl:{line}: " in done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", CASES)
def test_skip_and_quarantine_keep_the_rest(swr1, tmp_path, name):
    text, line, _ = CASES[name]
    (tmp_path / "in.jsonl").write_bytes(text)
    good = text.count(b"\n") + (not text.endswith(b"\n")) - 1
    done = swr1("verify", "format", "in.jsonl", "--on-error", "skip", cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) == good
    assert "1 dropped" in done.stderr
    swr1(
        *("verify", "format", "in.jsonl", "-o", "out.jsonl"),
        *("--on-error", "quarantine", "bad.jsonl"),
        cwd=tmp_path,
        check=True,
    )
    assert len(load(tmp_path / "out.jsonl")) == good
    (bad,) = load(tmp_path / "bad.jsonl")
    assert bad["where"].endswith(f":{line}")
    assert bad["record"]
    assert sum(orjson.loads((tmp_path / "out.jsonl.meta.json").read_bytes())["drops"].values()) == 1


def test_a_line_of_100_mb(swr1, tmp_path):
    with open(tmp_path / "in.jsonl", "wb") as file:
        file.write(ok + b'{"id": "' + b"x" * 100_000_000 + b'"}\n' + other)
    done = swr1("verify", "format", "in.jsonl", cwd=tmp_path)
    assert done.returncode == 65
    assert "in.jsonl:2: the line is longer than 64 MB" in done.stderr
    done = swr1("verify", "format", "in.jsonl", "--on-error", "skip", cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_truncated_compressed_file(swr1, tmp_path, suffix):
    many = [GOOD | {"id": f"{i:x}", "info": {"noise": str(hash(str(i)))}} for i in range(5000)]
    (tmp_path / "a.jsonl").write_bytes(jsonl(many))
    swr1("merge", "a.jsonl", "-o", f"in.jsonl.{suffix}", cwd=tmp_path, check=True)
    whole = (tmp_path / f"in.jsonl.{suffix}").read_bytes()
    (tmp_path / f"in.jsonl.{suffix}").write_bytes(whole[: len(whole) // 2])
    done = swr1("verify", "format", f"in.jsonl.{suffix}", cwd=tmp_path)
    assert done.returncode == 65
    assert f"in.jsonl.{suffix}:" in done.stderr
    assert "truncated" in done.stderr


def test_whether_a_file_is_compressed_is_told_by_its_first_bytes(swr1, tmp_path):
    (tmp_path / "plain.jsonl.gz").write_bytes(ok)
    with gzip.open(tmp_path / "packed.jsonl", "wb") as file:
        file.write(ok)
    for name in ("plain.jsonl.gz", "packed.jsonl"):
        swr1("verify", "format", name, cwd=tmp_path, check=True)
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress(ok)[:-9])
    done = swr1("verify", "format", "packed.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and "truncated or damaged" in done.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [(ok.decode().encode("utf-16"), "UTF-16"), (ok.replace(b"\n", b"\r") * 2, "line ends")],
    ids=["utf-16", "cr"],
)
def test_what_a_text_of_another_kind_is(swr1, tmp_path, content, told):
    (tmp_path / "in.jsonl").write_bytes(content)
    done = swr1("verify", "format", "in.jsonl", cwd=tmp_path)
    assert done.returncode == 65 and f"in.jsonl:1: {told}" in done.stderr.replace(
        "the line", "line"
    )


def test_empty_file_and_empty_pipe(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"")
    done = swr1("verify", "format", "in.jsonl", cwd=tmp_path)
    assert (done.returncode, "in.jsonl: the file is empty" in done.stderr) == (65, True)
    done = swr1("verify", "format")
    assert (done.returncode, "did the stage before fail?" in done.stderr) == (65, True)


def test_parquet_of_another_schema(swr1, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"quiz": ["q"], "names": ["n"]}), tmp_path / "in.parquet")
    done = swr1("verify", "format", "in.parquet", cwd=tmp_path)
    assert done.returncode == 65
    assert "another schema (columns quiz, names)" in done.stderr
    (tmp_path / "in.parquet").write_bytes(ok)
    done = swr1("verify", "format", "in.parquet", cwd=tmp_path)
    assert (done.returncode, "not a Parquet file" in done.stderr) == (65, True)


def test_a_folder_that_is_not_finished(swr1, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(ok + other[:30])
    done = swr1("verify", "format", "shards", cwd=tmp_path)
    assert (done.returncode, "a.jsonl:2: the last line is torn" in done.stderr) == (65, True)
    (folder / "a.jsonl").rename(folder / "a.jsonl.part")
    (folder / "b.jsonl").write_bytes(ok)
    done = swr1("verify", "format", "shards", cwd=tmp_path)
    assert (done.returncode, "a.jsonl.part not finished" in done.stderr) == (65, True)


def test_a_missing_shard_is_named(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(ok + other)
    swr1(*"verify format in.jsonl -o s/ --shard 1/3".split(), cwd=tmp_path, check=True)
    done = swr1("merge", "s", cwd=tmp_path)
    assert done.returncode == 65
    assert "shards 0,2 of 3 are missing" in done.stderr
    assert "--array=0,2" in done.stderr
    done = swr1(*"verify format in.jsonl -o s/ --shard 0/4".split(), cwd=tmp_path)
    assert done.returncode == 2
    assert "was started with 3 shards, not 4" in done.stderr


def test_targets_that_cannot_be_written(swr1, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(ok)
    done = swr1("verify", "format", "in.jsonl", "-o", "no/such/out.jsonl", cwd=tmp_path)
    assert (done.returncode, "no such folder" in done.stderr) == (1, True)
    done = swr1("verify", "format", "in.jsonl", "-o", "out.txt", cwd=tmp_path)
    assert (done.returncode, ".parquet" in done.stderr) == (2, True)
    done = swr1("verify", "format", "in.jsonl", "-o", "/proc/out.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_no_space_left(swr1, tmp_path):
    import os
    import subprocess

    (tmp_path / "in.jsonl").write_bytes(ok)
    from tests.conftest import SWR1

    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [SWR1, "verify", "format", str(tmp_path / "in.jsonl")],
            stdout=full,
            stderr=subprocess.PIPE,
            env=dict(os.environ),
        )
    assert done.returncode == 1
    assert b"No space left on device; free some space" in done.stderr
    assert b"Traceback" not in done.stderr


def test_unknown_input(swr1, tmp_path):
    done = swr1("verify", "format", "nothing.jsonl", cwd=tmp_path)
    assert (done.returncode, "no file, folder or glob match" in done.stderr) == (2, True)


def test_drops_are_counted_by_reason_not_by_record(swr1, tmp_path):
    twice = [{"id": f"a: {i}"} for i in range(300) for _ in range(2)]
    swr1(
        "merge", "--on-error", "skip", "-o", "o.jsonl", stdin=jsonl(twice), cwd=tmp_path, check=True
    )
    assert orjson.loads((tmp_path / "o.jsonl.meta.json").read_bytes())["drops"] == {
        "duplicate id": 300
    }


def test_reasons_are_few():
    stage = Stage("merge", {})
    for i in range(500):
        stage.count_drop(f"record 'a: {i}', sample {i}: its group is cut: why")
        stage.count_drop(f'record "it\'s {i}": refused')
    assert stage.drops == {"its group is cut": 500, "refused": 500}
    for i in range(MOST_REASONS):
        stage.count_drop(f"reason {i}")
    assert len(stage.drops) == MOST_REASONS + 1 and stage.drops["for other reasons"] == 2
