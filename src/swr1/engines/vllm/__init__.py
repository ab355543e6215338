"""The engine vllm: vLLM in this process, with its continuous batching.

The engine itself is imported when it is first used: what it needs takes seconds to import.
"""

from typing import Any

from swr1.engines.vllm.options import VLLMOptions

__all__ = ["Engine", "VLLMEngine", "VLLMOptions"]


def __getattr__(name: str) -> Any:
    if name not in ("Engine", "VLLMEngine"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from swr1.engines.vllm.engine import VLLMEngine

    return VLLMEngine
