"""Other people's folders: none of their code runs, nothing is asked, no weight is made up."""

import ast
import json
import os
import pickle
import re
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from swr1 import models
from swr1.errors import DataError, SwrError, UsageError
from swr1.training.init import DecoderConfig, init_policy
from tests.conftest import run_swr1

CORPUS = ["zoey is a knight and oliver is a knave who says that so or not"]
PROMPT = json.dumps({"id": "p", "prompt": [{"role": "user", "content": "is zoey a knight"}]}) + "\n"
# The first line of the data may be anything: it is no answer to a question.
ANSWERS = "y\nyes\nY\nYES\n1\ntrue\n\n" + "y\n" * 20


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A sound model folder."""
    decoder = DecoderConfig(hidden=16, layers=2)
    policy = init_policy(tmp_path_factory.mktemp("made") / "p", decoder, corpus=CORPUS)
    return policy.folder()


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy of it, to be spoilt."""
    shutil.copytree(made, tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch):
    def asked(prompt: str = ""):
        raise AssertionError(f"a question was asked: {prompt}")

    monkeypatch.setattr("builtins.input", asked)
    yield
    models.trust_remote_code(False)


def change(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def evil_code(folder: Path) -> Path:
    """A module in the folder that leaves a mark when it is imported; returns the mark's path."""
    mark = folder.parent / "mark"
    (folder / "evil.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n"
        "from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast\n"
        "class EvilConfig(LlamaConfig):\n    model_type = 'evilmodel'\n"
        "class EvilModel(LlamaForCausalLM):\n    config_class = EvilConfig\n"
        "class EvilTokenizer(PreTrainedTokenizerFast): pass\n"
    )
    return mark


def evil_model(folder: Path) -> Path:
    names = {"AutoConfig": "evil.EvilConfig", "AutoModelForCausalLM": "evil.EvilModel"}
    names |= {"AutoModel": "evil.EvilModel", "AutoModelForSequenceClassification": "evil.EvilModel"}
    change(folder / "config.json", model_type="evilmodel", auto_map=names)
    return evil_code(folder)


OPENERS = {
    "causal": lambda f: models.load_causal_lm(f, torch.float32),
    "classifier": lambda f: models.load_classifier(
        f, "ab", torch.float32, tokens=False, new_head=True
    ),
    "encoder": models.load_encoder,
    "config": models.load_config,
    "generation": lambda f: models.load_generation_config(f),
}


@pytest.mark.parametrize("opener", ["causal", "classifier", "encoder", "config"])
def test_code_of_a_model_folder_does_not_run(folder, opener):
    mark = evil_model(folder)
    with pytest.raises(UsageError, match=rf"^{re.escape(str(folder))} .*--trust-remote-code$"):
        OPENERS[opener](folder)
    assert not mark.exists()


def test_code_runs_where_that_was_allowed(folder):
    mark = evil_model(folder)
    models.trust_remote_code(True)
    assert type(models.load_causal_lm(folder, torch.float32)).__name__ == "EvilModel"
    assert mark.exists()


@pytest.mark.parametrize("named", ["EvilTokenizer", "PreTrainedTokenizerFast", None])
@pytest.mark.parametrize(
    "auto_map", [{"AutoTokenizer": ["evil.EvilTokenizer", None]}, ["evil.EvilTokenizer", None],
                 {"AutoTokenizer": [None, "evil.EvilTokenizer"]}],
)  # fmt: skip
def test_code_of_a_tokenizer_folder_does_not_run(folder, named, auto_map):
    change(folder / "tokenizer_config.json", tokenizer_class=named, auto_map=auto_map)
    mark = evil_code(folder)
    with pytest.raises(UsageError, match="--trust-remote-code"):
        models.load_tokenizer(folder)
    assert not mark.exists()


def test_own_code_beside_a_known_architecture_is_left_aside_and_told(folder, capsys):
    change(folder / "config.json", auto_map={"AutoModelForCausalLM": "evil.EvilModel"})
    mark = evil_code(folder)
    models.load_causal_lm(folder, torch.float32)
    told = capsys.readouterr()
    assert told.out == "" and "--trust-remote-code" in told.err and told.err.count("\n") == 1
    assert not mark.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"_attn_implementation": "kernels-community/flash-attn2"},
        {"attn_implementation": "somebody/kernel@main:run"},
        {"experts_implementation": "somebody/kernel"},
    ],
)
def test_no_kernel_is_fetched_because_a_folder_says_so(folder, changes):
    change(folder / "config.json", **changes)
    with pytest.raises(UsageError, match=r"kernel.*--trust-remote-code"):
        models.load_causal_lm(folder, torch.float32)


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("opener", ["causal", "classifier", "encoder"])
def test_pickled_objects_are_not_made(folder, tmp_path, legacy, opener):
    mark = tmp_path / "mark"
    weights = load_file(folder / "model.safetensors") | {"model.norm.weight": Bomb(mark)}
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(SwrError) as refused:
        OPENERS[opener](folder)
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)
    assert not mark.exists()


@pytest.mark.parametrize("content", ["bomb", b"", b"PK\x03\x04", b"junk" * 100, b"\x80\x02."])
def test_a_trainers_state_is_read_as_tensors_only(tmp_path, content):
    mark = tmp_path / "mark"
    file = tmp_path / "state.pt"
    file.write_bytes(pickle.dumps(Bomb(mark)) if content == "bomb" else content)
    with pytest.raises(DataError, match=r"state\.pt: the trainer's state is broken"):
        models.load_state(file, "cpu")
    assert not mark.exists()


# Adapters


def adapter(folder: Path, at: Path, **facts) -> Path:
    """A LoRA adapter on `folder` that changes something."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    wrapped = get_peft_model(
        models.load_causal_lm(folder, torch.float32),
        LoraConfig(r=2, lora_alpha=8, target_modules="all-linear", init_lora_weights=False),
    )
    wrapped.save_pretrained(at)
    change(at / "adapter_config.json", **({"base_model_name_or_path": str(folder)} | facts))
    return at


def test_an_adapter_comes_merged_into_its_base(folder, tmp_path):
    at = adapter(folder, tmp_path / "a", base_model_name_or_path="../m")
    ids = torch.tensor([[5, 9, 7, 8]])
    from peft import PeftModel

    base = models.load_causal_lm(folder, torch.float32)
    plain = base(ids).logits.detach().clone()
    wanted = PeftModel.from_pretrained(base, at).eval()(ids).logits
    merged = models.load_causal_lm(at, torch.float32)
    assert type(merged).__name__ == "LlamaForCausalLM"
    assert not any("lora" in name for name in merged.state_dict())
    torch.testing.assert_close(merged(ids).logits, wanted)
    assert (merged(ids).logits - plain).abs().max() > 1e-3
    assert models.load_config(at).model_type == "llama"
    assert models.load_tokenizer(at).get_vocab() == models.load_tokenizer(folder).get_vocab()


def test_an_adapter_becomes_a_whole_policy(folder, tmp_path):
    at = adapter(folder, tmp_path / "a")
    made = init_policy(tmp_path / "new", source=at).folder()
    assert (made / "config.json").is_file() and not list(made.glob("adapter*"))
    shutil.rmtree(at)
    shutil.rmtree(folder)
    model = models.load_causal_lm(made, torch.float32)
    model(torch.tensor([[5, 9, 7]])).logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.slow
def test_an_adapter_is_rolled_out_trained_from_and_judged_by(folder, tmp_path):
    at = adapter(folder, tmp_path / "a")
    options = ("--system-prompt", "none", "--max-tokens", 3)
    done = run_swr1("rollout", "--policy", at, *options, stdin=PROMPT, check=True)
    record = json.loads(done.stdout)
    run_swr1("init-policy", "p", "--from", at, cwd=tmp_path, check=True)
    again = run_swr1("rollout", "--policy", "p", *options, stdin=PROMPT, cwd=tmp_path, check=True)
    assert json.loads(again.stdout)["completion"] == record["completion"]
    train = ("train-step", "sft", "--policy", "p", "--steps", 1, "--batch", 1)
    run_swr1(*train, stdin=done.stdout, cwd=tmp_path, check=True)
    judge = ("verify", "safety", "--guard", at, "--adapter", "qwen3guard")
    judged = run_swr1(*judge, stdin=done.stdout, check=True)
    assert "safety" in json.loads(judged.stdout)["verdicts"]


def test_code_that_an_adapter_or_its_base_names_does_not_run(folder, tmp_path):
    at = adapter(folder, tmp_path / "a")
    mark = evil_model(folder)
    with pytest.raises(UsageError, match="--trust-remote-code"):
        models.load_causal_lm(at, torch.float32)
    for facts in (
        {"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}},
        {"megatron_config": {}, "megatron_core": "evil"} | {"megatron_config": {"a": 1}},
    ):
        shutil.copytree(at, tmp_path / "b", dirs_exist_ok=True)
        change(tmp_path / "b" / "adapter_config.json", **facts)
        with pytest.raises(UsageError, match=r"adapter_config\.json.*--trust-remote-code"):
            models.load_causal_lm(tmp_path / "b", torch.float32)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"base_model_name_or_path": None}, "does not say base_model_name_or_path"),
        ({"base_model_name_or_path": 5}, "does not say base_model_name_or_path"),
        ({"base_model_name_or_path": "/no/such/model"}, "which is not there"),
        ({"peft_type": "NO_SUCH"}, "cannot load"),
        ({"r": 3}, "cannot load"),
    ],
)
def test_an_adapter_that_fits_nothing_is_told_in_a_line(folder, tmp_path, facts, message):
    at = adapter(folder, tmp_path / "a", **facts)
    with pytest.raises(SwrError, match=message) as refused:
        models.load_causal_lm(at, torch.float32)
    assert "\n" not in str(refused.value)


def test_an_adapter_whose_weights_are_missing_is_no_adapter(folder, tmp_path):
    at = adapter(folder, tmp_path / "a")
    weights = load_file(at / "adapter_model.safetensors")
    save_file(dict(list(weights.items())[2:]), at / "adapter_model.safetensors")
    with pytest.raises(SwrError, match="does not fit its base"):
        models.load_causal_lm(at, torch.float32)


# Weights that are not there


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module.{name}",
        lambda name: f"base_model.model.{name}",
        lambda name: None if ".layers.1." in name else name,
        lambda name: None if name == "model.norm.weight" else name,
    ],
)
def test_missing_weights_are_named_and_never_made_up(folder, tmp_path, renamed):
    file = folder / "model.safetensors"
    kept = {renamed(n): t for n, t in load_file(file).items() if renamed(n)}
    save_file(kept, file, metadata={"format": "pt"})
    for opener in ("causal", "classifier"):
        with pytest.raises(SwrError, match=r"it lacks (model|lm_head)\.[\w.]+") as refused:
            OPENERS[opener](folder)
        assert "\n" not in str(refused.value)
    with pytest.raises(SwrError, match="it lacks"):
        init_policy(tmp_path / "new", source=folder)
    assert not (tmp_path / "new" / "versions").exists()


def test_a_weight_of_another_size_is_named_with_both(folder):
    change(folder / "config.json", vocab_size=100)
    with pytest.raises(SwrError, match=r"embed_tokens\.weight is \d+x16 there.* says 100x16"):
        models.load_causal_lm(folder, torch.float32)


def test_weights_that_nothing_uses_are_told(folder, capsys):
    change(folder / "config.json", num_hidden_layers=1, layer_types=None)
    models.load_causal_lm(folder, torch.float32)
    assert "weights that are not used: model.layers.1." in capsys.readouterr().err


def test_a_head_is_new_only_where_that_was_meant(folder):
    OPENERS["classifier"](folder)
    with pytest.raises(SwrError, match=r"it lacks score\.weight"):
        models.load_classifier(folder, "ab", torch.float32, tokens=False, new_head=False)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


SPOILT = {
    "cut": cut,
    "header cut": lambda data: data[:20],
    "empty": lambda data: b"",
    "pointer": lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    "junk header": lambda data: struct.pack("<Q", 4) + b"{{{{",
    "huge header": lambda data: struct.pack("<Q", 1 << 62) + data[8:],
    "longer": lambda data: data + b"\0" * 64,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_of_weights_that_is_not_whole_is_named(folder, how):
    file = folder / "model.safetensors"
    file.write_bytes(SPOILT[how](file.read_bytes()))
    with pytest.raises(
        SwrError, match=r"model\.safetensors is (cut short|a Git LFS pointer)"
    ) as told:
        models.load_causal_lm(folder, torch.float32)
    assert str(folder) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("how", ["cut", "empty", "pointer"])
def test_other_files_that_are_not_whole_are_a_line(folder, name, how):
    file = folder / name
    file.write_bytes(SPOILT[how](file.read_bytes()))
    opener = OPENERS["causal"] if name == "config.json" else models.load_tokenizer
    with pytest.raises(SwrError) as told:
        opener(folder)
    assert str(folder) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("value", [[], 5, "x", {"auto_map": 5}, {"tokenizer_class": 5}])
def test_a_tokenizers_configuration_of_another_shape_is_a_line(folder, value):
    (folder / "tokenizer_config.json").write_text(json.dumps(value))
    try:
        models.load_tokenizer(folder)
    except SwrError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "compressed-tensors", "none"])
def test_a_quantization_without_its_library_is_a_line(folder, method):
    facts = {"quant_method": method, "bits": 4, "load_in_4bit": True, "group_size": 32}
    change(folder / "config.json", quantization_config=facts)
    with pytest.raises(SwrError, match="cannot load") as told:
        models.load_causal_lm(folder, torch.float32)
    assert "\n" not in str(told.value)


def test_a_tokenizer_larger_than_the_embedding_is_a_line(folder, tmp_path):
    tokenizer = models.load_tokenizer(folder)
    tokenizer.add_tokens(["<extra>", "<more>"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(SwrError, match="larger than the model's embedding: '<extra>'"):
        init_policy(tmp_path / "new", source=folder)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
@pytest.mark.parametrize("opener", ["causal", "encoder", "config"])
def test_layers_without_end_are_a_line(folder, opener, kind):
    change(folder / "config.json", num_hidden_layers=10**9, layer_types=None, model_type=kind)
    with pytest.raises(SwrError, match=r"num_hidden_layers 1,000,000,000 in its config.json"):
        OPENERS[opener](folder)


def test_a_file_that_is_no_gguf_is_a_line(tmp_path):
    for content in (b"", b"GGUF", b"GGUF" + b"\xff" * 100, b"PK" * 50, SPOILT["pointer"](b"")):
        (tmp_path / "m.gguf").write_bytes(content)
        with pytest.raises(SwrError, match=r"m\.gguf") as told:
            models.load_gguf(tmp_path / "m.gguf", torch.float32)
        assert "\n" not in str(told.value)


def test_folders_that_are_fine(made, tmp_path):
    """In shards, pickled weights, links into a cache, odd names, no generation_config."""
    model = models.load_causal_lm(made, torch.float32)
    state = model.state_dict()
    shards = tmp_path / "in shards"
    model.save_pretrained(shards, max_shard_size="4KB")
    assert len(list(shards.glob("*.safetensors"))) > 1
    pickled = tmp_path / "pickled %{}[]-é"
    shutil.copytree(made, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save(state, pickled / "pytorch_model.bin")
    links = tmp_path / "snapshot"
    links.mkdir()
    for file in made.iterdir():
        (links / file.name).symlink_to(file)
    bare = tmp_path / "bare"
    shutil.copytree(made, bare)
    (bare / "generation_config.json").unlink()
    for folder in (shards, pickled, links, bare):
        again = models.load_causal_lm(folder, torch.float32).state_dict()
        assert all(torch.equal(again[name], state[name]) for name in state)


def test_only_one_place_opens_models():
    """No other file calls what would ask, or run a folder's code."""
    root = Path(models.__file__).parents[2]
    calls = re.compile(r"\.from_pretrained\(|torch\.load\(|allow_pickle|pickle\.loads?\(")
    found = [
        str(file.relative_to(root))
        for part in ("src", "commands")
        for file in (root / part).rglob("*.py")
        # card.py writes a page that shows how others load a model.
        if calls.search(file.read_text()) and file.name != "card.py"
    ]
    assert found == ["src/swr1/models.py"]
    for call in ast.walk(ast.parse(Path(models.__file__).read_text())):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".from_pretrained"):
            opens = ast.unparse(call.func).lower().startswith("auto")
            assert not opens or "trust_remote_code=_trusted" in ast.unparse(call)


# The real command line, with "y" before the records


@pytest.mark.parametrize(
    "command",
    [
        ("rollout", "--system-prompt", "none", "--policy"),
        ("init-policy", "new", "--from"),
        pytest.param(("verify", "safety", "--adapter", "qwen3guard", "--guard"), marks=pytest.mark.slow),
        pytest.param(
            ("train-step", "guard", "--policy", "judge", "--start"), marks=pytest.mark.slow
        ),
    ],
)  # fmt: skip
def test_commands_neither_ask_nor_run_anything(folder, tmp_path, command):
    mark = evil_model(folder)
    done = run_swr1(*command, folder, stdin=ANSWERS + PROMPT, cwd=tmp_path)
    assert done.returncode in (1, 2), done.stderr
    assert done.stdout == ""
    assert "--trust-remote-code" in done.stderr and str(folder) in done.stderr
    assert "Traceback" not in done.stderr
    assert not mark.exists()


def test_the_option_allows_it_and_the_record_says_so(folder, tmp_path):
    mark = evil_model(folder)
    options = ("--system-prompt", "none", "--max-tokens", 2, "--trust-remote-code")
    done = run_swr1("rollout", "--policy", folder, *options, stdin=PROMPT, check=True)
    assert mark.exists()
    assert json.loads(done.stdout)["generation"]["engine"]["trust_remote_code"] is True
