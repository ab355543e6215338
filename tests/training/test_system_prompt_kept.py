"""A policy remembers the system prompt of what it was trained on, and later stages use it."""

import json

import pytest
from tiny_runs import make_policy, sample_records, tiny_policy, train_mode, train_rl

from swr1.prompts import Prompt, as_facts, load_prompt
from swr1.prompts.unknown import TooManyUnknown
from swr1.training.remembered import SystemPrompts

PIRATE, BARE = Prompt("pirate", "the knave said", "<think>"), load_prompt("none")
PUZZLE = {
    "id": "p",
    "task": "math",
    "prompt": [{"role": "user", "content": "Zoey is true"}],
    "completion": "the knight",
}


@pytest.fixture
def policy(tmp_path):
    return tiny_policy(tmp_path / "kk")


def with_prompt(records, prompt):
    return [r | {"generation": r["generation"] | {"system_prompt": prompt}} for r in records]


def test_sft_remembers_what_was_asked_for_and_then_uses_it(policy):
    options = {"steps": 1, "as_sampled": None}
    train_mode("sft", [PUZZLE], policy, prompt=PIRATE, **options)
    assert policy.meta()["system_prompt"] == as_facts(PIRATE, whole=True)
    lines = []
    train_mode(
        "sft", [PUZZLE, PUZZLE | {"id": "q"}], policy, prompt=None, log=lines.append, **options
    )
    assert policy.meta()["version"] == 2
    assert policy.meta()["system_prompt"]["name"] == "pirate"
    assert any("the system prompt is pirate" in line for line in lines)


def test_without_any_word_of_it_a_task_s_own_is_used(policy):
    train_mode("sft", [PUZZLE], policy, prompt=None, steps=1)
    assert policy.meta()["system_prompt"]["name"] == "none"


def test_rl_remembers_what_the_records_say(policy):
    records = sample_records(policy, 4, 2, lambda tokens, rng: rng.random())
    train_rl(records[:4], policy, "grpo", batch=2)
    assert "system_prompt" not in policy.meta()  # records of before do not say it
    facts = as_facts(PIRATE)
    train_rl(with_prompt(records[4:], facts), policy, "grpo", batch=2, resume=False)
    assert policy.meta()["system_prompt"] == as_facts(PIRATE, whole=True)
    train_rl(records[:4], policy, "grpo", batch=2, resume=False)
    assert policy.meta()["system_prompt"]["name"] == "pirate"


def test_a_policy_made_from_another_remembers_with_it(policy, tmp_path):
    policy.publish(lambda to: None, {"system_prompt": as_facts(PIRATE)})
    whole = policy.folder(0)
    (whole / "swr1.json").write_text(json.dumps({"system_prompt": as_facts(PIRATE)}))
    assert make_policy(tmp_path / "b", source=whole).meta()["system_prompt"] == as_facts(PIRATE)
    named = make_policy(tmp_path / "c", source=whole, system_prompt=BARE)
    assert named.meta()["system_prompt"]["name"] == "none"


def test_records_of_several_prompts_are_said_and_the_most_frequent_stays():
    lines = []
    seen = SystemPrompts(lines.append)
    assert seen.marker() == {}
    for prompt in (PIRATE, BARE, PIRATE):
        seen.add(as_facts(prompt), "math")
    seen.add(None, "math")
    seen.add({"digest": 3}, "math")
    assert seen.marker()["system_prompt"]["name"] == "pirate"
    assert len(lines) == 1 and "different system prompts: pirate and none" in lines[0]


def test_where_each_task_has_its_own_a_policy_goes_by_the_task():
    seen = SystemPrompts(lambda line: None)
    seen.add(as_facts(load_prompt("logic-rl")), "knights")
    assert seen.marker()["system_prompt"]["name"] == "logic-rl"
    seen.add(as_facts(BARE), "math")
    assert seen.marker() == {"system_prompt": None}


def test_a_text_that_is_not_known_here_is_remembered_by_its_digest():
    seen = SystemPrompts(lambda line: None)
    seen.add({"name": "logic-rl", "digest": "of another version"}, "knights")
    assert seen.marker() == {"system_prompt": {"name": "logic-rl", "digest": "of another version"}}


def test_sft_stops_at_prompts_that_the_tokenizer_does_not_know(policy):
    strange = PUZZLE | {"prompt": [{"role": "user", "content": "Hugo said true"}]}
    with pytest.raises(TooManyUnknown, match="'Hugo'"):
        train_mode("sft", [strange], policy, steps=1)
    assert policy.latest() == 0
    lines = []
    out = train_mode("sft", [strange], policy, steps=1, max_unknown=1, log=lines.append)
    assert any("'Hugo'" in line for line in lines) and out["version"] == 1
