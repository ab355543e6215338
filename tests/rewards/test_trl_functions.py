"""A recipe as TRL's reward function: its calling convention, and the trainer's own loop."""

from types import SimpleNamespace

import pytest

from swr1.errors import DataError, UsageError
from swr1.rewards import as_reward_function, load_recipe

THOUGHT = "Ava lies, since she says so.</think><answer>"
ANSWERS = {
    THOUGHT + "Zoey: knight; Ava: knave</answer>": 3.0,
    THOUGHT + "Zoey: knave; Ava: knave</answer>": -0.5,
    THOUGHT + "who knows</answer>": -1.0,
    "Zoey: knight; Ava: knave": -3.0,
}
ROW = {"task": "knights", "answer": [["Zoey", "knight"], ["Ava", "knave"]]}
QUESTION = "Zoey says: Ava is a knave."


def batch(completions, conversational=False, **columns):
    """What TRL 1.16 hands over, beside its own keyword arguments."""
    count = len(completions)
    prompts = [QUESTION] * count
    if conversational:
        prompts = [[{"role": "user", "content": QUESTION}] for _ in completions]
        completions = [[{"role": "assistant", "content": c}] for c in completions]
    return {
        "prompts": prompts,
        "completions": completions,
        "completion_ids": [[1, 2]] * count,
        "trainer_state": SimpleNamespace(global_step=3),
        "log_extra": lambda column, values: None,
        **{name: [value] * count for name, value in columns.items()},
    }


@pytest.mark.parametrize("conversational", [False, True])
def test_the_same_numbers_as_the_stages(conversational):
    function = as_reward_function("logic-rl", ["format", "knights"], prefill="<think>")
    assert function.__name__ == "logic_rl"
    got = function(**batch(list(ANSWERS), conversational, **ROW))
    assert got == list(ANSWERS.values())
    assert all(type(x) is float for x in got)


def test_verifiers_need_not_be_named_and_prompts_may_open_the_answer():
    function = as_reward_function("logic-rl", settings=["answer_right=4"])
    call = batch(list(ANSWERS)[:1], True, **ROW)
    call["prompts"][0].append({"role": "assistant", "content": "<think>"})
    assert function(**call) == [5.0]


def test_none_where_a_verifier_could_not_judge():
    def guard(record):
        if "crash" in record["completion"]:
            return {"score": None, "label": None, "error": "the guard is down"}
        return {"score": 0.0, "label": "unsafe"}

    recipe = load_recipe("safeladder-stage2", ["guard=0", "form.total=-9"])
    calls = []
    good = {"format": {"score": 1.0, "label": "ok"}, "refusal": {"score": 0, "label": "compliance"}}
    fixed = {name: (lambda record, v=v: v) for name, v in good.items()}
    guards = dict.fromkeys(
        ("language", "repetition", "length", "helpful"), lambda record: {"score": 1, "label": "ok"}
    )
    function = as_reward_function(
        recipe,
        fixed | guards | {"safety": guard},
        columns={"info.harmful": "is_harmful"},
        task="safety",
    )
    call = batch(["crash", "I will help"], is_harmful=True)
    call["log_metric"] = lambda name, value: calls.append((name, value))
    assert function(**call) == [None, -1.0]
    assert ("reward_parts/safety", -1.0) in calls


def test_columns_may_have_other_names_and_the_rest_is_info():
    seen = []

    def look(record):
        seen.append(record)
        return {"score": 1.0, "label": "correct"}

    function = as_reward_function(
        lambda record: {"reward": 1, "reward_parts": {}}, {"math": look}, columns={"answer": "gold"}
    )
    assert function(**batch(["4"], gold="4", level=3, task="math")) == [1.0]
    assert seen[0]["answer"] == "4" and seen[0]["info"] == {"level": 3}
    assert seen[0]["prompt"] == [{"role": "user", "content": QUESTION}]


def test_a_verifier_sees_the_verdicts_before_its_own():
    def knows(record):
        right = record["verdicts"]["exact"]["label"] == "correct"
        return {"score": 1.0, "label": f"{'correct' if right else 'wrong'}-certain"}

    ok = {name: (lambda record: {"score": 1.0, "label": "ok"}) for name in
          ("format", "language", "repetition", "length")}  # fmt: skip
    rules = {"exact": lambda record: {"score": 1.0, "label": "correct"}, "knowledge": knows}
    function = as_reward_function("safeladder-stage2", ok | rules, task="qa")
    assert function(**batch(["Paris"], answer="Paris")) == [1.0]


def test_what_is_wrong_is_told():
    with pytest.raises(UsageError, match="Did you mean 'format'"):
        as_reward_function("logic-rl", ["fromat", "knights"])
    with pytest.raises(UsageError, match="only a recipe says"):
        as_reward_function(lambda record: {"reward": 1})
    with pytest.raises(UsageError, match="Did you mean 'answer'"):
        as_reward_function("logic-rl", columns={"anwser": "gold"})
    with pytest.raises(UsageError, match="a setting for 'knight'"):
        as_reward_function("logic-rl", ["format", "knights"], verifier_settings=["knight.x=1"])
    with pytest.raises(DataError, match="the task None"):
        as_reward_function("safeladder-stage1", ["format"])(**batch(["x"]))


@pytest.mark.slow  # trl takes ten seconds to import
def test_trls_own_loop_takes_it(monkeypatch):
    import torch
    from trl.trainer import grpo_trainer

    logged = {}
    function = as_reward_function("logic-rl", prefill="<think>")
    trainer = SimpleNamespace(
        accelerator=SimpleNamespace(device="cpu", is_main_process=False),
        args=SimpleNamespace(report_to=[]),
        reward_funcs=[function],
        reward_processing_classes=[None],
        reward_func_names=[function.__name__],
        state=SimpleNamespace(global_step=0),
        environments=None,
        _log_completion_extra=lambda column, values: None,
        _log_metric=logged.__setitem__,
    )
    monkeypatch.setattr(grpo_trainer, "gather", lambda tensor: tensor)
    call = batch([*ANSWERS], **ROW)
    inputs = [
        {"prompt": p, "completion": c, **ROW}
        for p, c in zip(call["prompts"], call["completions"], strict=True)
    ]
    calculate = grpo_trainer.GRPOTrainer._calculate_rewards
    rewards = calculate(trainer, inputs, call["prompts"], call["completions"], [[1]] * len(inputs))
    assert torch.equal(rewards[:, 0], torch.tensor(list(ANSWERS.values())))
    assert logged["reward_parts/format"] == 0.5
