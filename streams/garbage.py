"""Settings of Python's garbage collector for a worker. Touches the interpreter, nothing else."""

import gc
from typing import Final

YOUNG: Final = 2_000_000
"""Allocations between looks at the youngest objects. At Python's own 700 it walks the folds' state,
which is large, lives long and holds no cycles, thousands of times a second; at this, the rows of a
block, a few hundred thousand objects, are stored and gone before it looks at them."""
MIDDLE: Final = 10
OLD: Final = 100


def tune_collector() -> None:
    """Collect seldom, and leave alone what was loaded before work began."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
