"""Packages are found, not listed: those under src/, and commands/ and data/ as parts of swr1.

All else stands in pyproject.toml.
"""

from setuptools import find_packages, setup

BESIDE = find_packages(include=["commands", "commands.*", "data", "data.*"])

setup(packages=[*find_packages("src"), *(f"swr1.{package}" for package in BESIDE)])
