"""The conformance suite on vLLM itself, and what is said of new weights, adapters and errors.

Skipped where vLLM is not installed: `make vllm-test` makes a place where it is. An engine takes half
a minute or more to start on a CPU, so the tests share those they can.
"""

import json
import os
import subprocess
import sys

import pytest

from swr1.engines import Sampling, open_engine
from swr1.errors import SwrError, UsageError
from swr1.models import load_tokenizer
from tests.conftest import jsonl
from tests.engines.conformance import CHECKS, Subject, requests_of
from tests.engines.reference_model import SCRIPT, save_reference

pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-test")
pytestmark = pytest.mark.vllm

# What a CPU needs; a GPU is content with it. The share is of all memory, on a CPU.
OPTIONS = {"gpu_memory": 0.1, "vllm": ["enforce_eager=true"]}
ENGINES: dict[tuple[int, str], object] = {}  # (seed, template) -> engine
NAMES: dict[str, tuple[int, str]] = {}  # folder -> (seed, template)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = {}

    def reference(seed=0, template="chatml"):
        if (seed, template) not in made:
            path = save_reference(tmp_path_factory.mktemp("reference"), seed, template)
            made[seed, template], NAMES[path] = path, (seed, template)
        return made[seed, template]

    return reference


class Speaking:
    """An engine with the tokenizer of another folder, whose weights are the same."""

    def __init__(self, engine, folder):
        self.engine, self.tokenizer = engine, load_tokenizer(folder)

    def request(self, *args):
        own, self.engine.tokenizer = self.engine.tokenizer, self.tokenizer
        try:
            return self.engine.request(*args)
        finally:
            self.engine.tokenizer = own

    def __getattr__(self, name):
        return getattr(self.engine, name)


def open_shared(path):
    """One engine for each weights: templates differ in the tokenizer alone."""
    seed, template = NAMES[path]
    if (seed, "chatml") not in ENGINES:
        ENGINES[seed, "chatml"] = open_engine("vllm", path, **OPTIONS)
    engine = ENGINES[seed, "chatml"]
    return engine if template == "chatml" else Speaking(engine, path)


@pytest.fixture(scope="session")
def subject(folder):
    folder()  # the engine of the others is that of the plain template
    yield Subject(open_shared, folder)
    for engine in ENGINES.values():
        engine.close()


@pytest.fixture
def engine(subject):
    return subject.engine()


@pytest.mark.parametrize("check", CHECKS)
def test_conformance(subject, check):
    function, _ = CHECKS[check]
    function(subject)


def test_versions_and_dtype_are_told(engine):
    import torch
    import vllm

    assert engine.version.startswith(f"{vllm.__version__}+torch{torch.__version__.split('+')[0]}")
    if not torch.cuda.is_available():
        assert engine.dtype == "float32"
    assert engine.context == 128


def test_new_weights_come_without_a_new_process(engine, folder, capsys):
    """And the cache of prompts computed with the old ones is not used."""
    processes = engine._llm.engine_core.resources.engine_manager.processes
    before = [p.pid for p in processes]
    ask = requests_of(engine, 1, name="same-prompt")
    old = engine.generate(ask, Sampling(0, max_tokens=4))[0].logprobs
    engine.load(folder(1))
    new = engine.generate(ask, Sampling(0, max_tokens=4))[0].logprobs
    engine.load(folder(0))
    assert [p.pid for p in processes] == before
    assert capsys.readouterr().err == ""
    assert abs(old - new).max() > 1e-3
    assert (engine.generate(ask, Sampling(0, max_tokens=4))[0].logprobs == old).all()
    assert "versions taken" in engine.summary()


def test_an_output_layer_tied_to_the_embeddings_is_taken_with_them(folder, tmp_path):
    """vLLM's own way of reading weights in place keeps the old one on a CPU, and says nothing."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer, tied = load_tokenizer(folder()), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=3,
            max_position_embeddings=128,
            initializer_range=0.3,
            tie_word_embeddings=True,
            eos_token_id=tokenizer.eos_token_id,
        )
        tied.append(tmp_path / str(seed))
        LlamaForCausalLM(config).save_pretrained(tied[-1])
        tokenizer.save_pretrained(tied[-1])
    engine = open_engine("vllm", str(tied[0]), **OPTIONS)
    try:
        engine.load(str(tied[1]))
        sampling = Sampling(0, max_tokens=12)
        [made] = engine.generate(requests_of(engine, 1), sampling)
    finally:
        engine.close()
    direct = open_engine("hf", str(tied[1]), dtype="float32", threads=1)
    [wanted] = direct.generate(requests_of(direct, 1), sampling)
    assert made.token_ids == wanted.token_ids
    assert abs(made.logprobs - wanted.logprobs).max() < 1e-3


def test_seeds_and_prompts_that_come_in_parts(engine):
    """vLLM 0.31 ends on a CPU when a request with a seed has its prompt computed in parts."""
    asked = [[{"role": "user", "content": f"{i} of a long list of questions"}] for i in range(300)]
    many = [requests_of(engine, name=f"r{i}", messages=m)[0] for i, m in enumerate(asked)]
    assert len(engine.generate(many, Sampling(1, max_tokens=2))) == 300


def test_what_vllm_cannot_draw_is_refused(engine):
    for temperature in (0.001, 2.5):
        with pytest.raises(UsageError, match=r"0 and 0\.01 to 2"):
            engine.generate(requests_of(engine), Sampling(temperature))


def adapter_on(base, folder, rank, seed):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=rank, target_modules=["q_proj", "v_proj"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    model.save_pretrained(folder)
    return model.eval()


def test_adapters_are_served_unmerged_and_swapped(folder, tmp_path, capsys):
    """Two adapters in turn on one running base; a greater rank starts it again, and says so."""
    import numpy as np
    import torch

    models = {
        name: adapter_on(folder(), tmp_path / name, rank, seed)
        for name, rank, seed in (("first", 4, 1), ("second", 8, 2), ("wide", 16, 3))
    }
    engine = open_engine("vllm", str(tmp_path / "first"), **OPTIONS)
    try:
        for name in ("first", "second", "wide", "first"):
            if name != "first" or capsys.readouterr().err:
                engine.load(tmp_path / name)
            [request] = requests_of(engine)
            [made] = engine.generate([request], Sampling(1.0, max_tokens=12))
            ids = torch.tensor([request.prompt_ids + made.token_ids])
            with torch.inference_mode():
                logits = models[name](input_ids=ids).logits[0, len(request.prompt_ids) - 1 : -1]
            want = torch.log_softmax(logits, -1).gather(1, torch.tensor(made.token_ids)[:, None])
            np.testing.assert_allclose(made.logprobs, want[:, 0].numpy(), atol=5e-3)
            if name == "wide":
                assert "started again" in capsys.readouterr().err
                print("once more", file=sys.stderr)
    finally:
        engine.close()


def test_a_context_above_the_models_is_refused_before_it_starts(folder):
    with pytest.raises(UsageError, match="--context 4096: the model was made for 128 tokens"):
        open_engine("vllm", folder(), **OPTIONS, context=4096)


def test_a_cache_too_small_says_what_to_set(folder, monkeypatch):
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    small = [*OPTIONS["vllm"], "kv_cache_memory_bytes=4096"]
    with pytest.raises(SwrError, match=r"cache.*(--context|--gpu-memory)"):
        open_engine("vllm", folder(), gpu_memory=0.1, vllm=small)


def test_only_records_on_standard_output(folder, tmp_path):
    """By the command line; and a reader that has had enough ends vLLM's processes too."""
    prompts = jsonl(
        [{"v": 1, "id": f"r{i}", "prompt": [{"role": "user", "content": "hi"}]} for i in range(6)]
    )
    (tmp_path / "prompts.jsonl").write_bytes(prompts)
    command = [sys.executable, "-m", "swr1", "rollout", str(tmp_path / "prompts.jsonl")]
    command += ["--policy", folder(), "--engine", "vllm", "--gpu-memory", "0.1", "--samples", "2"]
    command += ["--system-prompt", "none", "--temperature", "0", "--max-tokens", "20"]
    command += ["--vllm", "enforce_eager=true"]
    done = subprocess.run(
        f"{' '.join(command)} | head -n 3",
        shell=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["completion"] for row in rows] == [SCRIPT] * 3
    assert rows[0]["generation"]["engine"]["name"] == "vllm"
    assert "Traceback" not in done.stderr
    assert len(rows[0]["generation"]["logprobs"]) == len(rows[0]["generation"]["token_ids"])
