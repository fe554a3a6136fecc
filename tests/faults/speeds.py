"""How fast a log is stored, from one place in it to another.

A speed can only be compared with that over the same part of the same log: the first third of a day
goes half as fast again as the rest, before there are checkpoints, and answers of stage 2 and of
identities, to pass on. So a worker that nothing disturbs goes over each log first, alone as they.
"""

import random
import time
from collections.abc import Iterable
from typing import Final

from tests.faults.run import TICK_SECONDS, Run
from tests.faults.station import Loaded, Station

NEARLY_ALL: Final = 0.9
"""Of a log: what comes last is less than a block, and waits until the worker has rested."""

Progress = list[tuple[float, int]]
"""(seconds, records that are stored by then), in the order of both."""


def undisturbed(station: Station, loaded: Loaded) -> Progress:
    """How a worker gets on that nothing disturbs, until nearly all is stored."""
    with Run(station, loaded, random.Random(0)) as run:  # noqa: S311 -- draws nothing
        run.start(buffer_bytes=run.plan.buffer_bytes)
        return progress(run)


def progress(run: Run) -> Progress:
    """Tick until nearly all is stored; how it went."""
    enough = NEARLY_ALL * sum(run.loaded.published.ends.values())
    seen: Progress = []

    def stored() -> bool:
        seen.append((time.monotonic(), run.stored_records()))
        return seen[-1][1] >= enough

    run.until(stored, f"{NEARLY_ALL:.0%} stored")
    return seen


def speed(seen: Iterable[tuple[float, int]], stored: int) -> float:
    """Records a second from when so many were `stored`, or more, to the end of what was seen."""
    there = [(at, records) for at, records in seen if records >= stored]
    if not there:
        return 0.0
    (began, first), (ended, last) = there[0], there[-1]
    return (last - first) / max(ended - began, TICK_SECONDS)
