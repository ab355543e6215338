"""RL with weights that come while completions are under way: nothing lost or doubled, the bound kept."""

import json
import signal
import subprocess

import pytest

from swr1.records import versions_of
from tests.chaos.pipe import read_rows, wait_until
from tests.conftest import SWR1, VARIED_REWARD, load, run_swr1
from tests.forked import pipeline, start_pipeline

STEPS = 8


# Every record that passes the reward is noted in a file.
NOTING = """
import json

def note(record):
    with open("{seen}", "a") as file:
        file.write(json.dumps(record) + "\\n")
"""


NOTED = VARIED_REWARD.replace("def reward(record):\n", "def reward(record):\n    note(record)\n")


def line(world, policy: str, seen: str, lag: int = 1, more: str = "", fewer: bool = False) -> str:
    end = "--allow-fewer-steps --steps 99" if fewer else f"--steps {STEPS}"
    epochs = 1 if fewer else 9
    (world / f"{seen}.py").write_text(NOTING.format(seen=f"{seen}.jsonl") + NOTED)
    return (
        f"{SWR1} rollout prompts.jsonl --policy {policy} --max-lag {lag} --shuffle --epochs {epochs}"
        f" --samples 2 --max-tokens 60 --batch 4 --system-prompt logic-rl-terse {more}"
        f" | {SWR1} verify format knights | {SWR1} reward ./{seen}.py:reward"
        f" | {SWR1} train-step grpo --policy {policy} --batch 4 --lr 1e-2 --kl 0 {end}"
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in-flight")
    for args in (
        "gen-puzzles -n 48 --people 2 --wording terse --names few --trace hasty -o prompts.jsonl",
        "init-policy start prompts.jsonl --hidden 32 --layers 2 --heads 2",
    ):
        run_swr1(*args.split(), cwd=folder, check=True)
    return folder


def policy(world, name: str) -> str:
    run_swr1("init-policy", name, "--from", "start", cwd=world, check=True)
    return name


def seen_groups(world, file: str) -> list[tuple[str, int]]:
    """(id, epoch) in the order of coming, each as often as its samples came in one piece."""
    text = (world / file).read_text()
    records = [json.loads(row) for row in text.splitlines()[: text.count("\n")] if row.strip()]
    keys = [(r["id"], r["generation"]["epoch"], r["sample"]) for r in records]
    return [
        key[:2] for key, other in zip(keys[::2], keys[1::2], strict=False) if key[:2] == other[:2]
    ]


@pytest.mark.parametrize("more", ["", "--recompute-cache", "--order finished"])
def test_versions_come_under_way_and_the_bound_holds(world, more):
    name = policy(world, f"p{len(more)}")
    done = pipeline(line(world, name, name, more=more), world)
    assert done.returncode == 0, done.stderr
    assert "versions taken with completions under way" in done.stderr
    rows = load(world / name / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert max(row["lag_max"] for row in rows) == 1
    mixed = [row["lag_shares"] for row in rows if len(row["lag_shares"]) > 1]
    assert mixed and all(sum(shares.values()) == pytest.approx(1) for shares in mixed)
    records = [json.loads(text) for text in (world / f"{name}.jsonl").read_text().splitlines()[:64]]
    runs = [versions_of(r["generation"]) for r in records]
    assert any(runs) and all(len(run) != 1 for run in runs)
    groups = seen_groups(world, f"{name}.jsonl")
    assert len(groups) == len(set(groups)) >= 4 * STEPS


def test_weights_between_blocks_as_before(world):
    name = policy(world, "between")
    done = pipeline(line(world, name, "between", more="--weights between"), world)
    assert done.returncode == 0, done.stderr
    assert "under way" not in done.stderr and "the engine was idle" in done.stderr
    assert all("versions" not in r["generation"] for r in load(world / "between.jsonl"))


@pytest.mark.parametrize("order", ["input", "finished"])
def test_killed_and_started_again_each_prompt_is_trained_on_once(world, order):
    """Also where groups left out of order: what the trainer used are then not the first prompts."""
    name = policy(world, f"killed-{order}")
    more = f"--order {order} --wait 60"
    stages = start_pipeline(
        line(world, name, "first-" + order, 2, more, fewer=True), world, subprocess.DEVNULL
    )
    try:
        wait_until(lambda: len(read_rows(world / name)) >= 3, 100, "three steps")
    finally:
        for stage in stages:
            stage.send_signal(signal.SIGKILL)
    for stage in stages:
        stage.wait()
    used = read_rows(world / name)[-1]["groups_consumed"]
    first = seen_groups(world, f"first-{order}.jsonl")[:used]
    done = pipeline(line(world, name, "then-" + order, 2, more, fewer=True), world)
    assert done.returncode == 0, done.stderr
    plan = json.loads((world / name / "trainer" / "plan.json").read_text())
    first, then = first[: plan["consumed"]], seen_groups(world, f"then-{order}.jsonl")
    everyone = {(r["id"], 0) for r in load(world / "prompts.jsonl")}
    assert len(first) == plan["consumed"] and not set(first) & set(then)
    assert set(first) | set(then) == everyone and len(first) + len(then) == len(everyone)
    assert max(row["lag_max"] for row in read_rows(world / name)) <= 2


def test_options_that_speak_of_versions_that_never_come(world):
    for args, said in (
        ("--order finished", "--order finished needs --max-lag 1 or more"),
        ("--max-lag 0 --weights in-flight", "--weights in-flight needs --max-lag 1 or more"),
        ("--max-lag 1 --order up", "--order is input or finished"),
        ("--max-lag 1 --weights now", "--weights is in-flight or between"),
        ("--max-lag 1 --weights between --recompute-cache", "do not go together"),
    ):
        done = run_swr1(*f"rollout prompts.jsonl --policy start {args}".split(), cwd=world)
        assert done.returncode == 2 and said in done.stderr
