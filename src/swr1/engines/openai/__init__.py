"""The engine openai: every OpenAI-compatible server."""

from swr1.engines.openai.engine import OpenAIEngine

__all__ = ["Engine", "OpenAIEngine"]

Engine = OpenAIEngine
