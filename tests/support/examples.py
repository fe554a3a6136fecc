"""How many examples a law is tried on: fewer where the same laws are tried once more, compiled."""

import os
from typing import Final

SHARE: Final = "SWITCHBOARD_TESTS_EXAMPLES_SHARE"
"""Environment variable: the share of the examples that a run tries, 1 unless it says otherwise."""


def examples(number: int) -> int:
    """So many, or this run's share of them."""
    return max(1, round(number * float(os.environ.get(SHARE, "1"))))
