"""The engine hf: a transformers model and a decode loop of our own, on one device.

The engine itself is imported when it is first used: what it needs takes seconds to import.
"""

from typing import Any

from swr1.engines.hf.options import HFOptions

__all__ = ["Engine", "HFEngine", "HFOptions"]


def __getattr__(name: str) -> Any:
    if name not in ("Engine", "HFEngine"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from swr1.engines.hf.engine import HFEngine

    return HFEngine
