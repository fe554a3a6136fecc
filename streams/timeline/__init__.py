"""A customer's page: contacts folded from their events when they are read.

`reader` alone talks to the store; the rest is pure.
"""
