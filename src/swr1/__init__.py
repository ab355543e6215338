"""swr1: reinforcement learning from verifiers, as stages that read and write records.

Importing this package imports nothing heavy; each room is imported by the stage that needs it.
"""

__version__ = "0.1.0"
