"""The fault matrix: real workers on a real broker, hurt on purpose, and what is stored afterwards.

`python -m tests.faults` runs it; `docs/reliability.md` says what it shows. `generate` makes logs,
`station` the processes, `matrix` the faults, `compare` the verdict.
"""
