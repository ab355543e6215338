"""The training step: version 0 of a policy (init.py), SFT (sft.py) and RL (rl.py) on records.

engine.py holds what every update is made of, groups.py turns scored records into groups, update.py
is one RL step on them, state.py makes a killed run go on where it stood. All of it imports torch,
and only a command that trains imports it.
"""
