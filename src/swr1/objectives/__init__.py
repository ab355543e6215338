"""Pure tensor functions: advantages, KL estimators, losses, aggregations, and presets naming them.

No models, no I/O. Everything is flat ("ragged"): one entry per token that the policy is trained
on, sequences one after another, and `seq` says which sequence a token belongs to:

    seq   [N] int64, non-decreasing      0 0 0 1 1 3 3 3 3        (sequence 2 has no such token)
    x     [N] float                      any per-token quantity
    group [S] int64                      0 0 1 1                  which prompt a sequence answers

A token that the policy did not write (padding, a tool's answer) has no entry at all, so no formula
can take it in by mistake, and a NaN that stands there cannot leak through a multiplication by 0.
Log-probabilities are in nats, of the distribution that was sampled from (temperature included).
"""
