"""What a run will cost: time, memory, lag and idle machines, before it is started.

shape.py counts weights and bytes, lengths.py knows how long completions are, costs.py how long a
decode step or a training step takes, measured.py takes those from a run that was made, simulation.py
plays the pipe event by event, plan.py puts the figures together and page.py shows them. Every number
that goes in is in a ledger (ledger.py) with where it comes from: measured, given or assumed.
config.py has the options.
"""
