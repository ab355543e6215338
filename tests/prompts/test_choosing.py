"""Whose system prompt stands before a record: the option's, the policy's or the task's."""

import pytest

from swr1.errors import DataError
from swr1.loading.declare import LOADERS
from swr1.policy import Policy, marker_of
from swr1.prompts import Prompt, Prompts, as_facts, from_facts, load_prompt, task_prompt
from swr1.prompts.choosing import small_policy_prompt

PUZZLE, QUESTION = {"task": "knights"}, {"task": "math"}
MINE = Prompt("mine", "Be brief.", "<think> so")
TERSE = load_prompt("logic-rl-terse")


def remembering(prompt, **more):
    return {"stage": "sft", "system_prompt": as_facts(prompt, whole=True), **more}


def test_the_first_of_option_policy_and_task_is_taken():
    none = load_prompt("none")
    assert Prompts(none, policy=remembering(MINE)).of(PUZZLE) == none
    assert Prompts(policy=remembering(MINE)).of(PUZZLE) == MINE
    assert Prompts(policy={}).of(PUZZLE).name == "logic-rl"
    assert [Prompts().of(r).name for r in (QUESTION, {}, {"task": 3})] == ["none"] * 3


def test_no_data_set_but_puzzles_gets_a_puzzles_prompt():
    """What is loaded has tasks of many kinds; that of kk alone is knights."""
    assert {"gsm8k", "xstest", "kk"} <= set(LOADERS.names())
    for task in ("math", "safety", "choice", "qa", "chat", "exact", "f1", "value", "knowledge"):
        assert (task_prompt(task).system, task_prompt(task).prefill) == (None, "")


def test_a_completion_says_what_it_was_made_with():
    record = PUZZLE | {"generation": {"system_prompt": as_facts(MINE)}}
    prompts = Prompts(policy=remembering(TERSE))
    assert prompts.of(record, made=True) == MINE
    assert prompts.of(record) == TERSE  # it will be completed anew
    assert Prompts(TERSE).of(record, made=True) == TERSE


def test_prefill_and_arguments_go_on_top():
    prompt = Prompts(policy=remembering(TERSE), prefill="", arguments={"a": 1}).of(PUZZLE)
    assert (prompt.prefill, prompt.arguments) == ("", {"a": 1})


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ({"given": TERSE, "policy": remembering(TERSE)}, []),
        ({"given": TERSE}, []),
        ({}, []),
        (
            {"given": load_prompt("none"), "policy": remembering(TERSE)},
            ["warning: kk was trained with the system prompt logic-rl-terse; none is used here"],
        ),
        (
            {"policy": remembering(TERSE), "prefill": "<think> try"},
            [
                "warning: kk was trained with the system prompt logic-rl-terse; another text or"
                " opening of that name ('<think> try' opens the answer) is used here"
            ],
        ),
        ({"policy": remembering(load_prompt("logic-rl"))}, []),
        (
            {"policy": remembering(TERSE)},
            [
                "the system prompt is logic-rl-terse, with which kk was trained (the task knights"
                " has logic-rl)"
            ],
        ),
        (
            {"policy": {"stage": "rl"}},
            [
                "kk does not say which system prompt it was trained with: logic-rl is used, as for"
                " any task knights (--system-prompt names another)"
            ],
        ),
        ({"policy": {"stage": "rl", "system_prompt": None}}, []),  # it had each task's own
    ],
)
def test_differences_are_said_once(prompts, said):
    lines = []
    made = Prompts(**prompts, name="kk", say=lines.append)
    for _ in range(3):
        made.of(PUZZLE)
    assert lines == said


def test_a_prompt_is_known_again_by_its_text(tmp_path):
    named = as_facts(TERSE)
    assert named == {"name": "logic-rl-terse", "digest": TERSE.digest}
    assert from_facts(named) == TERSE and from_facts(as_facts(TERSE, whole=True)) == TERSE
    assert as_facts(MINE)["system"] == "Be brief." and from_facts(as_facts(MINE)) == MINE
    same_name = Prompt("logic-rl", "Another.")
    assert from_facts(as_facts(same_name)) == same_name
    assert MINE.digest != Prompt("mine", "Be brief.").digest
    assert MINE.digest == Prompt("other", "Be brief.", "<think> so").digest


@pytest.mark.parametrize(
    "facts",
    [
        "logic-rl",
        {"name": 3},
        {"name": "pirate", "digest": "0"},
        {"name": "logic-rl", "digest": "0"},
        {"name": "x", "system": None},
    ],
)
def test_what_is_no_prompt_is_refused(facts):
    with pytest.raises(DataError, match="f:3: "):
        from_facts(facts, "f:3")


def test_the_next_version_remembers_what_the_last_one_did(tmp_path):
    policy = Policy(tmp_path / "kk")
    policy.publish(lambda folder: None, {"step": 0})
    assert "system_prompt" not in policy.meta()
    policy.publish(lambda folder: None, {"system_prompt": as_facts(MINE)})
    policy.publish(lambda folder: None, {"step": 2})
    assert policy.meta()["system_prompt"] == marker_of(policy.path / "latest")["system_prompt"]
    policy.publish(lambda folder: None, {"system_prompt": None})
    policy.publish(lambda folder: None, {})
    assert policy.meta()["system_prompt"] is None
    assert marker_of("Qwen/Qwen2.5-0.5B") == marker_of(tmp_path) == {}


def test_a_small_new_policy_knows_no_words_of_instructions():
    assert small_policy_prompt({"knights"}) == TERSE
    assert small_policy_prompt({"knights", "math"}) is small_policy_prompt({"math"}) is None
    assert small_policy_prompt(set()) is None
