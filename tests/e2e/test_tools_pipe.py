"""RL of a policy that calls tools, as one shell line that is killed: the same weights, bit for bit."""

import signal
import subprocess

import pytest

from tests.chaos.pipe import read_rows, wait_until
from tests.conftest import SWR1, jsonl, load, run_swr1
from tests.forked import pipeline, start_pipeline

STEPS = 5
PEOPLE = ("Ada", "Gus", "Mia", "Leo")
TOWNS = ("dover", "paris", "rome", "oslo")
QUESTIONS = [
    {
        "v": 1,
        "id": f"q{n}",
        "task": "facts",
        "prompt": [{"role": "user", "content": f"where is {PEOPLE[n % 4]} {PEOPLE[n // 4]} ?"}],
        "answer": TOWNS[n % 4],
    }
    for n in range(12)
]
DOCUMENTS = [
    {"title": person, "text": f"{person} is in {town} ."}
    for person, town in zip(PEOPLE, TOWNS, strict=True)
]
# Every sample that arrives is noted; the reward differs within a group, so that weights move.
REWARD = """
import json


def reward(record):
    turns = [turn["kind"] for turn in record["generation"]["turns"]]
    note = [record["id"], record["sample"], record["completion"], turns]
    with open("seen.jsonl", "a") as file:
        file.write(json.dumps(note) + "\\n")
    value = len(set(record["completion"].split())) / 10 + turns.count("read")
    return {"reward": value, "reward_parts": {"words": {"value": value, "weight": 1.0}}}
"""


def line(policy: str) -> str:
    return (
        f"{SWR1} rollout questions.jsonl --policy {policy} --max-lag 0 --shuffle --epochs 9"
        " --samples 4 --max-tokens 24 --batch 4 --system-prompt none --max-turns 2"
        " --tools search --index index --top 2 --max-passage-tokens 6"
        f" | {SWR1} verify format --set format.grader=tools | {SWR1} reward ./noting.py:reward"
        f" | {SWR1} train-step grpo --policy {policy} --batch 4 --lr 1e-2 --steps {STEPS} --kl 0.01"
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    (folder / "questions.jsonl").write_bytes(jsonl(QUESTIONS))
    (folder / "documents.jsonl").write_bytes(jsonl(DOCUMENTS))
    (folder / "noting.py").write_text(REWARD)
    for args in (
        "index documents.jsonl -o index",
        "init-policy start questions.jsonl --hidden 32 --layers 2 --heads 2 --tools search",
        "init-policy unbroken --from start",
        "init-policy killed --from start",
    ):
        run_swr1(*args.split(), cwd=folder, check=True)
    return folder


def test_a_run_with_tools_that_is_killed_and_resumed(world):
    done = pipeline(line("unbroken"), world)
    assert done.returncode == 0, done.stderr
    seen = load(world / "seen.jsonl")
    assert len(seen) >= 16 * STEPS
    kinds = [kind for *_, turns in seen for kind in turns]
    assert kinds.count("read") > 3 and kinds.count("failed") > 3  # else equality would prove less
    rows = read_rows(world / "unbroken")
    assert all(row["grad_norm"] > 0 and row["lag_max"] == 0 for row in rows)
    assert all(abs(row["ratio_mean"] - 1) < 1e-4 for row in rows)
    assert max(max(row["ratio_max"] - 1, 1 - row["ratio_min"]) for row in rows) < 1e-3

    for step in (1, 3):
        stages = start_pipeline(line("killed"), world, subprocess.DEVNULL)
        try:
            wait_until(lambda n=step: len(read_rows(world / "killed")) >= n, 100, "a step")
        finally:
            for stage in stages:
                stage.kill()
        assert {stage.wait() for stage in stages} == {-signal.SIGKILL}
    assert len(read_rows(world / "killed")) < STEPS
    done = pipeline(line("killed"), world)
    assert done.returncode == 0, done.stderr
    assert read_rows(world / "killed") == rows
    weights = [
        (world / name / "latest" / "model.safetensors").read_bytes()
        for name in ("killed", "unbroken")
    ]
    assert weights[0] == weights[1]
    again = load(world / "seen.jsonl")[len(seen) :]
    assert {*map(str, seen[: 16 * STEPS])} <= {*map(str, again)}
