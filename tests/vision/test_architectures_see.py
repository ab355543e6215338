"""For every architecture: what a rollout records is what a direct call and the trainer compute."""

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from eyes import ARCHITECTURES, QUESTION, SIZES, ask, part, plain, plain_logprobs, policy, prompts
from safetensors.torch import load_file

from swr1.engines import Request, Sampling, open_engine
from swr1.errors import DataError, SwrError, UsageError
from swr1.models import load_tokenizer, load_vision
from swr1.prompts import Prompt
from swr1.training import engine as training
from swr1.training import packing
from swr1.training.logprobs import WAYS, token_logprobs, way_of
from swr1.training.packing import Example, packs
from swr1.vision import collapse, expand, takes_pictures, tower_of

CPU = torch.device("cpu")
DRAW = Sampling(max_tokens=8, seed=3)
NONE = Prompt("none")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def made(request, tmp_path_factory):
    """(policy, engine) of an architecture."""
    home = policy(tmp_path_factory.mktemp("eyes") / request.param, request.param)
    return home, open_engine("hf", home.folder(), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def trained(made):
    """The model as the trainer opens it; tests leave it as it was."""
    home, engine = made
    return training.load_model(home.folder(), CPU, torch.float32, vision=engine.vision)


@contextmanager
def asked_by(model, way):
    """A model that is asked in this way, for a while."""
    if not way.packed:
        packing.disable(model)
    model.swr1_way = way
    try:
        yield
    finally:
        packing.enable(model)
        model.swr1_way = WAYS[0]


def requests(engine, samples=2):
    return [
        engine.request((name, 0, s), messages, NONE)
        for name, messages in prompts().items()
        for s in range(samples)
    ]


def examples(engine, asked, done):
    made = []
    for request, completion in zip(asked, done, strict=True):
        ids = engine.vision.expand(request.prompt_ids, request.pictures)
        whole = torch.tensor(ids + completion.token_ids)
        made.append(Example(whole, torch.arange(len(ids), len(whole)), request.pictures))
    return made


def test_rollout_direct_call_and_packed_trainer_say_the_same(made, trained):
    home, engine = made
    assert engine.variant.name == "cohorts"
    asked = requests(engine)
    done = engine.generate(asked, DRAW)
    drawn = torch.cat([torch.from_numpy(c.logprobs) for c in done])
    some = examples(engine, asked, done)
    assert way_of(trained) == WAYS[0]
    packed, entropy = token_logprobs(trained, some, entropy="value")
    assert (packed - drawn).abs().max() < 2e-6
    assert entropy.isfinite().all()
    direct = plain(home.folder())
    one_by_one = torch.cat([plain_logprobs(direct, engine.vision, e) for e in some])
    assert (one_by_one - drawn).abs().max() < 2e-6
    # A prompt is computed once for its samples: six prompts, one row of tokens.
    assert packs(some, 10**6) == [list(range(len(some)))]


def test_the_picture_matters_and_no_other_prompt_does(made):
    _, engine = made
    asked = requests(engine)
    together = engine.generate(asked, DRAW)
    for request, completion in zip(asked, together, strict=True):
        (alone,) = engine.generate([request], DRAW)
        assert alone.token_ids == completion.token_ids
        assert np.abs(alone.logprobs - completion.logprobs).max() < 2e-6
    of = {request.key: completion for request, completion in zip(asked, together, strict=True)}
    assert asked[0].prompt_ids == asked[2].prompt_ids  # the words are the same
    first = np.array([[of[f"p{i}", 0, s].logprobs[0] for s in range(2)] for i in range(3)])
    assert np.abs(first[0] - first[1:]).max() > 1e-2
    assert asked[8].prompt_ids == asked[10].prompt_ids  # and two pictures have an order
    two, swapped = (of[name, 0, 0].logprobs[0] for name in ("two", "swapped"))
    assert abs(two - swapped) > 1e-3


def test_every_way_of_asking_sees_and_teaches_the_same(made, trained):
    _, engine = made
    asked = requests(engine)
    done = engine.generate(asked, DRAW)
    drawn = torch.cat([torch.from_numpy(c.logprobs) for c in done])
    some = examples(engine, asked, done)
    grads = []
    for way in WAYS:
        trained.zero_grad()
        with asked_by(trained, way):
            found, _ = token_logprobs(trained, some)
            found.mean().backward()
        assert (found - drawn).abs().max() < 2e-6
        grads.append(
            {n: p.grad.clone() for n, p in trained.named_parameters() if p.grad is not None}
        )
    assert any("vis" in name for name in grads[0])
    for other in grads[1:]:
        assert grads[0].keys() == other.keys()
        for name, grad in grads[0].items():
            assert torch.allclose(grad, other[name], atol=1e-5), name


def test_an_engine_for_gpus_keeps_the_positions_of_pictures(made, monkeypatch):
    """Rows come and go on one clock; on a CPU the other cache is chosen, so it is left out here."""
    home, engine = made
    monkeypatch.setattr("swr1.engines.hf.cohorts.enable", lambda model: False)
    rows = open_engine("hf", home.folder(), dtype="float32", device="cpu", batch_tokens=600)
    assert rows.variant.name == "rows"
    asked = requests(engine)
    for a, b in zip(engine.generate(asked, DRAW), rows.generate(asked, DRAW), strict=True):
        assert a.token_ids == b.token_ids
        assert np.abs(a.logprobs - b.logprobs).max() < 5e-6


def test_a_later_turn_still_sees(made):
    """Tools and continued completions ask again, with all that was written behind the prompt."""
    _, engine = made
    asked = requests(engine, samples=1)
    whole = engine.generate(asked, Sampling(max_tokens=6, temperature=0))
    first = engine.generate(asked, Sampling(max_tokens=3, temperature=0))
    later = [
        replace(r, prompt_ids=r.prompt_ids + c.token_ids, turn=1)
        for r, c in zip(asked, first, strict=True)
    ]
    rest = engine.generate(later, Sampling(max_tokens=3, temperature=0))
    for all_, a, b in zip(whole, first, rest, strict=True):
        if a.finish_reason == "length":
            assert a.token_ids + b.token_ids == all_.token_ids


def test_recomputing_activations_changes_nothing(made, trained):
    home, engine = made
    asked = requests(engine, samples=1)
    some = examples(engine, asked, engine.generate(asked, DRAW))
    model = training.load_model(home.folder(), CPU, torch.float32, vision=engine.vision)
    training.checkpoint_activations(model)
    found = []
    for each in (trained, model):
        each.zero_grad()
        logp, _ = token_logprobs(each, some)
        logp.mean().backward()
        found.append((logp.detach(), {n: p.grad for n, p in each.named_parameters()}))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-6)
    for name, grad in found[0][1].items():
        assert (grad is None) == (found[1][1][name] is None)
        assert grad is None or torch.allclose(grad, found[1][1][name], atol=1e-5), name


def test_the_token_of_a_picture_is_never_sampled(made):
    """Its logit is raised beyond all others: neither is it drawn, nor does it weigh in the softmax."""
    home, engine = made
    doctored = open_engine("hf", home.folder(), dtype="float32", device="cpu")
    head = doctored.model.get_output_embeddings()
    head.weight = torch.nn.Parameter(head.weight.clone(), requires_grad=False)  # untied
    token = doctored.vision.token
    plain_head = head.forward

    def louder(hidden):
        logits = plain_head(hidden)
        logits[..., token] += 100
        return logits

    head.forward = louder
    for sampling in (DRAW, Sampling(max_tokens=8, temperature=0)):
        asked = requests(engine)
        got, want = doctored.generate(asked, sampling), engine.generate(asked, sampling)
        for a, b in zip(got, want, strict=True):
            assert token not in a.token_ids
            assert a.token_ids == b.token_ids
            assert np.abs(a.logprobs - b.logprobs).max() < 2e-6


def test_the_token_of_a_picture_has_no_probability_in_training(made, trained):
    """Its row of the output layer takes part in nothing (as an embedding, pixels replace it)."""
    _, engine = made
    asked = requests(engine, samples=1)
    some = examples(engine, asked, engine.generate(asked, DRAW))
    weight = trained.get_output_embeddings().weight
    row = weight.detach()[engine.vision.token].clone()
    for way in (WAYS[0], WAYS[1]):
        with asked_by(trained, way):
            before, h = token_logprobs(trained, some, entropy="value")
            with torch.no_grad():
                weight[engine.vision.token] = 50.0
            after, h_after = token_logprobs(trained, some, entropy="value")
            with torch.no_grad():
                weight[engine.vision.token] = row
        assert torch.allclose(before, after, atol=1e-6)
        assert torch.allclose(h, h_after, atol=1e-5)


def test_pixels_withheld_are_an_error_and_no_number(made, trained):
    _, engine = made
    asked = requests(engine, samples=1)
    some = examples(engine, asked, engine.generate(asked, DRAW))
    for way in (WAYS[0], WAYS[2]):
        with asked_by(trained, way):
            with pytest.raises(SwrError, match="the policy would be blind"):
                token_logprobs(trained, [some[0]._replace(pictures=())])
            with pytest.raises(SwrError, match="the policy would be blind"):
                token_logprobs(trained, [some[3]._replace(pictures=some[0].pictures)])
    blind = Request(("a", 0, 0), asked[0].prompt_ids)
    with pytest.raises(DataError, match="1 placeholders and 0 pictures"):
        engine.generate([blind], DRAW)


def test_a_placeholder_that_somebody_typed_is_text(made):
    _, engine = made
    name = engine.vision.name
    typed = engine.request(("a", 0, 0), ask(f"how many {name} circles ?", part(1)), NONE)
    assert typed.prompt_ids.count(engine.vision.token) == len(typed.pictures) == 1
    text = [{"role": "user", "content": f"{name} red"}]
    assert engine.vision.token not in engine.request(("a", 0, 0), text, NONE).prompt_ids
    system = Prompt("mine", f"say {name} first")
    asked = engine.request(("a", 0, 0), ask(QUESTION, part(1)), system)
    assert asked.prompt_ids.count(engine.vision.token) == 1


def test_a_version_loads_in_plain_transformers_and_in_the_engine_again(made, tmp_path):
    home, engine = made
    model = training.load_model(home.folder(), CPU, torch.float32)
    tokenizer = load_tokenizer(home.folder())
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1.01)
    training.save_model(model, tokenizer, tmp_path, torch.float32)
    again = plain(tmp_path).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())
    stored = set(load_file(home.folder() / "model.safetensors"))
    assert set(load_file(tmp_path / "model.safetensors")) == stored
    assert load_tokenizer(tmp_path).chat_template == tokenizer.chat_template
    assert load_vision(tmp_path, tokenizer).facts == engine.vision.facts
    follower = open_engine("hf", home.folder(), dtype="float32", device="cpu")
    before = follower.model
    follower.load(tmp_path)
    assert follower.model is before  # in place
    fresh = open_engine("hf", tmp_path, dtype="float32", device="cpu")
    asked = requests(engine, samples=1)
    for a, b in zip(follower.generate(asked, DRAW), fresh.generate(asked, DRAW), strict=True):
        assert a.token_ids == b.token_ids
        assert np.array_equal(a.logprobs, b.logprobs)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_mean": [0.1] * 3}))
    follower.load(tmp_path)
    assert follower.model is not before  # pixels are made in another way
    assert follower.vision.settings["image_mean"] == (0.1, 0.1, 0.1)


def test_adapters_are_merged_into_what_is_saved(made, tmp_path):
    home, engine = made
    model = training.load_model(home.folder(), CPU, torch.float32, vision=engine.vision)
    asked = requests(engine, samples=1)
    some = examples(engine, asked, engine.generate(asked, DRAW))
    before = token_logprobs(model, some)[0].detach()
    training.add_lora(model, 2, None, 0, tower_of(model))
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    assert names
    assert not any(tower in n for n in names for tower in ("visual", "vision_"))
    torch.manual_seed(1)
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.05)
    found = token_logprobs(model, some)[0].detach()
    assert (found - before).abs().max() > 1e-3
    training.save_model(model, load_tokenizer(home.folder()), tmp_path, torch.float32)
    again = training.load_model(tmp_path, CPU, torch.float32, vision=engine.vision)
    assert torch.allclose(token_logprobs(again, some)[0], found, atol=1e-4)


def test_another_number_of_tokens_for_every_size(made):
    _, engine = made
    seen = engine.vision.see([part(i, size) for i, size in enumerate(SIZES)])
    for picture, size in zip(seen, SIZES, strict=True):
        facts = picture.facts()
        assert facts["size"] == list(size)
        assert facts["tokens"] == len(picture.becomes) > picture.features - 1
        assert json.loads(json.dumps(facts)) == facts
    if engine.vision.spatial:  # one token for each 16x16 pixels
        assert [p.features for p in seen] == [9, 18, 24, 8, 1]
        assert seen[1].grid == (3, 6)
    else:
        assert seen[0].features in (9, 5 * 9)  # a tile, or four and the whole


@pytest.mark.parametrize("ids", [[], [1, 2], [7], [7, 7], [1, 7, 2, 7, 3]])
def test_expanding_is_undone_by_collapsing(made, ids):
    _, engine = made
    seen = engine.vision.see([part(i) for i in range(ids.count(7))])
    token = engine.vision.token
    ids = [token if n == 7 else n + 20 for n in ids]
    whole = engine.vision.expand(ids, seen)
    assert len(whole) == len(ids) + sum(len(p.becomes) - 1 for p in seen)
    assert collapse(whole, seen) == ids


def test_counts_that_differ_are_refused():
    assert expand([1, 9, 2], 9, [[9, 9]]) == [1, 9, 9, 2]
    for pictures in ([], [[9], [9]]):
        with pytest.raises(ValueError, match="1 placeholders"):
            expand([1, 9, 2], 9, pictures)


def test_a_model_of_texts_refuses_pictures_by_name(tmp_path):
    from swr1.training.init import init_policy

    home = init_policy(tmp_path / "p", corpus=[QUESTION])
    engine = open_engine("hf", home.folder(), device="cpu")
    with pytest.raises(DataError, match="'a': the prompt has content that is not text: a picture"):
        engine.request(("a", 0, 0), ask(QUESTION, part(1)), NONE)
    model = training.load_model(home.folder(), CPU, torch.float32)
    seen = policy(tmp_path / "eyes").folder()
    (picture,) = load_vision(seen, load_tokenizer(seen)).see([part(1)])
    with pytest.raises(SwrError, match="LlamaForCausalLM takes no pictures"):
        token_logprobs(model, [Example(torch.arange(4), torch.tensor([3]), (picture,))])
    assert not takes_pictures(model.config)


def test_an_unknown_architecture_is_named(tmp_path):
    with pytest.raises(UsageError, match="unknown architecture 'gemma3': it is llama or qwen3, or"):
        policy(tmp_path / "p", "gemma3")


def test_a_picture_that_changed_is_refused(made):
    _, engine = made
    shown = part(1)
    with pytest.raises(DataError, match="its pixels are others"):
        engine.vision.see([{**shown, "digest": "0" * 32}])
    with pytest.raises(DataError, match="17 pictures in a prompt, and 16 are the most"):
        engine.vision.see([shown] * 17)


def test_a_folder_without_its_image_processor_is_named(tmp_path):
    home = policy(tmp_path / "p")
    (home.folder() / "preprocessor_config.json").unlink()
    with pytest.raises(SwrError, match="cannot load an image processor from"):
        open_engine("hf", home.folder(), device="cpu")


def test_only_json_passes_from_a_folder_into_a_version(tmp_path):
    """What stands in processor_config.json is for other programs; a link to a text is no such thing."""
    home = policy(tmp_path / "p", "smolvlm")
    folder, tokenizer = home.folder(), load_tokenizer(home.folder())
    seen = load_vision(folder, tokenizer)
    seen.save(tmp_path)
    again = json.loads((tmp_path / "processor_config.json").read_text())
    assert again == json.loads((folder / "processor_config.json").read_text())
    (tmp_path / "secret").write_text("nobody's business")
    (folder / "processor_config.json").unlink()
    (folder / "processor_config.json").symlink_to(tmp_path / "secret")
    with pytest.raises(SwrError) as error:
        load_vision(folder, tokenizer)
    assert "business" not in str(error.value)
