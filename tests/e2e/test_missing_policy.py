"""A policy's folder that is not there is named as such, with the command that makes it."""

import pytest

from tests.conftest import jsonl, run_swr1

RECORD = {"id": "a", "prompt": [{"role": "user", "content": "hi"}], "sample": 0, "completion": "x"}


def test_a_server_without_a_policy_says_what_it_is_for(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl([RECORD]))
    done = run_swr1("rollout", tmp_path / "a.jsonl", "--url", "http://localhost:1/v1")
    assert done.returncode == 2 and "--url serves" in done.stderr
    assert "--served-model" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "rollout a.jsonl --policy runs/kk",
        "rollout a.jsonl --policy runs/kk --max-lag 1",
        "rollout a.jsonl --policy kk --max-lag 1",
        "rollout a.jsonl --policy old/kk",
        "train-step grpo a.jsonl --policy runs/kk",
        "view runs/kk",
        "view a.jsonl -n 1 --tokenizer runs/kk",
        "status runs/kk",
        "plan --from-run runs/kk",
        "plan --model runs/kk",
        "analyze a.jsonl --tokenizer runs/kk",
        "plot runs/kk",
    ],
)
def test_every_command_says_how_a_policy_is_made(command, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(jsonl([RECORD]))
    (tmp_path / "old").mkdir()
    done = run_swr1(*command.split(), cwd=tmp_path)
    name = next(word for word in command.split() if word.endswith("kk"))
    said = f"{name}: no such folder; make a policy with: swr1 init-policy {name} puzzles.jsonl (a small"
    assert done.returncode in (2, 65)
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
