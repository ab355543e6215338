"""The engine openai: every OpenAI-compatible server.

The engine itself is imported when it is first used: what it needs takes seconds to import.
"""

from typing import Any

from swr1.engines.openai.options import OpenAIOptions

__all__ = ["Engine", "OpenAIEngine", "OpenAIOptions"]


def __getattr__(name: str) -> Any:
    if name not in ("Engine", "OpenAIEngine"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from swr1.engines.openai.engine import OpenAIEngine

    return OpenAIEngine
