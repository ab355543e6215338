"""The whole of RL as one shell line: on-policy through the pipe, and it goes on after a kill."""

import shutil
import signal
import subprocess
import time

import pytest

from swr1.pass_rates import PassRates
from tests.chaos.pipe import Pipe, read_rows, wait_until
from tests.conftest import SWR1, VARIED_REWARD, load, run_swr1
from tests.forked import pipeline, start_pipeline

STEPS = 4


def line(policy: str) -> str:
    return (
        f"{SWR1} rollout prompts.jsonl --policy {policy} --max-lag 0 --shuffle"
        " --epochs 9 --samples 4 --max-tokens 24 --batch 4 --system-prompt logic-rl-terse"
        f" | {SWR1} verify format knights | {SWR1} reward ./varied.py:reward"
        f" | {SWR1} train-step grpo --policy {policy} --batch 4 --lr 1e-2 --steps {STEPS} --kl 0"
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipe")
    (folder / "varied.py").write_text(VARIED_REWARD)
    for args in (
        "gen-puzzles -n 12 --people 2 --wording terse --names few --trace hasty -o prompts.jsonl",
        "init-policy start prompts.jsonl --hidden 32 --layers 2 --heads 2",
        "init-policy unbroken --from start",
        "init-policy killed --from start",
    ):
        run_swr1(*args.split(), cwd=folder, check=True)
    done = pipeline(line("unbroken"), folder)
    assert done.returncode == 0, done.stderr
    for row in load(folder / "unbroken" / "metrics.jsonl"):
        assert row["grad_norm"] > 0  # else equal weights would prove nothing
    return folder


def test_every_sample_comes_from_the_version_it_trains(world):
    rows = load(world / "unbroken" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert all(row["lag_max"] == 0 for row in rows)
    assert all(abs(row["ratio_mean"] - 1) < 1e-4 for row in rows)
    assert max(abs(row["ratio_max"] - 1) for row in rows) < 1e-3


def test_each_version_says_how_often_prompts_passed(world):
    """What `rollout --curriculum` draws by: all groups the trainer took, none of them right."""
    for version in (2, 4):  # older ones are not kept
        rates = PassRates.load(world / "unbroken" / "versions" / f"{version:06d}")
        assert sum(rates.visits(id_) for id_ in rates.prompts) == 4 * version
        assert {rates.recent(id_, version)[0] for id_ in rates.prompts} == {0}


def test_a_finished_run_is_left_alone(world):
    before = (world / "unbroken" / "latest" / "model.safetensors").read_bytes()
    done = pipeline(line("unbroken"), world, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "is done already" in done.stderr
    assert (world / "unbroken" / "latest" / "model.safetensors").read_bytes() == before


def test_a_trainer_that_stops_reading_and_then_all_processes_killed(world):
    """Started again, the weights are those of the unbroken run, bit for bit."""
    metrics = world / "killed" / "metrics.jsonl"
    stages = start_pipeline(line("killed"), world, subprocess.DEVNULL)
    try:
        wait_until(lambda: read_rows(world / "killed"), 100, "a step")
        stages[-1].send_signal(signal.SIGSTOP)
        time.sleep(1)
        before = len(read_rows(world / "killed"))
        stages[-1].send_signal(signal.SIGCONT)
        wait_until(lambda: len(read_rows(world / "killed")) > before, 100, "the next step")
    finally:
        for stage in stages:
            stage.kill()
    assert {stage.wait() for stage in stages} == {-signal.SIGKILL}
    assert len(load(metrics)) < STEPS
    done = pipeline(line("killed"), world)
    assert done.returncode == 0, done.stderr
    weights = [
        (world / p / "latest" / "model.safetensors").read_bytes() for p in ("killed", "unbroken")
    ]
    assert weights[0] == weights[1]
    assert read_rows(world / "killed") == read_rows(world / "unbroken")


SKIPPING = VARIED_REWARD.replace(
    "def reward(record):\n",
    """
from zlib import crc32

def reward(record):
    luck = crc32(f"{record['id']}/{record['generation']['epoch']}".encode())
    if luck % 5 == 0 or (luck % 3 == 0 and record["sample"] == 3):
        return {"reward": None, "reward_parts": {}, "error": "unsure"}
""",
)


def test_samples_that_are_dropped_on_the_way_hold_nothing_up(world):
    """At K=0, where all wait for a full batch: whole groups of them, and the last sample of some."""
    (world / "skipping.py").write_text(SKIPPING)
    run_swr1(*"init-policy lossy --from start".split(), cwd=world, check=True)
    text = line("lossy").replace("./varied.py:reward", "./skipping.py:reward --on-null skip")
    done = pipeline(text, world)
    assert done.returncode == 0, done.stderr
    assert "in a group that never completed" in done.stderr
    rows = load(world / "lossy" / "metrics.jsonl")
    assert [(row["step"], row["lag_max"], row["samples"]) for row in rows] == [
        (step, 0, 16) for step in (1, 2, 3, 4)
    ]
    lost = 0
    for row in rows:
        lost += row["dropped_incomplete"]
        assert row["groups_consumed"] == 4 * row["step"] + lost
    assert lost > 4


def start(world, name: str, text: str | None = None) -> Pipe:
    """Begin the line (or `text`) on a fresh policy of this name."""
    run_swr1("init-policy", name, "--from", "start", cwd=world, check=True)
    return Pipe(f"set -o pipefail; {text or line(name)}", world)


def complaints(said: str) -> list[str]:
    assert "Traceback" not in said
    return [text for text in said.splitlines() if "error" in text]


@pytest.mark.slow
def test_the_policy_folder_is_deleted_under_way(world):
    with start(world, "gone", line("gone").replace(f"--steps {STEPS}", "--steps 999")) as running:
        wait_until(lambda: len(read_rows(world / "gone")) > 1, 100, "two steps")
        shutil.rmtree(world / "gone", ignore_errors=True)
        assert running.wait(60) != 0
        said = running.said()
    told = complaints(said)
    assert {text.partition(": ")[0] for text in told} <= {"swr1 rollout", "swr1 train-step"}
    assert len(told) <= 2 and all("the policy folder gone vanished" in text for text in told)
    assert not (world / "gone" / "versions").exists()


@pytest.mark.slow
def test_the_line_ends_although_tee_does_not_notice_the_end_of_the_trainer(world):
    text = line("teed").replace("| ", "| tee seen.jsonl | ", 1) + " | cat"
    with start(world, "teed", text) as running:
        assert running.wait(100) == 0, running.said()
        assert not complaints(running.said())
    assert len(read_rows(world / "teed")) == STEPS
    assert len(load(world / "seen.jsonl")) >= STEPS * 16


@pytest.mark.slow
def test_a_killed_trainer_behind_tee_is_missed(world):
    text = line("orphaned").replace("| ", "| tee seen.jsonl | ", 1)
    with start(world, "orphaned", text) as running:
        wait_until(lambda: read_rows(world / "orphaned"), 100, "a step")
        running.kill(("train-step",))
        assert running.wait(60) != 0
        told = complaints(running.said())
    assert len(told) <= 1 and all("start the whole pipe again" in text for text in told)
