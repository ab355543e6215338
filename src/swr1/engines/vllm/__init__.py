"""The engine vllm: vLLM in this process, with its continuous batching."""

from swr1.engines.vllm.engine import VLLMEngine

__all__ = ["Engine", "VLLMEngine"]

Engine = VLLMEngine
