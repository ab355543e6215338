"""Records with pictures from a rollout into RL, SFT and DPO, texts between them; and what is refused."""

import copy
import json

import pytest
import torch
from eyes import QUESTION, WORDS, ask, part, policy, prompts
from safetensors.torch import load_file

from swr1.engines import Sampling, open_engine
from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_classifier, load_tokenizer, load_vision
from swr1.objectives.presets import get_preset
from swr1.prompts import Prompt
from swr1.rollout.blocks import rollout
from swr1.rollout.requests import Requests
from swr1.training.checks import as_record
from swr1.training.config import DPOConfig, RLConfig, SFTConfig
from swr1.training.groups import digest, read_sample
from swr1.training.init import DecoderConfig, init_policy
from swr1.training.preference import train_dpo
from swr1.training.rl import train_rl
from swr1.training.sft import train_sft
from tests.conftest import jsonl, run_swr1
from tests.forked import ranks

NONE = Prompt("none")
VOCAB = 10**6


def sampled(home, samples=2, tokens=6):
    """Scored records of all kinds of prompts, sampled by the policy's newest version."""
    engine = open_engine("hf", home.folder(), dtype="float32", device="cpu")
    records = [{"id": name, "task": "look", "prompt": p} for name, p in prompts().items()]
    make = Requests(engine, NONE, samples, Sampling(max_tokens=tokens, seed=1), home.name)
    out = rollout(records, make, refresh=home.latest)
    return [record | {"reward": float(record["sample"])} for record in out]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return policy(tmp_path_factory.mktemp("home") / "p")


@pytest.mark.parametrize("recompute", [False, True])
def test_new_weights_find_pictures_and_places_as_they_were(home, recompute):
    """The same weights again, as a new version, change nothing: not where they read all anew."""
    engine = open_engine("hf", home.folder(), dtype="float32", device="cpu")
    sampling = Sampling(max_tokens=12, seed=1)
    requests = [engine.request((n, 0, 0), p, NONE) for n, p in prompts().items()]
    want = engine.generate(requests, sampling)
    flow, made = engine.flow(sampling, 0, recompute), {}
    flow.begin(requests)
    for step in range(40):
        made |= {request.key[0]: completion for request, completion in flow.step()}
        if step in (2, 5):
            flow.take(str(home.folder()), step)
    for request, right in zip(requests, want, strict=True):
        got = made[request.key[0]]
        assert got.token_ids == right.token_ids
        assert abs(got.logprobs - right.logprobs).max() < 1e-5
    assert any(len(got.facts["versions"]) == 3 for got in made.values())


@pytest.fixture(scope="module")
def records(home):
    return sampled(home)


@pytest.fixture
def fresh(home, tmp_path):
    """The same policy, to be trained."""
    return policy(tmp_path / "fresh")


def moved(home, before):
    """The names of weights that the newest version has otherwise than `before`."""
    now = load_file(home.folder() / "model.safetensors")
    assert now.keys() == before.keys()
    return {name for name, value in now.items() if not torch.equal(value, before[name])}


def of_tower(names):
    return {name for name in names if name.startswith("visual.")}


def weights(home):
    return load_file(home.folder() / "model.safetensors")


def test_what_a_record_says_of_its_pictures(records):
    of = {r["id"]: r["generation"] for r in records}
    assert "pictures" not in of["text"]
    assert [p["tokens"] for p in of["two"]["pictures"]] == [8, 1]
    assert of["p1"]["pictures"] == [
        {"digest": part(1, (48, 96))["digest"], "tokens": 18, "size": [48, 96]}
    ]
    assert of["p0"]["prompt_ids"] == of["p1"]["prompt_ids"]
    assert of["p0"]["engine"]["pictures"] == {"class": "Qwen2VLImageProcessorPil", "backend": "pil"}
    assert json.loads(json.dumps(records)) == records


@pytest.mark.parametrize("options", [{}, {"freeze_vision": True}, {"lora_r": 2}])
def test_an_rl_step_moves_the_tower_unless_it_is_frozen(records, fresh, options):
    before, said = weights(fresh), []
    config = RLConfig(
        objective=get_preset("grpo", kl=0.1), batch=6, lr=1e-2, steps=1, device="cpu", **options
    )
    summary = train_rl(records, fresh, config, log=said.append)
    assert summary["steps"] == 1
    line = next(s for s in said if s.startswith("first batch"))
    assert "mean 1.0000 (min 1.0000, max 1.0000)" in line  # the ratio to what was sampled
    changed = moved(fresh, before)
    assert bool(of_tower(changed)) != options.get("freeze_vision", False)
    assert changed - of_tower(changed)


def test_steps_of_texts_alone_leave_the_tower(records, fresh):
    before = weights(fresh)
    texts = [r for r in records if r["id"] == "text"]
    train_rl(texts, fresh, RLConfig(objective="grpo", batch=1, lr=1e-2, steps=1, device="cpu"))
    assert not of_tower(moved(fresh, before))


@pytest.mark.parametrize("kl", [0.0, 0.1])
def test_micro_batches_change_no_step(records, tmp_path, kl):
    """Pictures are counted with the prompts that have them, however the batch is cut."""
    made = []
    for tokens in (0, 40):
        home = policy(tmp_path / str(tokens))
        train_rl(
            records,
            home,
            RLConfig(
                objective=get_preset("grpo", kl=kl),
                batch=6,
                lr=1e-3,
                steps=1,
                micro_tokens=tokens,
                optimizer="sgd",
                device="cpu",
            ),
        )
        made.append(weights(home))
    for name, value in made[0].items():
        assert torch.allclose(value, made[1][name], atol=1e-6), name


def test_sft_and_dpo_learn_from_pictures(records, fresh):
    before = weights(fresh)
    rows = [
        {"id": f"s{i}", "prompt": ask(QUESTION, part(i)), "completion": answer}
        for i, answer in enumerate(["one", "two", "three", "none"])
    ]
    text = [{"role": "user", "content": "a ?"}]
    rows.append({"id": "t", "prompt": text, "completion": "b"})
    losses = []
    config = SFTConfig(batch=5, steps=40, lr=5e-3, device="cpu", max_unknown=1)
    train_sft(rows, fresh, config, on_step=lambda m: losses.append(m["loss"]))
    assert losses[-1] < 0.1 < losses[0]  # the words are the same: only pictures tell them apart
    assert of_tower(moved(fresh, before))
    engine = open_engine("hf", fresh.folder(), dtype="float32", device="cpu")
    asked = [engine.request((r["id"], 0, 0), r["prompt"], NONE) for r in rows]
    done = engine.generate(asked, Sampling(max_tokens=4, temperature=0))
    assert [c.text.strip() for c in done] == [r["completion"] for r in rows]
    before = weights(fresh)
    pairs = [
        {"id": r["id"], "prompt": r["prompt"], "chosen": "none", "rejected": r["completion"]}
        for r in rows[:3]
    ]
    train_dpo(pairs, fresh, DPOConfig(batch=3, steps=2, lr=1e-3, device="cpu", max_unknown=1))
    assert of_tower(moved(fresh, before))


def test_sampled_completions_are_learned_by_their_ids_and_checked(records, fresh):
    some = [spoiled(r, "finish_reason", "stop") for r in records]
    said = []
    config = SFTConfig(batch=12, steps=1, lr=1e-3, device="cpu", max_unknown=1)
    assert train_sft(some, fresh, config, log=said.append)["sequences"] == len(records)
    some[0]["generation"]["pictures"][0]["tokens"] += 1
    with pytest.raises(DataError, match="record 'p0': picture 1 has tokens 9 here, and had 10"):
        train_sft(some, fresh, config)


def test_a_killed_run_goes_on_bit_for_bit(records, tmp_path):
    config = {"batch": 2, "lr": 1e-3, "device": "cpu", "publish_every": 1}
    whole, parts = policy(tmp_path / "whole"), policy(tmp_path / "parts")
    train_rl(records, whole, RLConfig(objective="grpo", steps=2, ratio_tolerance=9, **config))
    for steps in (1, 2):
        train_rl(
            records, parts, RLConfig(objective="grpo", steps=steps, ratio_tolerance=9, **config)
        )
    a, b = weights(whole), weights(parts)
    assert all(torch.equal(a[name], b[name]) for name in a)


def spoiled(record, name, value):
    out = copy.deepcopy(record)
    out["generation"][name] = value
    return out


def test_what_does_not_belong_together_is_refused(home, records):
    vision = load_vision(home.folder(), load_tokenizer(home.folder()))
    record = next(r for r in records if r["id"] == "two")
    generation = record["generation"]
    sample = read_sample(record, VOCAB, vision=vision)
    assert len(sample.example.ids) == len(generation["prompt_ids"]) + 7 + 6 or sample.tokens < 6
    first, second = generation["pictures"]
    cases = {
        "2 pictures in `prompt`, 1 in `generation.pictures` and 2 placeholders": [first],
        "2 pictures in `prompt`, 0 in": [],
        "picture 1 has digest": [second, first],
        "picture 2 has size": [first, second | {"size": [1, 1]}],
    }
    for message, pictures in cases.items():
        with pytest.raises(DataError, match=f"record 'two', sample 0: {message}"):
            read_sample(spoiled(record, "pictures", pictures), VOCAB, vision=vision)
    ids = [i for i in generation["prompt_ids"] if i != vision.token]
    with pytest.raises(DataError, match="and 0 placeholders"):
        read_sample(spoiled(record, "prompt_ids", ids), VOCAB, vision=vision)
    ids = [vision.token, *generation["token_ids"][1:]]
    with pytest.raises(DataError, match=f"has {vision.token}, which stands for a picture"):
        read_sample(spoiled(record, "token_ids", ids), VOCAB, vision=vision)
    with pytest.raises(DataError, match="its prompt has pictures, and this policy takes none"):
        read_sample(record, VOCAB)
    blind = record | {"prompt": [{"role": "user", "content": QUESTION}]}
    with pytest.raises(DataError, match="0 pictures in `prompt`, 2 in"):
        read_sample(blind, VOCAB, vision=vision)


def test_another_picture_is_another_input(home, records):
    vision = load_vision(home.folder(), load_tokenizer(home.folder()))
    a, b = (
        read_sample(r, VOCAB, vision=vision)
        for r in records
        if r["sample"] == 0 and r["id"] in ("p0", "p1")
    )
    b.id, b.example = a.id, a.example._replace(pictures=b.example.pictures)
    assert digest([a]) != digest([b])


def test_a_batch_that_is_put_aside_can_be_read_again(home, records):
    vision = load_vision(home.folder(), load_tokenizer(home.folder()))
    for record in records:
        sample = read_sample(record, VOCAB, vision=vision)
        again = read_sample(json.loads(json.dumps(as_record(sample))), VOCAB, vision=vision)
        assert torch.equal(again.example.ids, sample.example.ids)
        assert [p.digest for p in again.example.pictures] == [
            p.digest for p in sample.example.pictures
        ]


def test_a_critic_and_a_model_of_texts_say_what_they_lack(records, fresh, tmp_path):
    blind = init_policy(tmp_path / "blind", DecoderConfig(), corpus=[WORDS + WORDS.upper()])
    config = RLConfig(objective="grpo", batch=6, steps=1, device="cpu")
    with pytest.raises(DataError, match="its prompt has pictures, and this policy takes none"):
        train_rl(records, blind, config)
    texts = [{"id": "a", "prompt": [{"role": "user", "content": "a"}], "completion": "b"}]
    config = SFTConfig(steps=1, freeze_vision=True, device="cpu", max_unknown=1)
    with pytest.raises(UsageError, match="LlamaForCausalLM has no vision tower"):
        train_sft(texts, blind, config)
    config = RLConfig(objective="ppo", batch=6, steps=1, device="cpu")
    with pytest.raises(UsageError, match="ppo needs a critic, which takes no pictures yet"):
        train_rl(records, fresh, config)
    with pytest.raises(SwrError, match="no classifier of the kind qwen2_5_vl"):
        load_classifier(fresh.folder(), ["a", "b"], torch.float32, tokens=False, new_head=True)


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_ranks_with_pictures_and_ranks_without_train_like_one_process(records, tmp_path, kind):
    """Micro-batches of one prompt: a rank has texts alone while the other sees."""
    mixed = [r | {"id": f"{r['id']}{n}"} for n in range(2) for r in records if r["id"] in "p0text"]
    (tmp_path / "rows.jsonl").write_bytes(jsonl(mixed))
    train = "grpo --batch 2 --lr 1e-3 --micro-tokens 40 --device cpu --ratio-tolerance 9"
    one, two = policy(tmp_path / "one"), policy(tmp_path / "two")
    args = ["train-step", *train.split(), tmp_path / "rows.jsonl", "--policy"]
    run_swr1(*args, one.path, check=True)
    codes, said = ranks(*map(str, args), str(two.path), "--parallel", kind)
    assert codes == [0, 0], said
    a, b = weights(one), weights(two)
    assert max(float((a[k] - b[k]).abs().max()) for k in a) < 2e-6
    assert of_tower(moved(two, load_file(two.folder(0) / "model.safetensors")))
