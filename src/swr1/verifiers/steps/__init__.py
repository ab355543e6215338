"""Verdicts step by step: the turn split by a rule, and who judges its steps.

    turn.py      a record's turn and its steps; what a verdict on them says
    puzzles.py, village.py, facts.py, scenes.py   by rule: every stated fact against the world
    worlds.py    which world a record is of
    models.py    a process model in this process; a judge, asked about each step

A judge by rule is a function (record, turn) -> one Judged per step.
"""
