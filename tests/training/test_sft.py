"""SFT: what is learned, what is left out, and the data's order."""

import json

import pytest
import torch
from tiny_runs import WORDS, load, same_weights, sample_records, tiny_policy, train_sft, weights

from swr1.errors import DataError, SwrError, UsageError
from swr1.prompts import Prompt, render
from swr1.training.passes import batches, from_step
from swr1.training.sft import _Reader
from swr1.training.targets import Targets
from tests.conftest import jsonl

THINK = Prompt("", None, "<think>")


def record(i: int, **fields) -> dict:
    """A question of two words, answered by the same two words swapped."""
    a, b = WORDS[i % 7], WORDS[7 + i % 5]
    return {
        "id": str(i),
        "prompt": [{"role": "user", "content": f"{a} {b}"}],
        "info": {"trace": f"<think> {b} {a} </think>"},
    } | fields


def train(policy, records, **options) -> dict:
    return train_sft(records, policy, **({"lr": 1e-2, "log": lambda _: None} | options))


def greedy(policy, record: dict, prefill: str = "") -> str:
    model, tokenizer = load(policy)
    ids = render(tokenizer, record["prompt"], None, prefill)
    start = len(ids)
    while len(ids) < start + 8 and ids[-1] != tokenizer.eos_token_id:
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return tokenizer.decode(ids[start:])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_policy_learns_its_targets_up_to_the_end_mark(tmp_path, optimizer: str):
    policy = tiny_policy(tmp_path / "p", hidden=32)
    data = [record(i) for i in range(35)]
    out = train(policy, data, prompt=THINK, steps=120, batch=35, lr=2e-2, optimizer=optimizer)
    assert (out["steps"], out["version"], out["sequences"]) == (120, 1, 35)
    for i in (0, 9, 23):
        a, b = data[i]["prompt"][0]["content"].split()
        # The prefill is the prompt's; what follows it is written once, and the turn is ended.
        assert greedy(policy, data[i], "<think>") == f" {b} {a}</think><|im_end|>"


def test_the_loss_is_over_the_target_alone(tmp_path):
    """By hand: mean negative log-probability of the target's tokens, from a plain forward pass."""
    policy = tiny_policy(tmp_path / "p")
    model, tokenizer = load(policy)
    data = [record(i) for i in range(3)]
    total, count = 0.0, 0
    for r in data:
        prompt = render(tokenizer, r["prompt"], "or", "")
        target = tokenizer(r["info"]["trace"])["input_ids"] + [tokenizer.eos_token_id]
        with torch.no_grad():
            table = model(torch.tensor([prompt + target])).logits[0].log_softmax(-1)
        for t, token in enumerate(target):
            total -= float(table[len(prompt) + t - 1, token])
            count += 1
    train(policy, data, prompt=Prompt("", "or"), steps=1, batch=3)
    row = json.loads((policy.path / "metrics.jsonl").read_text())
    assert row["loss"] == pytest.approx(total / count, rel=1e-5)
    assert row["target_tokens"] == count


def test_micro_batches_change_nothing_but_rounding(tmp_path):
    data = [record(i) for i in range(12)]
    for r in data[::2]:
        r["info"]["trace"] += " or and" * 5
    found = []
    for name, micro in (("one", 10_000), ("each", 1)):
        policy = tiny_policy(tmp_path / name)
        train(policy, data, steps=1, batch=12, micro_tokens=micro)
        found.append(json.loads((policy.path / "metrics.jsonl").read_text()))
    assert found[0]["loss"] == pytest.approx(found[1]["loss"], rel=1e-5)
    assert found[0]["grad_norm"] == pytest.approx(found[1]["grad_norm"], rel=1e-4)


def test_what_is_learned_and_what_is_left_out(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    said: list[str] = []
    generation = {"prefill": "<think>", "finish_reason": "stop"}
    data = [
        record(0, completion=" the </think>", reward=3.0, generation=generation),
        record(1, completion=" the </think>", reward=-1.0, generation=generation),
        record(2, completion=" the", reward=3.0, generation={"finish_reason": "length"}),
        record(3, completion=" the" * 80, reward=3.0, generation=generation),
        record(4),
    ]
    out = train(policy, data, reward_at_least=1, steps=1, prompt=THINK, log=said.append)
    assert out["sequences"] == 1
    assert out["dropped"] == {
        "no completion with a reward of at least 1": 2,
        "a completion cut at its token limit": 1,
        "longer than 64 tokens": 1,
    }
    assert any("2 records dropped" in line for line in said)
    # Without a bar the trace serves where there is no completion.
    assert train(tiny_policy(tmp_path / "q"), data, steps=1)["sequences"] == 3


def test_a_completion_is_learned_from_behind_its_prefill(tmp_path):
    """A rollout's completion follows its prefill; the same text as a trace carries it. Same target."""
    traces = [record(i) for i in range(4)]
    rollouts = [
        record(
            i,
            completion=r["info"]["trace"].removeprefix("<think>"),
            generation={"prefill": "<think>", "finish_reason": "stop"},
        )
        for i, r in enumerate(traces)
    ]
    a, b = tiny_policy(tmp_path / "a"), tiny_policy(tmp_path / "b")
    train(a, traces, prompt=THINK, steps=2)
    train(b, rollouts, prompt=THINK, steps=2)
    assert same_weights(weights(a), weights(b))


def test_nothing_to_learn_is_an_error(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    with pytest.raises(DataError, match="--trace"):
        train(policy, [record(0, info={})])
    with pytest.raises(UsageError, match="must be positive"):
        train(policy, [record(0)], batch=0)
    with pytest.raises(UsageError, match="schedule"):
        train(policy, [record(0)], schedule="exponential")
    assert policy.versions() == [0]


def test_unknown_words_are_told(tmp_path):
    said: list[str] = []
    data = [record(0, info={"trace": "the knight vanished"})]  # 1 of 4 tokens, with the end mark
    out = train(tiny_policy(tmp_path / "p"), data, steps=1, log=said.append)
    assert out["unknown"] == 0.25 and any("25.0% of the target tokens" in s for s in said)


def test_a_loss_that_is_not_finite_publishes_nothing(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    with pytest.raises(SwrError, match="stays at version 0"):
        train(policy, [record(i) for i in range(8)], batch=2, epochs=3, lr=1e38)
    assert policy.versions() == [0]


def test_versions_under_way(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    train(policy, [record(i) for i in range(8)], batch=2, steps=5, publish_every=2, keep=None)
    assert [policy.meta(v).get("step") for v in policy.versions()] == [0, 2, 4, 5]
    assert policy.meta()["groups_consumed"] == 0


def test_new_data_begin_a_new_run_only_when_the_last_one_is_done(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    first, second = ([record(i) for i in some] for some in (range(6), range(6, 12)))

    def die(row: dict) -> None:
        if row["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(policy, first, batch=2, on_step=die)
    with pytest.raises(UsageError, match="--no-resume"):
        train(policy, second, batch=2)
    train(policy, first, batch=2)
    assert train(policy, second, batch=3)["version"] == 2
    assert [policy.meta(v).get("from") for v in (1, 2)] == [0, 1]
    # Asked again, what is done is done.
    assert train(policy, second, batch=3)["version"] == 2


@pytest.mark.parametrize("budget", [None, 60])
def test_every_sequence_once_per_epoch_in_batches_of_like_length(budget):
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(3, 40, (997,), generator=generator).tolist()
    first, again, second = (batches(lengths, 4, budget, 0, epoch) for epoch in (0, 0, 1))
    assert first == again != second
    assert first != batches(lengths, 4, budget, 1, 0)
    for found in (first, second):
        assert sorted(i for b in found for i in b) == list(range(997))
    spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in first]
    assert sum(spread) / len(spread) < 2
    if budget:
        assert all(max(lengths[i] for i in b) * len(b) <= budget for b in first)


def test_a_resumed_order_is_the_rest_of_the_order():
    lengths = list(range(3, 40))
    whole = from_step(0, lengths, 4, None, 7)
    order = [next(whole) for _ in range(35)]
    for step in (1, 9, 10, 11, 30):
        rest = from_step(step, lengths, 4, None, 7)
        assert [next(rest) for _ in range(3)] == order[step : step + 3]


def rollouts(policy, prompts: int = 4, group: int = 6) -> list[dict]:
    """Samples of the policy, each rewarded by how many different tokens it has, none cut short."""
    records = sample_records(policy, prompts, group, lambda tokens, rng: len(set(tokens)))
    for r in records:
        r["generation"]["finish_reason"] = "stop"
    return records


def test_what_was_sampled_is_learned_by_its_token_ids(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    _, tokenizer = load(policy)
    records = [
        r for r in rollouts(policy) if r["generation"]["token_ids"][-1] == tokenizer.eos_token_id
    ]
    seen: list[list[int]] = []
    for as_sampled in (True, False):
        read = _Reader(Targets(tokenizer, Prompt("", "or", "<think>"), as_sampled), None, None, 64)
        seen += [e.ids.tolist() for e in read.all(records[:1])]
    generation = records[0]["generation"]
    assert seen[0] == generation["prompt_ids"] + generation["token_ids"]
    assert seen[1] == [
        *render(tokenizer, records[0]["prompt"], "or", "<think>"),
        *tokenizer(records[0]["completion"])["input_ids"],
        tokenizer.eos_token_id,
    ]


def test_tokens_that_the_policy_did_not_write_are_no_targets(tmp_path):
    _, tokenizer = load(tiny_policy(tmp_path / "p"))
    ids = tokenizer("the knight said and is a")["input_ids"]
    generation = {
        "prompt_ids": ids[:2],
        "token_ids": ids[2:],
        "loss_mask": [1, 0, 0, 1],
        "finish_reason": "stop",
    }
    sampled = record(0, completion=tokenizer.decode(ids[2:]), generation=generation)
    read = _Reader(Targets(tokenizer), None, None, 64)
    (example,) = read.all([sampled])
    # A stop string ended it, so the end mark is added, and learned.
    assert example.ids.tolist() == [*ids, tokenizer.eos_token_id]
    assert example.targets.tolist() == [2, 5, 6]
    generation["loss_mask"], generation["token_ids"] = [0] * 4, [*ids[2:5], tokenizer.eos_token_id]
    sampled["completion"] = tokenizer.decode(ids[2:5])
    assert read.all([sampled]) == [] and sum(read.dropped.values()) == 1


def test_token_ids_of_another_tokenizer_are_not_taken_for_ours(tmp_path):
    _, tokenizer = load(tiny_policy(tmp_path / "p"))
    theirs = {"prompt_ids": [5], "token_ids": [9, 10, 11], "finish_reason": "stop"}
    read = _Reader(Targets(tokenizer), None, None, 64)
    (example,) = read.all([record(0, completion="knight and knave", generation=theirs)])
    words = example.ids[example.targets].tolist()
    assert words == [*tokenizer("knight and knave")["input_ids"], tokenizer.eos_token_id]


def test_the_best_few_of_each_prompt_are_learned(tmp_path):
    policy = tiny_policy(tmp_path / "p")
    texts = ["the", "a", "or", "or", "if"]
    data = [
        record(i, sample=k, completion=text, reward=reward)
        for i in range(3)
        for k, (text, reward) in enumerate(zip(texts, [1.0, 3.0, 2.0, 2.0, -1.0], strict=True))
    ]
    out = train(policy, data, best_of=2, steps=1)
    assert out["sequences"] == 6  # "a" and one "or" of each
    assert out["dropped"] == {
        "the same completion of a prompt again": 3,
        "not among the best 2 of a prompt": 6,
    }
    bar = train(tiny_policy(tmp_path / "q"), data, best_of=2, reward_at_least=2.5, steps=1)
    assert bar["sequences"] == 3
    with pytest.raises(UsageError, match="best-of"):
        train(policy, data, best_of=0)


@pytest.mark.slow
def test_rejection_sampling_raises_the_reward(tmp_path, swr1):
    """Rollouts of several samples per prompt, the best of each learned, by the command line."""
    policy = tiny_policy(tmp_path / "p", hidden=32)
    before = rollouts(policy, 24, 8)
    scored = tmp_path / "scored.jsonl"
    scored.write_bytes(jsonl(before))
    line = f"train-step sft {scored} --policy {policy.path} --best-of 1 --reward-at-least 4"
    done = swr1(*line.split(), "--lr", 0.01, "--epochs", 10, "--batch", 8, check=True)
    assert "not among the best 1 of a prompt" in done.stderr
    after = rollouts(policy, 24, 8)
    means = [sum(r["reward"] for r in rows) / len(rows) for rows in (before, after)]
    assert means[1] > means[0] + 0.5
    wrong = swr1(*line.split(), "--kl", 0.1)
    assert wrong.returncode == 2 and "sft does not use --kl" in wrong.stderr
