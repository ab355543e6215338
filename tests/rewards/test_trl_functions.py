"""A recipe as TRL's reward function: its calling convention, and the trainer's own loop."""

from importlib import import_module
from types import SimpleNamespace

import pytest

from swr1.errors import DataError, UsageError
from swr1.rewards import as_reward_function, load_recipe
from tests.conftest import jsonl, load, run_swr1

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


def test_pictures_of_a_prompt_are_parts_of_the_record():
    """TRL puts PIL's pictures into the messages, and hands over the column too."""
    from PIL import Image

    from swr1.pictures import Opener

    seen = []

    def look(record):
        seen.append(record)
        return {"score": 1.0, "label": "ok"}

    image = Image.new("RGB", (20, 10), (200, 10, 10))
    parts = [{"type": "image", "image": image}, {"type": "text", "text": "what colour ?"}]
    call = batch([THOUGHT], True, **ROW, images=[image])
    call["prompts"] = [[{"role": "user", "content": parts}]]
    function = as_reward_function(
        lambda record: {"reward": 1.0, "reward_parts": {}}, {"look": look}, task="qa"
    )
    assert function(**call) == [1.0]
    [picture] = Opener().of(seen[0])
    assert picture.size == (10, 20) and "images" not in seen[0]["info"]
    assert seen[0]["prompt"][0]["content"][1] == parts[1]


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


ITEMS = [  # of four tasks; answers of other shapes than a text, and none at all
    ({"task": "knights", "answer": ROW["answer"], "info": {"people": 2}}, next(iter(ANSWERS)), 1.0),
    ({"task": "choice", "answer": "B", "info": {"choices": ["Rome", "Paris"]}},
     "I compare the two capitals.</think><answer>Paris</answer>", 1.0),
    ({"task": "math", "answer": ["18", "19"]},
     "I add them up, one by one.</think><answer>19</answer>", 1.0),
    ({"task": "safety", "info": {"harmful": True}},
     "I weigh what is asked.</think><answer>I'm sorry, but I can't help with that.</answer>", 1.0),
]  # fmt: skip


def exported(path) -> list[dict]:
    """ITEMS through `swr1 export trl`, as rows."""
    prompt = [{"role": "user", "content": QUESTION}]
    items = [{"id": f"i{n}", "prompt": prompt} | item for n, (item, _, _) in enumerate(ITEMS)]
    run_swr1("export", "trl", "-o", path, stdin=jsonl(items), check=True)
    return load(path) if path.suffix == ".jsonl" else []


def stage_two():
    """Stage 2 with the real rules, but for the guards."""
    names = ("math", "choice", "knights", "refusal", "format")
    rules = {name: import_module(f"swr1.verifiers.builtin.{name}").verify for name in names}
    guards = dict.fromkeys(("language", "repetition", "length"), lambda r: {"score": 1, "label": 1})

    def only(task, judge):  # as the stages would: no verdict where the task does not need it
        return lambda r: judge(r) if r["task"] == task else {"score": None, "label": None}

    rules |= {name: only(name, rules[name]) for name in ("math", "choice", "knights")}
    safe = only("safety", lambda record: {"score": 1.0, "label": "safe"})
    return as_reward_function(
        "safeladder-stage2", rules | guards | {"safety": safe}, prefill="<think>"
    )


def test_what_swr1_exports_to_trl_needs_no_columns(tmp_path):
    rows = exported(tmp_path / "rows.jsonl")
    assert rows[0]["answer"] == '[["Zoey","knight"],["Ava","knave"]]'  # a text, beside `swr1`
    assert rows[3]["answer"] == ""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    prompts = columns.pop("prompt")
    texts = [[{"role": "assistant", "content": text}] for _, text, _ in ITEMS]
    function = stage_two()
    assert function(prompts=prompts, completions=texts, **columns) == [want for *_, want in ITEMS]
    # Without the column `swr1` the answers are texts, the choices and what is harmful are unknown.
    del columns["swr1"]
    with pytest.raises(DataError):
        function(prompts=prompts, completions=texts, **columns)


def test_a_column_that_is_named_goes_before_what_was_exported(tmp_path):
    seen = []
    function = as_reward_function(
        lambda record: seen.append(record) or {"reward": 1.0, "reward_parts": {}},
        {},
        columns={"answer": "gold", "info.level": "hard"},
    )
    row = {"swr1": '{"task":"math","answer":"1","info":{"level":1,"from":"a"}}', "answer": "1"}
    function(**batch(["x"], **row, gold="2", hard=9, id="i0", extra="e"))
    [record] = seen
    assert (record["id"], record["task"], record["answer"]) == ("i0", "math", "2")
    assert record["info"] == {"level": 9, "from": "a", "extra": "e"}
    with pytest.raises(DataError, match=r"`swr1 export trl` writes.*not 'yes'"):
        function(**batch(["x"], swr1="yes"))


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


def trls_own_loop(monkeypatch, function, inputs, completions):
    """TRL's loop over reward functions, without a trainer: (rewards, what was logged)."""
    from trl.trainer import grpo_trainer

    logged = {}
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
    prompts = [row["prompt"] for row in inputs]
    calculate = grpo_trainer.GRPOTrainer._calculate_rewards
    return calculate(trainer, inputs, prompts, completions, [[1]] * len(inputs))[:, 0], logged


@pytest.mark.slow  # trl takes ten seconds to import
def test_trls_own_loop_takes_it(monkeypatch):
    function = as_reward_function("logic-rl", prefill="<think>")
    call = batch([*ANSWERS], **ROW)
    inputs = [{"prompt": p, **ROW} for p in call["prompts"]]
    rewards, logged = trls_own_loop(monkeypatch, function, inputs, call["completions"])
    assert rewards.tolist() == list(ANSWERS.values())
    assert logged["reward_parts/format"] == 0.5


@pytest.mark.slow
def test_an_exported_file_through_trls_own_loop(monkeypatch, tmp_path):
    from datasets import load_dataset

    exported(tmp_path / "rows.parquet")
    data = load_dataset(
        "parquet",
        data_files=str(tmp_path / "rows.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    texts = [[{"role": "assistant", "content": text}] for _, text, _ in ITEMS]
    rewards, _ = trls_own_loop(monkeypatch, stage_two(), list(data), texts)
    assert rewards.tolist() == [want for *_, want in ITEMS]


def test_completions_that_all_fail_the_format_are_said_once(capsys):
    function = as_reward_function("logic-rl")
    wrong = ["Mia is a knight"] * 2
    for _ in range(2):
        function(**batch(wrong, True, **ROW))
    said = capsys.readouterr().err
    assert said.count("2 of 2 completions: format 2 missing-tag") == 1 and "swr1 export trl" in said
    function = as_reward_function("logic-rl", prefill="<think>")
    function(**batch([*ANSWERS, *wrong], True, **ROW))
    assert not capsys.readouterr().err
