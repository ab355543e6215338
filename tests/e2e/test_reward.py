"""`swr1 reward` with recipes, on the command line."""

import re

import orjson
import pytest

from tests.conftest import jsonl, load, run_swr1
from tests.rewards.shipped import judged


@pytest.fixture(name="stream")
def records():
    rows = [
        judged("safety", False, safety="safe", refusal="refusal", helpful=0.7),
        judged("value", value="good", safety="unsafe"),
        judged("math", math="wrong", format="copied"),
        judged("safety", True, safety=None, refusal="refusal"),
        judged("qa", knowledge="correct-uncertain"),
    ]
    for number, row in enumerate(rows):
        row |= {"id": f"r{number}", "prompt": [], "completion": "", "sample": number}
    return jsonl(rows)


def test_one_recipe_for_many_tasks(stream, tmp_path):
    done = run_swr1("reward", "safeladder-stage2", "--on-null", "skip", "-o",
                    tmp_path / "out.jsonl", stdin=stream, check=True)  # fmt: skip
    assert [r["reward"] for r in load(tmp_path / "out.jsonl")] == [-0.25, -1.0, -1.5, 0.5]
    assert "null: safety 100.0%" in done.stderr and "1 could not judge" in done.stderr
    parts = load(tmp_path / "out.jsonl")[1]["reward_parts"]
    assert parts["unsafe"] == {"value": -2.0, "weight": 1.0, "gate": "cap -1"}


def test_from_texts_through_the_verifiers():
    """The verifiers' own words are those that the recipe knows. The third pays for loop and length."""
    texts = {"I compare the capitals of the three.</think><answer>B</answer>": 1.0,
             "I compare the capitals of the three.</think><answer>A</answer>": 0.0,
             "I compare them, and again. " * 60 + "</think><answer>B</answer>": 0.8,
             "</think><answer>B</answer>": -1.0}  # fmt: skip
    prompt = [{"role": "user", "content": "What is the capital of France? A Rome, B Paris, C Oslo"}]
    rows = [
        {"id": f"r{i}", "task": "choice", "prompt": prompt, "answer": "B", "completion": text}
        | {"info": {"choices": ["Rome", "Paris", "Oslo"]}, "generation": {"prefill": "<think>"}}
        for i, text in enumerate(texts)
    ]
    names = "format choice language repetition length --set length.unit=characters".split()
    judged_ = run_swr1("verify", *names, stdin=jsonl(rows), check=True).stdout
    done = run_swr1("reward", "safeladder-stage1", stdin=judged_, check=True)
    rewards = [orjson.loads(line)["reward"] for line in done.stdout.splitlines()]
    assert rewards == pytest.approx(list(texts.values()), abs=0.011)


def test_what_could_not_be_judged_stops_unless_told_otherwise(stream):
    done = run_swr1("reward", "safeladder-stage2", stdin=stream)
    assert (
        done.returncode == 65 and "could not judge id r3: safety: the verifier died" in done.stderr
    )
    filled = run_swr1("reward", "safeladder-stage2", "--on-null=-1", stdin=stream, check=True)
    assert '"reward":-1.0' in filled.stdout.splitlines()[3]


def test_a_setting_that_contradicts_the_order(stream):
    ablation = ["reward", "safeladder-stage2", "--on-null=skip", "--set", "over-refusal.weight=0"]
    done = run_swr1(*ablation, stdin=stream)
    assert done.returncode == 2
    assert "'partial-refusal' must get more than 'needless-refusal'" in done.stderr
    assert "gets as much as 0.5" in done.stderr
    done = run_swr1(*ablation, "--unordered", stdin=stream, check=True)
    assert "warning: safeladder-stage2:" in done.stderr
    assert '"reward":0.5' in done.stdout.splitlines()[0]


EXPLAINED = [  # id, lines it must hold
    ("r0", ["over-refusal  refusal.label refusal                     -1      0.75     -0.7500",
            "outcome: needless-refusal (-0.4 to -0.25)",
            "nearest above: partial-refusal (0.05 to 0.2), total 0.2, with refusal.label",
            "  partial (it is refusal)"]),
    ("r1/1", ["gate unsafe: FIRED, at most -1: task safety or value, safety.label unsafe",
              "nearest above: good-values (0.85 to 1), total 1, with safety.label safe (it is"]),
    ("r2", ["gate form: FIRED, the total is -1.5: format.label not ok", "parts: none counts",
            "nearest above: wrong (-0.15 to 0), total 0, with format.label ok (it is copied)"]),
    ("r3", ["no reward, since a verdict could not judge: safety: the verifier died"]),
    ("r4", ["gate unsafe: not for such a record",
            "outcome: guessed (0.35 to 0.5)"]),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "lines"), EXPLAINED)
def test_explain(stream, wanted, lines):
    done = run_swr1("reward", "safeladder-stage2", "--explain", wanted, stdin=stream, check=True)
    shown = done.stdout.splitlines()
    assert max(map(len, shown)) <= 80
    for line in lines:
        assert line in shown


def test_outcomes_need_no_records():
    done = run_swr1("reward", "logic-rl", "--outcomes", "--set", "answer_right=4", check=True)
    assert done.stdout.splitlines() == [
        "outcome         from        to",
        "right              5         5",
        "wrong           -0.5      -0.5",
        "unreadable        -1        -1",
        "bad-form          -3        -3",
    ]
    wrong = run_swr1("reward", "logic-rl", "--outcomes", "--set", "answer_right=-4")
    assert wrong.returncode == 2 and "'right' must get more than 'wrong'" in wrong.stderr


def test_explain_needs_a_record_and_a_recipe(stream, tmp_path):
    done = run_swr1("reward", "safeladder-stage2", "--explain", "r0/9", stdin=stream)
    assert done.returncode == 2 and "no record 'r0/9' in the input" in done.stderr
    (tmp_path / "mine.py").write_text("def reward(record):\n    return {}\n")
    done = run_swr1("reward", "./mine.py:reward", "--explain", "r0", stdin=stream, cwd=tmp_path)
    assert done.returncode == 2 and "a Python reward is not made of known steps" in done.stderr


def test_python_rewards_and_recipes_from_files(stream, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def reward(record, high=2.0):\n"
        "    return {'reward': high, 'reward_parts': {'mine': {'value': high, 'weight': 1}}}\n"
    )
    (tmp_path / "mine.toml").write_text(
        '[part.form]\nfrom = "format.label"\nmap = { ok = 1, other = 0 }\n'
    )
    mine = run_swr1("reward", "./mine.py:reward", "--set", "high=3", stdin=stream, cwd=tmp_path)
    assert mine.stdout.count('"reward":3.0') == 5
    own = run_swr1("reward", "mine.toml", stdin=stream, cwd=tmp_path)
    assert own.stdout.count('"reward":1.0') == 4 and own.stdout.count('"reward":0.0') == 1


OWN = """
def reward(record):
    if record["id"] == "r4":
        return record["verdicts"]["math"]["score"]
    return {"r0": 1, "r1": {"reward": 2}, "r2": None, "r3": {"reward": "much"}}[record["id"]]
"""


def test_what_a_python_reward_gives_and_raises_is_told_with_its_record(stream, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    command = ("reward", "./mine.py:reward", "--on-null=-7", "--on-error", "skip")
    done = run_swr1(*command, stdin=stream, cwd=tmp_path, check=True)
    out = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [(r["id"], r["reward"]) for r in out] == [("r0", 1.0), ("r1", 2.0), ("r2", -7.0)]
    assert out[0]["reward_parts"] == {} and "2 dropped" in done.stderr
    told = run_swr1("reward", "./mine.py:reward", "--on-null", "skip", stdin=stream, cwd=tmp_path)
    assert told.returncode == 65 and "Traceback" not in told.stderr
    assert "record 'r3': it gave 'much', which is no number; it may give {" in told.stderr
    tail = b"\n".join(stream.splitlines()[4:])
    told = run_swr1("reward", "./mine.py:reward", stdin=tail, cwd=tmp_path)
    assert "the reward ./mine.py:reward on record 'r4': KeyError: 'math' (mine.py:4)" in told.stderr


def test_a_file_of_ones_own_that_has_changed_is_another_run(tmp_path):
    """A verdict or a reward made by yesterday's code must not pass for today's."""
    rows = [{"id": "a", "completion": "x", "prompt": [], "verdicts": {}}]
    (tmp_path / "in.jsonl").write_bytes(jsonl(rows))
    for stage, function in (("verify", "check"), ("reward", "reward")):
        (tmp_path / "mine.py").write_text(f"def {function}(record):\n    return 1.0\n")
        command = (stage, f"./mine.py:{function}", "in.jsonl", "-o", f"{stage}.jsonl")
        run_swr1(*command, cwd=tmp_path, check=True)
        assert "nothing to do" in run_swr1(*command, cwd=tmp_path, check=True).stderr
        (tmp_path / "mine.py").write_text(f"def {function}(record):\n    return 0.5\n")
        assert "nothing to do" not in run_swr1(*command, cwd=tmp_path).stderr


def test_another_recipe_under_the_same_name_is_another_run(stream, tmp_path):
    recipe = '[part.form]\nfrom = "format.label"\nmap = { ok = 1, other = 0 }\n'
    (tmp_path / "mine.toml").write_text(recipe)
    (tmp_path / "in.jsonl").write_bytes(stream)
    command = ["reward", "mine.toml", "in.jsonl", "-o", "out.jsonl"]
    run_swr1(*command, cwd=tmp_path, check=True)
    assert "nothing to do" in run_swr1(*command, cwd=tmp_path, check=True).stderr
    (tmp_path / "mine.toml").write_text(recipe.replace("ok = 1", "ok = 2"))
    assert "recipe_digest" in run_swr1(*command, cwd=tmp_path).stderr  # not in silence
    assert "5 out" in run_swr1(*command, "--force", cwd=tmp_path, check=True).stderr
    assert load(tmp_path / "out.jsonl")[0]["reward"] == 2


def test_a_missing_verdict_is_answered_by_the_line_that_makes_it(tmp_path):
    """With the options that the recipe needs: by themselves `knowledge` reads log-probabilities."""
    record = {
        "id": "a",
        "task": "qa",
        "prompt": [{"role": "user", "content": "q"}],
        "answer": ["b"],
        "completion": "<think>I do know it well</think><confidence>9</confidence><answer>b</answer>",
    }
    (tmp_path / "a.jsonl").write_bytes(jsonl([record]))
    judge = "verify format exact --set format.grader=tools".split()
    judged = run_swr1(*judge, tmp_path / "a.jsonl", check=True).stdout
    done = run_swr1("reward", "deliberate-brier", stdin=judged)
    (line,) = re.findall(r"run `swr1 (verify .*)` first", done.stderr)
    again = run_swr1(*line.split(), tmp_path / "a.jsonl", check=True).stdout
    (rewarded,) = run_swr1(
        "reward", "deliberate-brier", stdin=again, check=True
    ).stdout.splitlines()
    assert orjson.loads(rewarded)["reward"] == pytest.approx(1 - 0.5 * 0.01)
    wrong = run_swr1("verify", "exact", "knowledge", tmp_path / "a.jsonl", check=True)
    assert "--set knowledge.confidence=stated reads the one that it states" in wrong.stdout
