"""`rollout --curriculum` before a trainer: it follows the pass rates, and goes on after a kill."""

import shutil
import subprocess
from collections import Counter

import orjson
import pytest

from swr1.pass_rates import PassRates
from swr1.policy import Policy
from tests.conftest import run_swr1
from tests.forked import start

BATCH, SAMPLES = 8, 2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curriculum")
    for args in (
        "gen-puzzles -n 60 --people 2-3 --wording terse --names few --trace hasty -o p.jsonl",
        "init-policy start p.jsonl --hidden 16 --layers 1 --heads 2",
    ):
        run_swr1(*args.split(), cwd=folder, check=True)
    return folder


def train(policy: Policy, world, steps: int) -> list[list[dict]]:
    """Be the trainer of `steps` batches: 2 people always pass, 3 half the time. Returns groups."""
    done = policy.meta()["groups_consumed"]
    rates = PassRates.load(policy.folder())
    with policy.lock():
        policy.announce(BATCH, 1, done, 0)
        line = "rollout p.jsonl --curriculum --max-lag 0 --max-tokens 2 --epochs 9 --batch 5"
        line += " --system-prompt logic-rl-terse"
        process = start(
            [*line.split(), "--policy", policy.name, "--samples", str(SAMPLES)],
            cwd=world,
            stdout=subprocess.PIPE,
        )
        batches = []
        for _ in range(steps):
            batch = [
                [orjson.loads(process.stdout.readline()) for _ in range(SAMPLES)]
                for _ in range(BATCH)
            ]
            version = policy.latest()
            for group in batch:
                assert {r["generation"]["policy"]["version"] for r in group} == {version}
                right = SAMPLES // (1 if group[0]["info"]["people"] == 2 else 2)
                rates.add(group[0]["id"], right, SAMPLES, version)
            done += BATCH
            batches.append([group[0] for group in batch])

            def save(folder):
                shutil.copytree(policy.folder(0), folder, dirs_exist_ok=True)
                (folder / "swr1.json").unlink()
                rates.save(folder)

            policy.publish(save, {"step": done // BATCH, "groups_consumed": done})
        process.kill()
        process.wait()
        process.stdout.close()
    return batches


def run(world, name: str, *parts: int) -> list[list[dict]]:
    """So many steps of a new policy; a kill of the rollout between the parts."""
    run_swr1("init-policy", name, "--from", "start", cwd=world, check=True)
    return [batch for steps in parts for batch in train(Policy(world / name), world, steps)]


def keys(batches) -> list[tuple[str, int]]:
    return [(r["id"], r["generation"]["epoch"]) for batch in batches for r in batch]


def test_it_follows_the_pass_rates(world):
    batches = run(world, "one", 7)
    late = Counter(r["info"]["people"] for batch in batches[4:] for r in batch)
    assert late[3] > 2 * late[2]
    assert len(set(keys(batches))) == 7 * BATCH


@pytest.mark.slow
def test_it_goes_on_after_a_kill_as_if_there_had_been_none(world):
    assert keys(run(world, "unbroken", 4)) == keys(run(world, "killed", 2, 2))


def test_without_a_trainer_to_follow_it_is_refused(world):
    done = run_swr1("rollout", "p.jsonl", "--policy", "start", "--curriculum", cwd=world)
    assert done.returncode == 2
    assert "--max-lag" in done.stderr


def test_the_end_of_the_input_comes_without_a_version_to_wait_for(world):
    """A trainer whose last group lacks a sample waits for the end: rollout must not wait for it."""
    run_swr1("init-policy", "ends", "--from", "start", cwd=world, check=True)
    policy = Policy(world / "ends")
    head = b"".join((world / "p.jsonl").read_bytes().splitlines(keepends=True)[:BATCH])
    line = "rollout --max-lag 0 --max-tokens 2 --system-prompt logic-rl-terse --wait 20 --policy"
    with policy.lock():
        policy.announce(BATCH, 1, 0, 0)
        done = run_swr1(*line.split(), "ends", stdin=head, cwd=world, check=True)
    assert done.stdout.count("\n") == BATCH
