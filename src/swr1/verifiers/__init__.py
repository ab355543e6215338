"""Verifiers judge completions. `format` and `knights` follow Logic-RL (arXiv 2502.14768).

A verifier is a function `verify(record, **options)` in a file of builtin/, whose name is its name, or a
function of yours. Its file declares what it can say (declared.py); whatever it returns becomes a
verdict in one way (verdicts.py). One that judges many records at a time also has `open(**options)`
(models/options.py). running.py runs several of them over records, isolated.py one in a process of
its own, gold.py over the known answers of a data set. The other folders read what verifiers judge:
completions/, mathematics/, refusals/, roles/.
"""
