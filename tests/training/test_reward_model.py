"""A reward model: its loss by hand and against TRL, what it learns, and its published version."""

import json
import shutil
from math import exp, log1p

import numpy as np
import pytest
import torch
from tiny_runs import WORDS, same_weights, tiny_policy, train_reward_model, weights

from swr1.errors import DataError
from swr1.policy import Policy
from swr1.training.heads import open_judge
from tests.conftest import jsonl


def asked(i: int) -> dict:
    return {"id": f"q{i}", "prompt": [{"role": "user", "content": f"{WORDS[i % 7]} {i % 3}"}]}


def pair(i: int) -> dict:
    """The better one has a "true" in it."""
    words = [WORDS[i % 5], WORDS[i % 6]]
    better, worse = " ".join(["true", *words]), " ".join(["false", *words])
    return asked(i) | {"chosen": better, "rejected": worse}


def train(path, data, **options) -> tuple[Policy, dict]:
    if not (path / "versions").exists():
        tiny_policy(path, hidden=32)
    options = {"lr": 1e-2, "batch": 8, "log": lambda _: None} | options
    return Policy(path), train_reward_model(iter(data), Policy(path), **options)


def rows(policy) -> list[dict]:
    return [json.loads(line) for line in (policy.path / "metrics.jsonl").read_text().splitlines()]


def plain_scores(folder, texts: list[str]) -> list[float]:
    """By transformers alone, one text at a time."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.num_labels == 1
    with torch.no_grad():
        return [
            float(model(**tokenizer(t, add_special_tokens=False, return_tensors="pt")).logits)
            for t in texts
        ]


def text(tokenizer, prompt: list[dict], completion: str) -> str:
    opened = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return opened + completion + tokenizer.eos_token


def test_the_loss_by_hand(tmp_path):
    """Of the second step, from the scores of version 1."""
    data = [pair(i) for i in range(5)]
    policy, _ = train(tmp_path / "p", data, steps=2, publish_every=1, held_out=0, micro_tokens=1)
    tokenizer = open_judge(policy.path).tokenizer
    losses = []
    for r in data:
        sides = [text(tokenizer, r["prompt"], r[k]) for k in ("chosen", "rejected")]
        better, worse = plain_scores(policy.folder(1), sides)
        losses.append(log1p(exp(worse - better)))
    assert rows(policy)[1]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def test_it_learns_the_preference_and_tells_so(tmp_path):
    policy, out = train(tmp_path / "p", [pair(i) for i in range(60)], epochs=4, held_out=0.3)
    found = out["held_out"]
    assert found["accuracy"] > 0.9 and found["auroc"] > 0.8 and found["margin"] > 1
    assert found["log_loss_scaled"] <= found["log_loss"]
    assert rows(policy)[-1]["held_out_accuracy"] == found["accuracy"]
    card = (policy.folder() / "README.md").read_text()
    assert "logits[0, 0]" in card and f"{found['accuracy']:.3f}" in card
    judge = open_judge(policy.path)
    new = [asked(71) | {"completion": c} for c in ("the true knave", "the false knave")]
    ours = judge.logits(new)
    assert ours.shape == (2, 1) and ours[0] > ours[1]
    theirs = [text(judge.tokenizer, r["prompt"], r["completion"]) for r in new]
    assert np.allclose(ours[:, 0], plain_scores(policy.folder(), theirs), atol=1e-4)


def test_scored_groups_give_pairs(tmp_path):
    group = [
        asked(i) | {"sample": k, "completion": WORDS[k], "reward": float(k)}
        for i in range(6)
        for k in range(3)
    ]
    _, out = train(tmp_path / "p", group, steps=1, held_out=0)
    assert out["items"] == 6
    with pytest.raises(DataError, match="nothing to train on"):
        train(tmp_path / "q", group, margin=5.0, steps=1)


class Killed(BaseException):
    pass


def test_a_killed_run_ends_with_the_same_version(tmp_path):
    options = {"steps": 5, "publish_every": 2, "checkpoint_every": 1}
    data = [pair(i) for i in range(20)]
    whole, out = train(tmp_path / "whole", data, **options)
    shutil.copytree(tmp_path / "whole" / "versions" / "000000", tmp_path / "p/versions/000000")

    def die(row: dict) -> None:
        if row["step"] == 4:
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path / "p", data, on_step=die, **options)
    policy, again = train(tmp_path / "p", data, **options)
    assert same_weights(weights(policy), weights(whole)) and again["held_out"] == out["held_out"]


@pytest.mark.slow
def test_the_command_line(tmp_path, swr1):
    start = tiny_policy(tmp_path / "start")
    line = f"train-step reward-model --start {start.path} --policy {tmp_path}/rm --steps 2"
    done = swr1(*line.split(), stdin=jsonl([pair(i) for i in range(20)]), check=True)
    assert "at version 1, step 2" in done.stderr
    wrong = swr1(*line.split(), "--balance", stdin=jsonl([pair(0)]))
    assert wrong.returncode == 2 and "reward-model does not use --balance" in wrong.stderr


@pytest.mark.slow
def test_the_loss_is_that_of_trl(tmp_path):
    """RewardTrainer's loss on the same tokens by the same model."""
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    data = [pair(i) for i in range(4)]
    policy, _ = train(tmp_path / "p", data, steps=2, batch=4, publish_every=1, held_out=0)
    tokenizer = open_judge(policy.path).tokenizer
    ids = {
        f"{side}_ids": [
            tokenizer(text(tokenizer, r["prompt"], r[side]), add_special_tokens=False)["input_ids"]
            for r in data
        ]
        for side in ("chosen", "rejected")
    }
    trainer = RewardTrainer(
        AutoModelForSequenceClassification.from_pretrained(policy.folder(1)),
        args=RewardConfig(
            str(tmp_path / "trl"),
            per_device_train_batch_size=4,
            report_to="none",
            bf16=False,
            use_cpu=True,
        ),
        train_dataset=Dataset.from_dict(ids),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    loss = trainer.compute_loss(trainer.model.eval(), batch).detach()
    assert rows(policy)[1]["loss"] == pytest.approx(float(loss), rel=1e-4)
