"""Rolling windows over panes, kept up by adding and taking away. Pure.

A window holds the panes from `begin` on: the last ones that fit its length, the present one
included. The day's begins at midnight in the queue's time zone.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from schemas.live import WINDOWS
from schemas.rows import QUEUE_PANE_SECONDS
from streams.monitor.rules import day_begin
from streams.monitor.vectors import WIDTH, Vector

Bins = Mapping[int, int]
InPane = Callable[[int, int], Iterable[tuple[Vector, Bins]]]
"""What lies in the panes from one instant (seconds) up to another."""
DAY: Final = "day"


class Window:
    """The sums of the panes from `begin` (seconds since the epoch) on."""

    __slots__ = ("begin", "bins", "name", "sums")

    def __init__(self, name: str, begin: int) -> None:
        self.name = name
        self.begin = begin
        self.sums = [0] * WIDTH
        self.bins: dict[int, int] = {}

    def add(self, vector: Vector, bins: Bins, sign: int) -> None:
        """Add what lies in a pane of the window (`sign` 1), or take it away (-1)."""
        sums = self.sums
        for at, n in enumerate(vector):
            if n:
                sums[at] += sign * n
        own = self.bins
        for index, n in bins.items():
            left = own.get(index, 0) + sign * n
            if left:
                own[index] = left
            else:
                own.pop(index, None)

    def advance(self, begin: int, between: InPane) -> None:
        """Let the window begin later, without what lay before."""
        if begin > self.begin:
            for vector, bins in between(self.begin, begin):
                self.add(vector, bins, -1)
            self.begin = begin


def begins_at(name: str, now_ms: int, timezone: str) -> int:
    """Where a window begins, in seconds since the epoch."""
    if name == DAY:
        return day_begin(now_ms, timezone)
    now = now_ms // 1000
    return now - now % QUEUE_PANE_SECONDS - WINDOWS[name] + QUEUE_PANE_SECONDS
