"""Shards merged equal the unsharded run; what is missing, doubled or changed is refused by name."""

import shutil

import orjson
import pytest

from tests.conftest import jsonl, load, run_swr1
from tests.forked import start_pipeline

ROLLOUT = (
    "rollout prompts.jsonl --policy p0 --samples 2 --max-tokens 20 --batch 2 --threads 1"
    " --system-prompt logic-rl-terse"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    puzzles = "gen-puzzles --people 3 --wording terse --names few"
    for line in (
        f"{puzzles} -n 11 -o prompts.jsonl",
        "init-policy p0 prompts.jsonl --hidden 32 --layers 2 --heads 2",
        f"{ROLLOUT} -o whole.jsonl",
        *(f"{ROLLOUT} -o shards/ --shard {i}/3" for i in range(3)),
        f"{puzzles} -n 50 -o puzzles.jsonl",
        *(f"{puzzles} -n 50 -o pieces/ --shard {i}/4" for i in range(4)),
    ):
        run_swr1(*line.split(), cwd=folder, check=True)
    return folder


def without_merge(path):
    records = load(path)
    for record in records:
        record["trail"].pop("merge", None)
    return records


def test_rollout_shards_merge_into_the_unsharded_run(world):
    """The bits too: a block of prompts is never split, so its batch is the same."""
    run_swr1(*"merge shards -o merged.jsonl".split(), cwd=world, check=True)
    assert without_merge(world / "merged.jsonl") == load(world / "whole.jsonl")


def test_puzzle_shards_merge_into_the_unsharded_run(world):
    run_swr1(*"merge pieces -o pieces.parquet".split(), cwd=world, check=True)
    run_swr1(*"merge pieces.parquet -o pieces.jsonl".split(), cwd=world, check=True)
    assert without_merge(world / "pieces.jsonl") == load(world / "puzzles.jsonl")


def test_stages_read_a_shard_folder_in_the_order_of_the_unsharded_run(world):
    """Array after array, without a merge between them; 2 shards of what 3 wrote."""
    for i in range(2):
        run_swr1(*f"verify format shards -o judged/ --shard {i}/2".split(), cwd=world, check=True)
    sharded = run_swr1(*"verify format judged".split(), cwd=world, check=True).stdout
    whole = run_swr1(*"verify format whole.jsonl".split(), cwd=world, check=True).stdout
    assert sharded == whole


def test_shards_that_overlap_are_named(world, tmp_path):
    folder = broken(world, tmp_path)
    first, second = folder / "00000-of-00003.jsonl", folder / "00001-of-00003.jsonl"
    lines = second.read_bytes().splitlines(keepends=True)
    lines[0] = first.read_bytes().splitlines(keepends=True)[0]
    second.write_bytes(b"".join(lines))
    done = run_swr1("merge", "shards", cwd=tmp_path)
    assert done.returncode == 65
    assert "stands at shards/00000-of-00003.jsonl:1 already: these shards overlap" in done.stderr
    assert "shards/00001-of-00003.jsonl:1: " in done.stderr


def broken(world, tmp_path):
    shutil.copytree(world / "shards", tmp_path / "shards")
    return tmp_path / "shards"


def test_a_record_that_is_gone_is_missed(world, tmp_path):
    shard = broken(world, tmp_path) / "00001-of-00003.jsonl"
    shard.write_bytes(b"".join(shard.read_bytes().splitlines(keepends=True)[:-1]))
    done = run_swr1("merge", "shards", cwd=tmp_path)
    assert done.returncode == 65
    assert "00001-of-00003.jsonl: holds 7 records, its marker says 8" in done.stderr


def test_a_shard_that_is_gone_is_named(world, tmp_path):
    (broken(world, tmp_path) / "00002-of-00003.jsonl").unlink()
    done = run_swr1("merge", "shards", cwd=tmp_path)
    assert (done.returncode, "shards 2 of 3 are missing" in done.stderr) == (65, True)


def test_overlap_is_refused(world):
    done = run_swr1("merge", "whole.jsonl", "shards", cwd=world)
    assert done.returncode == 65
    assert "stands at whole.jsonl:1 already" in done.stderr


def test_an_incomplete_group_is_refused_unless_partial(world, tmp_path):
    records = load(world / "whole.jsonl")[:-1]
    (tmp_path / "a.jsonl").write_bytes(jsonl(records))
    done = run_swr1("merge", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 65
    assert f"id {records[-1]['id']} (epoch 0), which lacks the samples 1" in done.stderr
    done = run_swr1("merge", "a.jsonl", "--partial", cwd=tmp_path, check=True)
    assert len(done.stdout.splitlines()) == len(records)


def test_other_options_in_one_folder_are_refused(world):
    done = run_swr1(*f"{ROLLOUT} --seed 5 -o shards/ --shard 0/3".split(), cwd=world)
    assert (done.returncode, "other options" in done.stderr) == (2, True)


def test_a_policy_without_a_marker_is_refused(world, tmp_path):
    shutil.copytree(world / "p0", tmp_path / "p0", symlinks=True)
    (tmp_path / "p0" / "versions" / "000000" / "swr1.json").unlink()
    shutil.copy(world / "prompts.jsonl", tmp_path)
    done = run_swr1(*ROLLOUT.split(), cwd=tmp_path)
    assert done.returncode == 65
    assert "swr1 init-policy" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_record_of_a_pipe_and_a_reader_that_leaves(world):
    line = (
        "swr1 gen-puzzles -n 50 --people 3 --wording terse --names few"
        " | swr1 rollout --policy p0 --max-tokens 20 --system-prompt logic-rl-terse"
        " | swr1 verify format knights | swr1 reward logic-rl"
    )
    with open(world / "said.txt", "wb") as said:
        stages = start_pipeline(line, world, said)
        rewards = [orjson.loads(stages[-1].stdout.readline())["reward"] for _ in range(5)]
        stages[-1].stdout.close()
        assert [stage.wait(120) for stage in stages] == [0] * 4
    assert set(rewards) <= {-3.0, -1.0, -0.5, 3.0}
    said = (world / "said.txt").read_text()
    assert all(x.startswith("swr1 ") for x in said.splitlines()), said


def test_a_shard_that_a_glob_does_not_name_is_missed(world, tmp_path):
    shards = broken(world, tmp_path)
    files = sorted(shards.glob("*.jsonl"))
    done = run_swr1("merge", *files[:2], cwd=tmp_path)
    assert done.returncode == 65, done.stderr
    assert "shards 00002-of-00003.jsonl are not among the files" in done.stderr
    run_swr1("merge", *files[:2], "--partial", cwd=tmp_path, check=True)
    run_swr1("merge", *files, cwd=tmp_path, check=True)
    files[2].unlink()
    done = run_swr1("merge", "shards/*.jsonl", cwd=tmp_path)
    assert (done.returncode, "shards 2 of 3 are missing" in done.stderr) == (65, True)
