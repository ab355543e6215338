"""A guard: what it learns, its published version, its split, and going on after a kill."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_runs import WORDS, same_weights, tiny_policy, train_guard, weights

from swr1.errors import DataError, UsageError
from swr1.policy import Policy
from swr1.training.heads import Item, all_logits, encode, open_judge, open_model, open_tokenizer
from swr1.training.held_out import is_held_out, softmax
from tests.conftest import jsonl

LABELS = {"true": "safe", "false": "unsafe", "not": "needless-refusal"}


def record(i: int, sample: int = 0, **fields) -> dict:
    """One word of the completion says what it is, the others say nothing."""
    word = list(LABELS)[(i + sample) % 3]
    words = [WORDS[(i * 5 + sample) % 6], word, WORDS[(i * 3 + sample) % 5]]
    return {
        "id": f"p{i}",
        "sample": sample,
        "prompt": [{"role": "user", "content": f"{WORDS[i % 7]} {WORDS[i % 5]}"}],
        "completion": " ".join(words),
        "info": {"label": LABELS[word]},
    } | fields


def records(n: int = 40, samples: int = 2) -> list[dict]:
    return [record(i, k) for i in range(n) for k in range(samples)]


def train(path, data, **options) -> tuple[Policy, dict]:
    if not (path / "versions").exists():
        tiny_policy(path, hidden=32)
    options = {"lr": 1e-2, "batch": 16, "log": lambda _: None} | options
    return Policy(path), train_guard(iter(data), Policy(path), **options)


def rows(policy) -> list[dict]:
    return [json.loads(line) for line in (policy.path / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("guard") / "p", records(), epochs=8, held_out=0.3)


def test_it_learns_what_can_be_told_apart(trained):
    policy, out = trained
    found = out["held_out"]
    assert found["accuracy"] > 0.9 and found["macro_f1"] > 0.9 and found["auroc"] > 0.95
    assert found["majority"] < 0.6
    last = rows(policy)[-1]
    assert last["held_out_accuracy"] == found["accuracy"] and last["version"] == 1
    new = [record(i, 7) for i in range(41, 60)]  # of prompts that were on neither side
    judge = open_judge(policy.path)
    guesses = [judge.labels[k] for k in judge.logits(new).argmax(-1)]
    assert np.mean([g == r["info"]["label"] for g, r in zip(guesses, new, strict=True)]) > 0.9


def test_the_version_loads_in_plain_transformers_as_its_card_says(trained):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    policy, _ = trained
    folder = policy.folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.id2label == dict(enumerate(LABELS.values()))
    judge = open_judge(policy.path)
    batch = [record(1), record(2, completion="the knight said " * 4 + "true")]
    texts = []
    for r in batch:
        text = tokenizer.apply_chat_template(
            r["prompt"], tokenize=False, add_generation_prompt=True
        )
        texts.append(text + r["completion"] + tokenizer.eos_token)
    ours = judge.logits(batch)
    with torch.no_grad():
        one = [
            model(**tokenizer(t, add_special_tokens=False, return_tensors="pt")).logits
            for t in texts
        ]
        padded = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        together = model(**padded).logits
    for theirs in (torch.cat(one), together):
        assert np.allclose(ours, theirs.numpy(), atol=1e-4)
    card = (folder / "README.md").read_text()
    facts = json.loads((folder / "classifier.json").read_text())
    assert judge.temperature == facts["temperature"] == facts["held_out"]["temperature"]
    assert f"logits / {facts['temperature']:.4g}" in card
    assert f"{facts['held_out']['accuracy']:.3f}" in card and "| unsafe |" in card
    assert softmax(ours, judge.temperature).sum(-1) == pytest.approx(1)


def test_samples_of_a_prompt_stay_on_one_side(trained):
    policy, out = trained
    facts = json.loads((policy.folder() / "classifier.json").read_text())
    aside = [r for r in records() if is_held_out(r["id"], 0.3)]
    assert facts["held_out_of"]["items"] == len(aside) == out["held_out"]["n"]
    assert facts["trained_on"]["items"] == len(records()) - len(aside)
    assert out["held_out"]["prompts"] == len({r["id"] for r in aside})


def test_the_split_can_go_by_another_field(tmp_path):
    data = [r | {"info": r["info"] | {"goal": f"g{i // 10}"}} for i, r in enumerate(records())]
    _, out = train(tmp_path / "p", data, steps=1, held_out=0.5, split_by="info.goal")
    assert out["held_out"]["n"] % 10 == 0 and out["held_out"]["prompts"] < 8
    with pytest.raises(DataError, match=r"'p0' has no 'info.behaviour'"):
        train(tmp_path / "p", data, steps=2, split_by="info.behaviour")


def test_without_the_prompt_only_the_response_counts(tmp_path):
    data = records()
    policy, _ = train(tmp_path / "p", data, steps=1, prompt_tokens=0)
    judge = open_judge(policy.folder())
    other = [r | {"prompt": [{"role": "user", "content": WORDS[3] * 9}]} for r in data]
    assert judge.facts["prompt_tokens"] == 0
    assert np.array_equal(judge.logits(data), judge.logits(other))
    assert "nothing is read" in (policy.folder() / "README.md").read_text()


def test_a_source_that_is_left_out_sets_the_threshold(tmp_path):
    data = [r | {"info": r["info"] | {"set": "abc"[i % 3]}} for i, r in enumerate(records())]
    policy, out = train(
        tmp_path / "p", data, epochs=6, held_out=0.2, sources="info.set", calibrate_on="c"
    )
    found, judge = out["held_out"], open_judge(policy.folder())
    assert set(judge.facts["sources"]) == {"a", "b"}
    assert found["by_source"]["c"]["n"] == sum(r["info"]["set"] == "c" for r in data)
    assert {k: v["fitted_on"] for k, v in found["by_source"].items()} == {"a": False, "b": False, "c": True}  # fmt: skip
    scaled = judge.logits(data) / found["temperature"] + np.array(found["offsets"])
    assert np.allclose(judge.probabilities(data), softmax(scaled))
    assert "| c | " in (policy.folder() / "README.md").read_text()


def test_a_source_must_be_there(tmp_path):
    data = [r | {"info": r["info"] | {"set": "a"}} for r in records()]
    with pytest.raises(UsageError, match="no record comes from z"):
        train(tmp_path / "p", data, steps=1, sources="info.set", calibrate_on="z", held_out=0.2)
    with pytest.raises(UsageError, match="calibrate-on needs --sources"):
        train(tmp_path / "p", data, steps=1, calibrate_on="a")
    with pytest.raises(DataError, match=r"no 'info.other' to name its source"):
        train(tmp_path / "p", data, steps=1, sources="info.other")


def test_records_of_several_sets_are_split_by_the_field_that_each_has(tmp_path):
    """As behaviours of one set and prompts of another: both stay whole."""
    data = records()
    for i, r in enumerate(data[:40]):
        r["info"] |= {"goal": i // 10}
    _, out = train(tmp_path / "p", data, steps=1, held_out=0.5, split_by="info.goal,id")
    goals = sum(10 for goal in range(4) if is_held_out(str(goal), 0.5))
    alone = sum(is_held_out(r["id"], 0.5) for r in data[40:])
    assert 0 < goals < 40 and out["held_out"]["n"] == goals + alone


def test_batches_are_mixed_in_length(tmp_path):
    """Where length tells the label, batches of like length would be batches of like label."""
    data = [record(i, completion=["true", "false " * 20][i % 2]) for i in range(64)]
    for i, r in enumerate(data):
        r["info"]["label"] = ["safe", "unsafe"][i % 2]
    options = {"labels": ["safe", "unsafe"], "batch": 16, "held_out": 0}
    policy, _ = train(tmp_path / "p", data, epochs=1, **options)
    sizes = [r["tokens"] for r in rows(policy)]
    assert len(sizes) == 4 and max(sizes) < 2 * min(sizes)


def test_of_a_long_prompt_the_ends_are_read(tmp_path):
    """So a long one is not left out, and whoever opens the guard reads as it learned."""
    long = [{"role": "user", "content": " ".join(["knight", *["said"] * 90, "knave"])}]
    data = [r | {"prompt": long} for r in records(10)]
    policy, out = train(tmp_path / "p", data, steps=1, max_length=40, prompt_tokens=16)
    assert out["dropped"] == {}
    assert (
        "more than 16 tokens the first 8 and the last 8"
        in (policy.folder() / "README.md").read_text()
    )
    tokenizer = open_judge(policy.path).tokenizer
    ids = encode(tokenizer, long, "true " * 30)
    text = tokenizer.decode(ids)
    assert 16 + 30 < len(ids) <= 16 + 30 + 4  # the turn is whole
    assert "knight" in text and "knave" in text and text.count("said") < 16
    short = records(1)[0]["prompt"]
    whole = encode(open_tokenizer(policy.folder(0)), short, "true")
    assert torch.equal(encode(tokenizer, short, "true"), whole)
    _, out = train(tmp_path / "p", data, steps=2, max_length=40)  # goes on as it began
    assert out["dropped"] == {}
    with pytest.raises(UsageError, match="8 tokens"):
        train(tmp_path / "p", data, steps=3, prompt_tokens=2)


def test_measured_on_a_file(tmp_path):
    other = [record(i, 5) for i in range(30)]
    (tmp_path / "other.jsonl").write_bytes(jsonl(other))
    policy, out = train(
        tmp_path / "p", records(10), steps=1, held_out=str(tmp_path / "other.jsonl")
    )
    assert out["items"] == 20 and out["held_out"]["n"] == 30
    assert "other.jsonl" in (policy.folder() / "README.md").read_text()


def test_rare_labels_weigh_more_when_asked(tmp_path):
    """The first loss by hand: that of the untrained head, each label a third of the weight."""
    data = [r for i, r in enumerate(records(24, 1)) if r["info"]["label"] == "safe" or i < 6]
    options = {"steps": 1, "batch": 100, "held_out": 0}
    plain, out = train(tmp_path / "plain", data, **options)
    train(tmp_path / "balanced", data, balance=True, **options)
    assert out["held_out"] is None
    assert "nothing was measured" in (plain.folder() / "README.md").read_text()
    tokenizer = open_tokenizer(plain.folder(0))
    labels = list(LABELS.values())
    model = open_model(
        plain.folder(0), labels, tokenizer, torch.device("cpu"), tokens=False, new_head=True
    )
    items = [
        Item("", [encode(tokenizer, r["prompt"], r["completion"])], torch.zeros(1)) for r in data
    ]
    p = softmax(np.concatenate(all_logits(model, items, 10_000)))
    losses: dict[str, list[float]] = {}
    for r, row in zip(data, p, strict=True):
        name = r["info"]["label"]
        losses.setdefault(name, []).append(-np.log(row[labels.index(name)]))
    means = [np.mean(some) for some in losses.values()]
    every = [x for some in losses.values() for x in some]
    for name, expected in (("plain", np.mean(every)), ("balanced", np.mean(means))):
        first = rows(Policy(tmp_path / name))[0]
        assert first["loss"] == pytest.approx(expected, rel=1e-4), name


def test_micro_batches_change_nothing_but_rounding(tmp_path):
    found = []
    for name, micro in (("one", 10_000), ("each", 1)):
        policy, _ = train(tmp_path / name, records(12), steps=2, micro_tokens=micro, balance=True)
        found.append([(r["loss"], r["grad_norm"]) for r in rows(policy)])
    assert np.allclose(*found, rtol=1e-3)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("lora_r", [0, 4])
def test_a_killed_run_ends_with_the_same_version(tmp_path, at: int, lora_r: int):
    options = {"steps": 5, "publish_every": 2, "checkpoint_every": 1, "lora_r": lora_r}
    whole, out = train(tmp_path / "whole", records(10), **options)
    shutil.copytree(tmp_path / "whole" / "versions" / "000000", tmp_path / "p/versions/000000")

    def die(row: dict) -> None:
        if row["step"] == at:
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path / "p", records(10), on_step=die, **options)
    policy, again = train(tmp_path / "p", records(10), **options)
    assert policy.versions() == whole.versions()
    assert same_weights(weights(policy), weights(whole))
    assert again["held_out"] == out["held_out"]
    assert [r["loss"] for r in rows(policy)] == [r["loss"] for r in rows(whole)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"info": {"label": "dangerous"}}, "'dangerous', not one of safe"),
        ({"info": {}}, "None, not one of"),
        ({"completion": ""}, "no completion"),
    ],
)
def test_a_record_without_what_is_needed_is_named(tmp_path, change: dict, told: str):
    with pytest.raises(DataError, match=rf"'p3'.*{told}"):
        train(tmp_path / "p", [*records(3), record(3, **change)])


def test_impossible_labels_and_shares(tmp_path):
    safe = [r for r in records() if r["info"]["label"] == "safe"]
    with pytest.raises(DataError, match=r"labelled unsafe or needless-refusal; .*--labels"):
        train(tmp_path / "p", safe)
    for wrong in ({"labels": ["safe"]}, {"labels": ["a", "a"]}, {"held_out": 1.5}):
        with pytest.raises(UsageError):
            train(tmp_path / "p", safe, **wrong)
    assert Policy(tmp_path / "p").versions() == [0]


def test_labels_of_another_name_in_another_field(tmp_path):
    data = [record(i, answer=["good", "bad"][i % 2], info={}) for i in range(20)]
    policy, _ = train(tmp_path / "p", data, labels=["bad", "good"], steps=1)
    assert open_judge(policy.path).labels == ["bad", "good"]
    moved = [{**r, "info": {"human": {"verdict": r["answer"]}}, "answer": None} for r in data]
    policy, _ = train(
        tmp_path / "q", moved, labels=["bad", "good"], label="info.human.verdict", steps=1
    )
    assert same_weights(weights(policy), weights(Policy(tmp_path / "p")))
    moved.insert(3, record(99, answer=None, info={"human": {}}))
    policy, summary = train(
        tmp_path / "r", moved, labels=["bad", "good"], label="info.human.verdict", steps=1
    )
    assert summary["dropped"] == {"no info.human.verdict": 1}
    assert same_weights(weights(policy), weights(Policy(tmp_path / "p")))


def test_another_seed_draws_another_head(tmp_path):
    start = tiny_policy(tmp_path / "start").path
    heads = []
    for seed in (0, 0, 1):
        policy = Policy(tmp_path / f"p{len(heads)}")
        options = {"start": str(start), "steps": 1, "held_out": 0, "log": lambda _: None}
        train_guard(records(6), policy, seed=seed, **options)
        heads.append(weights(policy, 0)["score.weight"])
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[1], heads[2])


def tiny_encoder(path):
    """A BERT of two layers with its own special tokens and no chat template."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocab = {w: i for i, w in enumerate([*special, *WORDS, "User", "Assistant"])}
    backend = Tokenizer(models.WordLevel(vocab, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(path)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocab), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.1,
    )  # fmt: skip
    BertModel(config).save_pretrained(path)
    return path


def test_an_encoder_serves_as_the_start(tmp_path):
    from transformers import pipeline

    start = str(tiny_encoder(tmp_path / "bert"))
    policy = Policy(tmp_path / "p")
    options = {"start": start, "lr": 3e-3, "batch": 16, "epochs": 12, "log": lambda _: None}
    out = train_guard(records(), policy, **options)
    assert policy.versions() == [0, 1] and out["held_out"]["accuracy"] > 0.9
    assert f"`{start}`" in (policy.folder() / "README.md").read_text()
    classify = pipeline("text-classification", model=str(policy.folder()))
    r = record(50)
    question = r["prompt"][0]["content"]
    (told,) = classify(f"User: {question}\nAssistant: {r['completion']}")
    assert told["label"] == r["info"]["label"]
    logits = open_judge(policy.path).logits([r])
    assert told["score"] == pytest.approx(softmax(logits).max(), abs=1e-4)
    # The same command again has nothing to do, and the start is not looked at.
    assert train_guard(records(), policy, **(options | {"start": "/gone"}))["version"] == 1


def test_the_command_line(tmp_path, swr1):
    start = tiny_policy(tmp_path / "start")
    data = jsonl(records())
    line = f"train-step guard --start {start.path} --policy {tmp_path}/g --lr 0.01 --held-out 0.3"
    done = swr1(*line.split(), "--steps", 3, "--balance", stdin=data, check=True)
    assert "at version 1, step 3" in done.stderr
    assert "needless-refusal" in (tmp_path / "g" / "latest" / "README.md").read_text()
    absent = swr1(*f"train-step guard --policy {tmp_path}/none".split(), stdin=data)
    assert absent.returncode == 65 and "init-policy" in absent.stderr
