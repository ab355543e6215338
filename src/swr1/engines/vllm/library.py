"""What we use of vLLM, under one name. Importing this imports vLLM, which takes seconds.

vLLM's processes are started here as we need them: spawned, since ours has threads, and with a log
file as their standard output and error.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.spawn
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Read when vLLM is imported, and by its processes.
os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

import torch
import vllm
from vllm import AsyncEngineArgs, SamplingParams
from vllm.config.logging import LoggingConfig
from vllm.exceptions import VLLMValidationError
from vllm.logger import configure_logging_if_needed
from vllm.lora.request import LoRARequest
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from swr1 import models

__all__ = [
    "AsyncEngineArgs",
    "AsyncLLM",
    "LoRARequest",
    "RequestOutputKind",
    "SamplingParams",
    "VLLMValidationError",
]

VERSION = f"{vllm.__version__}+torch{torch.__version__.partition('+')[0]}"


def prompt(
    ids: list[int], pictures: Sequence[tuple[str, Any]], salt: str | None = None
) -> dict[str, Any]:
    """A prompt of token ids, in the form that needs no further work; with pictures (digest, image), in which
    each placeholder of the ids is one of them, and vLLM makes it as many as it needs. Only prompts of one
    salt share what is cached of them.
    """
    salted = {"cache_salt": salt} if salt else {}
    if not pictures:
        return {"type": "token", "prompt_token_ids": ids, **salted}
    return {
        **salted,
        "prompt_token_ids": ids,
        "multi_modal_data": {"image": [image for _, image in pictures]},
        # what is cached is found again by digest
        "multi_modal_uuids": {"image": [digest for digest, _ in pictures]},
    }


def tokens_of(llm: AsyncLLM, name: str) -> int | None:
    """How many tokens of the completion of request `name` have come from vLLM's processes; None for
    one that has ended."""
    processor = llm.output_processor
    internal = processor.external_req_ids.get(name, [])
    states = [s for i in internal if (s := processor.request_states.get(i)) is not None]
    return states[0].detokenizer.num_output_tokens() if states else None


def arrived(llm: AsyncLLM) -> bool:
    """Whether nothing that vLLM's processes wrote waits to be read."""
    return llm.engine_core.outputs_queue.empty()


def take_image_processor(llm: AsyncLLM, processor: Any) -> None:
    """Make pixels with a trainer's image processor: vLLM's own scales pictures by torchvision, differently.

    vLLM makes them in this process, not in its workers.
    """
    info = llm.renderer.get_mm_processor().info
    info.get_hf_processor().image_processor = processor
    if info.get_hf_processor().image_processor is not processor:
        raise RuntimeError("vLLM does not take another image processor than its own")


def auto_dtype(base: str) -> str:
    """float32 on CPU, bfloat16 elsewhere; of a quantized model, what vLLM makes of its folder."""
    if current_platform.is_cpu():
        return "float32"
    quantized = getattr(models.load_config(base), "quantization_config", None)
    return "auto" if quantized else "bfloat16"


def defaults() -> dict[str, Any]:
    """Engine arguments that this machine needs.

    On a CPU vLLM 0.31 ends when a request with a seed has its prompt computed in parts.
    """
    return {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}


def end_tokens(base: str, tokenizer: Any) -> list[int]:
    """As models.end_tokens, of a model's folder."""
    return models.end_tokens(models.load_generation_config(base), tokenizer)


@contextmanager
def logging_to(log: Path) -> Iterator[None]:
    """What is started within writes its standard output and error to `log`, as vLLM's logger does.

    Another executable does it, rather than a moment in which our own standard output leads
    elsewhere: records may be on their way there.
    """
    configure_logging_if_needed(LoggingConfig())  # else vLLM would do it later, and undo this
    logger = logging.getLogger("vllm")
    logger.handlers, logger.propagate = [logging.FileHandler(log)], False
    before = multiprocessing.spawn.get_executable()
    with tempfile.TemporaryDirectory(prefix="swr1-vllm-") as folder:
        script = Path(folder) / "python"
        script.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@" >>{shlex.quote(str(log))} 2>&1\n'
        )
        script.chmod(0o755)
        multiprocessing.set_executable(str(script))
        try:
            yield
        finally:
            multiprocessing.set_executable(os.fsdecode(before or sys.executable))
