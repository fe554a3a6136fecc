"""The oracle: what the tables must say, computed from the raw log in one batch, for clarity.

It shares nothing with the pipeline but `schemas` (the contract, and how a record is decoded): no
state that is carried along, no differences, no expiry heaps. Where a rule needs a choice it is
written down here once more, in other words.
"""
