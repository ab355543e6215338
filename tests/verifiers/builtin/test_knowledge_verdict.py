"""Knowledge: right and certain; where the confidence comes from, and when there is none."""

import math

import numpy as np
import orjson
import pytest
from tokenizers import Tokenizer, decoders, models

from swr1.errors import UsageError
from swr1.verifiers.builtin import knowledge
from swr1.verifiers.builtin.knowledge import final_answer, stated, verify
from swr1.verifiers.models.reply import CouldNotJudge
from tests.conftest import jsonl, run_swr1
from tests.verifiers.models.guard_server import GuardServer

RIGHT = {"math": {"score": 1.0, "label": "correct", "detail": {}, "by": "math@1"}}
WRONG = {"math": {"score": 0.0, "label": "wrong", "detail": {}, "by": "math@1"}}


def record(verdicts=RIGHT, logprobs=(-0.1, -0.1), completion="<answer>7</answer>", **more) -> dict:
    generation = {"token_ids": list(range(len(logprobs))), "logprobs": list(logprobs)}
    return {
        "id": "r",
        "completion": completion,
        "verdicts": verdicts,
        "generation": generation,
    } | more


@pytest.mark.parametrize(
    ("verdicts", "logprob", "label", "score"),
    [
        (RIGHT, 0.0, "correct-certain", 1.0),
        (RIGHT, -50.0, "correct-uncertain", 0.6),
        (WRONG, -50.0, "wrong-uncertain", 0.4),
        (WRONG, 0.0, "wrong-certain", 0.0),
    ],
)
def test_the_four_outcomes(verdicts, logprob, label, score):
    found = verify(record(verdicts, [logprob] * 3))
    assert found["label"] == label and found["score"] == pytest.approx(score)


def test_a_rule_of_another_task_says_nothing_of_this_one():
    other = {"score": None, "label": None, "error": "the task is 'qa', this verifier judges math"}
    exact = {"exact": {"score": 1.0, "label": "correct", "detail": {}, "by": "exact@1"}}
    assert verify(record({"math": other} | exact))["label"] == "correct-certain"
    assert verify(record({"math": other} | exact), right="math")["score"] is None
    assert "task is 'qa'" in verify(record({"math": other}))["error"]


@pytest.mark.parametrize("weight", [0.1, 0.4, 0.5])
def test_the_score_is_proper_and_right_always_beats_wrong(weight):
    """Of all confidences the true probability has the best expected score."""
    owner = knowledge.open(weight=weight, confidence="stated", stated_scale="1")

    def score(c, right):
        text = f"<confidence>{c:.2f}</confidence>"
        return owner.submit(record(RIGHT if right else WRONG, completion=text))["score"]

    grid = np.round(np.linspace(0, 1, 21), 2)
    rights, wrongs = ([score(c, y) for c in grid] for y in (True, False))
    assert min(rights) >= max(wrongs) - 1e-9
    for p in (0.1, 0.35, 0.8):
        expected = [p * a + (1 - p) * b for a, b in zip(rights, wrongs, strict=True)]
        assert grid[int(np.argmax(expected))] == pytest.approx(p)


def test_log_probabilities_of_the_answers_tokens_alone(tmp_path):
    words = ["so ", "it ", "is ", "<answer>", "42", "</answer>", "."]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="."))
    core.decoder = decoders.Fuse()
    core.save(str(tmp_path / "tokenizer.json"))
    r = record(
        logprobs=(-9.0, -9.0, -9.0, 0.0, math.log(0.5), 0.0, -9.0), completion="".join(words)
    )
    found = verify(r, tokenizer=str(tmp_path))
    assert found["confidence"] == pytest.approx(0.5)
    assert found["detail"]["tokens"] == 1 and found["detail"]["of"] == "answer"
    everything = verify(r)
    assert everything["detail"] == {
        "right": True,
        "confidence_from": "logprobs",
        "tokens": 7,
        "of": "all",
    }
    r["generation"]["loss_mask"] = [1, 1, 1, 1, 0, 1, 1]
    assert "wrote no token" in verify(r, tokenizer=str(tmp_path))["error"]


def test_mean_least_and_sum():
    r = record(logprobs=(math.log(0.5), math.log(0.25)))
    found = {over: verify(r, over=over)["confidence"] for over in ("mean", "min", "sum")}
    assert found == pytest.approx({"mean": math.sqrt(0.125), "min": 0.25, "sum": 0.125})


@pytest.mark.parametrize(
    ("change", "options", "word"),
    [
        ({"verdicts": {}}, {}, "math, choice"),
        ({"verdicts": {"math": {"score": None, "error": "it hung"}}}, {}, "it hung"),
        ({"generation": {}}, {}, "log-probabilities"),
        ({}, {"confidence": "stated"}, "states no confidence"),
        ({}, {"confidence": "agreement"}, "two samples"),
        ({}, {"right": "exact"}, "exact is needed"),
    ],
)
def test_null_says_why(change, options, word):
    found = verify(record() | change, **options)
    assert found["score"] is None and found["label"] is None and word in found["error"]


@pytest.mark.parametrize(
    ("text", "scale", "value"),
    [
        ("<confidence>7</confidence>", 10, 0.7),
        ("<confidence> 0.85 </confidence>", 1, 0.85),
        ("<confidence>85%</confidence>", 100, 0.85),
        ("<confidence>9</confidence> ... <confidence>9</confidence>", 10, 0.9),
        ("<confidence>11</confidence>", 10, None),
        ("<confidence>85%</confidence>", 10, None),
        ("<confidence>7</confidence> no, <confidence>2</confidence>", 10, None),
        ("<confidence>high</confidence>", 10, None),
        ("<confidence>7</confidence><confidence>very</confidence>", 10, None),
        ("I am 70% sure", 10, None),
    ],
)
def test_stated_confidence_has_one_scale(text, scale, value):
    if value is None:
        with pytest.raises(CouldNotJudge):
            stated(text, scale)
    else:
        assert stated(text, scale) == pytest.approx(value)


def group(answers, size=None, id="g") -> list[dict]:
    return [
        {
            "id": id,
            "sample": i,
            "completion": f"<think>{i}</think><answer> {a} </answer>",
            "verdicts": RIGHT if a == "7" else WRONG,
            "generation": {"group": size or len(answers)},
        }
        for i, a in enumerate(answers)
    ]


def judge(data, **options) -> list[dict]:
    owner = knowledge.open(confidence="agreement", **options)
    found = [owner.submit(r) for r in data]
    owner.flush("end")
    return [v if isinstance(v, dict) else v.result() for v in found]


def test_agreement_is_the_share_of_the_others():
    found = judge(group(["7", "7", "8", "7", "9"]))
    assert [v["confidence"] for v in found] == pytest.approx([0.5, 0.5, 0, 0.5, 0])
    assert found[2]["label"] == "wrong-uncertain" and found[0]["detail"]["samples"] == 5
    mixed = group(["7", "7"], id="a") + group(["8", "9"], id="b")
    assert [v["confidence"] for v in judge(mixed)] == [1, 1, 0, 0]


def test_an_incomplete_group_is_null():
    found = judge(group(["7", "7"], size=4))
    assert all(v["score"] is None and "2 of 4" in v["error"] for v in found)


def test_groups_wait_for_their_last_sample_in_the_stage():
    data = (
        group(["7", "8", "7"], id="a")
        + group(["7", "7"], size=3, id="b")
        + group(["9"] * 3, id="c")
    )
    options = ("--set", "knowledge.confidence=agreement", "--set", "knowledge.look_ahead=4")
    done = run_swr1("verify", "knowledge", *options, stdin=jsonl(data), check=True)
    out = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [(r["id"], r["sample"]) for r in out] == [(r["id"], r["sample"]) for r in data]
    scores = [r["verdicts"]["knowledge"]["confidence"] if r["verdicts"]["knowledge"]["score"] is not None
              else None for r in out]  # fmt: skip
    assert scores == [0.5, 0, 0.5, None, None, 1, 1, 1]
    assert "2 without a verdict: the group is incomplete" in done.stderr


def test_a_judge_who_sees_the_answer_says_what_is_right():
    def reply(text):
        assert "Paris, France" in text
        return (
            "Verdict: correct" if "paris" in text.rpartition("answered:")[2] else "Verdict: wrong"
        )

    data = [
        record({}, id=f"r{i}", completion=c, answer=["Paris, France"], prompt=[{"role": "user", "content": "?"}])
        for i, c in enumerate(("paris", "rome"))
    ]  # fmt: skip
    with GuardServer(reply, "big") as server:
        owner = knowledge.open(guard="big", url=server.url)
        found = [owner.submit(r).result() for r in data]
    assert [v["label"] for v in found] == ["correct-certain", "wrong-certain"]


def test_final_answers_compare_as_people_would():
    assert final_answer({"completion": "so \\boxed{\\frac{1}{2}} is it"}) == "\\frac{1}{2}"
    assert final_answer({"completion": "\\boxed{1} no \\boxed{ 2 }."}) == "2"
    assert final_answer({"completion": "<think>x</think> The  Answer. "}) == "the answer"
    assert final_answer({"completion": "\\boxed{" * 20_000 + "<answer>" * 20_000}) is not None


def test_wrong_options_are_told():
    for options in (
        {"confidence": "feeling"},
        {"over": "max"},
        {"weight": 0.6},
        {"judge": "value"},
    ):
        with pytest.raises(UsageError):
            knowledge.open(**options)
