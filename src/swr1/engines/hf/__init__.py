"""The engine hf: a transformers model and a decode loop of our own, on one device."""

from swr1.engines.hf.engine import HFEngine

__all__ = ["Engine", "HFEngine"]

Engine = HFEngine
