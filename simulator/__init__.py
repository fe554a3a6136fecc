"""A contact centre that does not exist: a discrete-event model, the events it emits, the truth.

Pure but for the seed it is given: no clock, no I/O. Knows `schemas` alone, so that nothing of what
it is compared with can leak into its truth.
"""
