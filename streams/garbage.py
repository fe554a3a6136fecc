"""Settings of Python's garbage collector for a worker. Touches the interpreter, nothing else.

The folds' state is large, lives long and holds no cycles: the collector walks it for nothing, and
everything else stands still for as long. So what a fold makes of a batch is put aside before the
collector sees it; reference counting frees it. What came before the batch, most of it of the
broker's client, is looked at, which takes as long as a batch is large. What is lost are cycles that
were alive as a batch was applied and died later (docs/decisions/0017).
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 2_000_000
"""Allocations between looks at the youngest objects, where nothing is put aside meanwhile."""
MIDDLE: Final = 10
OLD: Final = 100

_tuned = False


def tune_collector() -> None:
    """Collect seldom, and leave alone what was loaded before work began."""
    global _tuned  # noqa: PLW0603 -- as global as the collector
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    _tuned = True


@contextmanager
def put_aside(unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """The collector never looks at what is made inside, in a process that tunes it.

    `unless`: whether there is something at the moment that will leave cycles. What is made inside
    is then looked at before the next batch.
    """
    if not _tuned or unless():
        yield
        return
    gc.collect(0)
    try:
        yield
    finally:
        if not unless():
            gc.freeze()
