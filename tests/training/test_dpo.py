"""DPO: which pairs are made, the loss by hand and against TRL, learning, and going on after a kill."""

import json
import shutil
from collections import Counter
from math import exp, log, log1p

import pytest
import torch
from tiny_runs import WORDS, load, same_weights, sample_records, tiny_policy, train_dpo, weights

from swr1.errors import DataError, UsageError
from swr1.policy import Policy
from swr1.prompts import Prompt, render, render_text
from swr1.training.pairs import pairs
from swr1.training.running import TrainStep, refuse_mixture
from tests.conftest import jsonl


def asked(i: int) -> dict:
    return {"id": f"q{i}", "prompt": [{"role": "user", "content": WORDS[i % 7]}]}


def pair(i: int) -> dict:
    """Whatever is asked, "true" comes before "false"."""
    good, bad = f"{WORDS[i % 5]} true", f"{WORDS[i % 5]} false"
    return asked(i) | {"chosen": good, "rejected": bad}


def scored(i: int, *rewards: float) -> list[dict]:
    return [
        asked(i) | {"sample": k, "completion": WORDS[k], "reward": r} for k, r in enumerate(rewards)
    ]


def train(policy, records, **options) -> dict:
    return train_dpo(iter(records), policy, **({"lr": 1e-2, "log": lambda _: None} | options))


def rows(policy) -> list[dict]:
    return [json.loads(line) for line in (policy.path / "metrics.jsonl").read_text().splitlines()]


def logp(policy, version: int, prompt: list[int], target: list[int]) -> float:
    """Log-probability of a whole completion by a plain forward pass."""
    model, _ = load(policy, version)
    with torch.no_grad():
        table = model(torch.tensor([prompt + target])).logits[0].log_softmax(-1)
    return sum(float(table[len(prompt) + t - 1, token]) for t, token in enumerate(target))


def made(records, margin=0.0):
    dropped: Counter[str] = Counter()
    found = [(i, a["completion"], b["completion"]) for i, a, b in pairs(records, dropped, margin)]
    return found, dict(dropped)


def test_the_best_of_a_group_against_its_worst():
    groups = scored(0, 1.0, 3.0, -2.0, 3.0) + scored(1, 1.0, 1.0) + scored(2, 5.0)
    found, dropped = made(groups)
    assert found == [("q0", WORDS[1], WORDS[2])]  # the first of equal ones
    assert dropped == {"in a group of equal rewards": 2, "in a group of one": 1}
    close = scored(0, 1.0, 1.5) + scored(1, 0.0, 2.0)
    found, dropped = made(close, margin=1.0)
    assert [name for name, _, _ in found] == ["q1"]
    assert dropped == {"in a group whose rewards differ by less than 1": 2}


def test_groups_are_of_one_epoch():
    records = scored(0, 1.0) + scored(0, 2.0)
    records[1]["generation"] = {"epoch": 1}
    assert made(records) == ([], {"in a group of one": 2})


def test_the_same_text_with_two_rewards_is_no_pair():
    records = scored(0, 1.0, 2.0)
    records[1]["completion"] = records[0]["completion"]
    assert made(records)[1] == {"in a group whose best and worst are the same text": 2}


def test_records_that_carry_pairs():
    turns = {"chosen": "a", "rejected": "b"}
    messages = {k: [{"role": "assistant", "content": v}] for k, v in turns.items()}
    whole = {k: asked(3)["prompt"] + v for k, v in messages.items()}
    records = [
        asked(0) | turns,
        asked(1) | {"info": {"pair": turns | {"fault": None}}},
        asked(2) | messages,
        {"id": "q3"} | whole,
    ]
    found = list(pairs(records, Counter()))
    for i, (name, better, worse) in enumerate(found):
        assert name == f"q{i}"
        assert better["prompt"] == worse["prompt"] == asked(i)["prompt"]
        assert (better["completion"], worse["completion"]) == ("a", "b")
    assert len(found) == 4


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (asked(0), "no preference"),
        (asked(0) | {"chosen": "a"}, "no preference"),
        ({"id": "q0", "chosen": "a", "rejected": "b"}, "assistant's turn"),
        (asked(0) | {"chosen": [], "rejected": "b"}, "assistant's turn"),
        (
            {
                "id": "q0",
                "chosen": asked(0)["prompt"] + [{"role": "assistant", "content": "a"}],
                "rejected": asked(1)["prompt"] + [{"role": "assistant", "content": "b"}],
            },
            "different prompts",
        ),
    ],
)
def test_a_record_that_is_no_pair_is_named(record: dict, told: str):
    with pytest.raises(DataError, match=rf"'q0'.*{told}"):
        list(pairs([record], Counter()))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_by_hand(tmp_path, smoothing: float):
    """Of the second step: version 1 against version 0, from plain forward passes."""
    policy = tiny_policy(tmp_path / "p")
    _, tokenizer = load(policy)
    data = [pair(i) for i in range(3)]
    data[1]["chosen"] += " and the knave"
    train(
        policy,
        data,
        steps=2,
        batch=3,
        beta=0.5,
        label_smoothing=smoothing,
        publish_every=1,
        micro_tokens=1,
        prompt=Prompt("", "or"),
    )
    losses, margins = [], []
    for r in data:
        prompt = render(tokenizer, r["prompt"], "or", "")
        above = []
        for side in ("chosen", "rejected"):
            target = tokenizer(r[side])["input_ids"] + [tokenizer.eos_token_id]
            above.append(logp(policy, 1, prompt, target) - logp(policy, 0, prompt, target))
        m = 0.5 * (above[0] - above[1])
        losses.append((1 - smoothing) * log1p(exp(-m)) + smoothing * log1p(exp(m)))
        margins.append(m)
    first, second = rows(policy)
    assert first["loss"] == pytest.approx(log(2), rel=1e-5)
    assert second["loss"] == pytest.approx(sum(losses) / 3, rel=1e-4)
    assert second["margin"] == pytest.approx(sum(margins) / 3, rel=1e-4)
    assert second["margin"] == pytest.approx(second["chosen"] - second["rejected"], rel=1e-4)
    assert second["accuracy"] == sum(m > 0 for m in margins) / 3


@pytest.mark.parametrize("lora_r", [0, 4])
def test_a_policy_comes_to_prefer_what_was_chosen(tmp_path, lora_r: int):
    policy = tiny_policy(tmp_path / "p", hidden=32)
    out = train(policy, [pair(i) for i in range(20)], batch=10, epochs=10, lora_r=lora_r)
    assert (out["pairs"], out["steps"], out["version"]) == (20, 20, 1)
    first, last = rows(policy)[0], rows(policy)[-1]
    assert first["loss"] == pytest.approx(log(2), rel=1e-5)
    assert last["accuracy"] == 1 and last["loss"] < 0.3
    _, tokenizer = load(policy)
    for new in (pair(i) for i in range(24, 30)):  # questions and words not seen together
        prompt = render(tokenizer, new["prompt"])
        ids = [tokenizer(new[side])["input_ids"] for side in ("chosen", "rejected")]
        better, worse = (logp(policy, 1, prompt, x) - logp(policy, 0, prompt, x) for x in ids)
        assert better > worse + 3


def test_token_ids_are_learned_as_sampled(tmp_path):
    """The texts of these groups would be tokenized otherwise (a prompt without template)."""
    policy = tiny_policy(tmp_path / "p")
    data = sample_records(policy, 6, 4, lambda ids, rng: ids.count(ids[0]), max_tokens=6, seed=3)
    train(policy, data, steps=2, batch=64, publish_every=1, beta=1.0)
    table = []
    for _, better, worse in pairs(data, Counter()):
        above = []
        for record in (better, worse):
            prompt, ids = (record["generation"][k] for k in ("prompt_ids", "token_ids"))
            above.append(logp(policy, 1, prompt, ids) - logp(policy, 0, prompt, ids))
        table.append(above[0] - above[1])
    assert len(table) >= 3
    # What was cut at the limit is not ended: none of these has an end mark added.
    cut = [r for r in data if r["generation"]["finish_reason"] == "length"]
    assert cut
    assert rows(policy)[1]["margin"] == pytest.approx(sum(table) / len(table), rel=1e-3)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_killed_run_ends_with_the_same_weights(tmp_path, at: int):
    options = {"batch": 4, "steps": 7, "publish_every": 3, "checkpoint_every": 2, "beta": 0.3}
    data = [pair(i) for i in range(10)]
    whole = tiny_policy(tmp_path / "whole")
    shutil.copytree(whole.path, tmp_path / "p", symlinks=True)
    policy = Policy(tmp_path / "p")
    train(whole, data, **options)

    def die(row: dict) -> None:
        if row["step"] == at:
            raise Killed

    with pytest.raises(Killed):
        train(policy, data, on_step=die, **options)
    with pytest.raises(UsageError, match="beta"):
        train(policy, data, **(options | {"beta": 0.1}))
    train(policy, data, **options)
    assert policy.versions() == whole.versions()
    assert same_weights(weights(policy), weights(whole))
    assert [r["loss"] for r in rows(policy)] == [r["loss"] for r in rows(whole)]


def test_what_is_impossible_is_refused(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    for wrong in ({"beta": 0}, {"label_smoothing": 0.5}, {"margin": -1}, {"batch": 0}):
        with pytest.raises(UsageError):
            train(policy, [pair(0)], **wrong)
    said: list[str] = []
    with pytest.raises(DataError, match="no pair"):
        train(policy, scored(0, 1.0, 1.0), log=said.append)
    assert said == ["2 records dropped: in a group of equal rewards"]
    assert policy.versions() == [0]


def test_the_command_line(tmp_path, swr1):
    policy = tiny_policy(tmp_path / "p")
    lines = jsonl([pair(i) for i in range(8)] + scored(30, 1.0, 2.0))
    line = (
        f"train-step dpo --policy {policy.path} --beta 0.3 --lr 0.01 --batch 3 --system-prompt none"
    )
    done = swr1(*line.split(), stdin=lines, check=True)
    assert "at version 1, step 3" in done.stderr
    assert sum(r["pairs"] for r in rows(policy)) == 9
    wrong = swr1(*line.split(), "--best-of", 2, stdin=lines)
    assert wrong.returncode == 2 and "dpo does not use --best-of" in wrong.stderr


def test_options_of_other_modes_are_refused(tmp_path):
    home = tiny_policy(tmp_path / "p").path
    TrainStep("grpo", home, {"kl": 0.1, "batch": 4})
    with pytest.raises(UsageError, match="grpo does not use --beta"):
        TrainStep("grpo", home, {"kl": 0.1, "beta": 0.1})  # also at its default
    with pytest.raises(UsageError, match="dpo does not use --kl"):
        TrainStep("dpo", home, {"kl": 0.1})


def test_a_judge_does_not_follow_a_policy_in_its_folder(tmp_path):
    refuse = refuse_mixture
    refuse(None, "guard", tmp_path)  # made by init-policy
    refuse("guard", "guard", tmp_path)
    refuse("sft", "grpo", tmp_path)
    with pytest.raises(UsageError, match=r"trained by rl.*a folder of its own, with --start"):
        refuse("rl", "reward-model", tmp_path)
    with pytest.raises(UsageError, match="trained by guard, and sft makes another"):
        refuse("guard", "sft", tmp_path)


@pytest.mark.slow
def test_the_loss_is_that_of_trl(tmp_path):
    """DPOTrainer's loss for the same tokens, policy and reference."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    policy = tiny_policy(tmp_path / "p")
    data = [pair(i) for i in range(4)]
    data[2]["rejected"] += " if not a knight"
    train(policy, data, steps=2, batch=4, beta=0.3, publish_every=1)
    reference, tokenizer = load(policy, 0)
    model, _ = load(policy, 1)
    texts = [
        {
            "prompt": render_text(tokenizer, r["prompt"]),
            "chosen": r["chosen"],
            "rejected": r["rejected"],
        }
        for r in data
    ]
    trainer = DPOTrainer(
        model,
        reference,
        args=DPOConfig(
            str(tmp_path / "trl"),
            beta=0.3,
            per_device_train_batch_size=4,
            report_to="none",
            bf16=False,
            use_cpu=True,
        ),
        train_dataset=Dataset.from_list(texts),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    loss = trainer.compute_loss(trainer.model.eval(), batch)
    assert rows(policy)[1]["loss"] == pytest.approx(float(loss), rel=1e-4)
