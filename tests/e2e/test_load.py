"""`swr1 load kk` on files in each published shape, with faults planted in known lines."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import load
from tests.loading.published import FILES, logic_rl, mem_kk, reasoning_gym, write_jsonl


def test_published_files_are_confirmed_and_flow_on(swr1, tmp_path):
    names = ["mem_kk.jsonl", "reasoning_gym.jsonl"]
    files = [FILES / name for name in names]
    swr1("load", "kk", *files, "-o", tmp_path / "kk.parquet", check=True)
    swr1("merge", tmp_path / "kk.parquet", "-o", tmp_path / "kk.jsonl", check=True)
    records = load(tmp_path / "kk.jsonl")
    assert [r["info"]["source"]["where"] for r in records] == [
        f"{file}:{line}" for file in files for line in range(1, 7)
    ]
    assert all(r["task"] == "knights" and r["v"] == 1 for r in records)


def test_parquet_folder_with_splits(swr1, tmp_path):
    rows = [logic_rl(i, people) for people in (3, 4) for i in range(3)]
    for folder, part in (("3ppl", rows[:3]), ("4ppl", rows[3:])):
        for split in ("train", "test"):
            path = tmp_path / "kk" / folder / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(part), path)
    run = swr1(
        "load", "kk", tmp_path / "kk", "--split", "train", "--set", "keep_prompt=true", check=True
    )
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert [r["prompt"] for r in records] == [r["prompt"] for r in rows]
    assert records[3]["info"]["source"]["where"].endswith("4ppl/train.parquet:row 1")


def planted(tmp_path):
    """A file of 12 rows with faults in 2, 4, 5, 7, 9, 11 and a broken line 8."""
    rows = [mem_kk(i, 3) for i in range(1, 7)] + [reasoning_gym(i, 3) for i in range(1, 7)]
    rows[1]["solution"][0] ^= True
    rows[3]["quiz"] = rows[3]["quiz"].replace("So who", "Oh, well. So who")
    rows[4]["solution_text_format"] = rows[4]["solution_text_format"].replace("(1)", "(1) Zed")
    rows[4]["solution_text"] = "?"
    rows[6]["metadata"]["statements"][0] = ["lying", 0]
    rows[8]["answer"] = rows[2]["solution_text"]
    rows[10]["question"] = rows[10]["question"].replace("3 inhabitants", "4 inhabitants")
    path = write_jsonl(tmp_path / "bad.jsonl", rows)
    lines = path.read_text().splitlines()
    lines[7] = lines[7][:40]
    path.write_text("\n".join(lines) + "\n")
    return path


FAULTS = {
    2: "stored data differ: solution",
    4: 'unreadable text: sentence not understood: "Oh, well."',
    5: "stored data differ: solution_text nothing",
    7: "stored data differ: statements",
    8: "broken JSON",
    9: "stored data differ: answer",
    11: "unreadable text: 4 inhabitants are announced, 3 are listed",
}


def test_every_fault_is_reported_by_line(swr1, tmp_path):
    path = planted(tmp_path)
    run = swr1("load", "kk", path, "--on-error", "skip", check=True)
    assert len(run.stdout.splitlines()) == 12 - len(FAULTS)
    told = dict(re.findall(rf"dropped {re.escape(str(path))}:(\d+): (.*)", run.stderr))
    assert [int(line) for line in told] == list(FAULTS)
    for line, reason in FAULTS.items():
        assert told[str(line)].startswith(reason)
    assert "12 in, 5 out" in run.stderr
    assert "4 stored data differ; 2 unreadable text; 1 broken JSON" in run.stderr


def test_by_default_the_first_fault_fails_with_advice(swr1, tmp_path):
    run = swr1("load", "kk", planted(tmp_path), "-o", tmp_path / "out.jsonl")
    assert run.returncode == 65
    assert re.search(r"bad\.jsonl:2: stored data differ: solution .*--on-error skip", run.stderr)
    assert not (tmp_path / "out.jsonl").exists()


def test_quarantine_keeps_the_row(swr1, tmp_path):
    path = planted(tmp_path)
    swr1("load", "kk", path, "--on-error", "quarantine", tmp_path / "q.jsonl", check=True)
    aside = load(tmp_path / "q.jsonl")
    assert [int(line["where"].rpartition(":")[2]) for line in aside] == list(FAULTS)
    assert aside[0]["record"]["index"] == 2


def test_shards_merged_equal_the_whole(swr1, tmp_path):
    path = planted(tmp_path)
    whole = swr1("load", "kk", path, "--on-error", "skip", check=True).stdout
    for i in (0, 1):
        swr1(
            *["load", "kk", path, "--on-error", "skip"],
            *["--shard", f"{i}/2", "-o", f"{tmp_path}/shards/"],
            check=True,
        )
    merged = swr1("merge", f"{tmp_path}/shards/", check=True).stdout

    def bare(text):
        return [{k: v for k, v in json.loads(x).items() if k != "trail"} for x in text.splitlines()]

    assert bare(merged) == bare(whole)


def test_a_stopped_run_goes_on(swr1, tmp_path):
    path, out = planted(tmp_path), tmp_path / "out.jsonl"
    assert swr1("load", "kk", path, "-o", out).returncode == 65  # one record is written by then
    run = swr1("load", "kk", path, "-o", out, "--on-error", "skip", check=True)
    assert "1 records are done" in run.stderr
    whole = swr1("load", "kk", path, "--on-error", "skip", check=True).stdout
    assert out.read_text() == whole


def test_the_same_item_again_is_a_bad_record(swr1, tmp_path):
    path = write_jsonl(tmp_path / "twice.jsonl", [mem_kk(1), mem_kk(2), mem_kk(1)])
    run = swr1("load", "kk", path)
    assert run.returncode == 65
    assert f"{path}:3: seen before: the same item as {path}:1" in run.stderr


def test_list_and_unknown_names(swr1, tmp_path):
    listed = swr1("load", "--list", check=True).stdout
    assert re.search(r"^kk +mem-kk, Logic-RL and reasoning-gym", listed, re.MULTILINE)
    run = swr1("load", "kkk", FILES / "mem_kk.jsonl")
    assert (run.returncode, "unknown loader 'kkk'. Did you mean 'kk'?" in run.stderr) == (2, True)
    run = swr1("load", "kk", FILES / "mem_kk.jsonl", "--set", "keep=true")
    assert (run.returncode, "Did you mean 'keep_prompt'" in run.stderr) == (2, True)


def test_a_loader_of_ones_own(swr1, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def load(row, upper=False):\n"
        "    text = row['q'].upper() if upper else row['q']\n"
        "    prompt = [{'role': 'user', 'content': text}]\n"
        "    return {'task': 'qa', 'prompt': prompt, 'answer': row['a'], 'info': {}}\n"
    )
    rows = b'{"q": "one and one?", "a": 2}\n'
    run = swr1(
        *["load", f"{tmp_path}/mine.py:load", "-", "--set", "upper=true"], stdin=rows, check=True
    )
    record = json.loads(run.stdout)
    assert record["prompt"][0]["content"] == "ONE AND ONE?"
    assert record["info"] == {"source": {"where": "stdin:1"}}
