"""Settings of Python's garbage collector for a worker. Touches the interpreter, nothing else.

The folds' state is large, lives long and holds no cycles: the collector walks it for nothing, and
everything else stands still for as long. So what a fold makes of a batch is put aside before the
collector sees it; reference counting frees it. What came before the batch, most of it of the
broker's client, is looked at, which takes as long as a batch is large. Cycles that were alive as a
batch was applied and died later wait for the one look a day at everything (docs/decisions/0017).
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 2_000_000
"""Allocations between looks at the youngest objects, where nothing is put aside meanwhile."""
MIDDLE: Final = 10
OLD: Final = 100
WHOLE_SECONDS: Final = 86_400.0
"""Between looks at everything, which take a microsecond an object: seconds, of a large state."""

_looked_at: float | None = None
"""When everything was looked at last, by the monotonic clock; None where nobody tunes it."""


def tune_collector() -> None:
    """Collect seldom, and leave alone what was loaded before work began.

    What is frozen already stays so: a fork shares its pages until somebody writes to them.
    """
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    _look_and_freeze()


def _look_at_everything() -> None:
    gc.unfreeze()
    _look_and_freeze()


def _look_and_freeze() -> None:
    global _looked_at  # noqa: PLW0603 -- as global as the collector
    gc.collect()
    gc.freeze()
    _looked_at = time.monotonic()


@contextmanager
def put_aside(unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """The collector never looks at what is made inside, in a process that tunes it.

    `unless`: whether there is something at the moment that will leave cycles. What is made inside
    is then looked at before the next batch.
    """
    if _looked_at is None or unless():
        yield
        return
    if time.monotonic() - _looked_at >= WHOLE_SECONDS:
        _look_at_everything()
    else:
        gc.collect(0)
    try:
        yield
    finally:
        if not unless():
            gc.freeze()
