"""The pure fold: a source partition's log in, its state and the rows that describe it out.

Nothing in this package reads a clock, draws a random number or does I/O: `state(n + 1)` depends on
`state(n)` and event n alone, so replaying a log always leads to the same state and the same rows.
"""
