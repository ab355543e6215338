"""Which system prompt a rollout puts before its prompts, through the real command line."""

import json
from pathlib import Path

import pytest

from swr1.prompts import Prompt, as_facts
from tests.conftest import jsonl, run_swr1
from tests.engines.tiny_policy import save_policy

PIRATE = Prompt("pirate", "Is it a pirate ?", "yes")
PUZZLE = {
    "id": "p",
    "task": "knights",
    "prompt": [{"role": "user", "content": "is zoey a knight ?"}],
}
QUESTION = PUZZLE | {"id": "q", "task": "math"}


@pytest.fixture
def policy(tmp_path):
    return save_policy(tmp_path / "kk", 0)


def rollout(policy, *options, records=(PUZZLE, QUESTION), **more):
    line = ("rollout", "--policy", policy, "--max-tokens", 2, "--max-unknown", 1, *options)
    done = run_swr1(*line, stdin=jsonl(records), **more)
    return done, [json.loads(line)["generation"] for line in done.stdout.splitlines()]


def test_by_default_a_task_has_its_own_and_the_record_says_so(policy):
    done, (puzzle, question) = rollout(policy, check=True)
    assert [g["system_prompt"]["name"] for g in (puzzle, question)] == ["logic-rl", "none"]
    assert [g["prefill"] for g in (puzzle, question)] == ["<think>", ""]
    assert len(puzzle["prompt_ids"]) > 90 > len(question["prompt_ids"])
    assert "warning" not in done.stderr


def test_a_policy_remembers_and_an_option_goes_before(policy):
    marker = {"stage": "sft", "system_prompt": as_facts(PIRATE)}
    policy_file = Path(policy, "swr1.json")
    policy_file.write_text(json.dumps(marker))
    done, both = rollout(policy, check=True)
    assert {json.dumps(g["system_prompt"]) for g in both} == {json.dumps(as_facts(PIRATE))}
    assert {g["prefill"] for g in both} == {"yes"}
    assert done.stderr.count("the system prompt is pirate, with which") == 2  # once for each task
    done, both = rollout(policy, "--system-prompt", "none", check=True)
    assert {g["system_prompt"]["name"] for g in both} == {"none"}
    assert done.stderr.count("was trained with the system prompt pirate; none is used here") == 1
    policy_file.write_text("[]")
    done, _ = rollout(policy)
    assert done.returncode == 65 and "the marker is not a JSON object" in done.stderr


def test_another_prompt_makes_other_records_and_no_run_goes_on_with_it(policy, tmp_path):
    out = tmp_path / "out.jsonl"
    mine = tmp_path / "mine.txt"
    mine.write_text("Be brief.")
    (tmp_path / "in.jsonl").write_bytes(jsonl([QUESTION]))
    line = (tmp_path / "in.jsonl", "-o", out, "--system-prompt", mine)
    rollout(policy, *line, check=True)
    done, _ = rollout(policy, *line, check=True)
    assert "nothing to do" in done.stderr
    mine.write_text("Be long.")  # the same name, another text
    done, _ = rollout(policy, *line)
    assert "nothing to do" not in done.stderr


def test_unknown_tokens_stop_a_rollout_before_it_generates(policy):
    words = PUZZLE | {"task": "qa", "prompt": [{"role": "user", "content": "is Hugo a knight ?"}]}
    done, out = rollout(policy, "--max-unknown", 0.05, records=[words])
    assert done.returncode == 65 and not out and "Traceback" not in done.stderr
    assert "'Hugo'" in done.stderr and "go on with --max-unknown 1" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "rollout a.jsonl --policy nosuch",
        "verify safety a.jsonl --guard nosuch",
        "verify helpful a.jsonl --set helpful.guard=nosuch",
        "init-policy new --from nosuch",
        "plan --model nosuch",
        "view a.jsonl -n 1 --tokenizer nosuch",
        "eval a.jsonl --policy nosuch",
        "perturb names a.jsonl --policy nosuch",
        "export trl a.jsonl --policy nosuch",
        "train-step guard a.jsonl --policy new --start nosuch",
    ],
)
def test_a_name_that_is_no_folder_is_not_looked_for_on_the_network(line, tmp_path):
    record = PUZZLE | {"sample": 0, "completion": "x"}
    (tmp_path / "a.jsonl").write_bytes(jsonl([record]))
    done = run_swr1(*line.split(), cwd=tmp_path, env={"HF_HUB_OFFLINE": "0"})
    assert done.returncode in (1, 2, 65), done.stderr
    assert "nosuch" in done.stderr and "Retrying" not in done.stderr, done.stderr
    assert "huggingface" not in done.stderr.lower()


def test_a_url_implies_the_engine(tmp_path):
    done = run_swr1(
        *"rollout --policy tiny --url http://127.0.0.1:9 --retry-for 0".split(),
        stdin=jsonl([QUESTION]),
    )
    assert "has no option 'url'" not in done.stderr and "127.0.0.1:9" in done.stderr
    (tmp_path / "tape.jsonl").write_bytes(jsonl([QUESTION | {"completion": "2"}]))
    done = run_swr1(
        "rollout", "--recorded", "tape.jsonl", stdin=jsonl([QUESTION]), cwd=tmp_path, check=True
    )
    generation = json.loads(done.stdout)["generation"]
    assert generation["engine"]["name"] == "replay"
    assert not {"system_prompt", "prefill"} & generation.keys()  # the recording does not say
