"""What a person sets for a recipe reaches its stages, with paths of the caller's folder."""

import os
import subprocess

import pytest

from tests.conftest import SWR1
from tests.recipes.conftest import RECIPES

LOGIC_RL = RECIPES / "logic-rl.sh"


def test_a_variation_is_one_line(fake):
    (fake.folder / "mine").mkdir()
    for name in ("names.txt", "reward.py", "prompt.txt"):
        (fake.folder / "mine" / name).write_text("x")
    done = fake(
        LOGIC_RL,
        "smoke",
        PEOPLE="2-4",
        NAMES="mine/names.txt",
        PROMPT="./mine/prompt.txt",
        VERIFIERS="format knights ./mine/reward.py:check",
        REWARD="../work/mine/reward.py:reward",
        STEPS="7",
    )
    mine = f"{fake.folder}/mine"
    calls = [c for c in fake.calls() if "--dry-run" not in c]

    def of(*words):
        return [c for c in calls if all(word in c.split() for word in words)]

    assert [c for c in of("gen-puzzles") if f"--names {mine}/names.txt" not in c] == []
    sizes = [c.split("--people ")[1].split()[0] for c in of("gen-puzzles")]
    assert sizes == ["2-4", "2-4", "5", "2", "3", "4"]
    counts = [c.split(" -n ")[1].split()[0] for c in of("gen-puzzles", "hasty")]
    assert counts == ["400", "800", "1200"]
    assert len(of("rollout", f"{mine}/prompt.txt")) == len(of("rollout")) == 9
    assert of("reward", f"{fake.folder}/../work/mine/reward.py:reward")
    assert of("verify", "format", "knights", f"{mine}/reward.py:check")
    assert of("train-step", "sft", f"{mine}/prompt.txt") and of("train-step", "grpo", "7")
    assert of("eval", "--trained", "2,3,4")
    name = (
        "runs/logic-rl-smoke-0-people-2-4-names-names-prompt-prompt-verifiers-reward-reward-reward"
    )
    assert name in done.stdout and (fake.folder / name).is_dir()


def test_records_and_a_model_of_ones_own(fake):
    for name in ("train.jsonl", "test.jsonl"):
        (fake.folder / name).write_text("")
    (fake.folder / "kk").mkdir()
    fake(LOGIC_RL, "laptop", DATA="train.jsonl", TEST="./test.jsonl", MODEL="kk", RUN="out")
    calls = [c for c in fake.calls() if "--dry-run" not in c]
    assert f"swr1 merge {fake.folder}/train.jsonl -o prompts.jsonl" in calls
    assert f"swr1 merge {fake.folder}/test.jsonl -o held-out.jsonl" in calls
    assert f"swr1 init-policy start --from {fake.folder}/kk" in calls
    assert not [
        c for c in calls if "gen-puzzles" in c or "unseen" in c or "--trained" in c or "--seen" in c
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PEOPLE", "some"),
        ("PEOPLE", "3-2"),
        ("STEPS", "0"),
        ("HELD_OUT", "1.5"),
        ("DATA", "none.jsonl"),
        ("REWARD", "./none.py:reward"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(fake, variable, value):
    (fake.programs / "swr1").write_text(
        '#!/bin/bash\n[ "$*" = "gen-puzzles --people 3-2 --dry-run" ] || [ $1 = reward ] || exit 0\n'
        "echo 'swr1 STAGE: error: no such thing' >&2; exit 2\n"
    )
    done = fake(LOGIC_RL, "smoke", check=False, **{variable: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"logic-rl.sh: {variable}=") and done.stderr.count("\n") == 1
    assert not (fake.folder / "runs").exists()


def test_help_lists_the_variables(fake):
    text = fake(LOGIC_RL, "--help").stdout
    for name in ("PEOPLE", "NAMES", "REWARD", "VERIFIERS", "PROMPT", "DATA", "STEPS"):
        assert f"\n  {name}=" in text or f" {name}=" in text
    assert "set -euo" not in text and not text.startswith("#!")


@pytest.mark.slow  # two minutes: it trains
def test_a_variation_runs(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join("Ada Ben Cleo Dan Eva Finn".split()))
    (tmp_path / "mine.py").write_text(
        "def reward(record):\n    return float(len(record['completion']) % 3)\n"
    )
    variables = {"PEOPLE": "2-4", "NAMES": "names.txt", "REWARD": "./mine.py:reward"}
    env = {**os.environ, **variables, "PATH": f"{SWR1.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [LOGIC_RL, "smoke"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = (tmp_path / "runs").iterdir()
    table = (run / "table.txt").read_text()
    assert "5 unseen" in table and "people 2, 3, 4 (trained)" in table
