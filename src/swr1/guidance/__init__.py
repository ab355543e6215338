"""Inference-time guidance: candidates for the next step, scored, and one of them chosen.

    swr1 rollout puzzles.jsonl --policy runs/kk --guide steps --candidates 4

SafeWork-R1 describes value-guided steps in a sentence; what is here is our design. options.py says what
can be chosen, guide.py reads a guide (which verifiers score, how they are weighed, by which floor),
scoring.py applies it, and engine.py is the one controller for greedy choice, beam search, diverse
trees (DVTS), best of n and votes. A guided completion is no sample of the policy.
"""
