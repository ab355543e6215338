"""Verifiers: who judges a completion. `format` and `knights` follow Logic-RL (arXiv 2502.14768).

A verifier is a module with `verify(record, **options) -> verdict`; its file name is its name. One
more is one more file. Files that begin with _ are parts of them. One that judges many records at a
time has `open(**options)`, too: see models/options.py.
"""
