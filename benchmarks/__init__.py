"""Figures of docs/ are measured here; the tests use some of the tools."""
