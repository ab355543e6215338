"""The engine vllm without vLLM: what it passes on, how it orders its calls, what it says of errors.

`Library` stands in for vLLM: it writes down what it is asked, and completes requests with what their
seed says.
"""

import asyncio
import dataclasses
import importlib.util
import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from swr1.engines import Request, Sampling, open_engine
from swr1.engines.vllm.plain import Source, StopStrings, explain, extra_arguments
from swr1.errors import DataError, ReaderClosed, Stopped, SwrError, UsageError
from swr1.prompts.decoding import Decoder
from tests.conftest import run_swr1
from tests.engines.conformance import ASK, NONE
from tests.engines.reference_model import make_tokenizer, save_reference


@dataclasses.dataclass
class Arguments:
    model: str = ""
    dtype: str = "auto"
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9
    max_model_len: int | None = None
    quantization: str | None = None
    logprobs_mode: str = "raw_logprobs"
    skip_tokenizer_init: bool = False
    generation_config: str = "auto"
    enable_prefix_caching: bool = False
    enable_sleep_mode: bool = False
    disable_log_stats: bool = False
    enable_lora: bool = False
    max_lora_rank: int = 8
    max_num_seqs: int = 256
    enforce_eager: bool = False
    enable_chunked_prefill: bool | None = None
    worker_extension_cls: str = ""
    trust_remote_code: bool = True


class Model:
    """An engine of vLLM's that notes every call."""

    def __init__(self, library, arguments):
        self.library, self.arguments = library, arguments
        self.model_config = SimpleNamespace(
            max_model_len=arguments.max_model_len or 128,
            dtype="torch.bfloat16",
            quantization=arguments.quantization,
        )
        self.running = self.most = 0
        self.output_processor = SimpleNamespace(get_num_unfinished_requests=lambda: self.running)
        library.calls.append(("start", arguments.model))

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            told = args or tuple(kwargs.values())
            if name == "collective_rpc":
                assert args == ("take_weights",)
                told = kwargs["args"]
            if error := self.library.fails.pop(name, None):
                raise error
            self.library.calls.append((name, *told))
            return True

        return call

    def shutdown(self):
        self.library.calls.append(("shutdown",))

    async def generate(self, prompt, parameters, name, lora_request=None):
        self.running += 1
        self.most = max(self.most, self.running)
        self.library.asked.append((prompt, parameters, lora_request))
        try:
            await asyncio.sleep(self.library.pause(parameters))
            if error := self.library.fails.pop("generate", None):
                raise error
            ids = [5, 6, 7, 8][: parameters.max_tokens]
            scores = SimpleNamespace(logprobs=[self.library.score] * len(ids))
            made = SimpleNamespace(token_ids=ids, logprobs=scores, finish_reason="length")
            yield SimpleNamespace(outputs=[made], prompt_token_ids=prompt)
        finally:
            self.running -= 1


class Library:
    """In place of swr1.engines.vllm.library."""

    VERSION = "0.0+torch0.0"
    AsyncEngineArgs = Arguments
    RequestOutputKind = SimpleNamespace(FINAL_ONLY="whole", DELTA="pieces")
    VLLMValidationError = type("VLLMValidationError", (Exception,), {})

    def __init__(self):
        self.calls, self.asked, self.fails, self.score = [], [], {}, -0.5
        self.pause = lambda parameters: 0
        self.AsyncLLM = SimpleNamespace(from_engine_args=self.start)

    def start(self, arguments):
        if error := self.fails.pop("start", None):
            raise error
        self.model = Model(self, arguments)
        return self.model

    SamplingParams = staticmethod(lambda **given: SimpleNamespace(**given))
    LoRARequest = staticmethod(
        lambda name, number, path: SimpleNamespace(name=name, lora_int_id=number, path=path)
    )
    prompt = staticmethod(lambda ids, pictures, salt=None: ids)
    arrived = staticmethod(lambda llm: True)
    auto_dtype = staticmethod(lambda base: "bfloat16")
    defaults = staticmethod(dict)
    end_tokens = staticmethod(lambda base, tokenizer: [tokenizer.eos_token_id])
    logging_to = staticmethod(lambda log: nullcontext())


@pytest.fixture
def library(monkeypatch):
    made = Library()
    monkeypatch.setattr("swr1.engines.vllm.engine._library", lambda: made)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    return [save_reference(path / str(seed), seed) for seed in (0, 1)]


@pytest.fixture
def opened(library, folder):
    engines = []

    def open_it(path=None, **options):
        engines.append(open_engine("vllm", path or folder[0], **options))
        return engines[-1]

    yield open_it
    for engine in engines:
        engine.close()


def ask(count=1, name="r"):
    return [Request((name, 0, i), [3, 4]) for i in range(count)]


def test_options_are_passed_on(opened, library, folder):
    engine = opened(
        dtype="float16",
        tensor_parallel=2,
        pipeline_parallel=3,
        data_parallel=4,
        gpu_memory=0.5,
        context=64,
        quantization="fp8",
        sleep=True,
        vllm=["max-num-seqs=7", "enforce_eager=True"],
    )
    given = library.model.arguments
    assert given == Arguments(
        folder[0], "float16", 2, 3, 4, 0.5, 64, "fp8", "processed_logprobs", True, "vllm", True, True, True,
        max_num_seqs=7, enforce_eager=True, worker_extension_cls="swr1.engines.vllm.worker.Worker", trust_remote_code=False,
    )  # fmt: skip
    assert (engine.dtype, engine.context, engine.version) == ("bfloat16 fp8", 64, "0.0+torch0.0")
    opened()
    given = library.model.arguments
    assert (given.dtype, given.gpu_memory_utilization, given.max_model_len) == (
        "bfloat16",
        0.9,
        None,
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "int4"}, "dtype must be one of auto"),
        ({"tensor_parallel": 0}, "tensor_parallel must be at least 1"),
        ({"context": 0}, "context must be at least 1"),
        ({"gpu_memory": 40}, "share above 0 and at most 1"),
        (
            {"vllm": ["max_num_seq=3"]},
            "no engine argument 'max_num_seq'. Did you mean 'max_num_seqs'",
        ),
        ({"vllm": ["max_num_seqs"]}, "KEY=VALUE"),
        ({"vllm": ["max_model_len=3"]}, "use --context"),
        ({"vllm": ["logprobs_mode=raw"]}, "swr1 sets it itself"),
    ],
)
def test_wrong_options_start_nothing(opened, library, options, words):
    with pytest.raises(UsageError) as told:
        opened(**options)
    assert words in str(told.value)
    assert library.calls == []


def test_extra_arguments_are_json_or_text():
    pairs = ["a=3", 'b={"x": 1}', "c=mp", "d=False"]
    assert extra_arguments(pairs, "abcd") == {"a": 3, "b": {"x": 1}, "c": "mp", "d": False}


def test_each_sample_has_a_seed_of_its_own(opened, library):
    engine = opened()

    def seeds(requests, **sampling):
        library.asked.clear()
        engine.generate(requests, Sampling(**sampling))
        return [parameters.seed for _, parameters, _ in library.asked]

    whole = seeds(ask(4))
    assert len(set(whole)) == 4
    assert all(0 <= seed < 2**31 for seed in whole)
    assert seeds(ask(4)[::-1]) == whole[::-1]
    assert not set(seeds(ask(4), seed=1)) & set(whole)
    assert not set(seeds([Request(("r", 1, i), [3]) for i in range(4)])) & set(whole)
    assert seeds(ask(2), temperature=0) == [None, None]


def test_parameters_say_everything(opened, library):
    engine = opened(context=20)
    sampling = Sampling(0.7, 0.9, 5, 0.1, 100, ("!",))
    engine.generate(ask(), sampling)
    [(prompt, given, lora)] = library.asked
    assert (prompt, lora) == ([3, 4], None)
    assert (given.temperature, given.top_p, given.top_k, given.min_p) == (0.7, 0.9, 5, 0.1)
    assert given.max_tokens == 18, "no further than the context"
    assert given.logprobs == 0
    assert given.output_kind == "pieces", "stop strings are looked for as it writes"
    assert given.stop_token_ids == [make_tokenizer().eos_token_id]
    engine.generate(ask(), Sampling())
    assert library.asked[1][1].output_kind == "whole"


def test_a_stop_string_ends_after_its_token_and_special_tags_are_text():
    tokenizer = make_tokenizer()

    def cut(text, *stop, pieces=1):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        found = StopStrings(stop, Decoder(tokenizer))
        for start in range(0, len(ids), pieces):
            if (end := found.find(ids[: start + pieces], start)) is not None:
                return tokenizer.decode(ids[:end])
        return None

    assert cut("one, two", ", ") == "one, "
    assert cut("who is us", "s u", pieces=3) == "who is us", "the token that completes it is whole"
    assert cut("a🙂b", "🙂") == "a🙂"
    assert cut("so</think>no", "</think>") == "so</think>"
    assert cut("so<|bos|>no", "<|bos|>") is None, "it does not show in the text"
    assert cut("never", "x") is None


def test_completions_come_in_order_and_are_read_ahead_boundedly(opened, library):
    engine = opened(in_flight=3)
    library.pause = lambda parameters: 0.02 if parameters.seed % 2 else 0
    read = 0

    def requests():
        nonlocal read
        for request in ask(60):
            read += 1
            yield request

    stream = engine.stream(requests(), Sampling(max_tokens=2))
    made = [next(stream)]
    assert read <= 12
    made += stream
    assert len(made) == read == 60
    assert library.model.most == 3
    assert all(c.token_ids == [5, 6] and c.finish_reason == "length" for c in made)
    assert made[0].logprobs.dtype == np.float32


def test_who_leaves_leaves_nothing_in_flight(opened, library):
    engine = opened()
    library.pause = lambda parameters: 0.001 if not library.asked[1:] else 60
    stream = engine.stream(ask(9), Sampling())
    next(stream)
    assert engine.unfinished
    stream.close()
    assert (engine.unfinished, library.model.running) == (0, 0)


def test_with_a_trainer_it_is_asked_by_the_block(opened):
    assert opened(follow=True).stream is None
    assert len(opened(follow=True).generate(ask(3), Sampling())) == 3


def test_new_weights_are_taken_in_place_after_what_is_in_flight(opened, library, folder):
    engine = opened()
    library.pause = lambda parameters: 0.05
    stream = engine.stream(iter_then(ask(4), lambda: engine.load(folder[1])), Sampling())
    order = library.calls
    assert len(list(stream)) == 4
    assert order == [
        ("start", folder[0]),
        ("collective_rpc", folder[1]),
        ("reset_prefix_cache",),
    ]
    assert library.model.running == 0
    assert "1 versions taken" in engine.summary()


@pytest.mark.parametrize("recompute", [False, True])
def test_weights_are_taken_with_completions_under_way(opened, library, folder, recompute):
    """vLLM stands still meanwhile; what had no token begins anew, by prompts that share nothing old."""
    engine = opened()
    library.pause = lambda parameters: 0.2
    library.tokens_of = lambda llm, name: {"1": 2, "2": 0}[name]
    salts: list[str] = []
    library.prompt = lambda ids, pictures, salt: salts.append(salt) or ids
    flow = engine.flow(Sampling(max_tokens=4), 3, recompute)
    requests = ask(2)
    flow.begin(requests)
    while len(library.asked) < 2:
        flow.step()
    flow.take(folder[1], 4)
    made = {}
    while len(made) < 2:
        made |= {id(request): completion for request, completion in flow.step()}
    assert library.calls[1:] == [
        ("pause_generation", "keep", recompute),
        ("collective_rpc", folder[1]),
        ("abort", ["2"]),
        ("resume_generation",),
    ]
    assert [made[id(r)].facts["versions"] for r in requests] == [[[3, 2], [4, 2]], [[4, 4]]]
    assert salts == ["3", "3", "4"]
    assert engine.flow(Sampling(), 3, False) and not opened(sleep=True).flow(Sampling(), 3, False)


def iter_then(requests, act):
    yield from requests
    act()


def test_what_cannot_be_done_in_place_starts_it_again_and_says_so(
    opened, library, folder, tmp_path, capsys
):
    engine = opened()
    library.fails["collective_rpc"] = RuntimeError("shapes differ")
    engine.load(folder[1])
    assert (
        "started again: it could not take new weights in place (shapes differ)"
        in capsys.readouterr().err
    )
    assert library.calls == [("start", folder[0]), ("shutdown",), ("start", folder[1])]
    other = save_reference(tmp_path / "other", 0)
    config = json.loads((tmp_path / "other/config.json").read_text()) | {"rope_theta": 5}
    (tmp_path / "other/config.json").write_text(json.dumps(config))
    engine.load(other)
    assert "another model" in capsys.readouterr().err
    assert library.calls[-1] == ("start", other)
    assert len(engine.generate(ask(2), Sampling())) == 2


def test_a_signal_ends_it_and_does_not_start_it_again(opened, library, folder):
    """Signals are exceptions in the main thread, which may be in vLLM's code."""
    library.fails["start"] = ReaderClosed()
    with pytest.raises(ReaderClosed):
        opened()
    engine = opened()
    library.fails["collective_rpc"] = Stopped(15)
    with pytest.raises(Stopped):
        engine.load(folder[1])
    assert [name for name, *_ in library.calls] == ["start"]


def test_a_version_that_is_gone_leaves_the_old_one(opened, library, folder):
    engine = opened()
    with pytest.raises(SwrError, match="it is gone"):
        engine.load(folder[0] + "-gone")
    assert library.calls == [("start", folder[0])]
    library.fails |= {
        "collective_rpc": RuntimeError("half of it"),
        "start": RuntimeError("no file"),
    }
    with pytest.raises(SwrError, match="no file"):
        engine.load(folder[1])
    engine.load(folder[1])  # the next version finds no engine, and starts one
    assert library.calls[-1] == ("start", folder[1])


def test_it_sleeps_while_it_waits_and_wakes_with_the_new_version(opened, library, folder):
    engine = opened(sleep=True, follow=True)
    engine.rest()
    engine.rest()
    engine.load(folder[1])
    assert library.calls[1:] == [
        ("sleep", 2),
        ("wake_up", ["weights"]),
        ("collective_rpc", folder[1]),
        ("wake_up", ["kv_cache"]),
        ("reset_prefix_cache",),
    ]
    del library.calls[:]
    engine.rest()
    engine.generate(ask(), Sampling())  # without a new version: the old one is read again
    assert ("collective_rpc", folder[1]) in library.calls
    del library.calls[:]
    opened(follow=True).rest()
    assert library.calls == [("start", folder[0])]


def adapter(path, base, **config):
    path.mkdir()
    (path / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": base, "peft_type": "LORA", "r": 4} | config)
    )
    return str(path)


def test_adapters_are_served_on_their_base(opened, library, folder, tmp_path, capsys):
    first = adapter(tmp_path / "first", folder[0])
    engine = opened(first)
    assert library.model.arguments.model == folder[0]
    assert (library.model.arguments.enable_lora, library.model.arguments.max_lora_rank) == (True, 8)
    engine.load(adapter(tmp_path / "second", folder[0], rank_pattern={"q_proj": 7}))
    engine.generate(ask(), Sampling())
    assert library.asked[0][2].path == str(tmp_path / "second")
    assert [name for name, *_ in library.calls] == ["start", "add_lora", "add_lora", "remove_lora"]
    assert capsys.readouterr().err == ""
    engine.load(adapter(tmp_path / "wide", folder[0], r=9))
    assert "a greater rank" in capsys.readouterr().err
    assert library.model.arguments.max_lora_rank == 16
    engine.load(folder[0])
    assert library.model.arguments.enable_lora is False
    with pytest.raises(DataError, match="LoRA adapters only"):
        Source.of(adapter(tmp_path / "dora", folder[0], use_dora=True))
    with pytest.raises(DataError, match="base_model_name_or_path"):
        Source.of(adapter(tmp_path / "lost", ""))


@pytest.mark.parametrize(
    ("file", "change", "same"),
    [
        ("config.json", {"text_config": {"size": 1, "dtype": "float32"}}, True),
        ("config.json", {"text_config": {"size": 2}}, False),
        ("preprocessor_config.json", {"patch_size": 14}, False),
    ],
)
def test_weights_are_taken_in_place_where_all_else_is_the_same(tmp_path, file, change, same):
    """Towers have configurations of their own, and an image processor makes the pixels."""
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"size": 1}}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"patch_size": 8}))
    before = Source.of(tmp_path).shape
    (tmp_path / file).write_text(json.dumps(change))
    assert (Source.of(tmp_path).shape == before) == same


def test_bad_prompts_are_named_with_the_limit(opened):
    long = [{"role": "user", "content": "a" * 140}]
    with pytest.raises(DataError, match=r"'a'.*too long.*the model has 128"):
        opened().request(("a", 0, 0), long, NONE)
    with pytest.raises(DataError, match=r"the --context is 10"):
        opened(context=10).request(("a", 0, 0), ASK, NONE)


def test_failures_are_errors_for_people(opened, library):
    engine = opened()
    library.fails["generate"] = library.VLLMValidationError("bad prompt")
    [first, second] = engine.stream(ask(2), Sampling())
    assert "record 'r': vLLM refused it: bad prompt" in str(first)
    assert second.token_ids
    engine.log.write_text(
        "(Worker pid=1) ERROR [x.py:1] torch.OutOfMemoryError: CUDA out of memory."
    )
    library.fails["generate"] = DataError("a picture has changed")
    [first, second] = engine.stream(ask(2), Sampling())
    assert isinstance(first, DataError) and "record 'r': a picture has changed" in str(first)
    assert second.token_ids
    library.fails["generate"] = RuntimeError("the engine is dead")
    with pytest.raises(SwrError, match="the GPU's memory is not enough"):
        engine.generate(ask(), Sampling())
    library.score = float("nan")
    with pytest.raises(SwrError, match="NaN"):
        engine.generate(ask(), Sampling())


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (
            "ValueError: To serve at least one request with the model's max seq len (32768), (3.50"
            " GiB KV cache is needed, which is larger than the available KV cache memory (1.20"
            " GiB). Based on the available memory, the estimated maximum model length is 11232. ",
            SwrError,
            "--context 11232 or less fits",
        ),
        (
            "To serve at least one request with the model's max seq len (32768), (3.50 GiB KV"
            " cache is needed, which is larger than the available KV cache memory (1.20 GiB). Try",
            SwrError,
            "1.20 GiB are left beside the weights: give a smaller --context",
        ),
        ("ValueError: No available memory for the cache blocks. Try", SwrError, "leave no memory"),
        (
            "ValueError: Free memory on device cuda:0 (12.5/79.2 GiB) on startup is less than"
            " desired GPU memory utilization (0.9, 71.3 GiB).",
            SwrError,
            "only 12.5 of the GPU's 79.2 GiB are free",
        ),
        (
            "ValueError: Available memory on node 0 (18.16/23.54 GiB) on startup is less than",
            SwrError,
            "only 18.16 of 23.54 GiB of memory",
        ),
        (
            "User-specified max_model_len (4096) is greater than the derived max_model_len"
            " (max_position_embeddings=128 or model_max_length=None in model's config.json).",
            UsageError,
            "--context 4096: the model was made for 128 tokens",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried", SwrError, "memory is not enough"),
        (
            "Total number of attention heads (14) must be divisible by tensor parallel size (4).",
            UsageError,
            "--tensor-parallel 4: the model has 14 attention heads",
        ),
        ("Sleep mode is not supported on current platform.", UsageError, "--sleep gives"),
        (
            "Model architectures ['Odd'] are not supported for now. Supported",
            SwrError,
            "models of the kind ['Odd']",
        ),
        (
            "line\nValueError: the real cause\n\nRuntimeError: Engine core initialization failed."
            " See root cause above. Failed core proc(s): {}",
            SwrError,
            "vllm: ValueError: the real cause (its log: /the/log)",
        ),
    ],
)
def test_what_vllm_says_is_said_in_terms_of_the_options(told, kind, words):
    error = explain(told, "/the/log")
    assert type(error) is kind
    assert words in str(error)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_it_says_how_to_get_it(folder):
    done = run_swr1("rollout", "--engine", "vllm", "--policy", folder[0])
    assert done.returncode == 2
    assert "pip install 'swr1[vllm]'" in done.stderr
