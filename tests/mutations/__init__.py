"""Breaks the design on purpose, to see that the tests notice: `python -m tests.mutations`."""
