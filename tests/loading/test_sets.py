"""How data sets are declared: columns checked, `info` filled, copies numbered."""

import json

import pytest

from swr1.picture_parts import what_it_is, with_parts
from tests.conftest import jsonl
from tests.loading.shapes import with_pictures

GSM8K = {"question": "One and one?", "answer": "1+1=<<1+1=2>>2\n#### 2"}


def write(path, rows):
    path.write_bytes(jsonl(rows))
    return path


def records(run):
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"question": "?", "anwser": "#### 2"},
            "no column 'answer'; found 'question', 'anwser'. Has the set changed? Rename 'anwser'"
            " to 'answer', or write a loader of your own. gsm8k has 'question', 'answer'",
        ),
        (
            {"id": "1", "prompt": "?", "type": "homonyms", "label": "safe"},
            "no column 'question', 'answer'; found 'id', 'prompt', 'type', 'label'. These are"
            " columns of `swr1 load xstest`",
        ),
        (["a", "list"], "not a row of gsm8k: an object with columns was expected"),
    ],
)
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_wrong_file_is_one_error(swr1, tmp_path, row, told, policy):
    path = write(tmp_path / "wrong.jsonl", [row] * 5)
    run = swr1("load", "gsm8k", path, "--on-error", policy)
    assert (run.returncode, run.stdout) == (65, "")
    assert run.stderr.count("wrong.jsonl") == 1
    assert f"{path}:1: not a" in run.stderr and told in run.stderr


def test_a_file_of_another_kind_is_one_error(swr1, tmp_path):
    (tmp_path / "LICENSE").write_text("Free for all.\nReally.\n")
    run = swr1("load", "gsm8k", tmp_path / "LICENSE", "--on-error", "skip")
    assert run.returncode == 65
    assert "LICENSE:1: broken JSON" in run.stderr and ".parquet, .csv" in run.stderr


def test_a_single_bad_row_is_dropped_by_the_policy(swr1, tmp_path):
    rows = [GSM8K, GSM8K | {"answer": "no gold"}, {"question": "?"}, GSM8K | {"question": ""}]
    path = write(tmp_path / "test.jsonl", rows)
    run = swr1("load", "gsm8k", path, "--on-error", "skip", check=True)
    assert len(records(run)) == 1
    for line, reason in ((2, "no gold: column"), (3, "unknown columns:"), (4, "no text: column")):
        assert f"{path}:{line}: {reason}" in run.stderr


def test_info_and_split(swr1, tmp_path):
    rows = [GSM8K | {"level": 3, "note": None}]
    (tmp_path / "train").mkdir()
    a, b = write(tmp_path / "gsm.jsonl", rows), write(tmp_path / "train" / "x.jsonl", rows)
    (record,) = records(swr1("load", "gsm8k", a, check=True))
    assert record["answer"] == "2" and record["prompt"] == [
        {"role": "user", "content": "One and one?"}
    ]
    assert record["info"] == {
        "dataset": "gsm8k",
        "split": "test",
        "licence": "MIT",
        "citation": "arXiv:2110.14168",
        "level": 3,
        "solution": "1+1=<<1+1=2>>2",
        "source": {"where": f"{a}:1"},
    }
    assert records(swr1("load", "gsm8k", b, check=True))[0]["info"]["split"] == "train"
    mine = swr1("load", "gsm8k", b, "--split", "mine", check=True)
    assert records(mine)[0]["info"]["split"] == "mine"


def test_copies_are_numbered_within_a_file_and_refused_across_files(swr1, tmp_path):
    a = write(tmp_path / "a.jsonl", [GSM8K, GSM8K, GSM8K | {"question": "Else?"}, GSM8K])
    ids = [r["id"] for r in records(swr1("load", "gsm8k", a, check=True))]
    assert [name.replace(ids[0], "*") for name in ids] == ["*", "*-2", ids[2], "*-3"]
    halves = [
        record["id"]
        for shard in ("0/2", "1/2")
        for record in records(swr1("load", "gsm8k", a, "--shard", shard, check=True))
    ]
    assert sorted(halves) == sorted(ids)
    b = write(tmp_path / "b.jsonl", [GSM8K])
    run = swr1("load", "gsm8k", a, b)
    assert run.returncode == 65 and f"{b}:1: seen before: the same item as {a}:" in run.stderr


def test_shards_with_bad_rows_merge_to_the_whole(swr1, tmp_path):
    """Every shard reads all rows, to number copies; a bad one is a gap in its own shard alone."""
    rows = [
        GSM8K | {"question": f"{i}?"} | ({"answer": "no gold"} if i % 3 == 1 else {})
        for i in range(14)
    ]
    args = ["load", "gsm8k", write(tmp_path / "a.jsonl", rows), "--on-error", "skip"]
    whole = [r["prompt"] for r in records(swr1(*args, check=True))]
    assert len(whole) == 9
    for shard in ("0/2", "1/2"):
        swr1(*args, "--shard", shard, "-o", f"{tmp_path}/parts/", check=True)
    merged = records(swr1("merge", f"{tmp_path}/parts/", check=True))
    assert [r["prompt"] for r in merged] == whole


def test_shards_of_rows_with_several_items_merge_to_the_whole(swr1, tmp_path):
    rows = [
        {
            "safe_image_path": f"s{i}.png",
            "unsafe_image_path": f"u{i}.png",
            "queries": ["Go?", "Stay?"][: 1 + i % 2],
        }
        for i in range(7)
    ]
    path = write(tmp_path / "chat.jsonl", with_pictures(tmp_path / "chat", rows))
    whole = records(swr1("load", "mssbench", path, check=True))
    assert len(whole) == 20
    for shard in ("0/2", "1/2"):
        swr1("load", "mssbench", path, "--shard", shard, "-o", f"{tmp_path}/parts/", check=True)
    merged = records(swr1("merge", f"{tmp_path}/parts/", check=True))
    alike = [
        [r | {"trail": 0, "prompt": placeless(r["prompt"])} for r in some]
        for some in (merged, whole)
    ]
    assert alike[0] == alike[1]


def placeless(prompt):
    """Where the pictures of a prompt lie differs: each output keeps its own."""
    return with_parts(prompt, what_it_is)
