"""Packages are found, not listed: those under src/, and commands/ and data/ as parts of swr1.

All else stands in pyproject.toml. The folders of data/ hold no Python: they are namespaces.
"""

from setuptools import find_namespace_packages, find_packages, setup

BESIDE = find_namespace_packages(
    include=["commands", "commands.*", "data", "data.*"], exclude=["*.__pycache__"]
)

setup(packages=[*find_packages("src"), *(f"swr1.{package}" for package in BESIDE)])
