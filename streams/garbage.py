"""Settings of Python's garbage collector for a worker. Touches the interpreter, nothing else."""

import gc
from typing import Final

YOUNG: Final = 100_000
"""Allocations between looks at the youngest objects; Python's own 700 makes it walk the folds'
state, which is large, lives long and holds no cycles, thousands of times a second."""
MIDDLE: Final = 50
OLD: Final = 1_000


def tune_collector() -> None:
    """Collect seldom, and leave alone what was loaded before work began."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
