"""What the engine vllm knows without vLLM: its options, its model folders, its errors in our words.

Everything here is plain Python, so that it is tested where vLLM is not installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swr1.engines import Sampling
from swr1.errors import DataError, SwrError, UsageError
from swr1.prompts.decoding import Decoder
from swr1.registry import suggest

DTYPES = ("auto", "float32", "bfloat16", "float16")
# What our promises rest on, so `--vllm` may not say it.
OURS = {
    "model": "--policy",
    "trust_remote_code": "--trust-remote-code",
    "tokenizer": "--policy",
    "dtype": "--dtype",
    "tensor_parallel_size": "--tensor-parallel",
    "pipeline_parallel_size": "--pipeline-parallel",
    "data_parallel_size": "--data-parallel",
    "gpu_memory_utilization": "--gpu-memory",
    "max_model_len": "--context",
    "quantization": "--quantization",
    "enable_sleep_mode": "--sleep",
    "logprobs_mode": "",
    "skip_tokenizer_init": "",
    "generation_config": "",
    "enable_lora": "",
    "mm_processor_kwargs": "",
}
ADAPTER = "adapter_config.json"
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of adapters, as vLLM allots memory for them
MAY_DIFFER = {"_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache"}


@dataclass(frozen=True, slots=True)
class Source:
    """What a folder gives an engine to load.

    base: a model folder or hub name. adapter: the folder of the adapter to serve on it, with its
    rank. shape: what must be equal for weights to be taken in place.
    """

    folder: str
    base: str
    adapter: str | None
    rank: int
    shape: Any

    @classmethod
    def of(cls, folder: str | Path) -> Source:
        """Read `folder`; raises DataError for an adapter whose base is unknown."""
        path, rank = Path(folder), 0
        base, adapter = str(folder), None
        if (path / ADAPTER).is_file():
            config = _json(path / ADAPTER)
            base, adapter, rank = str(config.get("base_model_name_or_path") or ""), str(path), 0
            if config.get("peft_type", "LORA") != "LORA" or config.get("use_dora"):
                raise DataError("the engine vllm serves LoRA adapters only", str(path))
            ranks = [config.get("r", 8), *(config.get("rank_pattern") or {}).values()]
            rank = max(ranks)
            if not base:
                raise DataError("it does not say base_model_name_or_path", str(path / ADAPTER))
            if (path / base / "config.json").is_file():
                base = str(path / base)
        model = Path(base)
        shape: Any = base
        if adapter is None and (model / "config.json").is_file():
            shape = _lasting(_json(model / "config.json")), tensor_names(model), _pixels(model)
        return cls(str(folder), base, adapter, rank, shape)

    @property
    def max_rank(self) -> int:
        """The rank that an engine must be started with."""
        return next((r for r in RANKS if r >= self.rank), self.rank)

    @property
    def tokenizer(self) -> str:
        """The folder that has the tokenizer."""
        has_tokenizer = self.adapter and (Path(self.adapter) / "tokenizer_config.json").is_file()
        return self.folder if has_tokenizer else self.base


def _lasting(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration, those of its towers included, without what says nothing of the model."""
    return {
        key: _lasting(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in MAY_DIFFER
    }


def _pixels(folder: Path) -> dict[str, Any] | None:
    """How a model folder says that pixels are made; None for a model of texts."""
    file = folder / "preprocessor_config.json"
    return _json(file) if file.is_file() else None


def tensor_names(folder: Path) -> frozenset[str] | None:
    """The names of a model folder's tensors; None if they are not in safetensors files."""
    from safetensors import safe_open

    names: set[str] = set()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="np") as tensors:
            names |= set(tensors.keys())
    return frozenset(names) or None


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"it is not JSON ({error})", str(path)) from None


def extra_arguments(pairs: Iterable[str], known: Iterable[str]) -> dict[str, Any]:
    """`--vllm KEY=VALUE` as keyword arguments; a value is JSON, or else the text itself.

    `known` are the names of vLLM's engine arguments. Raises UsageError for others, and for those
    that have an option of their own or that our promises rest on.
    """
    known = list(known)
    made: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if not equals:
            raise UsageError(f"--vllm is KEY=VALUE, such as max_num_seqs=512, not {pair!r}")
        if name in OURS:
            instead = f"use {OURS[name]}" if OURS[name] else "swr1 sets it itself"
            raise UsageError(f"--vllm {name}: {instead}")
        if name not in known:
            raise UsageError(f"vLLM has no engine argument {name!r}.{suggest(name, known)}")
        try:
            made[name] = json.loads(value)
        except ValueError:
            made[name] = {"True": True, "False": False, "None": None}.get(value, value)
    return made


def check_sampling(sampling: Sampling) -> None:
    """Raises UsageError for what vLLM would refuse, or silently do otherwise."""
    if 0 < sampling.temperature < 0.01 or sampling.temperature > 2:
        raise UsageError(
            f"the engine vllm takes temperature 0 and 0.01 to 2, not {sampling.temperature}"
        )


class StopStrings:
    """Where a completion ends: after the token that completes a stop string.

    vLLM's own check cannot be used: it looks at text without special tokens, and a tokenizer of
    ours may have <think> as one. Decoding is only done after tokens that can end a stop string.
    """

    def __init__(self, stop: Sequence[str], decode: Decoder) -> None:
        self.stop, self.decode = stop, decode
        # A space at the end may come from joining words, and half a character shows as U+FFFD.
        self._always = any(s[-1].isspace() for s in stop)
        self._last = {s[-1] for s in stop} | {"\ufffd"}
        self._tail = max((len(s.encode()) for s in stop), default=0) + 8
        self._ends: dict[int, bool] = {}

    def _may_end(self, token: int) -> bool:
        if token not in self._ends:
            [text] = self.decode.tokenizer.batch_decode([[token]])
            self._ends[token] = self._always or any(c in text for c in self._last)
        return self._ends[token]

    def find(self, ids: Sequence[int], start: int) -> int | None:
        """How many of `ids` to keep, if one of those from `start` on completes a stop string."""
        for end in range(start + 1, len(ids) + 1):
            if self._may_end(ids[end - 1]):
                [text] = self.decode([list(ids[max(0, end - self._tail) : end])])
                if any(stop in text for stop in self.stop):
                    return end
        return None


PREFIX = re.compile(r"^.*?\[\w+\.py:\d+\] ")  # of a line in vLLM's log
# (what vLLM says, what we say); {0}, {1}: groups of the match
EXPLAINED: tuple[tuple[str, type[SwrError], str], ...] = (
    (
        r"max seq len \((\d+)\)[^(]*\(([\d.]+) GiB KV\s+cache is needed.*?memory\s+\(([\d.]+) GiB\)"
        r".*?length is (\d+)",
        SwrError,
        "one sequence of {0} tokens needs {1} GiB of cache, and {2} GiB are left beside the"
        " weights: --context {3} or less fits; else give more with --gpu-memory or"
        " --tensor-parallel",
    ),
    (
        r"max seq len \((\d+)\)[^(]*\(([\d.]+) GiB KV\s+cache is needed.*?memory\s+\(([\d.]+) GiB\)",
        SwrError,
        "one sequence of {0} tokens needs {1} GiB of cache, and {2} GiB are left beside the"
        " weights: give a smaller --context, a greater --gpu-memory or more GPUs"
        " (--tensor-parallel)",
    ),
    (
        r"No available memory for the cache blocks|to serve even a single token",
        SwrError,
        "the weights leave no memory for the cache: give a greater --gpu-memory, more GPUs"
        " (--tensor-parallel), or a smaller model (--quantization)",
    ),
    (
        r"[Ff]ree memory on device \S+ \(([\d.]+)/([\d.]+) GiB\)",
        SwrError,
        "only {0} of the GPU's {1} GiB are free, less than --gpu-memory asks for: end what else"
        " uses it, or give a share below {0}/{1} (a train-step on the same GPU needs its part)",
    ),
    (
        r"Available memory on node \d+ \(([\d.]+)/([\d.]+) GiB\)",
        SwrError,
        "only {0} of {1} GiB of memory are free, fewer than requested: give a smaller --gpu-memory"
        " (on a CPU it is the share of all memory) or VLLM_CPU_KVCACHE_SPACE (GiB)",
    ),
    (
        r"max_model_len \((\d+)\) is greater than the derived max_model_len \(\w+=(\d+)",
        UsageError,
        "--context {0}: the model was made for {1} tokens at most",
    ),
    (
        r"out of memory",
        SwrError,
        "the GPU's memory is not enough: the weights do not fit (more GPUs with"
        " --tensor-parallel, or --quantization), or --gpu-memory leaves nothing for the rest"
        " (give a smaller share)",
    ),
    (
        r"attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)",
        UsageError,
        "--tensor-parallel {1}: the model has {0} attention heads, which it must divide",
    ),
    (
        r"[Ww]orld size \((\d+)\) is larger than the number of available (?:GPUs|devices) \((\d+)\)",
        UsageError,
        "{0} GPUs are requested (--tensor-parallel times --pipeline-parallel), and {1} are available",
    ),
    (
        r"Sleep mode is not supported",
        UsageError,
        "--sleep gives a GPU's memory back between phases; no GPU here can do that",
    ),
    (
        r"Model architectures (\[.*?\]) (?:are not supported|failed)",
        SwrError,
        "vLLM does not know models of the kind {0}: use --engine hf",
    ),
    (
        r"[Bb]float16 is only supported on GPUs",
        UsageError,
        "--dtype bfloat16: this GPU has none, use --dtype float16",
    ),
    (
        r"[Qq]uantization method specified in the model config \((\w+)\) does not match",
        UsageError,
        "the model's folder is quantized as {0}: leave --quantization out",
    ),
)


def explain(output: str, log: str) -> SwrError:
    """The error to raise for vLLM's `output` (an exception's text, or the end of its log)."""
    lines = [PREFIX.sub("", line).strip() for line in output.splitlines()]
    flat = " ".join(lines)
    for pattern, kind, words in EXPLAINED:
        if match := re.search(pattern, flat, re.DOTALL):
            return kind("vllm: " + words.format(*match.groups()))
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    causes = [line for line in errors if "root cause" not in line]
    cause = (causes or errors or list(filter(None, lines)) or ["it did not say why"])[-1]
    return SwrError(f"vllm: {cause[:400]} (its log: {log})")
