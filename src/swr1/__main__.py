"""`python -m swr1 ...`, for launchers that start a module: torchrun -m swr1 train-step ..."""

from importlib import import_module

# By name: the core does not know the command line.
import_module("swr1.commands").main()
