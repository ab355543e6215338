"""Runs with different system prompts are not compared without a word."""

import pytest

from tests.conftest import jsonl, run_swr1

NONE, PUZZLES = {"name": "none", "digest": "0" * 16}, {"name": "logic-rl", "digest": "1" * 16}


@pytest.fixture
def evaluate(tmp_path, record):
    def run(prompts, *options):
        files = []
        for name, prompt in prompts.items():
            (one, other) = (record(f"{n}", 1.0, 2 + n) for n in range(2))
            for each in (one, other):
                if prompt:
                    each["generation"]["system_prompt"] = prompt
            (tmp_path / f"{name}.jsonl").write_bytes(jsonl([one, other]))
            files.append(f"{name}={name}.jsonl")
        return run_swr1("eval", *files, *options, cwd=tmp_path)

    return run


SAID = "the system prompt is not the same (task knights): a none (000000); b logic-rl (111111)"


@pytest.mark.parametrize("options", [(), ("--suite", "all"), ("--memorisation",)])
def test_it_stops_or_is_told_to_go_on(evaluate, options):
    done = evaluate({"a": NONE, "b": PUZZLES}, *options)
    assert done.returncode == 2 and not done.stdout
    assert f"error: {SAID}. Make the runs alike, or" in done.stderr
    assert "--different-prompts" in done.stderr
    done = evaluate({"a": NONE, "b": PUZZLES}, *options, "--different-prompts")
    assert done.returncode == 0 and f"warning: {SAID}" in done.stderr, done.stderr


def test_the_same_prompts_and_those_of_old_records_are_compared(evaluate):
    for prompts in ({"a": NONE, "b": NONE}, {"a": NONE, "b": None}):
        done = evaluate(prompts)
        assert done.returncode == 0 and "system prompt" not in done.stderr


def test_prompts_themselves_can_be_compared(evaluate):
    done = evaluate({"a": NONE}, "--runs-by", "system_prompt.name")
    assert done.returncode == 0, done.stderr
